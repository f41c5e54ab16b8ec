"""The built-in analysis core: a reconstructed volume in, single particles out.

Conventions, uncertainties and the sources of each number are told where they are made: `crop` and `metrics/` for one
particle, `population` and `table1` for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.artefacts import blurred_mask, rings, shared_values
from xrm_control.analysis.continuity import bent_greys, jittering, lost_slices
from xrm_control.analysis.crop import ParticleCrop
from xrm_control.analysis.faint import faint_particles_um, too_many_faint
from xrm_control.analysis.field import VolumeField, find_field
from xrm_control.analysis.ground import uneven_ground
from xrm_control.analysis.handoff import AnalysisInput, read_handoff, write_labels
from xrm_control.analysis.levels import Levels, find_levels
from xrm_control.analysis.lids import too_many_lids
from xrm_control.analysis.light_phase import LightPhase, find_light_phase
from xrm_control.analysis.matter_doubts import (
    edge_width,
    grey_within,
    made_by_noise,
    not_one_grey,
    other_matter,
    rounded_edges,
)
from xrm_control.analysis.necks import NeckStates, find_necks, grown_together, too_many_unsure, with_contacts
from xrm_control.analysis.particle_rows import Row, particle_rows, void_rows
from xrm_control.analysis.particles import large_enough, make_crops, with_blur
from xrm_control.analysis.population import pool
from xrm_control.analysis.segmentation import Labelled, isolate, label_particles
from xrm_control.analysis.shape_doubts import below_nothing, cut_at_once, stretched
from xrm_control.analysis.spec import MIN_SIDE_VOXELS, AnalysisSpec
from xrm_control.analysis.splitting import Labels
from xrm_control.analysis.threshold import FloatVolume
from xrm_control.analysis.void_detection import found_from_um, void_detection
from xrm_control.analysis.void_significance import noise_limit_voxels, solid_noise, without_noise
from xrm_control.analysis.volume_check import refuse_broken
from xrm_control.analysis.volume_doubts import (
    bodies_left_out,
    cut_off,
    enlarged,
    jumps,
    left_out,
    mask_alone,
    none_whole,
    painted,
    repeats,
)
from xrm_control.contracts.columns import COLUMNS, ColumnsDocument
from xrm_control.contracts.quality import QUALITY, QualityDocument, QualityMetrics, VoidDetection
from xrm_control.contracts.results import REGION_RESULTS, RegionCounts, RegionResults
from xrm_control.contracts.rows import Rows, write_rows
from xrm_control.contracts.tables import VOID_COLUMNS, Particle
from xrm_control.core.errors import AnalysisError, DataError
from xrm_control.core.geometry import Pose

EXTERIOR, SOLID, VOID = 0, 1, 2
# Blur of sigma voxels hides voids smaller than this many sigma from a half-way threshold.
VOID_LIMIT_SIGMA = 3.08
FWHM = 2.3548
_DOUBTS = (too_many_faint, too_many_unsure, too_many_lids)


@dataclass(frozen=True)
class Analysis:
    """particles, voids: rows of particles.csv and voids.csv; labels (z, y, x): 0 or the particle's id, voids included;
    phases (z, y, x): 0 exterior and open cracks, 1 particle, 2 internal void; quality: figures of the volume and of its
    segmentation; light: what is lighter among the particles, 3 where phases are written."""

    particles: list[Row]
    voids: list[Row]
    labels: Labels | NDArray[np.uint16]
    phases: NDArray[np.uint8]
    quality: QualityMetrics
    warnings: tuple[str, ...] = ()
    light: LightPhase | None = None


def analyze_volume(
    volume: NDArray[np.number],
    voxel_size_um: float,
    spec: AnalysisSpec,
    *,
    roi: str = "roi-01",
    centre: Pose | None = None,
    field: VolumeField | None = None,
) -> Analysis:
    """Measure the particles of a volume (z, y, x) in 1/um; `centre`: the stage position of its middle.

    field: the part that is looked at; None: the inscribed cylinder, as of a reconstruction.

    Raises DataError for what is no volume, AnalysisError when there is nothing to measure.
    """
    grey = checked_volume(volume, voxel_size_um)
    field = field or find_field(grey)
    inside = field.inside
    levels = find_levels(grey, inside)
    level = spec.threshold.level(grey[:, inside], levels.modes)
    smallest = np.pi / 6 * (spec.min_particle_um / voxel_size_um) ** 3
    found = label_particles(grey, inside, level, spec.split, smallest, levels, voxel_size_um)

    def measured(found: Labelled) -> tuple[list[ParticleCrop], int]:
        isolated = isolate(grey, found, inside, level, levels, spec.threshold.local, voxel_size_um)
        crops = make_crops(isolated, grey.shape, voxel_size_um, spec.voxel_relative_u, spec.voids, roi, field.border)
        large, too_small = large_enough(crops, smallest)
        return (with_blur(large, levels, spec.seed) if large else []), too_small

    crops, too_small = measured(found)
    if not crops:
        raise AnalysisError(
            f"empty: no particle of at least {spec.min_particle_um:g} um above the threshold",
            where=roi,
            value=f"threshold {level:.4g} 1/um",
            remedy="choose a region with particles, or lower min_particle_um",
        )
    necks = find_necks(crops)
    joined = grown_together(found, crops, necks, spec.split.fused_neck_ratio)
    if joined is not found:
        found = joined
        crops, too_small = measured(found)
        necks = find_necks(crops)
    crops = with_contacts(crops, necks)
    states = NeckStates.of(found, crops, necks, spec.split.fused_neck_ratio)
    noise = solid_noise(crops, spec.seed)
    crops, in_noise = without_noise(crops, noise)
    particles, failed = particle_rows(crops, spec.metrics, grey.shape, centre or Pose(0, 0, 0, 0), field)
    particles = [row | states.cells(number) for number, row in enumerate(particles)]
    voids = void_rows(crops)
    labels, phases = _painted(crops, grey.shape)
    limit_voxels = None if noise is None else noise_limit_voxels(noise, crops[0].blur_voxels)
    seen = _VoidsSeen(in_noise, limit_voxels, void_detection(crops, noise, spec.voids, spec.seed))
    faint_um = faint_particles_um(crops)
    further = QualityMetrics(
        bodies_too_small=too_small,
        faint_particles=len(faint_um),
        faint_up_to_um=faint_um[-1] if faint_um else None,
        fused_particles=states.count("fused", crops),
        lidded_particles=sum(crop.lidded and not (crop.touches_rows or crop.touches_cylinder) for crop in crops),
        unsure_necks=states.count("unsure", crops),
        further=dict(failed),
    )
    quality = _quality(levels, level, crops, particles, voids, seen).joined(further)
    light = find_light_phase(grey, labels > 0, field, levels, smallest, voxel_size_um)
    if light is not None:
        quality = quality.joined(light.quality())
    warnings = tuple(f"{one} {what}" for one, what in failed.items())
    return Analysis(particles, voids, labels, phases, quality, warnings, light)


def run_core(handoff: Path, out: Path) -> None:
    """Take a hand-off: read handoff.json, write labels, phases, tables, their columns, results and quality to `out`.

    Raises DataError for a hand-off or a volume that cannot be used, AnalysisError where there is nothing to measure.
    """
    measure(read_handoff(handoff), out)


def measure(taken: AnalysisInput, out: Path) -> None:
    """As `run_core`, for a hand-off whose volume is in memory already. Raises as `analyze_volume`."""
    spec = AnalysisSpec.model_validate(taken.analysis)
    try:
        if taken.volume.ndim != 3:
            raise _no_volume(taken.volume)
        field = find_field(taken.volume, taken.field)
        if taken.foreign:
            refuse_broken(taken.volume, field)
        result = analyze_volume(
            taken.volume, taken.voxel_size_um, spec, roi=taken.roi, centre=taken.centre, field=field
        )
    except AnalysisError as error:
        if taken.grey == "1/um":
            raise
        raise AnalysisError(
            error.what, where=error.where, value=str(error.value).replace("1/um", taken.grey), remedy=error.remedy
        ) from error
    except DataError as error:
        where = f"{taken.volume_path}: {error.where}" if error.where else str(taken.volume_path)
        raise DataError(error.what, where=where, value=error.value, limit=error.limit, remedy=error.remedy) from error
    doubts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    if taken.foreign:
        high, low = result.quality.particle_mode_per_um, result.quality.background_mode_per_um
        uneven = uneven_ground(taken.volume, result.phases, field, (high or 0.0) - (low or 0.0))
        notes = enlarged(taken.volume)
        along, across = repeats(taken.volume)
        once = np.s_[::along, ::across, ::across]
        slices, shown, labels = taken.volume[once], result.phases[once], result.labels[once]
        seen = field if across == 1 else find_field(slices, taken.field)
        doubts = (
            *uneven,
            *mask_alone(taken.volume),
            *cut_off(taken.volume, field, result.quality.threshold_per_um or 0.0),
            *painted(taken.volume, field),
            *(
                jumps(shown)
                or cut_at_once(shown)
                or jittering(slices, labels, seen)
                or lost_slices(slices, labels, seen)
            ),
            *bent_greys(taken.volume, result.phases, field, low, high),
            *rings(taken.volume, result.phases, field, (high or 0.0) - (low or 0.0)),
            *shared_values(taken.volume, field),
            *blurred_mask(taken.volume),
            *stretched(result.labels, result.particles),
            *none_whole(len(result.particles), result.quality.whole_particles or 0),
            *below_nothing(result.quality, taken.grey),
        )
    if taken.alone:
        even = not any(one.startswith("uneven ground") for one in doubts)
        more, named = _matter(taken, spec, result, field, even)
        doubts, notes = (*doubts, *more), (*notes, *named)
    if taken.grey != "1/um":
        result = in_grey_values(result, taken.grey)
    particles, voids = Rows.of(result.particles, spec.columns), Rows.of(result.voids, VOID_COLUMNS)
    quality = taken.quality.joined(result.quality)
    pooled = pool(particles, voids, seed=spec.seed)
    whole = int((~particles.flags(Particle.touches_boundary)).sum())
    results = RegionResults(
        roi=taken.roi,
        counts=RegionCounts(particles=len(particles), whole_particles=whole, voids=len(voids)),
        table1=pooled.table1,
        population=pooled.population,
        quality={taken.roi: quality},
        inputs=taken.inputs,
        recipe=taken.recipe,
        sample=taken.sample,
        warnings=(*taken.warnings, *result.warnings, *notes),
        doubts=(*taken.doubts, *doubts),
        scale=taken.scale,
        grey=taken.grey_source,
        field=field.words,
    )
    phases = result.phases if result.light is None else result.light.painted(result.phases)
    write_labels(out, taken.voxel_size_um, result.labels, phases)
    write_rows(out / "particles.csv", particles, spec.columns)
    write_rows(out / "voids.csv", voids, VOID_COLUMNS)
    COLUMNS.write(out / COLUMNS.name, ColumnsDocument(particles=spec.columns, voids=VOID_COLUMNS))
    QUALITY.write(out / QUALITY.name, QualityDocument(**quality.stated()))
    REGION_RESULTS.write(out / REGION_RESULTS.name, results)


def _matter(
    taken: AnalysisInput, spec: AnalysisSpec, result: Analysis, field: VolumeField, even: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Doubts and notes of what the particles are made of; even: whether the ground is the same everywhere."""
    grey, um, quality = np.asarray(taken.volume, np.float32), taken.voxel_size_um, result.quality
    # Open cracks are in the envelope, and told.
    open_cracks = {
        int(str(row[Particle.particle_id.name]))
        for row in result.particles
        if row[Particle.crack_kind.name] not in ("none", "inner")
    }
    within = grey_within(grey, result.labels, result.phases, field.inside, quality, um, open_cracks)
    smallest = np.pi / 6 * (spec.min_particle_um / um) ** 3
    level, whole = quality.threshold_per_um or 0.0, quality.whole_particles or 0
    lost = bodies_left_out(grey, result.phases, field, quality, smallest) if even else None
    many, few = left_out(lost, whole, smallest)
    return (
        *made_by_noise(grey, result.phases, field.inside, level, smallest, whole),
        *(" -> ".join(said) for doubt in _DOUBTS if (said := doubt(quality)) is not None),
        *edge_width(quality, um),
        *not_one_grey(within),
        *rounded_edges(result.particles, um),
        *other_matter(within),
        *many,
    ), few


def in_grey_values(result: Analysis, unit: str) -> Analysis:
    """Levels under names that do not promise an attenuation, and no attenuation of particles."""
    own = (Particle.mean_attenuation_per_um.name, f"{Particle.mean_attenuation_per_um.name}_u")
    particles = [{name: value for name, value in row.items() if name not in own} for row in result.particles]
    stated = result.quality.stated()
    levels = {name: value for name, value in stated.items() if name.endswith("_per_um")}
    further: dict[str, Any] = {name.replace("_per_um", "_grey"): value for name, value in levels.items()}
    kept = {name: value for name, value in stated.items() if name not in levels}
    quality = QualityMetrics(**{**kept, "further": {**kept.get("further", {}), **further, "grey_unit": unit}})
    return replace(result, particles=particles, quality=quality)


def checked_volume(volume: NDArray[np.number], voxel_size_um: float) -> FloatVolume:
    """The volume as float32, or DataError: three dimensions of at least 8 voxels, finite, a voxel size above zero."""
    if not (np.isfinite(voxel_size_um) and voxel_size_um > 0):
        raise DataError("the voxel size must be a number above zero", value=f"{voxel_size_um} um", limit="> 0 um")
    if volume.ndim != 3:
        raise _no_volume(volume)
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


def _no_volume(volume: NDArray[np.number]) -> DataError:
    return DataError("a volume has three dimensions (z, y, x)", value=f"shape {volume.shape}", limit="3 dimensions")


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
        # A crack that reaches the surface is neither solid nor void.
        phases[box][crop.cracks.opened & ~crop.solid] = EXTERIOR
        phases[box][crop.voids.labels > 0] = VOID
    return labels, phases


@dataclass(frozen=True)
class _VoidsSeen:
    """in_noise: how many were no more than noise; limit_voxels: diameter from which on noise hides none; detection: of
    those that were put in."""

    in_noise: int
    limit_voxels: float | None
    detection: tuple[VoidDetection, ...]


def _quality(
    levels: Levels, level: float, crops: list[ParticleCrop], particles: list[Row], voids: list[Row], seen: _VoidsSeen
) -> QualityMetrics:
    voxel_um, blur = crops[0].voxel_um, crops[0].blur_voxels
    return QualityMetrics(
        snr=levels.snr,
        threshold_per_um=level,
        particle_mode_per_um=levels.modes.particle_per_um,
        background_mode_per_um=levels.modes.background_per_um,
        noise_background_per_um=levels.modes.noise_per_um,
        noise_particle_per_um=levels.noise_particle_per_um,
        noise_correlation_voxels=levels.noise_correlation_voxels,
        edge_blur_fwhm_um=FWHM * blur * voxel_um,
        void_detection_limit_um=max(
            VOID_LIMIT_SIGMA * blur * voxel_um,
            (seen.limit_voxels or 0.0) * voxel_um,
            found_from_um(seen.detection, 0.5) or max((one.diameter_um for one in seen.detection), default=0.0),
        ),
        voids_in_noise=seen.in_noise,
        void_detection=seen.detection,
        void_pod_90_um=found_from_um(seen.detection, 0.9),
        roughness_floor_um=float(np.median([crop.floor_um for crop in crops])),
        roughness_voxel_floor_um=float(np.median([crop.voxel_floor_um for crop in crops])),
        particles=len(particles),
        whole_particles=sum(not (crop.touches_rows or crop.touches_cylinder) for crop in crops),
        voids=len(voids),
    )
