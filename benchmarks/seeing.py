"""All that must be seen in a mosaic, each row judged: `python -m benchmarks.seeing [SEEDS [CASE ...]]`.

Powders and flaws of `benchmarks.finding` in closed form ("smooth"), the same bodies as the simulator renders them with
flaws of another hand ("rough", `benchmarks.rough_powders`), and tiles that are stitched before they are searched. A
seed passes by what its row demands; of layers that cannot be counted it passes where that is said, and no number is
stated that does not hold. Mosaics are 130 x 160 um.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks import finding
from benchmarks.mosaic_intervals import SIZE_UM, Seen, case, false_certainties, true_count
from benchmarks.powders import (
    MU_PER_UM,
    PHOTONS,
    PIXEL_UM,
    Body,
    Layer,
    Scene,
    apart,
    bubbles,
    hairs,
    sizes,
    sphere,
    wrinkles,
)
from benchmarks.rough_powders import fibres, folds, odd_bubbles, rough_mosaic
from benchmarks.timing import Row, tell
from xrm_control.core.clock import stopwatch
from xrm_control.mosaic.stitching import Tile, stitch
from xrm_control.roi.mosaic_map import MosaicMap
from xrm_control.roi.particles2d import count_particles

_F1, _D50, _PHANTOMS = 0.93, 0.03, 0.01
_USUAL = 6e-3 * SIZE_UM[0] * SIZE_UM[1]
"""Particles of a prepared strip of that size."""

_TILE_PX, _PER_UM2 = 128, 6.3e-3

Look = tuple[MosaicMap, tuple[Body, ...]]


@dataclass(frozen=True)
class Demand:
    """What a seed must show: least f1; size: whether the median must be right; phantoms: most of them, as a share of a
    usual count; flag: that it cannot be counted must be said.
    """

    f1: float = 0.0
    size: bool = False
    phantoms: bool = False
    flag: bool = False


@dataclass(frozen=True)
class Case:
    """make: from a seed, what is seen and what is there."""

    make: Callable[[int], Look]
    demand: Demand


_SIZED = Demand(f1=_F1, size=True)
_CLEAN = Demand(phantoms=True)


def _smooth(name: str, *layers: Layer) -> Callable[[int], Look]:
    def make(seed: int) -> Look:
        scene = case(name, seed)
        return replace(scene, layers=layers or scene.layers).mosaic(seed), scene.bodies

    return make


def _rough(name: str, *layers: Layer) -> Callable[[int], Look]:
    def make(seed: int) -> Look:
        scene = case(name, seed)
        return rough_mosaic(replace(scene, layers=layers or scene.layers), seed)

    return make


def _stitched(overlap: float, gain: float, error_um: float = 0.5) -> Callable[[int], Look]:
    """One layer of spheres in 3 x 3 tiles, each with its own light and its own error of the stage."""

    def make(seed: int) -> Look:
        random = np.random.default_rng([seed, 7])
        pitch = round(_TILE_PX * (1 - overlap))
        extent_um = ((2 * pitch + _TILE_PX) * PIXEL_UM,) * 2
        size_um = tuple(side + 8.0 for side in extent_um)
        drawn = [sphere(0, 0, float(d)) for d in sizes(random, round(_PER_UM2 * size_um[0] * size_um[1]))]
        scene = Scene(apart(random, (size_um[0], size_um[1]), drawn, resting=True), (size_um[0], size_um[1]))
        light = np.exp(-scene.depth(random))
        fine = round(light.shape[1] / round(size_um[0] / PIXEL_UM))
        tiles: list[Tile] = []
        for row in range(3):
            for column in range(3):
                at = np.array([column - 1, row - 1]) * pitch * PIXEL_UM
                off = np.rint(random.uniform(-error_um, error_um, 2) / PIXEL_UM * fine)
                left, top = np.rint(at / PIXEL_UM * fine + (np.array(light.T.shape) - _TILE_PX * fine) / 2 + off)
                part = light[int(top) : int(top) + _TILE_PX * fine, int(left) : int(left) + _TILE_PX * fine]
                part = part.reshape(_TILE_PX, fine, _TILE_PX, fine).mean(axis=(1, 3)) * (
                    1 + gain * random.uniform(-1, 1)
                )
                image = random.poisson(part * PHOTONS) / PHOTONS
                tiles.append(Tile(row, column, image.astype(np.float32), float(at[0]), float(at[1])))
        made = stitch(tiles, PIXEL_UM, stage_accuracy_um=2 * error_um)
        return MosaicMap(made.image, made.pixel_size_um, made.x0_um, made.y0_um), scene.bodies

    return make


_BODIES = ("dense, cover .70", "dense, cover .84", "touching", "prolate 1:2", "flakes 1:3", "hollow 0.7")
_LAYERS = {0.6: Demand(f1=0.85), 0.3: Demand(f1=0.6), 0.1: Demand(flag=True)}
_SMOOTH_FLAWS: dict[str, Layer] = {
    "wrinkles .05": wrinkles(5, 0.05),
    "wrinkles .15": wrinkles(5, 0.15),
    "bubbles": bubbles(12),
    "hair": hairs(3),
}
"""Bubbles cover a fifth of the strip among particles as on an empty one."""

_ROUGH_FLAWS: dict[str, Layer] = {
    "folds .05": folds(5, 0.05),
    "folds .15": folds(5, 0.15),
    "odd bubbles": odd_bubbles(8),
    "fibres": fibres(3),
}

CASES: dict[str, Case] = {
    **{f"smooth {name}": Case(_smooth(name), _SIZED) for name in _BODIES},
    **{f"rough {name}": Case(_rough(name), _SIZED) for name in _BODIES},
    **{f"smooth layers, T {t:g}": Case(_smooth(f"layers, T {t:g}"), demand) for t, demand in _LAYERS.items()},
    **{f"rough layers, T {t:g}": Case(_rough(f"layers, T {t:g}"), demand) for t, demand in _LAYERS.items()},
    **{f"smooth {name}": Case(_smooth("one layer", layer), _CLEAN) for name, layer in _SMOOTH_FLAWS.items()},
    **{f"rough {name}": Case(_rough("one layer", layer), _CLEAN) for name, layer in _ROUGH_FLAWS.items()},
    "smooth empty": Case(_smooth("empty"), _CLEAN),
    **{f"smooth empty, {name}": Case(_smooth("empty", layer), _CLEAN) for name, layer in _SMOOTH_FLAWS.items()},
    **{f"rough empty, {name}": Case(_rough("empty", layer), _CLEAN) for name, layer in _ROUGH_FLAWS.items()},
    **{f"stitched, overlap {100 * o:g} %": Case(_stitched(o, 0.0), _SIZED) for o in (0.2, 0.1, 0.05, 0.0)},
    **{
        f"stitched, overlap {100 * o:g} %, gain {100 * g:g} %": Case(_stitched(o, g), _SIZED)
        for o, g in ((0.1, 0.1), (0.0, 0.05), (0.0, 0.1))
    },
}


@dataclass(frozen=True)
class Verdict:
    """Of one mosaic: how it was found, phantoms as a share of a usual count, the stated number of particles and whether
    it holds (None: none is stated), what is said against counting, false certainties, seconds, whether it passes.
    """

    score: finding.Score
    phantoms: float
    held: bool | None
    doubt: str
    false: int
    passed: bool


def judged(name: str, seed: int) -> Verdict:
    """One mosaic made, searched, and held against its truth."""
    one = CASES[name]
    mosaic, bodies = one.make(seed)
    passed_s = stopwatch()
    found, count = count_particles(mosaic, MU_PER_UM)
    seconds = passed_s()
    size_um = (mosaic.x_um[1] - mosaic.x_um[0], mosaic.y_um[1] - mosaic.y_um[0])
    scene = Scene(bodies, size_um)
    seen = Seen(bodies, found, tuple(finding.pairs(found, bodies)), count, size_um, seconds)
    score = finding.score(found, scene, seconds)
    phantoms = (score.found - score.matched_found) / _USUAL
    held = None if count.between is None else count.between[0] <= true_count(seen) <= count.between[1]
    verdict = Verdict(score, phantoms, held, count.doubt, false_certainties(seen)[0], passed=True)
    return replace(verdict, passed=_passes(one.demand, verdict, empty=not bodies))


def _passes(demand: Demand, one: Verdict, *, empty: bool) -> bool:
    # A number that is stated and does not hold is never right, however much is found.
    if one.held is False or (demand.flag and not one.doubt):
        return False
    if demand.f1 and not one.score.f1 >= demand.f1:
        return False
    if demand.size and not abs(one.score.d50 - 1) <= _D50:
        return False
    return not demand.phantoms or (one.score.found == 0 if empty else one.phantoms < _PHANTOMS)


def row(name: str, seeds: Sequence[int]) -> Row:
    """One line of the table."""
    done = [judged(name, seed) for seed in seeds]
    figures = {"passed": f"{sum(one.passed for one in done)}/{len(done)}"}
    if done[0].score.true:
        f1 = [one.score.f1 for one in done]
        sizes = [100 * (one.score.d50 - 1) for one in done]
        figures |= {
            "F1": f"{np.mean(f1):.3f} ({min(f1):.3f})",
            "recall": f"{np.mean([one.score.recall for one in done]):.3f}",
            "D50 %": f"{np.mean(sizes):+.1f} ({max(sizes, key=abs):+.1f})",
        }
    shares = [100 * one.phantoms for one in done]
    held = [one.held for one in done if one.held is not None]
    figures |= {
        "phantoms %": f"{np.mean(shares):.1f} ({max(shares):.1f})",
        "number": f"{sum(held)} of {len(held)} stated",
        "doubted": f"{sum(bool(one.doubt) for one in done)}",
        "false": f"{sum(one.false for one in done)}",
    }
    return Row(name, f"{len(done)} seeds", float(np.mean([one.score.seconds for one in done])), figures=figures)


if __name__ == "__main__":
    tell(CASES, row, sys.argv[1:], 20)
