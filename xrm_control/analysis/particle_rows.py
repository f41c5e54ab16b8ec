"""The rows of particles.csv and voids.csv: what the metrics give, and what the core itself knows of each particle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from xrm_control.analysis.crop import ParticleCrop
from xrm_control.analysis.field import VolumeField
from xrm_control.analysis.metric import METRICS, Metric, with_u
from xrm_control.analysis.particles import BORDER_VOXELS
from xrm_control.contracts.tables import Particle, Void, required
from xrm_control.core.errors import AnalysisError
from xrm_control.core.geometry import Pose, volume_to_stage

Row = dict[str, Any]
"""Column -> cell, until the rows are a table (`Rows`)."""


def particle_rows(
    crops: Sequence[ParticleCrop],
    metrics: Sequence[Metric],
    shape: tuple[int, int, int],
    centre: Pose,
    field: VolumeField,
) -> tuple[list[Row], dict[str, str]]:
    """A row for each particle of a volume of `shape` (z, y, x); centre: the stage position of its middle. And which
    metrics failed, "metric <kind>" -> for how many particles and why.

    Another package's metric that fails costs its own cells. Raises AnalysisError for one that gives a column without
    which a row is none.
    """
    measured: list[Row] = [{} for _ in crops]
    failed: dict[str, str] = {}
    for metric in metrics:
        failures: list[str] = []
        for crop, row in zip(crops, measured, strict=True):
            row |= _cells(metric, crop, failures)
        if failures:
            count = f"{len(failures)} of {len(crops)} particles"
            name = f"metric {getattr(metric, METRICS.tag)}"
            failed[name] = f"failed for {count}, and its cells there are empty: {failures[0]}"
    rows = [_row(crop, row, shape, centre, field) for crop, row in zip(crops, measured, strict=True)]
    return rows, failed


def void_rows(crops: Sequence[ParticleCrop]) -> list[Row]:
    """A row for each void, numbered through all particles."""
    rows: list[Row] = []
    for crop in crops:
        for void in crop.void_measures:
            rows.append(
                {
                    Void.void_id.name: len(rows) + 1,
                    Void.particle_id.name: crop.particle_id,
                    Void.roi.name: crop.roi,
                    Void.kind.name: void.kind,
                    **with_u(Void.x_um, void.centre_um[0]),
                    **with_u(Void.y_um, void.centre_um[1]),
                    **with_u(Void.z_um, void.centre_um[2]),
                    **with_u(Void.volume_um3, void.volume_um3),
                    **with_u(Void.surface_area_um2, void.surface_area_um2),
                    **with_u(Void.sphericity, void.sphericity),
                    **with_u(Void.surface_to_volume_per_um, void.surface_to_volume_per_um),
                    **with_u(Void.equivalent_diameter_um, void.equivalent_diameter_um),
                    Void.volume_voxels_um3.name: void.voxels * crop.voxel_um**3,
                    Void.surface_faces_um2.name: void.faces_um2,
                }
            )
    return rows


def _row(crop: ParticleCrop, measured: Row, shape: tuple[int, int, int], centre: Pose, field: VolumeField) -> Row:
    row: Row = {Particle.particle_id.name: crop.particle_id, Particle.roi.name: crop.roi, **measured}
    stage = volume_to_stage(np.array([crop.centre_um]), centre)[0]
    row |= {
        Particle.crack_kind.name: crop.cracks.kind,
        Particle.crack_count.name: crop.cracks.count,
        **with_u(Particle.crack_volume_um3, crop.cracks.volume_um3),
        **with_u(Particle.crack_opening_um, crop.cracks.opening_um),
        Particle.crack_depth_um.name: crop.cracks.depth_um,
    }
    row |= {Particle.stage_um[axis].name: float(value) for axis, value in zip("xyz", stage, strict=True)}
    cut = crop.touches_rows or crop.touches_cylinder
    diameter = crop.equivalent_diameter_um
    margin_um = BORDER_VOXELS * crop.voxel_um
    share, slope = field.whole(diameter.value, crop.centre_um, shape, margin_um, crop.voxel_um)
    weight = 0.0 if cut or share <= 0 else 1 / share
    return row | {
        Particle.touches_boundary.name: int(cut),
        Particle.touches_rows.name: int(crop.touches_rows),
        Particle.touches_cylinder.name: int(crop.touches_cylinder),
        Particle.weight.name: weight,
        Particle.weight_u.name: weight**2 * abs(slope) * diameter.u,
    }


def _cells(metric: Metric, crop: ParticleCrop, failures: list[str]) -> dict[str, float]:
    try:
        return metric.measured(crop)
    except AnalysisError as error:
        if METRICS.is_own(type(metric)) or required(metric.columns):
            raise
        failures.append(error.message())
        return {}
