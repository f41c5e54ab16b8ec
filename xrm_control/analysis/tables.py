"""Rows of particles.csv and voids.csv: names, order, writing and reading."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xrm_control.core.errors import DataError

Row = dict[str, Any]

_PLANES = ("xy", "xz", "yz")
_MEASURED = (
    "x_um",
    "y_um",
    "z_um",
    "volume_um3",
    "surface_area_um2",
    "sphericity",
    "surface_to_volume_per_um",
    "equivalent_diameter_um",
    "radius_mean_um",
    *(f"radius_{plane}_um" for plane in _PLANES),
    *(f"roughness_{plane}_um" for plane in _PLANES),
)
PARTICLE_COLUMNS = (
    *("particle_id", "roi", *_MEASURED),
    *("void_count", "void_volume_um3", "dead_volume_percent", "mean_attenuation_per_um", "touches_boundary", "weight"),
    *(f"{name}_u" for name in (*_MEASURED, "void_volume_um3", "dead_volume_percent")),
    *("mean_attenuation_per_um_u", "weight_u", "stage_x_um", "stage_y_um", "stage_z_um"),
)
VOID_COLUMNS = (
    *("void_id", "particle_id", "roi", "x_um", "y_um", "z_um", "volume_um3", "surface_area_um2", "sphericity"),
    *("surface_to_volume_per_um", "equivalent_diameter_um", "kind"),
    *("volume_um3_u", "volume_voxels_um3", "surface_faces_um2"),
)
TEXT_COLUMNS = ("roi", "kind")


def write_rows(path: Path, rows: Sequence[Mapping[str, float | int | str]], columns: Sequence[str]) -> None:
    """Rows as CSV: `columns` first, further ones after them; 1 and 0 for yes and no; nothing for not a number."""
    names = list(dict.fromkeys([*columns, *(name for row in rows for name in row)]))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_cell(row.get(name, "")) for name in names] for row in rows)


def read_rows(path: Path) -> list[Row]:
    """Rows of a table written by `write_rows`, or by another core; empty cells become NaN.

    A column that is not known here may hold anything: what is no number in it stays text. Raises DataError for what is
    no such table.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"the table cannot be read: {error}", where=str(path)) from error
    return [{name: _value(name, text, path) for name, text in line.items()} for line in lines]


def _cell(value: float | int | str) -> str:
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else ""
    return str(value)


def _value(name: str, text: str | None, path: Path) -> float | str:
    if name in TEXT_COLUMNS:
        return text or ""
    try:
        return float(text) if text else math.nan
    except ValueError as error:
        if name not in PARTICLE_COLUMNS + VOID_COLUMNS:
            return text or ""
        raise DataError("not a number", where=f"{path}, column {name}", value=text) from error


def finite(content: Any) -> Any:
    """`content` with every number that JSON cannot hold (NaN, infinity) turned to None."""
    if isinstance(content, Mapping):
        return {str(key): finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite(value) for value in content]
    if isinstance(content, float):
        return float(content) if math.isfinite(content) else None
    if isinstance(content, np.generic):
        return finite(content.item())
    return content
