"""A healthy scan of a bed of balls, and functions that put one fault each into its frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.once import once
from tests.reconstruction.phantoms import Ball, line_integrals, scan_of
from xrm_control.analysis.core import Analysis, AnalysisSpec, analyze_volume
from xrm_control.contracts.quality import QualityMetrics
from xrm_control.contracts.rois import MosaicRecord, RoiRecord
from xrm_control.contracts.rows import Rows
from xrm_control.contracts.tables import Particle
from xrm_control.core.sample import SampleSpec
from xrm_control.processing.trust.checks.expected import room
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.reconstruction.clean_frames import cleaned
from xrm_control.reconstruction.pipeline import Reconstruction, ReconstructionSpec, put_right, reconstruct_scan
from xrm_control.reconstruction.scan import RepeatedViews, ScanData
from xrm_control.reconstruction.stray_light import StrayLight

PIXEL_UM, COLUMNS, ROWS, VIEWS = 0.5, 96, 64, 121
AXIS_PX = 47.2
MARGIN_UM = 3.0
COUNTS_PER_PHOTON, READ_COUNTS, DARK_COUNTS = 4.0, 5.0, 100.0  # of `scan_of`
ENERGY_KEV = 5.4
SAMPLE = SampleSpec()
MU = SAMPLE.mu_per_um(ENERGY_KEV)
TAPE = (140.0, 12.0, 0.0028)
THETA = np.linspace(-90, 90, VIEWS)

AUTO = ReconstructionSpec()
AS_TAKEN = ReconstructionSpec(motion="off")
Alter = Callable[[ScanData], ScanData]


def bed(seed: int = 0, count: int = 26, sizes_um: tuple[float, float] = (5.0, 10.0), mu: float = MU) -> list[Ball]:
    """Balls in a layer on the strip that reaches beyond the field, none nearer than a pixel to another."""
    random = np.random.default_rng(seed)
    balls: list[Ball] = []
    for _ in range(4000):
        if len(balls) == count:
            break
        radius = random.uniform(*sizes_um) / 2
        ball = Ball(random.uniform(-32, 32), random.uniform(-4, 4), random.uniform(-14, 14), radius, mu)
        if all(
            np.hypot(np.hypot(ball.x_um - b.x_um, ball.y_um - b.y_um), ball.z_um - b.z_um)
            > ball.radius_um + b.radius_um + 1.0
            for b in balls
        ):
            balls.append(ball)
    return balls


def integrals_of(balls: list[Ball], theta_deg: NDArray[Any] = THETA, axis_px: float = AXIS_PX) -> NDArray[np.float32]:
    return line_integrals(
        balls, theta_deg, columns=COLUMNS, rows=ROWS, axis_px=axis_px, pixel_um=PIXEL_UM, strip=TAPE, samples=2
    )


@lru_cache(maxsize=4)
def scan(seed: int = 0, count: int = 26, sizes_um: tuple[float, float] = (5.0, 10.0)) -> ScanData:
    return comes_back(0.0)(scan_of(integrals_of(bed(seed, count, sizes_um)), THETA, PIXEL_UM, noise_seed=seed))


@dataclass(frozen=True)
class Region:
    """Everything that a region's evidence is made of; `sample`, `expected`, `diameters_um` and `counts_per_photon` may
    be told wrong."""

    scan: ScanData
    spec: ReconstructionSpec = AUTO
    sample: SampleSpec = SAMPLE
    expected: int | None = None
    diameters_um: tuple[float, ...] = (6.0, 8.0, 10.0)
    counts_per_photon: float | None = COUNTS_PER_PHOTON


@dataclass(frozen=True, eq=False)
class _Taken:
    """A scan, as the very same object, and how it is reconstructed."""

    scan: ScanData
    spec: ReconstructionSpec

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Taken) and other.scan is self.scan and other.spec == self.spec

    def __hash__(self) -> int:
        return id(self.scan)


@lru_cache(maxsize=4)
def _measured(taken: _Taken) -> tuple[Reconstruction, Analysis]:
    return _computed(taken.scan, taken.spec)


@once
def _computed(scan: ScanData, spec: ReconstructionSpec) -> tuple[Reconstruction, Analysis]:
    made = reconstruct_scan(scan, spec)
    return made, analyze_volume(made.volume, made.voxel_size_um, AnalysisSpec())


def evidence_of(region: Region) -> RegionEvidence:
    """Reconstructed and analysed as a run does; the same scan once."""
    made, found = _measured(_Taken(region.scan, region.spec))
    analysis = AnalysisSpec()
    particles = Rows.of(found.particles, analysis.columns)
    roi = RoiRecord(name="roi-01", x_um=0, y_um=0, z_um=0, width_um=48, height_um=32, reason="", expected_particles=0)
    whole = particles.where(~particles.flags(Particle.touches_boundary))
    promised = int((room(whole, roi, MARGIN_UM) >= 0).sum())
    roi = roi.model_copy(update={"expected_particles": promised if region.expected is None else region.expected})
    mosaic = MosaicRecord(
        pixel_size_um=0.5, x0_um=0, y0_um=0, shape=(9, 9), particles=9, diameters_um=region.diameters_um
    )
    scan, preprocess = put_right(region.scan, region.spec.preprocess, made.shifts_px)
    return RegionEvidence(
        scan=scan,
        spec=region.spec.model_copy(update={"preprocess": preprocess}),
        quality=QualityMetrics.model_validate({**made.quality, "view_shifts_px": made.shifts_px}).joined(found.quality),
        particles=particles,
        volume=made.volume,
        labels=np.asarray(found.labels),
        phases=found.phases if found.light is None else found.light.painted(found.phases),
        roi=roi,
        mosaic=mosaic,
        sample=region.sample,
        energy_kev=ENERGY_KEV,
        field_um=COLUMNS * PIXEL_UM,
        useful_diameter_um=36,
        margin_um=MARGIN_UM,
        counts_per_photon=region.counts_per_photon,
    )


def restless(count: int, by_um: float = 2.0, view: int = 52) -> ScanData:
    """The `count` balls next to the middle of the field hop apart in mid-scan."""
    balls = bed(1)
    nearest = sorted(range(len(balls)), key=lambda n: float(np.hypot(balls[n].x_um, balls[n].z_um)))[:count]
    there = list(balls)
    for n in nearest:
        ball = balls[n]
        sideways, along = by_um * np.array([ball.x_um, ball.z_um]) / np.hypot(ball.x_um, ball.z_um)
        there[n] = replace(ball, x_um=ball.x_um + float(sideways), z_um=ball.z_um + float(along))
    views = np.concatenate([integrals_of(balls)[:view], integrals_of(there)[view:]])
    return scan_of(views, THETA, PIXEL_UM, noise_seed=3)


def whole_counts(values: NDArray[Any]) -> NDArray[np.uint16]:
    return np.clip(np.rint(values), 0, 65535).astype(np.uint16)


def stray_light(share: float) -> Alter:
    """Light of so much of the open beam on every frame with beam."""

    def alter(scan: ScanData) -> ScanData:
        level = share * float(np.mean(scan.flats) - np.mean(scan.darks))
        views, flats = (whole_counts(np.asarray(frames, float) + level) for frames in (scan.projections[:], scan.flats))
        return replace(scan, projections=views, flats=flats)

    return alter


def stray_measured(u: float) -> ScanData:
    """None of it, with an uncertainty of so much of the open beam."""
    return replace(scan(), stray=StrayLight(0.0, 0.0, 0.0, 1.0, (u**2, 0.0, 0.0)))


def blade_without_shade() -> ScanData:
    """Frames behind a blade that was not in the beam."""
    return cleaned(scan(), scan().flats[:3])


def gap(from_deg: float, to_deg: float) -> Alter:
    """Views between two angles are missing."""
    return lambda scan: scan.without(np.flatnonzero((from_deg < THETA) & (to_deg > THETA)).tolist())


def every(step: int) -> Alter:
    """Few projections."""
    return lambda scan: scan.without([view for view in range(VIEWS) if view % step])


def shifted_views(right_px: Callable[[int], float]) -> Alter:
    """View n is moved to the right by right_px(n)."""
    from scipy.ndimage import shift

    def alter(scan: ScanData) -> ScanData:
        moved = [
            shift(np.asarray(view, float), (0, right_px(n)), order=1, mode="nearest")
            for n, view in enumerate(scan.projections[:])
        ]
        return replace(scan, projections=whole_counts(np.stack(moved)))

    return alter


def sunken(down_px: float) -> Alter:
    """The second half of the views shows the sample lower."""
    from scipy.ndimage import shift

    def alter(scan: ScanData) -> ScanData:
        moved = [
            shift(np.asarray(view, float), (down_px * (n > VIEWS // 2), 0), order=1, mode="nearest")
            for n, view in enumerate(scan.projections[:])
        ]
        return replace(scan, projections=whole_counts(np.stack(moved)))

    return alter


def comes_back(right_px: float) -> Alter:
    """The view of the face is taken once more at the end, and lies so far to the right."""
    from scipy.ndimage import shift

    def alter(scan: ScanData) -> ScanData:
        view = VIEWS // 2
        again = whole_counts(shift(np.asarray(scan.projections[view], float), (0, right_px), order=3, mode="nearest"))
        time_s = float(np.max(scan.time_s)) + 1.0
        return replace(
            scan, repeated=RepeatedViews(again[None], np.asarray(scan.theta_deg)[[view]], np.array([time_s]))
        )

    return alter


def dead_columns(*columns: int) -> Alter:
    """Columns that see nothing, in any frame."""

    def alter(scan: ScanData) -> ScanData:
        frames = [np.array(one) for one in (scan.projections[:], scan.flats, scan.darks)]
        for one in frames:
            one[:, :, list(columns)] = 100
        return replace(scan, projections=frames[0], flats=frames[1], darks=frames[2])

    return alter


def weak_columns(factor: float, *columns: int) -> Alter:
    """Columns whose gain has changed since the flats."""

    def alter(scan: ScanData) -> ScanData:
        views = np.array(scan.projections[:], float)
        views[:, :, list(columns)] *= factor
        return replace(scan, projections=whole_counts(views))

    return alter


def black_views(*numbers: int) -> Alter:
    """Half of some views is black."""

    def alter(scan: ScanData) -> ScanData:
        views = np.array(scan.projections[:])
        views[list(numbers), : ROWS // 2] = 100
        return replace(scan, projections=views)

    return alter


def blurred(sigma_px: float) -> Alter:
    """Views out of focus; the photons come after the optics, and their noise is as sharp as ever."""
    from scipy.ndimage import gaussian_filter

    def alter(scan: ScanData) -> ScanData:
        # What noise the frames had is gone with the blur.
        soft = np.stack([gaussian_filter(np.asarray(view, float), sigma_px) for view in scan.projections[:]])
        variance = COUNTS_PER_PHOTON * np.maximum(soft - DARK_COUNTS, 0) + READ_COUNTS**2
        noise = np.random.default_rng(1).normal(0, 1, soft.shape) * np.sqrt(variance)
        return replace(scan, projections=whole_counts(soft + noise))

    return alter


def smoothed_frames(sigma_px: float) -> Alter:
    """Views that somebody has made look better."""
    from scipy.ndimage import gaussian_filter

    return lambda scan: replace(
        scan,
        projections=whole_counts(
            np.stack([gaussian_filter(np.asarray(view, float), sigma_px) for view in scan.projections[:]])
        ),
    )


def each_twice(scan: ScanData) -> ScanData:
    """The stage moved at every second view only, or half of the frames are copies."""
    views = np.array(scan.projections[:])
    views[1::2] = views[: 2 * (len(views) // 2) : 2]
    return replace(scan, projections=views)


def noisier(share: float) -> Alter:
    """Views of more variance, by this share, than flats of the same light have."""

    def alter(scan: ScanData) -> ScanData:
        views = np.asarray(scan.projections[:], float)
        variance = share * (COUNTS_PER_PHOTON * np.maximum(views - DARK_COUNTS, 0) + READ_COUNTS**2)
        noise = np.random.default_rng(2).normal(0, 1, views.shape) * np.sqrt(variance)
        return replace(scan, projections=whole_counts(views + noise))

    return alter


def torn(scan: ScanData) -> ScanData:
    """The lowest quarter of every third frame is that of a frame taken twelve views before, left in a buffer."""
    views = np.array(scan.projections[:])
    taken = views.copy()
    views[12::3, 3 * ROWS // 4 :] = taken[:-12:3, 3 * ROWS // 4 :]
    return replace(scan, projections=views)


def same(scan: ScanData) -> ScanData:
    """No fault."""
    return scan


def dense_bed() -> ScanData:
    """So thick that hardly a photon passes some rays."""
    balls = bed(2, 150, (8.0, 12.0))
    return scan_of(8 * integrals_of(balls), THETA, PIXEL_UM, noise_seed=2, photons=1000)


def two_materials() -> ScanData:
    """Every third particle attenuates 0.6 times as much."""
    balls = [replace(ball, mu_per_um=0.6 * MU) if n % 3 == 0 else ball for n, ball in enumerate(bed())]
    return scan_of(integrals_of(balls), THETA, PIXEL_UM, noise_seed=1)


def dusty(share: float = 0.7) -> ScanData:
    """Among the particles, in two layers above and below, balls of 3 um that attenuate so much of what they do."""
    dust = [Ball(x, y, z, 1.5, share * MU) for x in (-14, -6, 2, 10) for y in (-14, 14) for z in (-8, 8)]
    return scan_of(integrals_of([*bed(), *dust]), THETA, PIXEL_UM, noise_seed=1)


def graded() -> ScanData:
    """Every particle has a core of 0.6 of its radius that attenuates 1.6 times as much."""
    cores = [replace(ball, radius_um=0.6 * ball.radius_um, mu_per_um=0.6 * MU) for ball in bed()]
    return scan_of(integrals_of([*bed(), *cores]), THETA, PIXEL_UM, noise_seed=1)


def tilted() -> ScanData:
    """The axis runs across the rows: 2 pixels from top to bottom half."""
    parts = [integrals_of(bed(), axis_px=AXIS_PX + offset)[:, rows] for offset, rows in (
        (-1.0, slice(0, ROWS // 2)), (1.0, slice(ROWS // 2, ROWS)))]  # fmt: skip
    return scan_of(np.concatenate(parts, axis=1), THETA, PIXEL_UM, noise_seed=1)


def full_turn(moves_px: float) -> ScanData:
    """Views over 360 degrees; the axis moves steadily by so much from the first to the last."""
    theta = np.linspace(-180, 180, 2 * VIEWS - 1)
    balls = bed()
    axes = AXIS_PX + moves_px * np.linspace(0, 1, len(theta))
    views = [integrals_of(balls, theta[n : n + 1], float(axis_px)) for n, axis_px in enumerate(axes)]
    return scan_of(np.concatenate(views), theta, PIXEL_UM, noise_seed=3)


def cracked() -> ScanData:
    """A crack of 1.5 um through the largest particle, one half of which has moved aside by 2 um."""
    others = [one for one in bed() if np.hypot(one.x_um, one.z_um) > 14]
    v = ((np.arange(ROWS) - (ROWS - 1) / 2) * PIXEL_UM)[None, :, None]
    with_halves = integrals_of(others)
    for side in (-1, 1):
        # A slit parallel to the detector's rows is the same in all views.
        half = integrals_of([Ball(1.0 * side, 0, 0, 7.0, MU)]) - integrals_of([])
        with_halves += np.where(v * side >= 0.75, half, 0)
    return scan_of(with_halves.astype(np.float32), THETA, PIXEL_UM, noise_seed=1)


def thick() -> ScanData:
    """The bed with two and a half times the attenuation: rays through a particle lose half their photons and more."""
    return scan_of(np.float32(2.5) * integrals_of(bed()), THETA, PIXEL_UM, noise_seed=1)


def four_fold(seed: int = 1) -> ScanData:
    """The bed with four times the attenuation, and a thousand photons to a pixel."""
    return scan_of(np.float32(4) * integrals_of(bed()), THETA, PIXEL_UM, noise_seed=seed, photons=1000)
