"""Whether the population is unbiased whatever regions were chosen: `python -m benchmarks.selection [SEEDS]`.

A powder of known law is strewn on a strip (`benchmarks.powders`), seen by a mosaic with the finder's errors, and each
strategy chooses its regions by that. What lies wholly in a region is measured without error, and voided with a
probability that rises with its size. Told is how often the stated 95 % interval holds the powder's true value, among
the seeds of which the program says that it does, and what share of the seeds these are.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.powders import PIXEL_UM, apart, sizes, sphere
from benchmarks.timing import Row
from xrm_control.analysis.population import pool
from xrm_control.analysis.sampling import whole_probability
from xrm_control.analysis.size_classes import MosaicSizes
from xrm_control.contracts.columns import KNOWN_PARTICLE_COLUMNS
from xrm_control.contracts.document import Interval
from xrm_control.contracts.population import Population
from xrm_control.contracts.rows import Rows
from xrm_control.roi.mosaic_map import MosaicMap
from xrm_control.roi.particles2d import SMALLEST_UM, Particle2D
from xrm_control.roi.strategies.grid import Grid
from xrm_control.roi.strategies.manual import Manual, Position
from xrm_control.roi.strategies.most_particles import MostParticles
from xrm_control.roi.strategies.varied_sizes import VariedSizes
from xrm_control.roi.strategy import Limits, Roi, RoiStrategy

Floats = NDArray[np.float64]

SIZE_UM, FIELD_UM = (330.0, 520.0), 65.5
_PER_UM2 = 6.3e-3
_CUT_UM = 0.77
"""Nearer to the border of the volume a particle counts as cut: 1.5 voxels of 0.512 um."""

_RECALL, _DIAMETER_ERROR, _PLACE_UM = 0.99, 0.02, 0.2
"""Of the finder, on single layers (`python -m benchmarks.finding`)."""

_FREE = Limits((-1e4, 1e4), (-1e4, 1e4))
_LAW = 200_000
_NOTHING: Interval = (math.nan, math.nan)


@dataclass(frozen=True)
class Powder:
    """Median diameter in um and standard deviation of its logarithm, cut as `benchmarks.powders` does."""

    median_um: float
    sigma_ln: float


POWDERS = {"wide (9 um, .4)": Powder(9.0, 0.4), "narrow (6.4 um, .25)": Powder(6.4, 0.25)}

STRATEGIES: Mapping[str, RoiStrategy] = {
    "most particles, 4": MostParticles(count=4),
    "most particles, 1": MostParticles(count=1),
    "varied sizes, 4": VariedSizes(count=4),
    "grid, 2 x 2": Grid(rows=2, columns=2, pitch_um=120),
    "manual, 3": Manual(positions=tuple(Position(x_um=x, y_um=y) for x, y in ((-90, -120), (0, 40), (90, 150)))),
}


@dataclass(frozen=True)
class Strip:
    """All particles: places and diameters in um (n,), whether they hold a void (n,); seen: by the mosaic."""

    x_um: Floats
    y_um: Floats
    d_um: Floats
    voided: NDArray[np.bool_]
    seen: tuple[Particle2D, ...]


@dataclass(frozen=True)
class Truth:
    """Of the powder, not of the strip."""

    mean_um: float
    median_um: float
    voided: float


@dataclass(frozen=True)
class Outcome:
    """One strategy on one strip. population, border: with the mosaic's sizes and without; rois: (expected, found in the
    window less its margin, whole in the field) of each.
    """

    population: Population
    border: Population
    rois: tuple[tuple[int, int, int], ...]


def void_probability(d_um: Floats) -> Floats:
    """That a particle of this size is voided."""
    return np.clip(0.15 + 0.07 * (d_um - 4), 0.05, 0.9)


def truth_of(powder: Powder) -> Truth:
    """By drawing many."""
    d_um = np.asarray(sizes(np.random.default_rng(0), _LAW, powder.median_um, powder.sigma_ln), np.float64)
    return Truth(float(d_um.mean()), float(np.median(d_um)), float(void_probability(d_um).mean()))


def strip_of(powder: Powder, seed: int) -> Strip:
    """One strip of it, and what a mosaic shows."""
    random = np.random.default_rng(seed)
    count = round(_PER_UM2 * SIZE_UM[0] * SIZE_UM[1])
    drawn = sizes(random, count, powder.median_um, powder.sigma_ln)
    bodies = apart(random, SIZE_UM, [sphere(0, 0, float(d)) for d in drawn], resting=True)
    x, y, d = (np.array(one) for one in zip(*((b.x_um, b.y_um, b.diameter_um) for b in bodies), strict=True))
    voided = random.random(len(d)) < void_probability(d)
    seen = random.random(len(d)) < _RECALL
    places = zip(
        *(at + random.normal(0, _PLACE_UM, len(d)) for at in (x, y)),
        d * (1 + random.normal(0, _DIAMETER_ERROR, len(d))),
        strict=True,
    )
    particles = [
        Particle2D(a, b, c, c, bool(abs(a) + c / 2 > SIZE_UM[0] / 2 or abs(b) + c / 2 > SIZE_UM[1] / 2))
        for a, b, c in places
    ]
    return Strip(x, y, d, voided, tuple(one for one, there in zip(particles, seen, strict=True) if there))


def outcome(strip: Strip, strategy: RoiStrategy) -> Outcome:
    """Choose, measure, weight."""
    rois = strategy.choose(strip.seen, blank(), FIELD_UM, _FREE)
    rows = measured(strip, rois)
    mosaic = MosaicSizes(tuple(one.equivalent_diameter_um for one in strip.seen), SMALLEST_UM)
    counted = tuple(
        (roi.expected_particles, int(_whole(strip, roi, strategy.margin_um).sum()), int(_whole(strip, roi).sum()))
        for roi in rois
    )
    return Outcome(pool(rows, None, mosaic=mosaic).population, pool(rows, None).population, counted)


def blank() -> MosaicMap:
    """The mosaic's extent; the strategies are handed the particles."""
    columns, rows = (round(side / PIXEL_UM) for side in SIZE_UM)
    left, top = ((PIXEL_UM - side) / 2 for side in SIZE_UM)
    return MosaicMap(np.ones((rows, columns), np.float32), PIXEL_UM, left, top)


def measured(strip: Strip, rois: Sequence[Roi]) -> Rows:
    """What a perfect analysis tells of the whole particles in the regions."""
    half_um = FIELD_UM / 2 - _CUT_UM
    rows: list[dict[str, float | str]] = []
    for roi in rois:
        for number, at in enumerate(np.flatnonzero(_whole(strip, roi)), start=1):
            d_um = float(strip.d_um[at])
            rows.append(
                {
                    "particle_id": number,
                    "roi": roi.name,
                    "volume_um3": np.pi / 6 * d_um**3,
                    "equivalent_diameter_um": d_um,
                    "void_count": int(strip.voided[at]),
                    "touches_boundary": 0,
                    "weight": 1 / whole_probability(d_um, d_um / 2 - roi.z_um, half_um, half_um)[0],
                }
            )
    return Rows.of(rows, KNOWN_PARTICLE_COLUMNS)


def _whole(strip: Strip, roi: Roi, margin_um: float = _CUT_UM) -> NDArray[np.bool_]:
    room = FIELD_UM / 2 - margin_um - strip.d_um / 2
    from_axis = np.hypot(strip.x_um - roi.x_um, strip.d_um / 2 - roi.z_um)
    return (from_axis <= room) & (np.abs(strip.y_um - roi.y_um) <= room)


@dataclass(frozen=True)
class Coverage:
    """Over the seeds that are vouched for: mean error relative to the truth, share of intervals that hold it; vouched:
    their share; seeds: how many there are.
    """

    bias: float
    held: float
    vouched: float
    seeds: int


def coverage(done: Sequence[Population], quantity: str, truth: Truth, *, all_of_them: bool = False) -> Coverage:
    """Of "mean", "median" or "voided"."""
    wanted = {"mean": truth.mean_um, "median": truth.median_um, "voided": truth.voided}[quantity]
    kept = [one for one in done if all_of_them or (one.weighting is not None and one.weighting.unbiased)]
    told = [_told(one, quantity) for one in kept]
    if not told:
        return Coverage(float("nan"), float("nan"), 0.0, 0)
    return Coverage(
        bias=float(np.mean([value / wanted - 1 for value, _ in told])),
        held=float(np.mean([(low or 0.0) <= wanted <= (high or 0.0) for _, (low, high) in told])),
        vouched=len(kept) / len(done),
        seeds=len(kept),
    )


def _told(population: Population, quantity: str) -> tuple[float, Interval]:
    if quantity == "voided":
        share = population.voided_fraction
        if share is None or share.value is None:
            return math.nan, _NOTHING
        return share.value, share.interval
    found = population.quantities["equivalent_diameter_um"]
    value, ends = (found.mean, found.mean_interval) if quantity == "mean" else (found.median, found.median_interval)
    return (math.nan if value is None else value), ends or _NOTHING


def row(powder: str, strategy: str, done: Sequence[Outcome]) -> Row:
    """One line of the table."""
    truth = truth_of(POWDERS[powder])
    found = {name: coverage([one.population for one in done], name, truth) for name in ("mean", "median", "voided")}
    before = coverage([one.border for one in done], "mean", truth, all_of_them=True)
    ratios = np.array([(e, inner, whole) for one in done for e, inner, whole in one.rois if e], float)
    near = np.abs(ratios[:, 1] / ratios[:, 0] - 1) <= 0.15
    return Row(
        powder,
        strategy,
        figures={
            "seeds": f"{len(done)}",
            "vouched": f"{100 * found['mean'].vouched:.0f} %",
            **{
                f"{name}: bias, held": f"{100 * one.bias:+.1f} %, {100 * one.held:.0f} %" for name, one in found.items()
            },
            "border alone: mean": f"{100 * before.bias:+.1f} %, {100 * before.held:.0f} %",
            "delivered / expected": f"{ratios[:, 1].sum() / ratios[:, 0].sum():.2f} "
            f"({100 * near.mean():.0f} % within 15 %)",
        },
    )


def rows(seeds: int = 20) -> list[Row]:
    """Every strategy on every powder."""
    found: list[Row] = []
    for name, powder in POWDERS.items():
        strips = [strip_of(powder, seed) for seed in range(seeds)]
        found += [row(name, title, [outcome(strip, one) for strip in strips]) for title, one in STRATEGIES.items()]
    return found


if __name__ == "__main__":
    for name, powder in POWDERS.items():
        strips = [strip_of(powder, seed) for seed in range(int(sys.argv[1]) if len(sys.argv) > 1 else 20)]
        for title, strategy in STRATEGIES.items():
            told = row(name, title, [outcome(strip, strategy) for strip in strips]).figures
            print(f"{name:21s} {title:18s} {'  '.join(f'{key} {value}' for key, value in told.items())}", flush=True)
