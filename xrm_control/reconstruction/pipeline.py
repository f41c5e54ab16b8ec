"""A scan becomes a volume: transmission, rotation axis, line integrals, reconstruction, and figures of quality."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xrm_control.core.errors import RecipeError
from xrm_control.core.family import Family
from xrm_control.core.model import Spec
from xrm_control.reconstruction.methods.fbp import FilteredBackProjection
from xrm_control.reconstruction.preprocess import PreprocessSpec, Transmission, line_integrals, transmission
from xrm_control.reconstruction.reconstructor import Reconstructor
from xrm_control.reconstruction.rotation_axis import RotationAxis, find_rotation_axis, views_for_axis
from xrm_control.reconstruction.scan import ScanData, check_scan


class ReconstructionSpec(Spec):
    """How a scan is reconstructed; the recipe's `reconstruction` section."""

    method: Annotated[Reconstructor, Family("xrm_control.reconstruction.methods")] = Field(
        default_factory=FilteredBackProjection
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
    """Reconstruct a scan. Raises DataError for data, RecipeError for rows or an axis that do not fit the detector."""
    spec = spec or ReconstructionSpec()
    check_scan(scan)
    rows = _rows(spec, scan)
    transmitted = transmission(scan, spec.preprocess, rows=slice(*rows))
    axis = _axis(spec, scan, transmitted, rows)
    sinograms, opaque = line_integrals(transmitted, spec.preprocess)
    volume = spec.method.reconstruct(sinograms, np.asarray(scan.theta_deg, float), axis.column_px, scan.pixel_size_um)
    return Reconstruction(
        volume=volume,
        voxel_size_um=float(scan.pixel_size_um),
        rotation_axis_px=axis.column_px,
        rows=rows,
        quality=_quality(transmitted, opaque, axis),
    )


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


def _quality(transmitted: Transmission, opaque: NDArray[np.int64], axis: RotationAxis) -> dict[str, float]:
    values = transmitted.values
    columns = values.shape[2]
    per_view = values[0].size
    brightest = np.quantile(values.reshape(len(values), -1), 0.99, axis=1)
    figures = {
        "views": len(values),
        "rotation_axis_px": axis.column_px,
        "rotation_axis_offset_px": axis.column_px - (columns - 1) / 2,
        "rotation_axis_uncertainty_px": axis.uncertainty_px,
        "rotation_axis_pairs": len(axis.pairs),
        "transmission_mean": float(values.mean(dtype=float)),
        "transmission_darkest_view": float(values.mean(axis=(1, 2), dtype=float).min()),
        "air_level": float(np.median(brightest)),
        "opaque_count": int(opaque.sum()),
        "opaque_fraction": float(opaque.sum() / values.size),
        "opaque_fraction_worst_view": float(opaque.max() / per_view),
        "zinger_count": transmitted.zingers,
        "bad_pixel_count": transmitted.bad_pixels,
        "saturated_count": transmitted.saturated,
        "camera_gain_counts": transmitted.gain_counts,
        "camera_noise_counts": transmitted.read_counts,
    }
    return {name: float(value) for name, value in figures.items()}
