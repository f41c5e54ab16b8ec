"""The same projections through five pipelines, four of them of others: how far do they agree, and who is right?

`python -m benchmarks.round_robin [SEEDS]` (the extra `metrology`; `make metrology`): bodies in closed form
(`other_makers`), 141 views of 128 x 128 pixels of 0.5 um, counted photon by photon; pipelines as in `pipelines`. Writes
tables and spread into docs/metrology.md, and docs/figures/round_robin.png. Errors are medians over the particles that
were matched; `spread`: standard deviation of the pipelines' medians, which is what a number means when nothing is said
of how it was made.
"""

from __future__ import annotations

import math
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.convex_bodies import Ellipsoid, any_turn, bounds
from benchmarks.other_makers import KINDS, PIXEL_UM, Kind, Particle, oblong, scanned, specimen, sphere
from benchmarks.pipelines import PIPELINES, Body, Pipeline, read_views

PAGE, FIGURE = Path("docs/metrology.md"), Path("docs/figures/round_robin.png")
BEGIN, END = "<!-- round robin: begin -->", "<!-- round robin: end -->"
QUANTITIES = {
    "d": "d, %",
    "V": "V, %",
    "S": "S, %",
    "psi": "sphericity, %",
    "dead": "dead volume, points",
}
_LEAST_UM, _NEAR = 2.0, 0.35
_LEAST_DEAD = 0.5  # percent: what a pipeline takes for voided


@dataclass(frozen=True)
class Case:
    """Specimens of a kind, seen by so many photons a pixel and view."""

    name: str
    make: Callable[[np.random.Generator], Sequence[Particle]]
    photons: float = 3000.0


@dataclass
class Tally:
    """Of one pipeline over all seeds of a case. errors: of the matched particles, by `QUANTITIES`."""

    true: int = 0
    found: int = 0
    matched: int = 0
    voided: int = 0
    voided_true: int = 0
    seconds: float = 0.0
    errors: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in QUANTITIES})

    def median(self, name: str) -> float | None:
        """None where nothing is known of it."""
        return float(np.median(self.errors[name])) if self.errors[name] else None

    def scatter(self, name: str) -> float:
        """Standard deviation, by the median absolute deviation."""
        errors = np.array(self.errors[name])
        return 1.4826 * float(np.median(np.abs(errors - np.median(errors))))


def pairs(random: np.random.Generator) -> list[Particle]:
    """Balls that touch, two and two."""
    found = []
    for one in specimen(Kind(sphere, 14, (4.5, 7.5)), random):
        ((_, (ball,)),) = one.hull
        if not isinstance(ball, Ellipsoid):
            continue
        way, reach = any_turn(random)[:, 0], ball.reach
        first = reach * random.uniform(0.4, 0.5)
        second = reach - first
        found += [
            sphere(ball.middle + way * (reach - first), first, random),
            sphere(ball.middle - way * (reach - second), second, random),
        ]
    return found


CASES = (
    Case("spheres with voids", lambda random: specimen(KINDS["spheres with voids"], random)),
    Case("the same, 300 photons", lambda random: specimen(KINDS["spheres with voids"], random), 300.0),
    Case("ellipsoids", lambda random: specimen(Kind(oblong, 25, (4.0, 8.0)), random)),
    Case("cubes", lambda random: specimen(KINDS["cubes"], random)),
    Case("touching pairs", pairs),
)


def true_of(body: Particle) -> dict[str, float]:
    """By the names of `QUANTITIES`; the area of an ellipsoid by Carlson's integral (DLMF 19.33.1)."""
    from scipy.special import elliprg

    truth = body.true()
    ((_, parts), *rest) = body.hull
    if "S" not in truth and not rest and isinstance(parts[0], Ellipsoid):
        a, b, c = parts[0].axes ** 2
        truth["S"] = 4 * math.pi * float(elliprg(a * b, a * c, b * c))
        truth["psi"] = math.pi ** (1 / 3) * (6 * truth["V"]) ** (2 / 3) / truth["S"]
    return truth


def add(tally: Tally, bodies: Sequence[Particle], found: Sequence[Body]) -> None:
    """Hold what a pipeline found against what is there."""
    free = [one for one in found if one.diameter_um >= _LEAST_UM]
    tally.true, tally.found = tally.true + len(bodies), tally.found + len(free)
    for body in bodies:
        truth, (low, high) = true_of(body), bounds(body.hull)
        distances = [float(np.linalg.norm(np.array(one.middle_um) - (low + high) / 2)) for one in free]
        if not distances or min(distances) > _NEAR * truth["d"]:
            continue
        one = free.pop(int(np.argmin(distances)))
        tally.matched += 1
        dead = 100 * one.void_um3 / one.volume_um3
        tally.voided, tally.voided_true = tally.voided + (dead > _LEAST_DEAD), tally.voided_true + (truth["dead"] > 0)
        told = {"d": one.diameter_um, "V": one.volume_um3}
        if one.area_um2:
            told |= {"S": one.area_um2, "psi": math.pi ** (1 / 3) * (6 * one.volume_um3) ** (2 / 3) / one.area_um2}
        for name, value in told.items():
            if name in truth:
                tally.errors[name].append(100 * (value / truth[name] - 1))
        if truth["dead"] > 0:
            tally.errors["dead"].append(dead - truth["dead"])


def played(case: Case, pipelines: Mapping[str, Pipeline], seeds: Sequence[int]) -> dict[str, Tally]:
    """One case through all of them."""
    tallies = {name: Tally() for name in pipelines}
    for seed in seeds:
        random = np.random.default_rng([seed, 1981])
        bodies = case.make(random)
        with tempfile.TemporaryDirectory() as folder:
            views = read_views(scanned(bodies, random, Path(folder) / "scan.h5", case.photons), PIXEL_UM)
            for name, pipeline in pipelines.items():
                begun = time.process_time()
                found = pipeline(views)
                tallies[name].seconds += time.process_time() - begun
                add(tallies[name], bodies, found)
    return tallies


def table(case: Case, tallies: Mapping[str, Tally]) -> str:
    """In Markdown: a line for each pipeline, and their spread."""
    lines = [
        f"| {case.name} | true / found / matched | voided, true / told | {' | '.join(QUANTITIES.values())} | CPU s |",
        "|" + "---|" * (4 + len(QUANTITIES)),
    ]
    for name, one in tallies.items():
        cells = [
            "" if one.median(quantity) is None else f"{one.median(quantity):+.1f} ± {one.scatter(quantity):.1f}"
            for quantity in QUANTITIES
        ]
        lines.append(
            f"| {name} | {one.true} / {one.found} / {one.matched} | {one.voided_true} / {one.voided} | "
            f"{' | '.join(cells)} | {one.seconds:.0f} |"
        )
    spreads = {quantity: spread(tallies, quantity) for quantity in QUANTITIES}
    cells = ["" if value is None else f"{value:.1f}" for value in spreads.values()]
    return "\n".join([*lines, f"| spread | | | {' | '.join(cells)} | |"])


def spread(tallies: Mapping[str, Tally], quantity: str) -> float | None:
    """Standard deviation of the pipelines' medians."""
    medians = [value for one in tallies.values() if (value := one.median(quantity)) is not None]
    return float(np.std(medians, ddof=1)) if len(medians) > 1 else None


def draw(results: Mapping[str, Mapping[str, Tally]], path: Path) -> None:
    """Cases down, quantities across: each pipeline's median and the middle two thirds of its particles."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 2.1 * len(results) + 0.6))
    axes = figure.subplots(len(results), len(QUANTITIES), squeeze=False)
    for row, (case, tallies) in zip(axes, results.items(), strict=True):
        for axis, (quantity, heading) in zip(row, QUANTITIES.items(), strict=True):
            for place, (name, one) in enumerate(reversed(list(tallies.items()))):
                if one.errors[quantity]:
                    low, middle, high = np.percentile(one.errors[quantity], [16.7, 50, 83.3])
                    colour = "tab:blue" if name == next(iter(tallies)) else "0.35"
                    axis.plot([low, high], [place, place], color=colour, linewidth=2)
                    axis.plot([middle], [place], "o", color=colour)
            axis.set_visible(any(one.errors[quantity] for one in tallies.values()))
            axis.axvline(0, color="tab:red", linewidth=0.8)
            axis.set_ylim(-0.6, len(tallies) - 0.4)
            axis.set_yticks(range(len(tallies)), list(tallies)[::-1] if axis is row[0] else [])
            axis.set_title(f"{case}: {heading}" if axis is row[0] else heading, fontsize=9, loc="left")
            axis.tick_params(labelsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=75)


def main(seeds: int) -> None:
    """Play all cases, print, draw, and put it into the page."""
    results, parts = {}, []
    for case in CASES:
        results[case.name] = played(case, PIPELINES, range(1, seeds + 1))
        parts.append(table(case, results[case.name]))
        print(parts[-1], "\n", flush=True)
    draw(results, FIGURE)
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    made = f"`python -m benchmarks.round_robin {seeds}`:\n\n" + "\n\n".join(parts)
    PAGE.write_text(f"{before}{BEGIN}\n{made}\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
