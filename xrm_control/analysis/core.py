"""The built-in analysis core: a reconstructed volume in, single particles out.

Conventions, uncertainties and the sources of each number are told where they are made: `crop` and `metrics/` for one
particle, `population` and `table1` for all of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xrm_control.analysis.crop import ParticleCrop
from xrm_control.analysis.handoff import AnalysisInput, read_handoff, write_results
from xrm_control.analysis.levels import Levels, cylinder, find_levels
from xrm_control.analysis.metric import METRICS, Metric
from xrm_control.analysis.particles import BORDER_VOXELS, make_crops, with_blur
from xrm_control.analysis.population import pool
from xrm_control.analysis.sampling import whole_probability
from xrm_control.analysis.segmentation import isolate, label_particles
from xrm_control.analysis.splitting import Labels, SplitSpec
from xrm_control.analysis.tables import PARTICLE_COLUMNS, Row
from xrm_control.analysis.threshold import THRESHOLDS, FloatVolume, Threshold
from xrm_control.analysis.thresholds.iso50 import Iso50
from xrm_control.analysis.voids import VoidSpec
from xrm_control.core.cost import Cost
from xrm_control.core.errors import AnalysisError, DataError
from xrm_control.core.geometry import Pose, volume_to_stage
from xrm_control.core.model import Spec

EXTERIOR, SOLID, VOID = 0, 1, 2
MIN_SIDE_VOXELS = 8
# Blur of sigma voxels hides voids smaller than this many sigma from a half-way threshold.
VOID_LIMIT_SIGMA = 3.08
FWHM = 2.3548
# Measured at 128 to 256 voxels a side, the volume itself included.
_BYTES_PER_VOXEL = 44
_TABLE_BYTES = 2_000_000


def _all_metrics() -> tuple[Metric, ...]:
    return tuple(member.model_validate({"kind": kind}) for kind, member in METRICS.members(Metric).items())


class AnalysisSpec(Spec):
    """How a volume is measured. min_particle_um: smaller ones are left out; voxel_relative_u: relative standard
    uncertainty of the voxel size; seed: of the roughness floor's Monte Carlo and of the bootstrap."""

    threshold: Annotated[Threshold, THRESHOLDS] = Iso50()
    split: SplitSpec = SplitSpec()
    voids: VoidSpec = VoidSpec()
    metrics: tuple[Annotated[Metric, METRICS], ...] = Field(default_factory=_all_metrics)
    min_particle_um: float = Field(default=2.0, gt=0)
    voxel_relative_u: float = Field(default=0.002, ge=0, lt=0.5)
    seed: int = Field(default=1, ge=0)

    def cost(self, shape: tuple[int, int, int]) -> Cost:
        """Of a volume of shape (z, y, x), which is in memory as a whole: labels, phases, tables and pictures."""
        voxels = math.prod(shape)
        return Cost(disk_bytes=3 * voxels + _TABLE_BYTES, memory_bytes=_BYTES_PER_VOXEL * voxels)


@dataclass(frozen=True)
class Analysis:
    """particles, voids: rows of particles.csv and voids.csv; labels (z, y, x): 0 or the particle's id, voids included;
    phases (z, y, x): 0 exterior, 1 particle, 2 internal void; quality: figures of the volume and its segmentation."""

    particles: list[Row]
    voids: list[Row]
    labels: Labels | NDArray[np.uint16]
    phases: NDArray[np.uint8]
    quality: dict[str, float]


def analyze_volume(
    volume: NDArray[np.number],
    voxel_size_um: float,
    spec: AnalysisSpec,
    *,
    roi: str = "roi-01",
    centre: Pose | None = None,
) -> Analysis:
    """Measure the particles of a volume (z, y, x) in 1/um; `centre`: the stage position of its middle.

    Raises DataError for what is no volume, AnalysisError when there is nothing to measure.
    """
    grey = checked_volume(volume, voxel_size_um)
    inside = cylinder(grey.shape)
    levels = find_levels(grey, inside)
    level = spec.threshold.level(grey[:, inside], levels.modes)
    smallest = np.pi / 6 * (spec.min_particle_um / voxel_size_um) ** 3
    labels, solid = label_particles(grey, inside, level, spec.split, smallest)
    isolated = isolate(grey, labels, solid, inside, level, levels, spec.threshold.local)
    if not isolated:
        raise AnalysisError(
            f"empty: no particle of at least {spec.min_particle_um:g} um above the threshold",
            where=roi,
            value=f"threshold {level:.4g} 1/um",
            remedy="choose a region with particles, or lower min_particle_um",
        )
    crops = make_crops(isolated, grey.shape, voxel_size_um, spec.voxel_relative_u, spec.voids, roi)
    crops = with_blur(crops, levels, spec.seed)
    particles = [_row(crop, spec.metrics, grey.shape, centre or Pose(0, 0, 0, 0)) for crop in crops]
    voids = _void_rows(crops)
    labels, phases = _painted(crops, grey.shape)
    return Analysis(particles, voids, labels, phases, _quality(levels, level, crops, particles, voids))


def run_core(handoff: Path, out: Path) -> None:
    """Take a hand-off: read handoff.json, write labels, phases, particles, voids, results and quality into `out`."""
    measure(read_handoff(handoff), out)


def measure(taken: AnalysisInput, out: Path) -> None:
    """As `run_core`, for a hand-off whose volume is in memory already."""
    spec = AnalysisSpec.model_validate(taken.analysis)
    try:
        result = analyze_volume(taken.volume, taken.voxel_size_um, spec, roi=taken.roi, centre=taken.centre)
    except DataError as error:
        raise DataError(
            error.what, where=str(taken.volume_path), value=error.value, limit=error.limit, remedy=error.remedy
        ) from error
    quality = taken.quality | result.quality
    results: dict[str, Any] = {
        "roi": taken.roi,
        "counts": {key: int(result.quality[key]) for key in ("particles", "whole_particles", "voids")},
        **pool(result.particles, result.voids, seed=spec.seed),
        "quality": {taken.roi: quality},
        "inputs": taken.inputs,
        "recipe": taken.recipe,
        "sample": taken.sample,
    }
    write_results(
        out, taken.voxel_size_um, result.labels, result.phases, result.particles, result.voids, quality, results
    )


def checked_volume(volume: NDArray[np.number], voxel_size_um: float) -> FloatVolume:
    """The volume as float32, or DataError: three dimensions of at least 8 voxels, finite, a voxel size above zero."""
    if not (np.isfinite(voxel_size_um) and voxel_size_um > 0):
        raise DataError("the voxel size must be a number above zero", value=f"{voxel_size_um} um", limit="> 0 um")
    if volume.ndim != 3:
        raise DataError("a volume has three dimensions (z, y, x)", value=f"shape {volume.shape}", limit="3 dimensions")
    if min(volume.shape) < MIN_SIDE_VOXELS:
        raise DataError("the volume is too small", value=f"shape {volume.shape}", limit=f"{MIN_SIDE_VOXELS} voxels")
    if volume.dtype.kind not in "fiu":
        raise DataError("a volume holds real numbers", value=f"type {volume.dtype}")
    grey = np.ascontiguousarray(volume, np.float32)
    bad = grey.size - int(np.count_nonzero(np.isfinite(grey)))
    if bad:
        raise DataError(
            "the volume holds values that are no numbers (NaN or infinite)",
            value=f"{bad} voxels",
            limit="0 voxels",
            remedy="reconstruct again; one bad projection pixel spoils a whole slice",
        )
    return grey


def _row(crop: ParticleCrop, metrics: tuple[Metric, ...], shape: tuple[int, int, int], centre: Pose) -> Row:
    row: Row = {"particle_id": crop.particle_id, "roi": crop.roi}
    for metric in metrics:
        row |= metric.measure(crop)
    stage = volume_to_stage(np.array([crop.centre_um]), centre)[0]
    row |= dict(zip(("stage_x_um", "stage_y_um", "stage_z_um"), map(float, stage), strict=True))
    cut = crop.touches_rows or crop.touches_cylinder
    diameter = crop.equivalent_diameter_um
    half_width = (min(shape[1:]) / 2 - BORDER_VOXELS) * crop.voxel_um
    half_height = (shape[0] / 2 - BORDER_VOXELS) * crop.voxel_um
    share, slope = whole_probability(diameter.value, crop.centre_um[1], half_width, half_height)
    weight = 0.0 if cut or share <= 0 else 1 / share
    row |= {"touches_boundary": int(cut), "touches_rows": int(crop.touches_rows)}
    row |= {"touches_cylinder": int(crop.touches_cylinder)}
    row |= {"weight": weight, "weight_u": weight**2 * abs(slope) * diameter.u}
    first = [name for name in PARTICLE_COLUMNS if name in row]
    return {name: row[name] for name in [*first, *(key for key in row if key not in first)]}


def _void_rows(crops: list[ParticleCrop]) -> list[Row]:
    rows: list[Row] = []
    for crop in crops:
        for void in crop.void_measures:
            volume, area = void.volume_um3.value, void.surface_area_um2
            x, y, z = void.centre_um
            rows.append(
                {
                    "void_id": len(rows) + 1,
                    "particle_id": crop.particle_id,
                    "roi": crop.roi,
                    "x_um": x,
                    "y_um": y,
                    "z_um": z,
                    "volume_um3": volume,
                    "surface_area_um2": area,
                    "sphericity": float(np.pi ** (1 / 3) * (6 * volume) ** (2 / 3) / area),
                    "surface_to_volume_per_um": area / volume,
                    "equivalent_diameter_um": float((6 * volume / np.pi) ** (1 / 3)),
                    "kind": void.kind,
                    "volume_um3_u": void.volume_um3.u,
                    "volume_voxels_um3": void.voxels * crop.voxel_um**3,
                    "surface_faces_um2": void.faces_um2,
                }
            )
    return rows


def _painted(
    crops: list[ParticleCrop], shape: tuple[int, int, int]
) -> tuple[NDArray[np.uint16] | Labels, NDArray[np.uint8]]:
    labels: NDArray[np.uint16] | Labels
    labels = np.zeros(shape, np.uint16) if len(crops) < 2**16 else np.zeros(shape, np.uint32)
    phases: NDArray[np.uint8] = np.zeros(shape, np.uint8)
    for crop in crops:
        box = tuple(slice(o, o + n) for o, n in zip(crop.origin, crop.envelope.shape, strict=True))
        labels[box][crop.envelope] = crop.particle_id
        phases[box][crop.envelope] = SOLID
        phases[box][crop.voids.labels > 0] = VOID
    return labels, phases


def _quality(
    levels: Levels, level: float, crops: list[ParticleCrop], particles: list[Row], voids: list[Row]
) -> dict[str, float]:
    voxel_um, blur = crops[0].voxel_um, crops[0].blur_voxels
    return {
        "snr": levels.snr,
        "threshold_per_um": level,
        "particle_mode_per_um": levels.modes.particle_per_um,
        "background_mode_per_um": levels.modes.background_per_um,
        "noise_background_per_um": levels.modes.noise_per_um,
        "noise_particle_per_um": levels.noise_particle_per_um,
        "noise_correlation_voxels": levels.noise_correlation_voxels,
        "edge_blur_fwhm_um": FWHM * blur * voxel_um,
        "void_detection_limit_um": VOID_LIMIT_SIGMA * blur * voxel_um,
        "roughness_floor_um": float(np.median([crop.floor_um for crop in crops])),
        "roughness_voxel_floor_um": float(np.median([crop.voxel_floor_um for crop in crops])),
        "particles": len(particles),
        "whole_particles": sum(not row["touches_boundary"] for row in particles),
        "voids": len(voids),
    }
