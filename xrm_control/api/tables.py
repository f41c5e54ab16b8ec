"""Tables for whoever reads them: a DataFrame where pandas or polars is installed, else the rows."""

from __future__ import annotations

import importlib
import importlib.util
import math
from typing import Any

from xrm_control.contracts.rows import Rows
from xrm_control.contracts.tables import Particle, Void

Row = dict[str, float | int | str]
_FRAMES = ("pandas", "polars")
_WHOLE = (Particle.particle_id.name, Void.void_id.name)


def records(table: Rows | None) -> list[Row]:
    """The rows of a table; empty cells are NaN. None, where nobody looked, has none."""
    return [] if table is None else [_numbered(row) for row in table.records()]


def as_frame(rows: list[Row]) -> Any:
    """`rows` as a DataFrame of pandas, of polars where there is no pandas, or as they are where there is neither."""
    for name in _FRAMES:
        if importlib.util.find_spec(name) is not None:
            return importlib.import_module(name).DataFrame(rows)
    return rows


def _numbered(row: dict[str, float | str]) -> Row:
    """Ids count things: they are whole numbers."""
    found: Row = dict(row)
    for name in _WHOLE:
        value = row.get(name)
        if isinstance(value, float) and math.isfinite(value):
            found[name] = int(value)
    return found
