"""Tables for whoever reads them: a DataFrame where pandas or polars is installed, else the rows."""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from xrm_control.analysis.tables import Row, read_rows

_FRAMES = ("pandas", "polars")
_NUMBERS = ("particle_id", "void_id")


def rows_of(paths: Iterable[Path]) -> list[Row]:
    """The rows of some tables one after the other. Raises DataError for what is no such table."""
    return [_numbered(row) for path in paths for row in read_rows(path)]


def as_frame(rows: list[Row]) -> Any:
    """`rows` as a DataFrame of pandas, of polars where there is no pandas, or as they are where there is neither."""
    for name in _FRAMES:
        if importlib.util.find_spec(name) is not None:
            return importlib.import_module(name).DataFrame(rows)
    return rows


def _numbered(row: Row) -> Row:
    """Ids count things: they are whole numbers."""
    return row | {name: int(row[name]) for name in _NUMBERS if math.isfinite(row.get(name, math.nan))}
