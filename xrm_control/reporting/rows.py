"""Tables read from CSV: columns of text, asked for as numbers, with NaN for what is not there."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError


@dataclass(frozen=True)
class Rows:
    """A table by columns; all columns hold `count` cells of text."""

    columns: Mapping[str, tuple[str, ...]]
    count: int

    def __len__(self) -> int:
        return self.count

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Column as (n,) floats; NaN for an absent column, an empty cell or a cell that is not a number."""
        return np.array([_float(cell) for cell in self.texts(name)], float)

    def texts(self, name: str) -> tuple[str, ...]:
        """Column as text; empty strings for an absent column."""
        return self.columns.get(name, ("",) * self.count)

    def flags(self, name: str) -> NDArray[np.bool_]:
        """Column as truth values (`1`, `true`, `yes`); False for an absent column."""
        return np.array([cell.strip().lower() in {"1", "1.0", "true", "yes"} for cell in self.texts(name)], bool)

    def take(self, chosen: Sequence[int] | NDArray[np.integer]) -> Rows:
        """The rows at the given indices, in their order."""
        return Rows({name: tuple(cells[i] for i in chosen) for name, cells in self.columns.items()}, len(chosen))

    def where(self, keep: NDArray[np.bool_]) -> Rows:
        """The rows for which `keep` (n,) is true."""
        return self.take(np.flatnonzero(keep))


def read_rows(path: Path) -> Rows:
    """Read a CSV file with a header line.

    Raises DataError when the file cannot be read as text, has no header, or holds a row of another length.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.reader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"not a readable table: {error}", where=path.name) from error
    if not lines or not any(lines[0]):
        raise DataError("a table without a header line", where=path.name)
    header, body = lines[0], [line for line in lines[1:] if line]
    for at, line in enumerate(body, start=2):
        if len(line) != len(header):
            raise DataError(
                "a row with another number of cells than the header",
                where=f"{path.name}, row {at}",
                value=len(line),
                limit=len(header),
            )
    return Rows({name: tuple(line[i] for line in body) for i, name in enumerate(header)}, len(body))


def pool(tables: Iterable[Rows]) -> Rows:
    """All rows of several tables; a column that one of them lacks is empty there."""
    parts = list(tables)
    names = dict.fromkeys(name for part in parts for name in part.columns)
    return Rows(
        {name: tuple(cell for part in parts for cell in part.texts(name)) for name in names}, sum(map(len, parts))
    )


def _float(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")
