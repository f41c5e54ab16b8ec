"""How well particles are found in mosaics of known truth: `python -m benchmarks.finding [SEEDS [CASE ...]]`.

A particle is matched by one found within half its radius; those within 8 um of the mosaic's border do not count. Of a
case without powder the phantoms are told, beside the usual count of a strip of that size (6 in 1000 um2).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from benchmarks.powders import (
    MU_PER_UM,
    Body,
    Layer,
    Scene,
    anywhere,
    apart,
    bubbles,
    hairs,
    lattice,
    sizes,
    sphere,
    wrinkles,
)
from benchmarks.timing import Row
from xrm_control.core.clock import stopwatch
from xrm_control.roi.particles2d import Particle2D, find_particles

SIZE_UM = (200.0, 260.0)
_BORDER_UM = 8.0
_USUAL_PER_UM2 = 6e-3

Make = Callable[[np.random.Generator], Scene]


def _single(*layers: Layer, gain: float = 0.0) -> Make:
    """One layer of spheres that rest on the tape, as a prepared strip has it."""

    def make(random: np.random.Generator) -> Scene:
        bodies = [sphere(0, 0, float(d)) for d in sizes(random, round(6.3e-3 * SIZE_UM[0] * SIZE_UM[1]))]
        return Scene(apart(random, SIZE_UM, bodies, resting=True), SIZE_UM, layers, gain)

    return make


def _empty(*layers: Layer) -> Make:
    return lambda _: Scene((), SIZE_UM, layers)


def _dense(cover: float) -> Make:
    return lambda random: Scene(lattice(random, SIZE_UM, cover), SIZE_UM)


def _layers(transmission: float) -> Make:
    return lambda random: Scene(anywhere(random, SIZE_UM, transmission), SIZE_UM)


def _shaped(long: float, flat: float, *, hollow: float = 0.0, cover: float = 0.35) -> Make:
    """Bodies beside each other: semi-axes long : 1 : flat about a log-normal size, lying."""

    def make(random: np.random.Generator) -> Scene:
        count = int(cover * SIZE_UM[0] * SIZE_UM[1] / 80)
        bodies = [
            Body(
                0,
                0,
                (d / 2 * long, d / 2, d / 2 * flat),
                random.uniform(0, 180),
                random.uniform(-15, 15) if max(long, 1 / flat) > 1 else 0.0,
                hollow,
            )
            for d in sizes(random, count, 10.0, 0.3)
        ]
        return Scene(apart(random, SIZE_UM, bodies), SIZE_UM)

    return make


def _touching(random: np.random.Generator) -> Scene:
    """Chains of two to five spheres that touch."""
    bodies: list[Body] = []
    for x in np.arange(-75, 80, 50.0):
        for y in np.arange(-105, 110, 50.0):
            at, heading, before = np.array((x, y)), random.uniform(0, 2 * np.pi), 0.0
            for d in sizes(random, int(random.integers(2, 6)), 8.0, 0.25):
                heading += random.uniform(-0.8, 0.8)
                # Both rest on the tape: they touch where their centres are sqrt(d1 d2) apart.
                at = at + np.sqrt(before * d) * np.array((np.cos(heading), np.sin(heading)))
                before = float(d)
                bodies.append(sphere(float(at[0]), float(at[1]), float(d)))
    return Scene(tuple(bodies), SIZE_UM)


CASES: dict[str, Make] = {
    "one layer": _single(),
    "touching": _touching,
    "dense, cover .70": _dense(0.70),
    "dense, cover .84": _dense(0.84),
    **{f"prolate 1:{long:g}": _shaped(long, 1.0) for long in (1.1, 1.2, 1.5, 2.0)},
    **{f"flakes 1:{flat:g}": _shaped(1.0, 1 / flat) for flat in (1.5, 2.0, 3.0)},
    **{f"hollow {inner:g}": _shaped(1.0, 1.0, hollow=inner) for inner in (0.4, 0.5, 0.6, 0.7)},
    **{f"layers, T {t:g}": _layers(t) for t in (0.85, 0.75, 0.6, 0.3, 0.1)},
    **{f"gain {100 * gain:g} %": _single(gain=gain) for gain in (0.05, 0.1, 0.2)},
    "wrinkles .05": _single(wrinkles(5, 0.05)),
    "wrinkles .15": _single(wrinkles(5, 0.15)),
    "bubbles": _single(bubbles(30)),
    "hair": _single(hairs(3)),
    "empty": _empty(),
    "empty, wrinkles .05": _empty(wrinkles(8, 0.05)),
    "empty, wrinkles .15": _empty(wrinkles(8, 0.15)),
    "empty, bubbles": _empty(bubbles(60)),
    "empty, hair": _empty(hairs(4)),
}


@dataclass(frozen=True)
class Score:
    """Of one mosaic: true particles, those found, right ones among these, their D50 over the true one, seconds."""

    true: int
    found: int
    matched_true: int
    matched_found: int
    d50: float
    seconds: float

    @property
    def precision(self) -> float:
        return self.matched_found / self.found if self.found else float("nan")

    @property
    def recall(self) -> float:
        return self.matched_true / self.true if self.true else float("nan")

    @property
    def f1(self) -> float:
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-9)


def pairs(found: Sequence[Particle2D], true: Sequence[Body]) -> list[tuple[int, int]]:
    """One to one, nearest first: (found, true), at most half the true radius apart."""
    if not found or not true:
        return []
    centres = np.array([(b.x_um, b.y_um) for b in true])
    tree = KDTree([(p.x_um, p.y_um) for p in found])
    close = [
        (float(np.hypot(found[i].x_um - x, found[i].y_um - y)), i, j)
        for j, (x, y) in enumerate(centres.tolist())
        for i in tree.query_ball_point((x, y), true[j].diameter_um / 4)
    ]
    of_found: dict[int, int] = {}
    of_true: set[int] = set()
    for _, i, j in sorted(close):
        if i not in of_found and j not in of_true:
            of_found[i] = j
            of_true.add(j)
    return list(of_found.items())


def score(found: Sequence[Particle2D], scene: Scene, seconds: float) -> Score:
    """Of what lies within the border."""
    half = [side / 2 - _BORDER_UM for side in scene.size_um]

    def within(one: Particle2D | Body) -> bool:
        return abs(one.x_um) < half[0] and abs(one.y_um) < half[1]

    matched = pairs(found, scene.bodies)
    inner_found = [p.equivalent_diameter_um for p in found if within(p)]
    inner_true = [b.diameter_um for b in scene.bodies if within(b)]
    return Score(
        true=len(inner_true),
        found=len(inner_found),
        matched_true=sum(within(scene.bodies[j]) for _, j in matched),
        matched_found=sum(within(found[i]) for i, _ in matched),
        d50=float(np.median(inner_found) / np.median(inner_true)) if inner_found and inner_true else float("nan"),
        seconds=seconds,
    )


def scores(name: str, seeds: int) -> list[Score]:
    """Of one case, a mosaic for each seed."""
    done = []
    for seed in range(seeds):
        scene = CASES[name](np.random.default_rng(seed))
        mosaic = scene.mosaic(seed)
        passed_s = stopwatch()
        found = find_particles(mosaic, MU_PER_UM)
        done.append(score(found, scene, passed_s()))
    return done


def row(name: str, seeds: int) -> Row:
    """One line of the table."""
    done = scores(name, seeds)
    usual = _USUAL_PER_UM2 * SIZE_UM[0] * SIZE_UM[1]

    def mean(values: Sequence[float]) -> float:
        return float(np.mean(values))

    figures = {"true": f"{mean([s.true for s in done]):.0f}", "found": f"{mean([s.found for s in done]):.1f}"}
    if done[0].true:
        figures |= {
            "F1": f"{mean([s.f1 for s in done]):.3f}",
            "precision": f"{mean([s.precision for s in done]):.3f}",
            "recall": f"{mean([s.recall for s in done]):.3f}",
            "D50 %": f"{100 * (mean([s.d50 for s in done]) - 1):+.1f}",
        }
    else:
        figures["phantoms %"] = f"{100 * mean([s.found for s in done]) / usual:.1f}"
    return Row(name, f"{seeds} seeds", mean([s.seconds for s in done]), figures=figures)


def rows(seeds: int = 20, names: Sequence[str] = ()) -> list[Row]:
    """All cases, or those whose name begins so."""
    return [row(name, seeds) for name in CASES if not names or name.startswith(tuple(names))]


if __name__ == "__main__":
    asked = tuple(sys.argv[2:]) or tuple(CASES)
    for name in (name for name in CASES if name.startswith(asked)):
        one = row(name, int(sys.argv[1]) if len(sys.argv) > 1 else 20)
        print(f"{one.what:20s} {one.seconds or 0:5.2f} s  {one.told}", flush=True)
