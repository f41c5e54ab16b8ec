"""What an analysis core must give back, and what is wrong with what it gave.

Required is what the rest of the program cannot do without: which particle, where, how large, whole or cut, and its
weight (1 where the core does not correct for particles lost at the border). All else may be absent, and is then left
out of tables and reports by name; without voids.csv nothing is said about voids. A columns.json tells of columns that
the core adds.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.handoff_bodies import Body, OddRow, odd_particles, odd_voids
from xrm_control.analysis.handoff_sizes import Room, odd_cells
from xrm_control.analysis.handoff_volume import left_without_row, odd_in_volume
from xrm_control.contracts.column import Column, number
from xrm_control.contracts.columns import COLUMNS, STANDARD, ColumnsDocument
from xrm_control.contracts.document import read_object
from xrm_control.contracts.handoff import HandoffSpec
from xrm_control.contracts.quality import FOREIGN_QUALITY
from xrm_control.contracts.rows import not_measured, read_rows
from xrm_control.contracts.tables import Particle, Void
from xrm_control.core.errors import AnalysisError, DataError

RESULTS, PARTICLES, VOIDS = "results.json", "particles.csv", "voids.csv"
_MOST_BYTES = 256_000_000
_MOST_FAULTS = 20
_ONE_BODY = tuple(column.name for column in (Particle.x_um, Particle.y_um, Particle.z_um, Particle.volume_um3))


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong. `row` counts the lines of a table, its header is row 1; None: the file as a whole."""

    file: str
    what: str
    row: int | None = None
    column: str | None = None
    value: str | None = None
    limit: str | None = None

    @property
    def where(self) -> str:
        """File, row and column."""
        row = "" if self.row is None else f", row {self.row}"
        return f"{self.file}{row}{'' if self.column is None else f', column {self.column}'}"


@dataclass(frozen=True)
class Examination:
    """What a core wrote for one region: what is wrong with it; and where nothing is, how much there is of it.

    not_measured: what the report will leave out, by name; own: columns that the core adds; notes: what is no fault and
    should be known.
    """

    roi: str
    faults: tuple[Fault, ...]
    particles: int = 0
    voids: int | None = None
    not_measured: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def examine(
    folder: Path, roi: str, handed: HandoffSpec | None = None, volume: NDArray[np.number] | None = None
) -> Examination:
    """Look at the folder of a core's answer for the region `roi`; handed: what it was given, where that is known;
    volume (z, y, x): in 1/um, too.

    Raises DataError when there is no such folder.
    """
    if not folder.is_dir():
        raise DataError("no such folder", where=str(folder), remedy="give the folder that the core wrote into")
    faults = check_results(folder, roi, handed, volume=volume)
    if faults:
        return Examination(roi, faults)
    columns, _ = _columns(folder / COLUMNS.name)
    particles = read_rows(folder / PARTICLES, columns.particles)
    voids = read_rows(folder / VOIDS, columns.voids) if (folder / VOIDS).exists() else None
    known = {column.name for column in (*STANDARD.particles, *STANDARD.voids)}
    tables = [particles] if voids is None else [particles, voids]
    own = [column.name for table in tables for column in table.columns if column.name not in known]
    notes: tuple[str, ...] = ()
    if handed is not None and volume is not None:
        bodies = _Table(folder / PARTICLES, columns.particles, Particle.particle_id, roi, None, own=True).bodies
        notes = left_without_row(bodies, handed.voxel_size_um, volume)
    return Examination(
        roi,
        (),
        len(particles),
        None if voids is None else len(voids),
        not_measured(particles, voids),
        tuple(own),
        notes,
    )


def check_results(
    folder: Path,
    roi: str,
    handed: HandoffSpec | None = None,
    *,
    own: bool = False,
    volume: NDArray[np.number] | None = None,
) -> tuple[Fault, ...]:
    """What is wrong with the files that a core wrote into `folder` for the region `roi`; at most 20 of each table.

    handed: what it was given: sizes and places are then held against the volume's box; volume (z, y, x) in 1/um: and
    against the matter in it. own: by the built-in core.
    """
    room = None if handed is None else Room.of(handed)
    faults = [
        *_json_faults(folder / RESULTS),
        *_other_region(folder / RESULTS, roi),
        *_quality_faults(folder / FOREIGN_QUALITY.name),
    ]
    columns, told = _columns(folder / COLUMNS.name)
    faults += told
    particles = _Table(folder / PARTICLES, columns.particles, Particle.particle_id, roi, room, own=own)
    voids: _Table | None = None
    if (folder / VOIDS).exists():
        voids = _Table(folder / VOIDS, columns.voids, Void.void_id, roi, room, own=own)
        if not particles.faults and not voids.faults:
            voids.refer_to(particles.ids)
    if not own and not particles.faults and (voids is None or not voids.faults):
        _beside_each_other(particles, voids, room)
        if room is not None and volume is not None and not particles.faults:
            for found in odd_in_volume(particles.bodies, room, volume):
                particles.add(found)
    faults += [*particles.faults, *(() if voids is None else voids.faults)]
    if not faults:
        whole = sum(body.cells.get(Particle.touches_boundary.name) == 0 for body in particles.bodies)
        counted = {"particles": len(particles.bodies), "whole_particles": whole}
        faults += _other_counts(folder / RESULTS, counted if voids is None else {**counted, "voids": len(voids.bodies)})
    return tuple(faults)


def _beside_each_other(particles: _Table, voids: _Table | None, room: Room | None) -> None:
    """Add to two tables without faults what their rows cannot be together."""
    for found in odd_particles(particles.bodies, room):
        particles.add(found)
    if voids is not None:
        hosts = dict(zip(map(int, particles.ids), particles.bodies, strict=True))
        for of_particles, found in odd_voids(hosts, voids.bodies, room):
            (particles if of_particles else voids).add(found)


def require_results(
    folder: Path,
    roi: str,
    handed: HandoffSpec | None = None,
    *,
    own: bool = False,
    volume: NDArray[np.number] | None = None,
) -> None:
    """Raise AnalysisError for the first of `check_results`, saying how many more there are."""
    faults = check_results(folder, roi, handed, own=own, volume=volume)
    if not faults:
        return
    first, more = faults[0], len(faults) - 1
    raise AnalysisError(
        f"the analysis core's answer cannot be used: {first.what}{f' (and {more} more faults)' if more else ''}",
        where=f"{roi}, {first.where}",
        value=first.value,
        limit=first.limit,
        remedy="correct the core (docs/how-to/analysis-core.md); `xrm handoff check` looks at what it writes",
    )


class _Lines(Protocol):
    """A CSV reader: rows of cells, and the line that it has come to."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...

    def __next__(self) -> list[str]: ...


class _Table:
    """A table read as text, once; its faults, and the ids in it with their rows."""

    def __init__(
        self, path: Path, columns: Sequence[Column], own_id: Column, roi: str, room: Room | None, *, own: bool
    ) -> None:
        self.faults: list[Fault] = []
        self.ids: dict[str, int] = {}
        self.bodies: list[Body] = []
        self._name, self._roi, self._id = path.name, roi, own_id.name
        self._columns, self._room, self._own = columns, room, own
        self._references: list[tuple[int, str]] = []
        self._places: dict[tuple[str, ...], int] = {}
        text = self._text(path)
        if text is None:
            return
        try:
            self._read(csv.reader(io.StringIO(text, newline=""), strict=True))
        except csv.Error as error:
            self._fault(f"the table cannot be read: {error}")

    def refer_to(self, particles: Mapping[str, int]) -> None:
        """Every void must be in a particle of the other table."""
        for row, particle in self._references:
            if particle not in particles:
                self._fault("the table names a particle that is not there", row, Void.particle_id.name, particle)

    def add(self, found: OddRow) -> None:
        """One more fault, of a row beside others; no more than 20."""
        if len(self.faults) < _MOST_FAULTS:
            cells = next((body.cells for body in self.bodies if body.row == found.row), {})
            value = cells.get(found.odd.column)
            shown = None if value is None else f"{value:g}"
            self._fault(found.odd.what, found.row, found.odd.column, shown, found.odd.limit)

    def _text(self, path: Path) -> str | None:
        data = _bytes(path, self.faults)
        if data is None:
            return None
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            row = data[: error.start].count(b"\n") + 1
            self._fault("the table is not UTF-8", row, value=data[error.start : error.start + 1].hex())
            return None
        if text.startswith("\N{ZERO WIDTH NO-BREAK SPACE}"):
            self._fault("the table begins with a byte-order mark", 1, limit="plain UTF-8")
        elif "\0" in text:
            self._fault("the table holds a zero byte", text[: text.index("\0")].count("\n") + 1, limit="plain UTF-8")
        elif not text.strip():
            self._fault("the table is empty", limit="a header line at least")
        elif not text.endswith("\n"):
            rows = text.count("\n") + 1
            self._fault("the table breaks off: its last row has no end", rows, limit="a line break after each row")
        else:
            return text
        return None

    def _read(self, lines: _Lines) -> None:
        header = next(lines)
        other = next((sign for sign in ";\t|" if len(header) == 1 and sign in header[0]), None)
        limit = None if other is None else f"cells separated by commas, not by {other!r}"
        for name in dict.fromkeys(name for name in header if header.count(name) > 1):
            self._fault("the table has a column twice", lines.line_num, name)
        if "" in header[1:]:
            self._fault("the table has a column without a name", lines.line_num, limit="no comma at the ends of rows")
        # What region a table is of is asked first.
        for column in sorted(self._columns, key=lambda column: column.name != Particle.roi.name):
            if column.required and column.name not in header:
                self._fault("the table lacks a column", lines.line_num, column.name, ", ".join(header)[:200], limit)
        if self.faults:
            return
        at = {column.name: header.index(column.name) for column in self._columns if column.name in header}
        for cells in lines:
            if cells:
                self._row(lines.line_num, cells, at, len(header))
            if len(self.faults) >= _MOST_FAULTS:
                return

    def _row(self, row: int, cells: list[str], at: Mapping[str, int], columns: int) -> None:
        if len(cells) != columns:
            self._fault(
                "the table has a row of another length than its header", row, None, str(len(cells)), str(columns)
            )
            return
        if (region := cells[at[Particle.roi.name]]) != self._roi:
            self._fault("the table is of another region", row, Particle.roi.name, region, self._roi)
        for column in self._columns:
            if column.name in at and not column.fits(cell := cells[at[column.name]]):
                self._fault("the table has a cell that cannot be used", row, column.name, cell, column.wanted)
        self._sizes(row, cells, at)
        own = cells[at[self._id]]
        if own in self.ids:
            self._fault(f"the table has an id twice, first in row {self.ids[own]}", row, self._id, own)
        elif not self._own:
            self._again(row, tuple(cells[at[name]] for name in _ONE_BODY if name in at))
        self.ids.setdefault(own, row)
        if self._id == Void.void_id.name:
            self._references.append((row, cells[at[Void.particle_id.name]]))

    def _again(self, row: int, body: tuple[str, ...]) -> None:
        """Place and size to the last digit: no two bodies have them, and a row was written twice."""
        first = self._places.setdefault(body, row)
        if first != row:
            what = f"the table has the same place and size twice, first in row {first}"
            self._fault(what, row, _ONE_BODY[0], body[0], "each body once")

    def _sizes(self, row: int, cells: list[str], at: Mapping[str, int]) -> None:
        """What cannot be, and what is told twice and does not agree: columns or units were mixed up."""
        known = {name: number(cells[place]) for name, place in at.items()}
        finite = {name: value for name, value in known.items() if math.isfinite(value)}
        for odd in odd_cells(finite, self._room, own=self._own):
            self._fault(odd.what, row, odd.column, cells[at[odd.column]], odd.limit)
        kind = cells[at[Void.kind.name]] if Void.kind.name in at else ""
        host = finite.get(Void.particle_id.name, 0.0)
        self.bodies.append(Body(row, finite, int(host), kind))

    def _fault(
        self,
        what: str,
        row: int | None = None,
        column: str | None = None,
        value: str | None = None,
        limit: str | None = None,
    ) -> None:
        shown = None if value is None else value[:80] or "nothing"
        self.faults.append(Fault(self._name, what, row, column, shown, limit))


def _json_faults(path: Path) -> list[Fault]:
    faults: list[Fault] = []
    if _bytes(path, faults) is not None:
        try:
            read_object(path)
        except ValueError as error:
            faults.append(Fault(path.name, f"the file is not the JSON of an object: {error}"))
    return faults


def _other_region(path: Path, roi: str) -> list[Fault]:
    """Results that name their region name this one."""
    try:
        told = read_object(path).get("roi") if path.is_file() else None
    except (ValueError, OSError):
        return []  # said already
    if not isinstance(told, str) or told == roi:
        return []
    return [Fault(path.name, "the results are of another region", column="roi", value=told[:80], limit=roi)]


def _other_counts(path: Path, rows: Mapping[str, int]) -> list[Fault]:
    """Results that count particles and voids count those of the tables: rows that were lost on the way are missed."""
    counts = read_object(path).get("counts")
    faults: list[Fault] = []
    for name, found in rows.items():
        told = counts.get(name) if isinstance(counts, dict) else None
        if told is None or (told == found and not isinstance(told, bool)):
            continue
        limit, value = f"{found}, by the rows of the tables", f"{told!r:.80}"
        faults.append(
            Fault(path.name, "the results count other bodies", column=f"counts.{name}", value=value, limit=limit)
        )
    return faults


def _quality_faults(path: Path) -> list[Fault]:
    faults = _json_faults(path) if path.exists() else []
    if path.exists() and not faults:
        try:
            FOREIGN_QUALITY.read(path)
        except DataError as error:
            faults.append(_fault_of(error, path))
    return faults


def _columns(path: Path) -> tuple[ColumnsDocument, list[Fault]]:
    """The columns that the core may write: those that everybody knows, and its own, if it tells of some."""
    faults = _json_faults(path) if path.exists() else []
    if not path.exists() or faults:
        return STANDARD, faults
    try:
        return STANDARD.joined(COLUMNS.read(path)), []
    except DataError as error:
        return STANDARD, [_fault_of(error, path)]


def _fault_of(error: DataError, path: Path) -> Fault:
    field = (error.where or "").rpartition(", ")[2]
    value = None if error.value is None else str(error.value)
    return Fault(path.name, f"the file cannot be used: {error.what}", column=field, value=value)


def _bytes(path: Path, faults: list[Fault]) -> bytes | None:
    """Content of a file; None where there is none, or too much."""
    if not path.is_file():
        faults.append(Fault(path.name, f"the core did not write {path.name}"))
        return None
    try:
        if (size := path.stat().st_size) > _MOST_BYTES:
            limit = f"{_MOST_BYTES // 1_000_000} MB"
            faults.append(Fault(path.name, "the file is too large", value=f"{size // 1_000_000} MB", limit=limit))
            return None
        return path.read_bytes()
    except OSError as error:
        faults.append(Fault(path.name, f"the file cannot be read: {error.strerror}"))
        return None
