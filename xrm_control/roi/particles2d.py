"""Particles seen in the mosaic: place, size, and whether the mosaic cuts them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.roi.bodies import (
    COLUMN,
    ROW,
    Bodies,
    averaged_light,
    bare_level,
    beneath,
    blur_of,
    crowding,
    means_within,
    measured,
    number_above,
    settle,
    shadow,
    take,
    worths,
)
from xrm_control.roi.count import NEAR_SMALLEST, Count, between, judged, next_to_nothing, tips_of
from xrm_control.roi.countable import places
from xrm_control.roi.fit_errors import fit_errors
from xrm_control.roi.merging import merged
from xrm_control.roi.mosaic_map import MosaicMap
from xrm_control.roi.outlines import outlined
from xrm_control.roi.resting import Resting
from xrm_control.roi.ridges import ridges
from xrm_control.roi.rims import ON_RIDGES, closed, menisci, pieces, slivers, thick_px
from xrm_control.roi.sightings import ALONE, sightings
from xrm_control.roi.sightings import Particle2D as Particle2D
from xrm_control.roi.thickness import thickness_map
from xrm_control.roi.unlike import shells_that_touch, unlike_others
from xrm_control.roi.void_scores import void_scores
from xrm_control.roi.whitening import ANY, ROUND, candidates

SMALLEST_UM = 2.5
LARGEST_UM = 70.0

_SEARCH_PIXEL_UM = 0.5
"""Finer mosaics are averaged to about this pixel first: it resolves the smallest particle, and costs seconds."""

_SHAPE_SPREAD = 0.05
"""How far a real particle's chord differs from a sphere's, relative; else large ones' rims would be small ones."""

_RIM_PX = 0.5
"""Error of the model itself, in pixels of chord, however bright the beam."""

_STEP = 1.2
"""Ratio of the diameters that are tried; the fit finds what lies between."""

_BLUR_PX = 0.5
"""Of a mosaic, until the first particles have shown it."""

_SEARCHES = 30
"""Most searches through what is left over: each finds the next few that lie among others."""

_LEAST_SIGMA, _AMONG_SIGMA = 4.5, 3.2
"""What a candidate must stand out by, in standard deviations of the map without it; and among many layers, where that
is made of others, most of them not found yet.
"""

_LAYERS, _MUCH_LEFT, _MATTER_PX = 1.8, 2.0, 4.0
"""Thickness where there is any over that of the bodies found, each alone, and chi-squared for each pixel, from which
there are many.
"""

_SPACING = 0.6
"""Candidates of one search keep this apart, in sums of their radii; those beneath are for the next one."""

_FEW = 0.03
"""A search that adds no larger a share is the last."""

_FEW_FREE = 0.1
"""... and a search for what stands free is followed by one for what does not."""

_LEAST_SHARE = 0.5
"""Least share of its own squares that a body must explain."""

_RIDGE_SPREAD = 0.3
"""How far a ridge differs from its median, relative."""

_RIDGE_LOOKS = 2
"""Times ridges are looked for beside the bodies."""

_GROUND_UM = 2.0
"""How far beside a ridge or bubble, as found, there is still some of it."""

_HIDING = 0.25
"""Of the smallest diameter, the height of a ridge of which what is left may be taken for a particle."""

_STAND_IN_PITCH_UM, _STAND_INS_UM = 16.0, (6.0, 8.0, 10.0, 12.0, 14.0)

_LEAST_EVIDENCE = 40.0
"""Least fall of chi-squared for a particle to be believed (better than 6 sigma)."""


@dataclass(frozen=True)
class _Search:
    """What a search ends with, in pixels: the bodies, those that lie alone (n,) among them, the map of chords they were
    fitted to, what they leave over of it, ridges that are no bodies, by how much the tape's level was put right.
    """

    bodies: Bodies
    alone: NDArray[np.bool_]
    chords: NDArray[np.float64]
    residual: NDArray[np.float64]
    ridge: NDArray[np.float64]
    level: NDArray[np.float64]
    blur_px: float


def stand_ins(mosaic: MosaicMap) -> tuple[Particle2D, ...]:
    """Particles of several sizes at even distances all over a mosaic, for one that shows no sample: a strategy then has
    something to choose from everywhere.
    """
    (left, right), (top, bottom) = mosaic.x_um, mosaic.y_um
    half = _STAND_IN_PITCH_UM / 2
    places = [
        (x, y)
        for y in np.arange(top + half, bottom - half, _STAND_IN_PITCH_UM)
        for x in np.arange(left + half, right - half, _STAND_IN_PITCH_UM)
    ]
    sizes_um = (_STAND_INS_UM[number % len(_STAND_INS_UM)] for number in range(len(places)))
    return tuple(
        Particle2D(float(x), float(y), size_um, size_um, touches_edge=False)
        for (x, y), size_um in zip(places, sizes_um, strict=True)
    )


def find_particles(
    mosaic: MosaicMap, mu_per_um: float, *, smallest_um: float = SMALLEST_UM, largest_um: float = LARGEST_UM
) -> tuple[Particle2D, ...]:
    """The particles of `count_particles`."""
    return count_particles(mosaic, mu_per_um, smallest_um=smallest_um, largest_um=largest_um)[0]


def count_particles(
    mosaic: MosaicMap, mu_per_um: float, *, smallest_um: float = SMALLEST_UM, largest_um: float = LARGEST_UM
) -> tuple[tuple[Particle2D, ...], Count]:
    """All particles between the two diameters, from top to bottom, empty when there are none; and how far they account
    for what the mosaic shows.

    mu_per_um: attenuation of the solid. Raises DataError for a senseless mu or size range, AnalysisError for a mosaic
    without a usable pixel.
    """
    if not (np.isfinite(mu_per_um) and mu_per_um > 0):
        raise DataError("the attenuation must be positive, in 1/um", where="mosaic", value=mu_per_um)
    if not 0 < smallest_um < largest_um < np.inf:
        raise DataError("the diameters must ascend", where="particles", value=(smallest_um, largest_um))
    image, pixel_um = _coarser(mosaic)
    # The centre of the first coarse pixel lies half a coarse pixel from the mosaic's upper left corner.
    corner_um = mosaic.x_um[0] + pixel_um / 2, mosaic.y_um[0] + pixel_um / 2
    return _counted(image.tobytes(), image.shape, pixel_um, corner_um, mu_per_um, (smallest_um, largest_um))


@lru_cache(maxsize=4)
def _counted(
    pixels: bytes,
    shape: tuple[int, ...],
    pixel_um: float,
    corner_um: tuple[float, float],
    mu_per_um: float,
    sizes_um: tuple[float, float],
) -> tuple[tuple[Particle2D, ...], Count]:
    """Of an image (rows, columns) of float64, the centre of its first pixel there. Asked for again with each place that
    somebody adds to a run.
    """
    from scipy import ndimage

    image = np.frombuffer(pixels).reshape(shape)
    (left, top), (smallest_um, largest_um) = corner_um, sizes_um
    found = thickness_map(image, pixel_um, mu_per_um)
    chords = found.thickness_um / pixel_um
    # A rim that lies a little further out errs where there is no chord: the spread reaches beyond it.
    shape_error = _SHAPE_SPREAD * ndimage.maximum_filter(ndimage.gaussian_filter(chords, 1.0), size=5)
    weight = 1 / (found.variance_um2 / pixel_um**2 + _RIM_PX**2 + shape_error**2)
    thick = thick_px(mu_per_um, pixel_um)
    brighter = found.bright_um / pixel_um
    search = _search(
        chords, weight, brighter, smallest_um / pixel_um, largest_um / pixel_um, pixel_um, thick, mu_per_um
    )
    bodies, seen = search.bodies, weight > 0
    edges = _touching(bodies, seen)
    above, modelled = number_above(bodies, chords.shape), shadow(bodies, chords.shape, search.blur_px)
    count = judged(search.chords, seen, modelled, above, pixel_um)
    hidden = float((search.ridge > ON_RIDGES * smallest_um / pixel_um)[seen].mean())
    where = places(search.chords, seen, modelled, above, pixel_um, (left - pixel_um / 2, top - pixel_um / 2))
    count = replace(count, hidden=hidden, bright=found.bright_share, drift=found.drift, places=where)
    few = next_to_nothing(len(bodies), float(seen.sum()) * pixel_um**2)
    if few and (search.ridge.any() or count.flawed) and bool((bodies.height < thick).all()):
        # On a strip that is not clean these are its flaws, and no reason to scan it.
        return (), replace(count, flaws=len(bodies))
    crowds = crowding(bodies, above)
    column, row = (bodies.table[:, at] for at in (COLUMN, ROW))
    x_um, y_um = bodies.middles_um(corner_um, pixel_um)
    deep = int(where.deep_at(x_um, y_um).sum())
    level, ground = _at(search.level, row, column), _ground(search.ridge + found.floor_um / pixel_um, bodies, pixel_um)
    errors = fit_errors(search.residual, weight, bodies, search.blur_px, crowds, search.alone, level, ground, pixel_um)
    plain = ~edges & (bodies.diameter * pixel_um >= NEAR_SMALLEST * smallest_um)
    odd = unlike_others(bodies, errors.left, plain)
    count = replace(count, unlike=int(odd.sum()), plain=int(plain.sum()))
    tips = tips_of(bodies.radius * np.sqrt(bodies.elongation), bodies.elongation, edges)
    diameters_um, cut = bodies.diameter * pixel_um, int(edges.sum())
    stated = between(count, crowds, diameters_um, cut, smallest_um, deep, tips, shells_that_touch(bodies))
    count = replace(count, between=stated)
    bare = ground < _HIDING * smallest_um / pixel_um
    countable = where.at(x_um, y_um) & bare & ~odd & (not count.flawed)
    voids = void_scores(search.residual, found.variance_um2 / pixel_um**2, above, bodies, pixel_um)
    return sightings(bodies, errors, crowds, edges, countable, voids, pixel_um, corner_um, smallest_um), count


def _ground(taken_off: NDArray[np.float64], bodies: Bodies, pixel_um: float) -> NDArray[np.float64]:
    """(n,): how much was taken off beneath each body as ridge or bubble, the most close by."""
    from scipy import ndimage

    if not taken_off.any():
        return np.zeros(len(bodies))
    return means_within(ndimage.maximum_filter(taken_off, size=2 * round(_GROUND_UM / pixel_um) + 1), bodies)


def _at(image: NDArray[np.float64], row: NDArray[np.float64], column: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,): the image in the pixels next to these places."""
    rows, columns = image.shape
    at = np.clip(np.rint(row).astype(int), 0, rows - 1), np.clip(np.rint(column).astype(int), 0, columns - 1)
    return image[at]


def _coarser(mosaic: MosaicMap) -> tuple[NDArray[np.float64], float]:
    """The image averaged in blocks to about the search's pixel, and that pixel in um."""
    n = max(1, round(_SEARCH_PIXEL_UM / mosaic.pixel_size_um))
    image = mosaic.image.astype(np.float64)
    n = min(n, *image.shape)
    rows, columns = (size // n for size in image.shape)
    blocks = image[: rows * n, : columns * n].reshape(rows, n, columns, n)
    return blocks.mean(axis=(1, 3)), mosaic.pixel_size_um * n


def _search(
    chords: NDArray[np.float64],
    weight: NDArray[np.float64],
    brighter: NDArray[np.float64],
    smallest: float,
    largest: float,
    pixel_um: float,
    thick: float,
    mu_per_um: float,
) -> _Search:
    """Search, fit, and search again in what is left over (pixels)."""
    largest = max(smallest, min(largest, 1.5 * max(chords.shape)))
    radii = np.geomspace(smallest, largest, 2 + int(np.log(largest / smallest) / np.log(_STEP))) / 2
    seen = weight > 0
    bodies, residual, blur_px = Bodies.none(), chords.copy(), _BLUR_PX
    crowded, resting = False, Resting(chords.shape)
    mapped, plain, noise = chords, weight, float(weight.max()) ** -0.5
    ridge = np.zeros(chords.shape)
    for number in range(_SEARCHES):
        forms = ROUND if crowded else ANY
        deep = crowded and _many_layers(chords, residual, weight, bodies)
        least = _AMONG_SIGMA if deep else _LEAST_SIGMA
        wanted = candidates(residual, seen, radii, forms, blur_px, least=least, spacing=_SPACING)
        if not crowded:
            wanted = outlined(residual, weight, smallest, largest).and_also(wanted)
        more = take(
            residual, weight, wanted, blur_px, fraction=_LEAST_SHARE, least_fall=_LEAST_EVIDENCE, crowded=crowded
        )
        bodies = bodies.and_also(more)
        bodies = settle(residual, weight, bodies, blur_px, rounds=2, resting=resting, choose=not crowded)
        if number == 0 and len(bodies):
            blur_px = blur_of(chords, weight, bodies)
            residual = chords - shadow(bodies, chords.shape, blur_px)
        if not deep:
            # Among others that are not found yet no one body accounts for a place.
            bodies = merged(residual, weight, bodies, blur_px)
        bodies, residual = _kept(chords, residual, weight, bodies, blur_px, smallest)
        if number < _RIDGE_LOOKS and (number == 0 or ridge.any()):
            # Bodies on a ridge are first fitted to some of it, and hide less of it once it is known.
            shown = bodies.where(closed(chords, weight, bodies, blur_px, thick))
            ridge = _ridges(
                mapped - shadow(shown, chords.shape, blur_px), seen & ~beneath(shown, chords.shape), noise, pixel_um
            )
            if ridge.any():
                chords, weight = mapped - ridge, plain / (1 + plain * (_RIDGE_SPREAD * ridge) ** 2)
                bodies, residual = Bodies.none(), chords.copy()
                continue
        if len(more) <= (_FEW if crowded else _FEW_FREE) * len(bodies):
            if crowded:
                break
            crowded = True
    bodies = settle(residual, weight, bodies, blur_px, rounds=2, resting=resting, choose=True)
    bodies = merged(residual, weight, bodies, blur_px)
    bodies, residual = _kept(chords, residual, weight, bodies, blur_px, smallest)
    level = bare_level(residual, weight, bodies, pixel_um)
    level += averaged_light(bodies, chords.shape, mu_per_um * pixel_um, blur_px)
    chords, residual = chords - level, residual - level
    bodies = settle(residual, weight, bodies, blur_px, rounds=3, resting=resting)
    shown = closed(chords, weight, bodies, blur_px, thick)
    if ridge.any():
        # What is left of a ridge where another crosses it is round as well, and no higher.
        shown &= closed(chords + ridge, weight, bodies, blur_px, thick, ON_RIDGES)
        shown &= ~pieces(bodies, ridge, _HIDING * smallest, thick)
    if ridge.any() or brighter.any():
        shown &= ~slivers(bodies, thick)
    bodies = bodies.where(shown)
    bodies = bodies.where(~menisci(bodies, brighter, thick, pixel_um))
    bodies = bodies.where(_inside(bodies, chords.shape))
    residual = chords - shadow(bodies, chords.shape, blur_px)
    alone = crowding(bodies, number_above(bodies, chords.shape)) < ALONE
    bodies = measured(residual, weight, bodies, blur_px, alone)
    return _Search(bodies, alone, chords, residual, ridge, level, blur_px)


def _many_layers(
    chords: NDArray[np.float64], residual: NDArray[np.float64], weight: NDArray[np.float64], bodies: Bodies
) -> bool:
    """Whether so much lies above each other that most of it is still to be found."""
    matter = (weight > 0) & (chords > _MATTER_PX)
    if not len(bodies) or not matter.any():
        return False
    area = bodies.radius**2
    alone = float((area * bodies.chord).sum() / area.sum()) * 2 / 3
    layers = float(chords[matter].mean()) / alone
    return layers > _LAYERS and float((weight * residual**2)[weight > 0].mean()) > _MUCH_LEFT


def _ridges(beside: NDArray[np.float64], free: NDArray[np.bool_], noise: float, pixel_um: float) -> NDArray[np.float64]:
    """Chords of ridges, and of those that lie in their shadow."""
    first = ridges(beside, free, noise, pixel_um)
    return first + ridges(beside - first, free, noise, pixel_um) if first.any() else first


def _kept(
    chords: NDArray[np.float64],
    residual: NDArray[np.float64],
    weight: NDArray[np.float64],
    bodies: Bodies,
    blur_px: float,
    smallest: float,
) -> tuple[Bodies, NDArray[np.float64]]:
    """Bodies that can be believed, and what these leave over."""
    fall, own = worths(residual, weight, bodies, blur_px)
    good = _believable(bodies, chords.shape, smallest) & (fall > _LEAST_EVIDENCE) & (fall > _LEAST_SHARE * own)
    kept = bodies.where(good)
    return kept, residual if good.all() else chords - shadow(kept, chords.shape, blur_px)


def _believable(bodies: Bodies, shape: tuple[int, ...], smallest: float) -> NDArray[np.bool_]:
    """Large enough, and not wholly beside the picture."""
    return (bodies.diameter >= smallest) & _inside(bodies, shape, bodies.radius)


def _inside(bodies: Bodies, shape: tuple[int, ...], beyond_px: NDArray[np.float64] | float = 0.0) -> NDArray[np.bool_]:
    """Whether the middle lies in the picture, or no further beside it."""
    column, row = bodies.table[:, COLUMN], bodies.table[:, ROW]
    inside = (column > -0.5 - beyond_px) & (column < shape[1] - 0.5 + beyond_px)
    return inside & (row > -0.5 - beyond_px) & (row < shape[0] - 0.5 + beyond_px)


def _touching(bodies: Bodies, seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """True for bodies of which a part lies outside the picture, or a twentieth or more was not seen."""
    rows, columns = seen.shape
    result = np.zeros(len(bodies), bool)
    places = zip(bodies.table[:, COLUMN].tolist(), bodies.table[:, ROW].tolist(), bodies.radius.tolist(), strict=True)
    for i, (column, row, radius) in enumerate(places):
        c0, c1 = int(np.floor(column - radius)), int(np.ceil(column + radius)) + 1
        r0, r1 = int(np.floor(row - radius)), int(np.ceil(row + radius)) + 1
        if c0 < 0 or r0 < 0 or c1 > columns or r1 > rows:
            result[i] = True
            continue
        y, x = np.ogrid[r0:r1, c0:c1]
        disc = (x - column) ** 2 + (y - row) ** 2 < radius**2
        result[i] = float(seen[r0:r1, c0:c1][disc].mean()) < 0.95 if disc.any() else False
    return result
