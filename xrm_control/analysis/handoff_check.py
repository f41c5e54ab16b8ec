"""What an analysis core must give back, and what is wrong with what it gave.

Required is what the rest of the program cannot do without: which particle, where, how large, whole or cut, and its
weight (1 where the core does not correct for particles lost at the border). All else may be absent, and is then a dash
in tables and reports; without voids.csv nothing is said about voids.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xrm_control.analysis.tables import PARTICLE_COLUMNS, TEXT_COLUMNS, VOID_COLUMNS
from xrm_control.core.errors import AnalysisError

RESULTS, PARTICLES, VOIDS, QUALITY = "results.json", "particles.csv", "voids.csv", "quality.json"
VOID_KINDS = ("closed", "ambiguous", "open")
_MOST_BYTES = 256_000_000
_MOST_FAULTS = 20
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"\d{1,18}", re.ASCII)

Rule = tuple[str, Callable[[str], bool]]


def number(cell: str) -> float:
    """The finite decimal number in a cell; NaN for anything else."""
    value = float(cell) if _NUMBER.fullmatch(cell) else math.nan
    return value if math.isfinite(value) else math.nan


_ID: Rule = ("a whole number above 0", lambda cell: bool(_WHOLE.fullmatch(cell)) and int(cell) > 0)
_FINITE: Rule = ("a finite number", lambda cell: not math.isnan(number(cell)))
_POSITIVE: Rule = ("a finite number above 0", lambda cell: number(cell) > 0)
_WEIGHT: Rule = ("a finite number, 0 or above", lambda cell: number(cell) >= 0)
_FLAG: Rule = ("0 or 1", lambda cell: cell in ("0", "1"))
_KIND: Rule = (", ".join(VOID_KINDS), lambda cell: cell in VOID_KINDS)
_OPTIONAL: Rule = ("a finite number, or nothing", lambda cell: not cell or not math.isnan(number(cell)))

_PLACE_AND_SIZE = dict.fromkeys(("x_um", "y_um", "z_um"), _FINITE) | dict.fromkeys(
    ("volume_um3", "equivalent_diameter_um"), _POSITIVE
)
REQUIRED_OF_PARTICLES: Mapping[str, Rule] = {
    "particle_id": _ID,
    **_PLACE_AND_SIZE,
    "touches_boundary": _FLAG,
    "weight": _WEIGHT,
}
REQUIRED_OF_VOIDS: Mapping[str, Rule] = {"void_id": _ID, "particle_id": _ID, **_PLACE_AND_SIZE, "kind": _KIND}


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


def check_results(folder: Path, roi: str) -> tuple[Fault, ...]:
    """What is wrong with the files that a core wrote into `folder` for the region `roi`; at most 20 of each table."""
    faults = [*_json_faults(folder / RESULTS, required=True), *_json_faults(folder / QUALITY, required=False)]
    particles = _Table(folder / PARTICLES, PARTICLE_COLUMNS, REQUIRED_OF_PARTICLES, roi)
    faults += particles.faults
    if (folder / VOIDS).exists():
        voids = _Table(folder / VOIDS, VOID_COLUMNS, REQUIRED_OF_VOIDS, roi)
        if not particles.faults and not voids.faults:
            voids.refer_to(particles.ids)
        faults += voids.faults
    return tuple(faults)


def require_results(folder: Path, roi: str) -> None:
    """Raise AnalysisError for the first of `check_results`, saying how many more there are."""
    faults = check_results(folder, roi)
    if not faults:
        return
    first, more = faults[0], len(faults) - 1
    raise AnalysisError(
        f"the analysis core's answer cannot be used: {first.what}{f' (and {more} more faults)' if more else ''}",
        where=f"{roi}, {first.where}",
        value=first.value,
        limit=first.limit,
        remedy="correct the core; the hand-off's contract is in docs/design.md",
    )


class _Table:
    """A table read as text, once; its faults, and the ids in it with their rows."""

    def __init__(self, path: Path, known: tuple[str, ...], required: Mapping[str, Rule], roi: str) -> None:
        self.faults: list[Fault] = []
        self.ids: dict[str, int] = {}
        self._name, self._required, self._roi = path.name, required, roi
        self._optional = [name for name in known if name not in (*required, *TEXT_COLUMNS)]
        self._id = next(iter(required))
        self._references: list[tuple[int, str]] = []
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
                self._fault("the table names a particle that is not there", row, "particle_id", particle)

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

    def _read(self, lines: Any) -> None:
        header = next(lines)
        for name in dict.fromkeys(name for name in header if header.count(name) > 1):
            self._fault("the table has a column twice", lines.line_num, name)
        for name in ("roi", *self._required):
            if name not in header:
                self._fault("the table lacks a column", lines.line_num, name, ", ".join(header)[:200])
        if self.faults:
            return
        at = {name: header.index(name) for name in ("roi", *self._required, *self._optional) if name in header}
        rules = {**self._required, **{name: _OPTIONAL for name in self._optional if name in at}}
        for cells in lines:
            if cells:
                self._row(lines.line_num, cells, at, rules, len(header))
            if len(self.faults) >= _MOST_FAULTS:
                return

    def _row(self, row: int, cells: list[str], at: Mapping[str, int], rules: Mapping[str, Rule], columns: int) -> None:
        if len(cells) != columns:
            self._fault(
                "the table has a row of another length than its header", row, None, str(len(cells)), str(columns)
            )
            return
        if cells[at["roi"]] != self._roi:
            self._fault("the table is of another region", row, "roi", cells[at["roi"]], self._roi)
        for name, (wanted, fits) in rules.items():
            if not fits(cells[at[name]]):
                self._fault("the table has a cell that cannot be used", row, name, cells[at[name]], wanted)
        own = cells[at[self._id]]
        if own in self.ids:
            self._fault(f"the table has an id twice, first in row {self.ids[own]}", row, self._id, own)
        self.ids.setdefault(own, row)
        if "void_id" in at:
            self._references.append((row, cells[at["particle_id"]]))

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


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises ValueError, saying what else it is."""

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no JSON")

    try:
        content = json.loads(path.read_bytes(), parse_constant=refuse)
    except RecursionError as error:
        raise ValueError("too deep") from error
    if not isinstance(content, dict):
        raise ValueError(f"holds a {type(content).__name__}, not an object")
    return content


def _json_faults(path: Path, *, required: bool) -> list[Fault]:
    faults: list[Fault] = []
    if (required or path.exists()) and _bytes(path, faults) is not None:
        try:
            read_object(path)
        except ValueError as error:
            faults.append(Fault(path.name, f"the file is not the JSON of an object: {error}"))
    return faults


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
