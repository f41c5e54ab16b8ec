"""Particles that move during a scan: how many are named, and how often one is that has not moved.

`python -m benchmarks.movers [SEEDS [CASE ...]]`: beds of ellipsoids in closed form on a strip that reaches beyond the
field, counted photons, one particle of which hops or creeps in a direction of its own at a moment of its own;
reconstructed, measured and looked at as a run does. For each case: in how many scans the particle that moved was named,
in how many another one was, by how much the stated distance is off, and the processor time that the search takes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from xrm_control.processing.trust.evidence import RegionEvidence
    from xrm_control.reconstruction.scan import ScanData

PIXEL_UM, COLUMNS, ROWS, VIEWS, AXIS_PX = 0.512, 128, 96, 141, 64.8
MU_PER_UM, TAPE_DEPTH, COUNTS_PER_PHOTON, DARK_COUNTS, READ_COUNTS = 0.0458, 0.06, 4.0, 100.0, 4.0
THETA = np.linspace(-90.0, 90.0, VIEWS)
FLATS = 10
_FINE = 2
_SEEN_DEG = -66.0  # before, a strip is seen from its edge

Way = Literal["none", "hop", "drift", "settle"]


@dataclass(frozen=True)
class Case:
    """One kind of scan. by_um: how far one particle goes; half_um: half of the layer's thickness; gap_um: between
    particles, below zero where they may touch; jitter_px, drift_px: of whole views; few_um: radii of the smallest.
    """

    name: str
    way: Way = "none"
    by_um: float = 0.0
    particles: int = 90
    half_um: float = 3.0
    gap_um: float = 0.3
    photons: float = 1000.0
    jitter_px: float = 0.0
    drift_px: float = 0.0
    tape: float = TAPE_DEPTH
    repeat: bool = True


CASES = (
    Case("still"),
    Case("still, 150 photons", photons=150.0),
    Case("still, dense", particles=220, half_um=10.0),
    Case("still, touching", gap_um=-0.2),
    Case("still, jitter 0.3 px", jitter_px=0.3),
    Case("still, drift 3 px", drift_px=3.0),
    Case("still, glue", tape=0.4),
    *(Case(f"hop {by:g} um", "hop", by) for by in (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)),
    Case("hop 1 um, 150 photons", "hop", 1.0, photons=150.0),
    Case("hop 1 um, dense", "hop", 1.0, particles=220, half_um=10.0),
    Case("hop 1 um, jitter 0.3 px", "hop", 1.0, jitter_px=0.3),
    Case("hop 1 um, not repeated", "hop", 1.0, repeat=False),
    *(Case(f"{way} {by:g} um", way, by) for way in ("drift", "settle") for by in (1.0, 2.0)),
)


@dataclass(frozen=True)
class Bed:
    """Ellipsoids: centre (n, 3) in um, x across and y along the beam at 0 degrees, z along the axis; scaled (n, 3, 3):
    takes what lies within to the unit ball; radius (n,): of the ball around."""

    centre: NDArray[np.float64]
    scaled: NDArray[np.float64]
    radius: NDArray[np.float64]


@dataclass(frozen=True)
class Truth:
    """One scan: data, the particle that moves (-1: none), where (n_views, 3) in um off its first place it is, and what
    was done to whole views, in pixels."""

    scan: ScanData
    bed: Bed
    mover: int
    path_um: NDArray[np.float64]


def bed_of(case: Case, seed: int) -> Bed:
    """Radii as in a powder, axes up to a third longer than each other; none overlaps another's ball by much."""
    random = np.random.default_rng([seed, 1])
    places: list[NDArray[np.float64]] = []
    for _ in range(60_000):
        if len(places) == case.particles:
            break
        radius = float(np.clip(random.lognormal(np.log(4.0), 0.35), 1.5, 8.0))
        height = random.uniform(-case.half_um, case.half_um) + radius
        one = np.array([random.uniform(-130, 130), height, random.uniform(-27, 27), radius])
        if all(np.linalg.norm(one[:3] - other[:3]) > one[3] + other[3] + case.gap_um for other in places):
            places.append(one)
    found = np.array(places)
    scaled = np.empty((len(found), 3, 3))
    for number, radius in enumerate(found[:, 3]):
        turn, _ = np.linalg.qr(random.standard_normal((3, 3)))
        axes = radius * np.array([1.0, *random.uniform(0.75, 1.0, 2)])
        scaled[number] = np.diag(1 / axes) @ turn
    return Bed(found[:, :3], scaled, found[:, 3])


def scan_of(case: Case, seed: int) -> Truth:
    """Counts of one scan, with flats and darks, and the face-on view once more."""
    from xrm_control.reconstruction.scan import RepeatedViews, ScanData

    random = np.random.default_rng([seed, 2])
    bed = bed_of(case, seed)
    path = np.zeros((VIEWS + 1, 3))
    mover = -1
    if case.way != "none":
        reach = np.hypot(bed.centre[:, 0], bed.centre[:, 1]) + bed.radius
        inside = reach < COLUMNS / 2 * PIXEL_UM - 3
        inside &= np.abs(bed.centre[:, 2]) + bed.radius < ROWS / 2 * PIXEL_UM - 3
        mover = int(random.choice(np.flatnonzero(inside)))
        heading = random.standard_normal(3)
        path = case.by_um * _share(case.way, random)[:, None] * heading / np.linalg.norm(heading)
    moved = case.jitter_px * random.standard_normal((VIEWS + 1, 2))
    moved += case.drift_px * random.choice([-1.0, 1.0], 2) * np.linspace(-0.5, 0.5, VIEWS + 1)[:, None]
    theta = np.append(THETA, 0.0)
    beam = case.photons * COUNTS_PER_PHOTON * (1 - 0.15 * np.linspace(-1, 1, COLUMNS) ** 2) * np.ones((ROWS, 1))
    frames = []
    for view in range(VIEWS + 1):
        there = bed.centre.copy()
        if mover >= 0:
            there[mover] += path[view]
        depth = _depth(bed, there, np.radians(theta[view]), moved[view])
        seen = np.exp(-case.tape - depth).reshape(ROWS, COLUMNS, _FINE).mean(axis=2)
        frames.append(_counted(random, beam * seen))
    flats = np.stack([_counted(random, beam) for _ in range(FLATS)])
    darks = np.stack([_counted(random, 0 * beam) for _ in range(FLATS)])
    time_s = np.arange(VIEWS, dtype=float)
    repeated = RepeatedViews(np.stack(frames[-1:]), np.zeros(1), np.array([float(VIEWS)])) if case.repeat else None
    data = ScanData(
        np.stack(frames[:-1]), THETA, time_s, flats, np.linspace(-20, -10, FLATS), darks, PIXEL_UM, repeated=repeated
    )
    return Truth(data, bed, mover, path)


def _share(way: Way, random: np.random.Generator) -> NDArray[np.float64]:
    """Of the way that has been gone, at each view and at the repetition."""
    time = np.linspace(0, 1, VIEWS + 1)
    if way == "hop":
        return (np.arange(VIEWS + 1) >= random.integers(1, VIEWS)).astype(float)
    if way == "drift":
        return time
    return 1 - np.exp(-time / random.uniform(0.1, 0.4))


def _depth(bed: Bed, centre: NDArray[np.float64], theta: float, moved: NDArray[np.float64]) -> NDArray[np.float64]:
    """Attenuation of chords (rows, fine columns)."""
    fine = (np.arange(COLUMNS * _FINE) + 0.5) / _FINE - 0.5
    u_um = (fine - AXIS_PX - moved[0]) * PIXEL_UM
    v_um = (np.arange(ROWS) - (ROWS - 1) / 2 - moved[1]) * PIXEL_UM
    along = np.array([np.sin(theta), np.cos(theta), 0.0])
    across = np.array([np.cos(theta), -np.sin(theta), 0.0])
    depth = np.zeros((ROWS, len(u_um)))
    for place, scaled, radius in zip(centre, bed.scaled, bed.radius, strict=True):
        middle = float(across @ place)
        columns = slice(*np.searchsorted(u_um, (middle - radius, middle + radius)))
        rows = slice(*np.searchsorted(v_um, (place[2] - radius, place[2] + radius)))
        u, v = np.meshgrid(u_um[columns] - middle, v_um[rows] - place[2])
        if not u.size:
            continue
        start = u[..., None] * (scaled @ across) + v[..., None] * scaled[:, 2]
        beam = scaled @ along
        square = float(beam @ beam)
        within = (start @ beam) ** 2 - square * ((start**2).sum(axis=-1) - 1)
        depth[rows, columns] += MU_PER_UM * 2 * np.sqrt(np.maximum(within, 0)) / square
    return depth


def _counted(random: np.random.Generator, expected: NDArray[np.float64]) -> NDArray[np.uint16]:
    counts = COUNTS_PER_PHOTON * random.poisson(expected / COUNTS_PER_PHOTON) + DARK_COUNTS
    counts = counts + READ_COUNTS * random.standard_normal(expected.shape)
    return np.clip(np.rint(counts), 0, 65535).astype(np.uint16)


def evidence_of(data: ScanData) -> RegionEvidence:
    """A scan reconstructed and measured as a run does."""
    from xrm_control.analysis.core import analyze_volume
    from xrm_control.analysis.spec import AnalysisSpec
    from xrm_control.contracts.quality import QualityMetrics
    from xrm_control.contracts.rows import Rows
    from xrm_control.processing.trust.of_file import evidence_of_file
    from xrm_control.reconstruction.pipeline import reconstruct_scan
    from xrm_control.reconstruction.spec import ReconstructionSpec

    spec, analysis = ReconstructionSpec(), AnalysisSpec()
    made = reconstruct_scan(data, spec)
    found = analyze_volume(made.volume, made.voxel_size_um, analysis)
    taken = evidence_of_file(data, spec, [made.volume], made.rotation_axis_px, made.quality, made.shifts_px)
    quality = QualityMetrics.model_validate(taken.quality.stated()).joined(found.quality)
    particles = Rows.of(found.particles, analysis.columns)
    return replace(
        taken, quality=quality, particles=particles, labels=np.asarray(found.labels), phases=np.asarray(found.phases)
    )


@dataclass(frozen=True)
class Outcome:
    """One scan. whole: whether the particle that moves was measured whole; named: it, and false: how many others, were
    named; off_um: stated distance less the true one; u_um: as stated; strength: of the largest that was not named.
    """

    seed: int
    whole: bool
    named: bool
    false: int
    off_um: float
    u_um: float
    still: float
    at_deg: float
    way: str
    processor_s: float


def run(case: Case, seed: int) -> Outcome:
    """One scan of one bed, looked at."""
    import time

    from xrm_control.contracts.tables import Particle
    from xrm_control.processing.trust.movers import movers

    truth = scan_of(case, seed)
    evidence = evidence_of(truth.scan)
    # What other checks look at, too.
    _ = evidence.integrals, evidence.noise_variance, evidence.small_volume
    begun = time.process_time()
    found = movers(evidence)
    took = time.process_time() - begun
    if isinstance(found, str):
        raise RuntimeError(f"{case.name}, seed {seed}: {found}")
    rows = evidence.particles
    if rows is None:
        raise RuntimeError(f"{case.name}, seed {seed}: no particles")
    places = np.stack([rows.numbers(column) for column in (Particle.x_um, Particle.y_um, Particle.z_um)], axis=1)
    ids = np.array(rows.ids(Particle.particle_id))
    own: set[int] = set()
    if truth.mover >= 0:
        way = truth.bed.centre[truth.mover] + truth.path_um
        near = np.linalg.norm(places[:, None] - way[None], axis=2).min(axis=1)
        own = set(ids[near < max(truth.bed.radius[truth.mover] / 2, 1.0)].tolist())
    named = [one for one in found.those if one.particle in own]
    whole = bool(own.intersection(found.shifts.ids.tolist()))
    moves = np.flatnonzero(np.linalg.norm(truth.path_um, axis=1) > 0)
    return Outcome(
        seed,
        whole,
        bool(named),
        len(found.those) - len(named),
        named[0].by_um - case.by_um if named else float("nan"),
        named[0].u_um if named else float("nan"),
        found.strongest,
        float(np.append(THETA, 0.0)[moves[0]]) if len(moves) else float("nan"),
        named[0].way if named else "",
        took,
    )


def main(arguments: Sequence[str]) -> None:
    """Print a line for each case."""
    seeds = int(arguments[0]) if arguments else 3
    chosen = [case for case in CASES if not arguments[1:] or case.name in arguments[1:]]
    print("case | named | of hops after -66 degrees | scans with another named | off um | stated um | still | s")
    for case in chosen:
        found = [run(case, seed) for seed in range(seeds)]
        there = [one for one in found if one.whole]
        seen = [one for one in there if not one.at_deg < _SEEN_DEG]
        followed = [one for one in there if np.isfinite(one.u_um)]
        figures = (
            f"{sum(one.named for one in there)} of {len(there)}" if case.way != "none" else "-",
            f"{sum(one.named for one in seen)} of {len(seen)}" if case.way == "hop" else "-",
            f"{sum(one.false > 0 for one in found)} of {seeds}",
            f"{np.median([abs(one.off_um) for one in followed]):.2f}" if followed else "-",
            f"{np.median([one.u_um for one in followed]):.2f}" if followed else "-",
            f"{max(one.still for one in found):.1f}",
            f"{np.median([one.processor_s for one in found]):.2f}",
        )
        print(" | ".join((case.name, *figures)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
