"""Tables as columns in memory, and the one reader and writer of particles.csv and voids.csv."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xrm_control.contracts.column import Column, number, unknown
from xrm_control.contracts.tables import PARTICLE_COLUMNS, VOID_COLUMNS
from xrm_control.core.errors import DataError

Cells = NDArray[np.float64] | tuple[str, ...]
Value = float | int | str
_OF_NUMBERS = re.compile(r"[0-9.eE+-]*")


@dataclass(frozen=True)
class Rows:
    """A table by columns, each of `count` cells: numbers as (n,) floats, NaN where a cell is empty; texts as tuples."""

    columns: tuple[Column, ...]
    cells: Mapping[str, Cells]
    count: int

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Value]], known: Sequence[Column]) -> Rows:
        """From rows in memory: known columns first, in their order; a column that a row lacks is NaN, or "", there.

        Raises DataError for a column that `known` does not define.
        """
        names = dict.fromkeys(name for row in rows for name in row)
        defined = {column.name: column for column in known}
        for name in names:
            if name not in defined:
                raise DataError("a column without a definition", where="table", value=name)
        columns = tuple(column for column in known if column.name in names)
        return cls(columns, {column.name: _gathered(column, rows) for column in columns}, len(rows))

    def __len__(self) -> int:
        return self.count

    def has(self, column: Column) -> bool:
        """Whether the table has the column."""
        return column.name in self.cells

    def numbers(self, column: Column) -> NDArray[np.float64]:
        """Column as (n,) floats; NaN for an absent column, an empty cell or text that is not a number."""
        cells = self.cells.get(column.name)
        if cells is None:
            return np.full(self.count, np.nan)
        return np.array([number(cell) for cell in cells], float) if isinstance(cells, tuple) else cells

    def texts(self, column: Column) -> tuple[str, ...]:
        """Column as text; empty strings for an absent column."""
        cells = self.cells.get(column.name)
        if cells is None:
            return ("",) * self.count
        return cells if isinstance(cells, tuple) else tuple(_cell(float(value)) for value in cells)

    def flags(self, column: Column) -> NDArray[np.bool_]:
        """Column as truth values (n,): 1 is True; False for an absent column."""
        return self.numbers(column) == 1

    def ids(self, column: Column) -> tuple[int, ...]:
        """Column of ids as whole numbers."""
        return tuple(int(value) for value in self.numbers(column))

    def records(self) -> list[dict[str, float | str]]:
        """Its rows, one mapping of column names each."""
        cells = [
            self.texts(column) if column.is_text else [float(value) for value in self.numbers(column)]
            for column in self.columns
        ]
        names = [column.name for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True)]

    def absent(self, known: Sequence[Column]) -> tuple[Column, ...]:
        """Those of `known` that the table does not have."""
        return tuple(column for column in known if not self.has(column))

    def take(self, chosen: Sequence[int] | NDArray[np.integer]) -> Rows:
        """The rows at the given indices, in their order."""
        at = [int(i) for i in chosen]
        cells = {
            name: tuple(cells[i] for i in at) if isinstance(cells, tuple) else cells[at]
            for name, cells in self.cells.items()
        }
        return Rows(self.columns, cells, len(at))

    def having(self, column: Column, values: NDArray[np.float64]) -> Rows:
        """With another column of numbers (n,), last; in the place of one of its name."""
        others = tuple(one for one in self.columns if one.name != column.name)
        return Rows((*others, column), {**self.cells, column.name: values}, self.count)

    def where(self, keep: NDArray[np.bool_]) -> Rows:
        """The rows for which `keep` (n,) is true."""
        return self.take(np.flatnonzero(keep))


def pool_rows(tables: Iterable[Rows]) -> Rows:
    """All rows of several tables; a column that one of them lacks is empty there."""
    parts = list(tables)
    columns = {column.name: column for part in reversed(parts) for column in part.columns}
    # In the order of the first table that has them.
    order = dict.fromkeys(column.name for part in parts for column in part.columns)
    cells: dict[str, Cells] = {}
    for name in order:
        column = columns[name]
        if column.is_text:
            cells[name] = tuple(cell for part in parts for cell in part.texts(column))
        else:
            cells[name] = np.concatenate([part.numbers(column) for part in parts])
    return Rows(tuple(columns[name] for name in order), cells, sum(map(len, parts)))


def not_measured(particles: Rows, voids: Rows | None) -> tuple[str, ...]:
    """What an analysis core left out of its tables, by the labels of the columns that it need not write.

    voids: None where it did not look for any. An uncertainty is not named beside its quantity.
    """
    absent = list(particles.absent(PARTICLE_COLUMNS))
    if voids is not None:
        absent += voids.absent(VOID_COLUMNS)
    names = {column.name for column in absent}
    shown = [c for c in absent if not (c.name.endswith("_u") and c.name.removesuffix("_u") in names)]
    labels = tuple(dict.fromkeys(column.label for column in shown))
    return labels if voids is not None else (*labels, "voids")


def write_rows(path: Path, rows: Rows, first: Sequence[Column] = ()) -> None:
    """A table as CSV: the columns `first` (also those that `rows` lacks), then its others; nothing for NaN."""
    path.write_text(csv_text(rows, first), encoding="utf-8", newline="")


def csv_text(rows: Rows, first: Sequence[Column] = ()) -> str:
    """What `write_rows` writes."""
    columns = list({column.name: column for column in (*first, *rows.columns)}.values())
    lines: list[str] = []
    writer = csv.writer(_Lines(lines), lineterminator="\n")
    writer.writerow([column.name for column in columns])
    writer.writerows(zip(*(rows.texts(column) for column in columns), strict=True))
    return "".join(lines)


def read_rows(path: Path, known: Sequence[Column]) -> Rows:
    """Read a table of which `known` defines the columns.

    A column that is not known may hold anything and stays text. Raises DataError, naming file, row, column and value,
    for what is no such table: no header, a required column that is missing, a column twice, a row of another length, a
    cell that its column cannot hold.
    """
    name = f"{path.parent.name}/{path.name}"
    if path.exists() and not path.is_file():
        raise DataError("not a readable table: is no regular file", where=name)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.reader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"not a readable table: {error}", where=name) from error
    if not lines or not any(lines[0]):
        raise DataError("a table without a header line", where=name)
    header, body = lines[0], [line for line in lines[1:] if line]
    for at, line in enumerate(body, start=2):
        if len(line) != len(header):
            raise DataError(
                "a row with another number of cells than the header",
                where=f"{name}, row {at}",
                value=len(line),
                limit=len(header),
            )
    for column in known:
        if column.required and column.name not in header:
            raise DataError(f"the required column {column.name} is missing", where=name, value=", ".join(header)[:200])
    defined = {column.name: column for column in known}
    columns: list[Column] = []
    cells: dict[str, Cells] = {}
    for at, title in enumerate(header):
        column = defined.get(title) or unknown(title)
        if title in cells:
            raise DataError("a column twice", where=name, value=title)
        columns.append(column)
        cells[title] = _parsed(column, [line[at] for line in body], name)
    return Rows(tuple(columns), cells, len(body))


def _parsed(column: Column, cells: Sequence[str], where: str) -> Cells:
    if (found := _at_once(column, cells)) is not None:
        return found
    for at, cell in enumerate(cells, start=2):
        if not column.fits(cell):
            raise DataError(
                "a cell that cannot be used",
                where=f"{where}, row {at}, column {column.name}",
                value=cell or "nothing",
                limit=column.wanted,
            )
    return tuple(cells) if column.is_text else np.array([number(cell) for cell in cells], float)


def _at_once(column: Column, cells: Sequence[str]) -> Cells | None:
    """A column of which each cell fits without a doubt; None where they must be looked at one by one."""
    if column.is_text and not column.choices:
        return tuple(cells)
    if column.choices or column.dtype in ("id", "flag") or not _OF_NUMBERS.fullmatch("".join(cells)):
        return None
    try:
        # Of these characters float() takes what `number` takes.
        values = np.array([float(cell) if cell else math.nan for cell in cells], float)
    except ValueError:
        return None
    if np.isinf(values).any():
        return None
    if column.required:
        least = {"positive": values > 0, "weight": values >= 0}.get(column.dtype, ~np.isnan(values))
        return values if least.all() else None
    return values


def _gathered(column: Column, rows: Sequence[Mapping[str, Value]]) -> Cells:
    if column.is_text:
        return tuple(str(row.get(column.name, "")) for row in rows)
    return np.array([float(row.get(column.name, math.nan)) for row in rows], float)


def _cell(value: float) -> str:
    if not math.isfinite(value):
        return ""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.6g}"


class _Lines:
    """Where a CSV writer writes to."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def write(self, line: str) -> int:
        self._lines.append(line)
        return len(line)
