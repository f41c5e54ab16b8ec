"""Angles that the operator states: a file with one a view, or the first and the last."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.core.numbers import number
from xrm_control.storage.formats.scan_file import ScanOptions
from xrm_control.storage.formats.units import angles_deg

_MOST_BYTES = 10_000_000
_MOST_DEG = 1e5  # a few hundred turns


def stated_angles(told: ScanOptions, views: int) -> tuple[NDArray[np.float64], str]:
    """Angles of `views` in degrees, and in words where they are from.

    Raises DataError where the operator's words do not give one angle a view.
    """
    if told.angles is not None:
        if told.start_deg is not None or told.end_deg is not None:
            raise DataError("give either a file with angles or their ends", where="--angles and --start, --end")
        return _from_file(told, views)
    if told.start_deg is None or told.end_deg is None:
        raise DataError(
            "both ends of the angles are needed",
            where="--end" if told.end_deg is None else "--start",
            remedy="e.g. --start 0 --end 180: angles of the first and the last view in degrees",
        )
    if told.angle_unit is not None:
        raise DataError("--start and --end are in degrees", where="--angle-unit", remedy="leave it out")
    for option, value in (("--start", told.start_deg), ("--end", told.end_deg)):
        if not abs(value) <= _MOST_DEG:
            raise DataError(
                "is no angle of a view",
                where=option,
                value=f"{value:g} degrees",
                limit=f"a finite number within {_MOST_DEG:g}",
                remedy="e.g. --start 0 --end 180",
            )
    theta = np.linspace(told.start_deg, told.end_deg, views)
    return theta, f"--start {told.start_deg:g} and --end {told.end_deg:g}, evenly spaced"


def _from_file(told: ScanOptions, views: int) -> tuple[NDArray[np.float64], str]:
    path = told.angles
    if path is None:
        raise DataError("no file with angles is given", where="--angles")
    if not path.is_file():
        what = "is no file" if path.exists() else "no such file"
        raise DataError(what, where=f"--angles, {path}", remedy="check the path")
    if path.stat().st_size > _MOST_BYTES:
        raise DataError("is too long for a list of angles", where=f"--angles, {path}", limit=f"{_MOST_BYTES} bytes")
    try:
        if path.suffix == ".npy":
            stored = _stored(path)
            if stored.dtype.kind not in "iuf":
                raise ValueError(f"it holds {stored.dtype}")
            values = stored.astype(float)
            values = values.reshape(-1) if values.ndim == 2 and 1 in values.shape else values
        else:
            lines = [line.partition("#")[0] for line in path.read_text(encoding="utf-8-sig").splitlines()]
            values = np.array([_angle(one) for one in " ".join(lines).replace(",", " ").replace(";", " ").split()])
    except (OSError, ValueError) as error:
        raise DataError(
            f"is no list of angles: {error}",
            where=f"--angles, {path}",
            remedy="one number a line, in UTF-8, or a .npy file",
        ) from error
    if values.shape != (views,):
        raise DataError(
            "one angle per view is needed",
            where=f"--angles, {path}",
            value=f"{values.size} numbers",
            limit=f"{views} views",
            remedy="leave out numbers of views, angles of flats and darks, and write decimals with a point",
        )
    return angles_deg(values, "", str(path), told.angle_unit)


def _stored(path: Path) -> NDArray[np.generic]:
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except Exception as error:  # as of any damaged header
        raise ValueError(str(error) or type(error).__name__) from error


def _angle(text: str) -> float:
    found = number(text)
    if found is None:
        raise ValueError(f"{text[:60]!r} is no number")
    return found


def described(theta_deg: NDArray[np.float64], origin: str) -> str:
    """Angles in words, for the results."""
    if not len(theta_deg):
        return f"no views, from {origin}"
    return f"{len(theta_deg)} views from {theta_deg.min():.6g} to {theta_deg.max():.6g} degrees, from {origin}"
