"""What happens to real strips, tiles and cameras, each judged: `python -m benchmarks.strips [SEEDS [CASE ...]]`.

A maker of its own: ellipsoids as quadrics, their line integrals in closed form, laid down layer by layer by random
sequential deposition, counted photon by photon; flaws are laid over the strip (optical depth), the tiles (places,
light) or the camera (a fixed pattern). Tiles are stitched before they are searched. A seed is `right` when the stated
number, the median diameter (5 %, or what is stated of one) and the whole particles of the best window (15 %, and one)
hold, `said` when something wrong among these comes with a doubt of the count or of the placing, `refused` when nothing
is stated, `silent` otherwise: that must not be.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.strip_maker import (
    MU_PER_UM,
    PIXEL_UM,
    SIDE_PX,
    TAPE,
    Floats,
    Grain,
    Shot,
    Strip,
    grain,
    made,
)
from benchmarks.timing import Row, tell
from xrm_control.core.clock import stopwatch
from xrm_control.core.errors import XrmError
from xrm_control.mosaic.stitching import Mosaic
from xrm_control.roi.mosaic_map import MosaicMap
from xrm_control.roi.particles2d import SMALLEST_UM, Particle2D, count_particles
from xrm_control.roi.strategy import whole_inside

_D50, _WINDOW_UM, _WINDOW, _AXIS_UM = 0.05, 65.5, 0.15, 10.0


def powder(
    per_um2: float = 6e-3, median_um: float = 9.0, sigma: float = 0.4, aspect: float = 1.0, inner: float = 0.0
) -> Callable[[np.random.Generator, float], list[Grain]]:
    """Log-normal sizes from a third to three times the median."""

    def draw(random: np.random.Generator, area_um2: float) -> list[Grain]:
        d = np.clip(
            random.lognormal(math.log(median_um), sigma, round(per_um2 * area_um2)), median_um / 3, 3 * median_um
        )
        return [grain(random, float(one), aspect, inner) for one in d]

    return draw


def _giant(random: np.random.Generator, area_um2: float) -> list[Grain]:
    del area_um2
    return [grain(random, 60.0)]


def _mixed(*draws: Callable[[np.random.Generator, float], list[Grain]]) -> Callable[..., list[Grain]]:
    return lambda random, area_um2: [g for draw in draws for g in draw(random, area_um2)]


def _edge_of_tape(x: Floats, y: Floats, random: np.random.Generator) -> Floats:
    """The tape ends on a slanted, wavy line; beyond it there is nothing."""
    wave = 3 * np.sin(y / 25 + random.uniform(0, 6))
    return np.where(x > 45 + 0.15 * y + wave, -TAPE, 0.0)


def _second_film(x: Floats, y: Floats, random: np.random.Generator) -> Floats:
    """A second film of half the thickness over a part, its edge slanted."""
    return np.where(x + 0.3 * y > random.uniform(-15, 15), TAPE / 2, 0.0)


def _detached(x: Floats, y: Floats, random: np.random.Generator) -> Floats:
    """The film hangs free over a part: its adhesive has stayed behind, and bulges where it parts."""
    a = random.uniform(0, 6)
    r = np.hypot(x - 35 * math.cos(a), y - 35 * math.sin(a)) + 4 * np.sin(3 * np.arctan2(y, x) + a)
    return -0.07 / (1 + np.exp(np.clip((r - 45) / 1.2, -40, 40))) + 0.05 * np.exp(-0.5 * ((r - 47) / 2.0) ** 2)


def _glue(x: Floats, y: Floats, random: np.random.Generator) -> Floats:
    """Drops with the cap of a sphere, flat: wide, and as thick as a particle."""
    total = np.zeros(np.broadcast_shapes(x.shape, y.shape))
    for _ in range(4):
        u, v = random.uniform(-85, 85, 2)
        radius, depth = random.uniform(12, 35), random.uniform(0.08, 0.3)
        total += depth * np.clip(1 - ((x - u) ** 2 + (y - v) ** 2) / radius**2, 0, None)
    return total


def _crossing(x: Floats, y: Floats, random: np.random.Generator) -> Floats:
    """Four round fibres through nearly one place."""
    total = np.zeros(np.broadcast_shapes(x.shape, y.shape))
    for k in range(4):
        a = k * math.pi / 4 + random.uniform(-0.3, 0.3)
        across = -x * math.sin(a) + y * math.cos(a) - random.uniform(-8, 8)
        along = x * math.cos(a) + y * math.sin(a)
        across = across + random.uniform(-3, 3) * np.sin(along / random.uniform(20, 50))
        total += 0.12 * np.sqrt(np.clip(1 - (across / random.uniform(1.5, 3.0)) ** 2, 0, None))
    return total


def _scratched(shot: Shot, random: np.random.Generator) -> None:
    """The scintillator has moved since the flats: scratches and pits at the same pixels of every tile."""
    r, c = np.mgrid[:SIDE_PX, :SIDE_PX].astype(float)
    pattern = np.ones((SIDE_PX, SIDE_PX))
    for _ in range(3):
        a, at = random.uniform(0, math.pi), random.uniform(-40, 40)
        across = -(c - 64) * math.sin(a) + (r - 64) * math.cos(a) - at
        pattern *= 1 - 0.12 * np.exp(-0.5 * (across / 1.5) ** 2)
    for _ in range(4):
        u, v, radius = *random.uniform(10, 118, 2), random.uniform(4, 9)
        pattern *= 1 - 0.25 * np.sqrt(np.clip(1 - ((c - u) ** 2 + (r - v) ** 2) / radius**2, 0, None))
    shot.light = [light * pattern for light in shot.light]


def _hot(images: list[Floats], random: np.random.Generator) -> None:
    """Pixels that are bright or dead, the same of every tile, and clusters of four."""
    places = random.integers(2, SIDE_PX - 2, (40, 2))
    for image in images:
        for k, (r, c) in enumerate(places.tolist()):
            if k % 4 == 0:
                image[r : r + 2, c : c + 2] = 0.02
            else:
                image[r, c] = (3.0, 0.0, 1.6)[k % 3]


def _beam_lost(share: float) -> Callable[[Shot, np.random.Generator], None]:
    def change(shot: Shot, random: np.random.Generator) -> None:
        k = int(random.integers(len(shot.light)))
        shot.light[k] = shot.light[k] * share

    return change


def _drifting(shot: Shot, random: np.random.Generator) -> None:
    """A fifth less light from the first tile to the last, and a ramp over the picture that grows along."""
    del random
    ramp = np.linspace(-0.5, 0.5, SIDE_PX)
    for k in range(len(shot.light)):
        gone = k / (len(shot.light) - 1)
        shot.light[k] = shot.light[k] * (1.1 - 0.2 * gone) * (1 + 0.06 * gone * ramp)


def _misplaced(shot: Shot, random: np.random.Generator) -> None:
    """One tile shows what lies half a field further: its stage slipped, and read back what was asked."""
    k = int(random.integers(len(shot.light)))
    rows = np.roll(shot.light[k], SIDE_PX // 2, axis=0)
    other = shot.light[(k + 3) % len(shot.light)]
    rows[: SIDE_PX // 2] = other[SIDE_PX // 2 :]
    shot.light[k] = rows


def _repeated(shot: Shot, random: np.random.Generator) -> None:
    """The camera handed the last picture out once more."""
    k = 1 + int(random.integers(len(shot.light) - 1))
    shot.light[k] = shot.light[k - 1]


def _no_corner(shot: Shot, random: np.random.Generator) -> None:
    del random
    for part in (shot.light, shot.at_um, shot.cells):
        del part[0]


def _inverted(images: list[Floats], random: np.random.Generator) -> None:
    """A picture turned dark for bright, as some programs export it."""
    del random
    top = max(float(image.max()) for image in images)
    for k, image in enumerate(images):
        images[k] = top - image


def _border(at: Floats) -> NDArray[np.bool_]:
    half = (2 * round(SIDE_PX * 0.9) + SIDE_PX) * PIXEL_UM / 2
    return np.abs(at).max(axis=1) > half - 2.0


_ONE = Strip((powder(),))

CASES: dict[str, Strip] = {
    "one layer": _ONE,
    "empty": Strip(),
    "edge of the tape": replace(_ONE, over=(_edge_of_tape,), within=lambda at: at[:, 0] < 35 + 0.15 * at[:, 1]),
    "empty, edge of the tape": Strip(over=(_edge_of_tape,)),
    "second film": replace(_ONE, over=(_second_film,)),
    "empty, second film": Strip(over=(_second_film,)),
    "detached film": replace(_ONE, over=(_detached,)),
    "empty, detached film": Strip(over=(_detached,)),
    "glue": replace(_ONE, over=(_glue,)),
    "empty, glue": Strip(over=(_glue,)),
    "fibres crossing": replace(_ONE, over=(_crossing,)),
    "empty, fibres crossing": Strip(over=(_crossing,)),
    "scratched": replace(_ONE, tiles=_scratched),
    "scratched, 5 x 5 tiles": replace(_ONE, tiles=_scratched, side=5),
    "empty, scratched": Strip(tiles=_scratched),
    "hot pixels": replace(_ONE, after=_hot),
    "empty, hot pixels": Strip(after=_hot),
    "beam lost": replace(_ONE, tiles=_beam_lost(0.0)),
    "beam lost, overlap 0": replace(_ONE, tiles=_beam_lost(0.0), overlap=0.0),
    "beam half lost": replace(_ONE, tiles=_beam_lost(0.5)),
    "beam half lost, overlap 0": replace(_ONE, tiles=_beam_lost(0.5), overlap=0.0),
    "drift of 20 %": replace(_ONE, tiles=_drifting),
    "drift of 20 %, overlap 0": replace(_ONE, tiles=_drifting, overlap=0.0),
    "out of place": replace(_ONE, tiles=_misplaced),
    "out of place, overlap 0": replace(_ONE, tiles=_misplaced, overlap=0.0),
    "repeated": replace(_ONE, tiles=_repeated),
    "repeated, overlap 0": replace(_ONE, tiles=_repeated, overlap=0.0),
    "corner missing": replace(_ONE, tiles=_no_corner),
    "giant": Strip((_mixed(_giant, powder(1.2e-2, 5.0, 0.2)),)),
    "two sizes": Strip((_mixed(powder(1.2e-3, 20.0, 0.08), powder(1.2e-2, 4.0, 0.08)),)),
    "fines": Strip((powder(0.06, 1.6, 0.1),)),
    "fines, many": Strip((powder(0.12, 1.6, 0.1),) * 3),
    "needles": Strip((powder(2.5e-3, 8.0, 0.2, aspect=5.0),)),
    "rings": Strip((powder(2.5e-3, 11.0, 0.2, inner=0.85),)),
    "border alone": replace(_ONE, within=_border),
    "inverted": replace(_ONE, after=_inverted),
    "two layers": Strip((powder(4e-3),) * 2),
    "four layers": Strip((powder(6e-3),) * 4),
}


@dataclass(frozen=True)
class Verdict:
    """Of one mosaic. window: whole particles of the window that looks best, as told and as true; ends: the stated
    number's, None where none is.
    """

    kind: str
    true: int = 0
    found: int = 0
    d50: float = float("nan")
    ends: tuple[int, int] | None = None
    window: tuple[int, int] = (0, 0)
    words: str = ""
    wrong: tuple[str, ...] = ()
    seconds: float = 0.0
    f1: float = float("nan")


def _stays(g: Grain, centre_um: Floats) -> bool:
    """Whether a grain that rests on the tape stays in the window at all angles about an axis _AXIS_UM above it."""
    form = np.linalg.inv(g.quadric)
    high, aside = math.sqrt(form[2, 2]), math.sqrt(float(np.linalg.eigvalsh(form[::2, ::2])[-1]))
    along = math.hypot(g.x_um - centre_um[0], high - _AXIS_UM) + aside
    return max(along, abs(g.y_um - centre_um[1]) + math.sqrt(form[1, 1])) <= _WINDOW_UM / 2


def judged(name: str, seed: int) -> Verdict:
    """One strip made, stitched, counted, and held against its truth."""
    try:
        seen = made(CASES[name], seed)
    except XrmError as error:
        return Verdict("refused", words=str(error))
    mosaic = seen.mosaic
    chart = MosaicMap(mosaic.image, mosaic.pixel_size_um, mosaic.x0_um, mosaic.y0_um)
    passed_s = stopwatch()
    try:
        found, count = count_particles(chart, MU_PER_UM)
    except XrmError as error:
        return Verdict("refused", words=str(error))
    seconds = passed_s()
    placed = mosaic.registration
    words = "; ".join(one for one in (count.doubt, placed.refused if placed is not None else "") if one)
    there = seen_of(seen.grains, mosaic)
    true_d = [g.diameter_um for g in there]
    found_d = [p.equivalent_diameter_um for p in found]
    wrong: list[str] = []
    if count.between is not None and not count.between[0] <= len(there) <= count.between[1]:
        wrong.append("number")
    d50 = float(np.median(found_d) / np.median(true_d) - 1) if found_d and true_d else float("nan")
    u = float(np.median([p.fit.diameter_u_um / p.equivalent_diameter_um for p in found if p.fit])) if found else 0.0
    if found_d and not true_d:
        wrong.append("phantoms")
    elif found_d and not abs(d50) <= max(_D50, 2 * u):
        wrong.append("D50")
    window = _window(found, seen.grains, chart)
    if abs(window[0] - window[1]) > max(1.0, _WINDOW * window[1]):
        wrong.append("window")
    # Nothing found of something is an answer only where it is said.
    if there and not found:
        wrong.append("nothing")
    kind = "right" if not wrong else "said" if words else "silent"
    return Verdict(
        kind, len(there), len(found), d50, count.between, window, words, tuple(wrong), seconds, f1(found, there)
    )


def seen_of(grains: Sequence[Grain], mosaic: Mosaic) -> list[Grain]:
    """Those of at least the smallest diameter with their middle on a pixel that was seen."""
    rows, columns = mosaic.image.shape
    held: list[Grain] = []
    for g in grains:
        c, r = (round((at - o) / mosaic.pixel_size_um) for at, o in ((g.x_um, mosaic.x0_um), (g.y_um, mosaic.y0_um)))
        inside = 0 <= c < columns and 0 <= r < rows and math.isfinite(mosaic.image[r, c])
        if inside and g.diameter_um >= SMALLEST_UM:
            held.append(g)
    return held


def _window(found: Sequence[Particle2D], grains: Sequence[Grain], chart: MosaicMap) -> tuple[int, int]:
    """Whole particles, as told and as true, of the window that looks best."""
    (left, right), (top, bottom) = chart.x_um, chart.y_um
    half = _WINDOW_UM / 2
    centres = np.array(
        [(x, y) for x in np.arange(left + half, right - half, 8) for y in np.arange(top + half, bottom - half, 8)]
    )
    if not found or not len(centres):
        return 0, 0
    told = whole_inside(found, centres, _WINDOW_UM, 0.0, z_um=_AXIS_UM).sum(axis=1)
    best = int(np.argmax(told))
    true = sum(_stays(g, centres[best]) for g in grains if g.diameter_um >= SMALLEST_UM)
    return int(told[best]), true


def f1(found: Sequence[Particle2D], there: Sequence[Grain]) -> float:
    """One to one, nearest first, at most half the true radius apart."""
    if not found or not there:
        return float("nan")
    off = np.hypot(
        *(
            np.array([(p.x_um, p.y_um) for p in found]).T[:, :, None]
            - np.array([(g.x_um, g.y_um) for g in there]).T[:, None, :]
        )
    )
    limit = np.array([g.diameter_um / 4 for g in there])
    close = np.argwhere(off < limit)
    used: tuple[set[int], set[int]] = (set(), set())
    for i, j in sorted(close.tolist(), key=lambda ij: off[ij[0], ij[1]]):
        if i not in used[0] and j not in used[1]:
            used[0].add(i)
            used[1].add(j)
    return 2 * len(used[0]) / (len(found) + len(there))


def row(name: str, seeds: Sequence[int]) -> Row:
    """One line of the table."""
    done = [judged(name, seed) for seed in seeds]
    kinds = Counter(one.kind for one in done)
    words = Counter(one.words for one in done if one.words)
    figures = {kind: str(kinds[kind]) for kind in ("right", "said", "refused", "silent") if kinds[kind]}
    figures["true"] = f"{np.mean([one.true for one in done]):.0f}"
    figures["found"] = f"{np.mean([one.found for one in done]):.0f}"
    figures["F1"] = f"{np.nanmean([one.f1 for one in done]):.3f}" if any(one.f1 == one.f1 for one in done) else "-"
    sizes = [100 * one.d50 for one in done if one.d50 == one.d50]
    figures["D50 %"] = f"{max(sizes, key=abs):+.1f}" if sizes else "-"
    figures["wrong"] = ", ".join(f"{k} {n}" for k, n in Counter(w for one in done for w in one.wrong).items())
    figures["doubted"] = str(sum(words.values()))
    figures["words"] = (words.most_common(1)[0][0] if words else "")[:90]
    return Row(name, f"{len(done)} seeds", float(np.mean([one.seconds for one in done])), figures=figures)


if __name__ == "__main__":
    tell(CASES, row, sys.argv[1:], 20)
