"""Measured against true: particles of a simulated run matched one to one with the specimen's own list."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.contracts.rows import Rows
from xrm_control.contracts.tables import Particle, Void
from xrm_control.contracts.truth import Missed, Pair, SpecimenTruth, TrueBody, TrueParticle, TruthMatch, VoidClass
from xrm_control.core.geometry import Pose, stage_to_volume

MIN_DIAMETER_UM = 6.0
# A match lies within a quarter of the true diameter, and its diameter within a quarter of the true one.
MAX_OFFSET = 0.25
MAX_SIZE_RATIO = 1.25
BORDER_VOXELS = 2.0
VOID_CLASSES_UM = (0.0, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, np.inf)
FAR = 1e6


@dataclass(frozen=True)
class Field:
    """The measured region of one ROI: stage position of its middle, volume shape (z, y, x), voxel size."""

    roi: str
    centre: Pose
    shape: tuple[int, int, int]
    voxel_um: float

    def holds(self, points_um: NDArray[np.float64], radii_um: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which spheres (volume frame, x, y, z in um) lie in the inscribed cylinder, two voxels from its border."""
        border = BORDER_VOXELS * self.voxel_um
        half_width = min(self.shape[1:]) / 2 * self.voxel_um - border
        half_height = self.shape[0] / 2 * self.voxel_um - border
        side = np.hypot(points_um[:, 0], points_um[:, 1]) + radii_um <= half_width
        return side & (np.abs(points_um[:, 2]) + radii_um <= half_height)


@dataclass(frozen=True)
class _Near:
    """A true particle near a field: its place in the volume frame, um, and the diameter of the sphere of its volume."""

    body: TrueParticle
    place: NDArray[np.float64]
    diameter_um: float


@dataclass(frozen=True)
class _VoidFate:
    """A true void: its diameter, and measured / true volume; None where it was not detected."""

    diameter_um: float
    ratio: float | None


def match_truth(
    particles: Rows,
    voids: Rows | None,
    truth: SpecimenTruth,
    fields: Sequence[Field],
    *,
    min_diameter_um: float = MIN_DIAMETER_UM,
) -> TruthMatch:
    """The `truth` entry of results.json for all ROIs: rows of particles.csv and voids.csv against truth.json.

    True particles of at least `min_diameter_um` that lie wholly in a ROI's cylinder are paired one to one with measured
    ones by position (Hungarian), within a quarter of the diameter in place and size; errors: (measured - true) / true.
    Nothing is said of voids where they were not looked for.
    """
    pairs: list[Pair] = []
    missed: list[Missed] = []
    fates: list[_VoidFate] = []
    for field in fields:
        rows = particles.where(_of_roi(particles.texts(Particle.roi), field))
        near, inside = _true_inside(truth, field)
        matched = _matched(rows, near, inside)
        for index in np.flatnonzero(inside):
            true = near[index]
            if true.diameter_um < min_diameter_um:
                continue
            row = matched.get(int(index))
            if row is None:
                missed.append(Missed(roi=field.roi, true_id=true.body.id, true_diameter_um=true.diameter_um))
            else:
                pairs.append(_pair(field.roi, rows, row, true))
        if voids is not None:
            held = {near[index].body.id for index in np.flatnonzero(inside)}
            own = voids.where(_of_roi(voids.texts(Void.roi), field))
            fates += _void_fates(own, [void for void in truth.voids if void.particle_id in held], field)
    count = len(pairs) + len(missed)
    diameter = [100 * (p.diameter_um / p.true_diameter_um - 1) for p in pairs]
    volume = [100 * (p.volume_um3 / p.true_volume_um3 - 1) for p in pairs]
    surface = [
        100 * (p.surface_area_um2 / p.true_surface_area_um2 - 1)
        for p in pairs
        if p.surface_area_um2 is not None and p.true_surface_area_um2
    ]
    return TruthMatch(
        min_diameter_um=min_diameter_um,
        n_true=count,
        n_matched=len(pairs),
        matched_fraction=len(pairs) / count if count else None,
        diameter_error_percent_median=_median(diameter),
        diameter_error_percent_median_absolute=_median(np.abs(diameter).tolist()),
        diameter_error_percent_p95_absolute=_p95(diameter),
        volume_error_percent_median=_median(volume),
        volume_error_percent_median_absolute=_median(np.abs(volume).tolist()),
        volume_error_percent_p95_absolute=_p95(volume),
        surface_error_percent_median=_median(surface),
        surface_error_percent_median_absolute=_median(np.abs(surface).tolist()),
        surface_error_percent_p95_absolute=_p95(surface),
        position_error_um_median=_median([p.offset_um for p in pairs]),
        pairs=tuple(pairs),
        missed=tuple(missed),
        voids=tuple(_void_classes(fates)),
    )


def rotation_axis_error_px(found_px: float, columns: int, true_offset_um: float, pixel_um: float) -> float:
    """Error of a found rotation axis (column of `columns`); the true one lies `true_offset_um` off the middle."""
    return found_px - ((columns - 1) / 2 + true_offset_um / pixel_um)


def _of_roi(names: tuple[str, ...], field: Field) -> NDArray[np.bool_]:
    return np.array([name == field.roi for name in names], bool)


def _on_stage(bodies: Sequence[TrueBody], field: Field) -> NDArray[np.float64]:
    """Places (n, 3) in the volume frame, um."""
    stage = np.array([(body.x_um, body.y_um, body.z_um) for body in bodies], float).reshape(-1, 3)
    return stage_to_volume(stage, field.centre)


def _places(rows: Rows) -> NDArray[np.float64]:
    return np.column_stack([rows.numbers(column) for column in (Particle.x_um, Particle.y_um, Particle.z_um)])


def _true_inside(truth: SpecimenTruth, field: Field) -> tuple[list[_Near], NDArray[np.bool_]]:
    """All true particles near the field, in the volume frame, and which of them lie wholly in it."""
    points = _on_stage(truth.particles, field)
    radii = np.array(
        [p.equivalent_diameter_um / 2 if p.radius_max_um is None else p.radius_max_um for p in truth.particles], float
    )
    reach = max(field.shape) * field.voxel_um
    chosen = [i for i in range(len(points)) if float(np.abs(points[i]).max()) < reach]
    near = [
        _Near(body, points[i], float((6 * body.volume_um3 / np.pi) ** (1 / 3)))
        for i in chosen
        for body in (truth.particles[i],)
    ]
    return near, field.holds(points[chosen], radii[chosen])


def _matched(rows: Rows, near: Sequence[_Near], inside: NDArray[np.bool_]) -> dict[int, int]:
    """Index of the true particle -> row. Particles cut by the border compete, so that none is taken twice."""
    if not len(rows) or not near:
        return {}
    found = rows.numbers(Particle.equivalent_diameter_um)
    distance = np.linalg.norm(np.array([true.place for true in near])[:, None] - _places(rows), axis=2)
    diameter = np.array([true.diameter_um for true in near])
    ratio = found / diameter[:, None]
    fits = (ratio <= MAX_SIZE_RATIO) & (ratio >= 1 / MAX_SIZE_RATIO) | ~inside[:, None]
    cost = np.where((distance <= MAX_OFFSET * diameter[:, None]) & fits, distance / diameter[:, None], FAR)
    first, second = _assigned(cost)
    return {int(i): int(j) for i, j in zip(first, second, strict=True) if cost[i, j] < FAR and inside[i]}


def _pair(roi: str, rows: Rows, row: int, true: _Near) -> Pair:
    return Pair(
        roi=roi,
        particle_id=rows.ids(Particle.particle_id)[row],
        true_id=true.body.id,
        offset_um=float(np.linalg.norm(_places(rows)[row] - true.place)),
        diameter_um=float(rows.numbers(Particle.equivalent_diameter_um)[row]),
        true_diameter_um=true.diameter_um,
        volume_um3=float(rows.numbers(Particle.volume_um3)[row]),
        true_volume_um3=true.body.volume_um3,
        surface_area_um2=float(rows.numbers(Particle.surface_area_um2)[row]),
        true_surface_area_um2=true.body.surface_area_um2,
    )


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if len(values) else None


def _p95(values: Sequence[float]) -> float | None:
    return float(np.percentile(np.abs(values), 95)) if len(values) else None


def _void_fates(rows: Rows, wanted: Sequence[TrueBody], field: Field) -> list[_VoidFate]:
    """What became of the true voids in particles wholly in the field."""
    found = [_VoidFate(true.equivalent_diameter_um, None) for true in wanted]
    if not len(rows) or not wanted:
        return found
    diameters = np.array([true.equivalent_diameter_um for true in wanted])
    volumes = rows.numbers(Void.volume_um3)
    distance = np.linalg.norm(_on_stage(wanted, field)[:, None] - _places(rows), axis=2)
    cost = np.where(distance <= np.maximum(0.5 * diameters, 2 * field.voxel_um)[:, None], distance, FAR)
    for i, j in zip(*_assigned(cost), strict=True):
        if cost[i, j] < FAR:
            found[i] = _VoidFate(float(diameters[i]), float(volumes[j]) / wanted[i].volume_um3)
    return found


def _void_classes(fates: Sequence[_VoidFate]) -> list[VoidClass]:
    classes = []
    for low, high in itertools.pairwise(VOID_CLASSES_UM):
        here = [fate for fate in fates if low <= fate.diameter_um < high]
        if here:
            ratios = [fate.ratio for fate in here if fate.ratio is not None]
            classes.append(
                VoidClass(
                    diameter_um=(low, high),
                    n_true=len(here),
                    detected_fraction=len(ratios) / len(here),
                    volume_ratio_median=_median(ratios),
                )
            )
    return classes


def _assigned(cost: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the cheapest one-to-one assignment."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(cost)
    return np.asarray(rows, np.intp), np.asarray(columns, np.intp)
