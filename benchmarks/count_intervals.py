"""Whether the stated number of particles of a mosaic holds: `python -m benchmarks.count_intervals [SEEDS [CASE ...]]`.

Strips of `benchmarks.strip_maker`, 190 um squares of 3 x 3 stitched tiles; further kinds of beds are laid down here:
grains that touch on the tape, agglomerates, grains anywhere in depth until the strip lets so much light through, dust.
Told is how often the stated ends hold the number of those with their middle in the view, how wide they are, on which
side they miss, and how often nothing is stated or the count is doubted.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.strip_maker import MU_PER_UM, Bed, Floats, Grain, Strip, grain, made
from benchmarks.strips import f1, powder, seen_of
from benchmarks.timing import Row, tell
from xrm_control.core.clock import stopwatch
from xrm_control.core.errors import XrmError
from xrm_control.roi.mosaic_map import MosaicMap
from xrm_control.roi.particles2d import count_particles


def _sizes(random: np.random.Generator, n: int, median_um: float = 9.0, sigma: float = 0.4) -> Floats:
    return np.clip(random.lognormal(math.log(median_um), sigma, n), median_um / 3, 3 * median_um)


def touching(groups_per_um2: float, most: int, *, lying: bool, inner: float = 0.0) -> Bed:
    """Groups of 2 to `most` spheres, each of which touches one of its group; lying: all rest on the tape, else they
    stick to each other in any direction (agglomerates). Groups lie anywhere, and may lie over each other where not
    `lying`.
    """

    def draw(random: np.random.Generator, size_um: tuple[float, float]) -> list[Grain]:
        placed: list[tuple[float, float, float, float]] = []
        for _ in range(round(groups_per_um2 * size_um[0] * size_um[1])):
            group: list[tuple[float, float, float, float]] = []
            radii = _sizes(random, int(random.integers(2, most + 1))) / 2
            x, y = random.uniform(-0.5, 0.5, 2) * size_um
            group.append((x, y, radii[0], radii[0]))
            for radius in radii[1:]:
                for _ in range(200):
                    host = group[int(random.integers(len(group)))]
                    heading = random.standard_normal(3)
                    heading /= np.linalg.norm(heading)
                    apart = host[3] + radius
                    if lying:
                        flat, a = 2 * math.sqrt(host[3] * radius), random.uniform(0, 2 * math.pi)
                        one = (host[0] + flat * math.cos(a), host[1] + flat * math.sin(a), radius, radius)
                    else:
                        one = (*(np.array(host[:3]) + apart * heading).tolist(), radius)
                    if all(_clear(one, other) for other in (*group, *(placed if lying else ()))):
                        group.append(one)
                        break
            if not lying or all(_clear(one, other) for one in group for other in placed):
                placed += group
        return [replace(grain(random, 2 * r, inner=inner), x_um=x, y_um=y) for x, y, _, r in placed]

    return draw


def _clear(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return math.dist(one[:3], other[:3]) >= 0.999 * (one[3] + other[3])


def anywhere(transmission: float, aspect: float = 1.0) -> Bed:
    """Grains in any number of layers until the powder lets so much light through, on average."""

    def draw(random: np.random.Generator, size_um: tuple[float, float]) -> list[Grain]:
        at = [np.arange(-side / 2, side / 2, 2.0) for side in size_um]
        depth = np.zeros((len(at[1]), len(at[0])))
        placed: list[Grain] = []
        while float(np.exp(-depth).mean()) > transmission:
            for d in _sizes(random, 20):
                x, y = random.uniform(-0.5, 0.5, 2) * size_um
                one = replace(grain(random, float(d), aspect), x_um=float(x), y_um=float(y))
                depth += MU_PER_UM * one.chord_um(at[0][None, :], at[1][:, None])
                placed.append(one)
        return placed

    return draw


def dust(count: int, low: float, high: float) -> Callable[[Floats, Floats, np.random.Generator], Floats]:
    """Crumbs of other matter, of odd outlines and uneven height, 4 to 16 um, an optical depth between the two."""

    def over(x: Floats, y: Floats, random: np.random.Generator) -> Floats:
        total = np.zeros(np.broadcast_shapes(x.shape, y.shape))
        half = float(np.abs(x).max())
        for _ in range(count):
            u, v = random.uniform(-half, half, 2)
            radius, depth, waves = random.uniform(2, 8), random.uniform(low, high), random.uniform(0, 0.25, 4)
            phases = random.uniform(0, 2 * math.pi, 4)
            dx, dy = x - u, y - v
            turn = np.arctan2(dy, dx)
            waved = (w * np.sin((k + 2) * turn + p) for k, (w, p) in enumerate(zip(waves, phases, strict=True)))
            rim = radius * (1 + sum(waved))
            inside = np.clip((rim - np.hypot(dx, dy)) / 0.8, 0, 1)
            rough = 1 + 0.3 * np.sin(dx * random.uniform(0.5, 1.5) + phases[0]) * np.sin(dy * random.uniform(0.5, 1.5))
            total += depth * inside * rough
        return total

    return over


def wrinkles(count: int, depth: float) -> Callable[[Floats, Floats, np.random.Generator], Floats]:
    """Ridges with a flank steeper than the other, from side to side, that wind and change in height."""

    def over(x: Floats, y: Floats, random: np.random.Generator) -> Floats:
        total = np.zeros(np.broadcast_shapes(x.shape, y.shape))
        for _ in range(count):
            a, off = random.uniform(0, math.pi), random.uniform(-70, 70)
            along, across = x * math.cos(a) + y * math.sin(a), y * math.cos(a) - x * math.sin(a) - off
            across = across + 3 * np.sin(along / random.uniform(15, 40) + random.uniform(0, 6))
            width = random.uniform(1.5, 3.5)
            wide = np.where(across > 0, width, 0.6 * width)
            height = depth * (1 + 0.3 * np.sin(along / random.uniform(20, 60)))
            total += height / np.cosh(np.clip(across / wide, -20, 20)) ** 2
        return total

    return over


CASES: dict[str, Strip] = {
    "one layer": Strip((powder(),)),
    "sparse": Strip((powder(1e-3),)),
    "dense": Strip((powder(1.2e-2),)),
    "dense, even": Strip((powder(2e-2, 8.0, 0.08),)),
    "small": Strip((powder(1.2e-2, 3.5, 0.3),)),
    "prolate 1:2": Strip((powder(5e-3, aspect=2.0),)),
    "needles 1:5": Strip((powder(2.5e-3, 8.0, 0.2, aspect=5.0),)),
    "rings .85": Strip((powder(2.5e-3, 11.0, 0.2, inner=0.85),)),
    "touching, lying": Strip(beds=(touching(1.2e-3, 8, lying=True),)),
    "touching rings .85": Strip(beds=(touching(6e-4, 5, lying=True, inner=0.85),)),
    "agglomerates": Strip(beds=(touching(5e-4, 10, lying=False),)),
    "agglomerates, few": Strip(beds=(touching(2e-4, 6, lying=False),)),
    "two layers": Strip((powder(4e-3),) * 2),
    "layers, T .85": Strip(beds=(anywhere(0.85),)),
    "layers, T .75": Strip(beds=(anywhere(0.75),)),
    "layers, T .6": Strip(beds=(anywhere(0.6),)),
    "layers of 1:2, T .75": Strip(beds=(anywhere(0.75, 2.0),)),
    "layers, T .3": Strip(beds=(anywhere(0.3),)),
    "layers, T .1": Strip(beds=(anywhere(0.1),)),
    "dust, faint": Strip((powder(),), over=(dust(25, 0.02, 0.08),)),
    "dust": Strip((powder(),), over=(dust(25, 0.08, 0.3),)),
    "wrinkles .05": Strip((powder(),), over=(wrinkles(5, 0.05),)),
    "wrinkles .15": Strip((powder(),), over=(wrinkles(5, 0.15),)),
}


@dataclass(frozen=True)
class Told:
    """Of one strip: how many there are, and are found; the stated ends, None where none are; what is doubted."""

    true: int
    found: int
    ends: tuple[int, int] | None
    words: str
    f1: float
    d50: float
    seconds: float

    @property
    def off(self) -> int:
        """By how many the truth lies above (below: negative) the stated ends."""
        return 0 if self.ends is None else max(0, self.true - self.ends[1]) + min(0, self.true - self.ends[0])


def told(name: str, seed: int) -> Told:
    """One strip made, stitched and counted."""
    seen = made(CASES[name], seed)
    mosaic = seen.mosaic
    there = seen_of(seen.grains, mosaic)
    passed_s = stopwatch()
    try:
        found, count = count_particles(
            MosaicMap(mosaic.image, mosaic.pixel_size_um, mosaic.x0_um, mosaic.y0_um), MU_PER_UM
        )
    except XrmError as error:
        return Told(len(there), 0, None, str(error), float("nan"), float("nan"), passed_s())
    d50 = np.median([p.equivalent_diameter_um for p in found]) / np.median([g.diameter_um for g in there])
    return Told(len(there), len(found), count.between, count.doubt, f1(found, there), float(d50 - 1), passed_s())


def row(name: str, seeds: Sequence[int]) -> Row:
    """One line of the table."""
    done = [told(name, seed) for seed in seeds]
    stated = [one for one in done if one.ends is not None]
    wide = [(one.ends[1] - one.ends[0]) / max(one.true, 1) for one in stated if one.ends is not None]
    figures = {
        "true": f"{np.mean([one.true for one in done]):.0f}",
        "found": f"{np.mean([one.found for one in done]):.0f}",
        "F1": f"{np.nanmean([one.f1 for one in done]):.3f}",
        "D50 %": f"{100 * np.nanmean([one.d50 for one in done]):+.1f}",
        "held": f"{sum(one.off == 0 for one in stated)} of {len(stated)} stated",
        "width %": f"{100 * np.mean(wide):.0f}" if wide else "-",
        "off": " ".join(f"{one.off:+d}" for one in stated if one.off) or "-",
        "doubted": f"{sum(bool(one.words) for one in done)}",
        "silent": f"{sum(one.off != 0 and not one.words for one in done)}",
    }
    return Row(name, f"{len(done)} seeds", float(np.mean([one.seconds for one in done])), figures=figures)


if __name__ == "__main__":
    tell(CASES, row, sys.argv[1:], 10)
