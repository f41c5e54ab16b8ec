"""A scan becomes a volume: transmission, rotation axis, line integrals, reconstruction, and figures of quality."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xrm_control.core.errors import DataError, RecipeError
from xrm_control.core.family import Family
from xrm_control.core.model import Spec
from xrm_control.reconstruction.figures import Figures
from xrm_control.reconstruction.methods.fourier import FourierReconstruction
from xrm_control.reconstruction.preprocess import PreprocessSpec, Transmission, line_integrals, transmission
from xrm_control.reconstruction.reconstructor import Reconstructor
from xrm_control.reconstruction.rotation_axis import RotationAxis, find_rotation_axis, views_for_axis
from xrm_control.reconstruction.scan import ScanData, check_scan

# About 200 MB of line integrals, of which there are some copies.
_SLAB_PIXELS = 50_000_000


class ReconstructionSpec(Spec):
    """How a scan is reconstructed; the recipe's `reconstruction` section."""

    method: Annotated[Reconstructor, Family("xrm_control.reconstruction.methods")] = Field(
        default_factory=FourierReconstruction
    )
    rotation_axis: Literal["auto"] | float = Field(
        default="auto", description="auto, or the detector column of the axis (pixel centres at whole numbers)."
    )
    rows: tuple[int, int] | None = Field(
        default=None, description="First and one past the last detector row to reconstruct; null: all."
    )
    preprocess: PreprocessSpec = PreprocessSpec()


@dataclass(frozen=True)
class Reconstruction:
    """volume (rows, columns, columns) float32 in 1/um, [z, y, x], the rotation axis in the middle of y and x.

    rows: detector rows it covers. rotation_axis_px: absolute column. quality: figures by name.
    """

    volume: NDArray[np.float32]
    voxel_size_um: float
    rotation_axis_px: float
    rows: tuple[int, int]
    quality: dict[str, float]


def reconstruct_scan(scan: ScanData, spec: ReconstructionSpec | None = None) -> Reconstruction:
    """Reconstruct a scan. Raises DataError for data, RecipeError for rows or an axis that do not fit the detector.

    A large scan is worked on in slabs of rows, so that besides frames and volume only some hundred MB are needed.
    """
    spec = spec or ReconstructionSpec()
    check_scan(scan)
    rows = _rows(spec, scan)
    theta_deg = np.asarray(scan.theta_deg, float)
    views, count, columns = scan.projections.shape
    slabs = _slabs(rows, views * columns)
    halo = _halo(spec, scan)
    axis: RotationAxis | None = None
    volume = np.empty((rows[1] - rows[0], columns, columns), np.float32)
    figures = Figures(views, columns)
    for first, end in slabs:
        low, high = max(0, first - halo), min(count, end + halo)
        outer = (low, high) if len(slabs) > 1 else (first, end)
        transmitted = transmission(scan, spec.preprocess, rows=slice(*outer))
        axis = axis or _axis(spec, scan, transmitted, outer)
        sinograms, opaque = line_integrals(transmitted, spec.preprocess)
        own = slice(first - outer[0], end - outer[0])
        volume[first - rows[0] : end - rows[0]] = spec.method.reconstruct(
            sinograms[own], theta_deg, axis.column_px, scan.pixel_size_um
        )
        figures.add(transmitted, opaque, own)
    if axis is None:
        raise DataError("no rows are left", where="reconstruction.rows", value=rows)
    return Reconstruction(
        volume=volume,
        voxel_size_um=float(scan.pixel_size_um),
        rotation_axis_px=axis.column_px,
        rows=rows,
        quality=figures.quality(axis),
    )


def _halo(spec: ReconstructionSpec, scan: ScanData) -> int:
    """Rows beyond a slab that have a say in it: zingers and faint pixels one each, vertical shifts their length."""
    if not spec.preprocess.apply_shifts or scan.shifts_px is None:
        return 2
    return 5 + math.ceil(float(np.abs(np.asarray(scan.shifts_px)[:, 1]).max()))


def _slabs(rows: tuple[int, int], row_pixels: int) -> list[tuple[int, int]]:
    """The rows in parts of at most `_SLAB_PIXELS` pixels of all views."""
    size = max(1, _SLAB_PIXELS // row_pixels)
    return [(first, min(first + size, rows[1])) for first in range(rows[0], rows[1], size)]


def _rows(spec: ReconstructionSpec, scan: ScanData) -> tuple[int, int]:
    count = scan.projections.shape[1]
    first, end = spec.rows or (0, count)
    if not 0 <= first < end <= count:
        raise RecipeError(
            "the rows to reconstruct are not on the detector",
            where="reconstruction.rows",
            value=f"{first} to {end}",
            limit=f"0 to {count}",
        )
    return first, end


def _axis(spec: ReconstructionSpec, scan: ScanData, transmitted: Transmission, rows: tuple[int, int]) -> RotationAxis:
    columns = scan.projections.shape[2]
    if spec.rotation_axis != "auto":
        if not 0 <= spec.rotation_axis <= columns - 1:
            raise RecipeError(
                "the rotation axis is not on the detector",
                where="reconstruction.rotation_axis",
                value=spec.rotation_axis,
                limit=f"0 to {columns - 1}",
            )
        return RotationAxis(float(spec.rotation_axis), 0.0, ())
    theta = np.asarray(scan.theta_deg, float)
    views = views_for_axis(theta)
    if rows == (0, scan.projections.shape[1]):
        return find_rotation_axis(transmitted.values[views], theta[views])
    # A slab's few rows say less about the axis than the whole detector does.
    return find_rotation_axis(transmission(scan, spec.preprocess, views=views).values, theta[views])
