"""Particles seen in the mosaic: place, size, and whether the mosaic cuts them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.roi.mosaic_map import MosaicMap
from xrm_control.roi.sphere_fit import Spheres, find_spheres, fit_spheres
from xrm_control.roi.thickness import thickness_map

SMALLEST_UM = 2.5
LARGEST_UM = 34.0

_SEARCH_PIXEL_UM = 0.5
"""Finer mosaics are averaged to about this pixel first: it resolves the smallest particle, and costs seconds."""

_SHAPE_SPREAD = 0.05
"""How far a real particle's chord differs from a sphere's, relative; else large ones' rims would be small ones."""

_RIM_PX = 0.5
"""Error of the model itself, in pixels of chord, however bright the beam."""

_STEP = 1.2
"""Ratio of the diameters that are tried; the fit finds what lies between."""

_FITS_AGAIN = (0.5, 0.5)
"""Least share of its own squares that a sphere must explain, for each search through what is left over."""

_STAND_IN_PITCH_UM, _STAND_INS_UM = 16.0, (6.0, 8.0, 10.0, 12.0, 14.0)

_LEAST_EVIDENCE = 40.0
"""Least fall of chi-squared for a particle to be believed (better than 6 sigma)."""


@dataclass(frozen=True)
class Particle2D:
    """One particle of the mosaic, stage um.

    equivalent_diameter_um: of the sphere of the same volume; peak_thickness_um: its own longest chord along the beam,
    without what lies above or beneath it; touches_edge: cut by the mosaic's edge or by a place that was not seen.
    """

    x_um: float
    y_um: float
    equivalent_diameter_um: float
    peak_thickness_um: float
    touches_edge: bool


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
    """All particles between the two diameters, from top to bottom; empty when there are none.

    mu_per_um: attenuation of the solid. Raises DataError for a senseless mu or size range, AnalysisError for a mosaic
    without a usable pixel.
    """
    from scipy import ndimage

    if not (np.isfinite(mu_per_um) and mu_per_um > 0):
        raise DataError("the attenuation must be positive, in 1/um", where="mosaic", value=mu_per_um)
    if not 0 < smallest_um < largest_um < np.inf:
        raise DataError("the diameters must ascend", where="particles", value=(smallest_um, largest_um))
    image, pixel_um = _coarser(mosaic)
    found = thickness_map(image, pixel_um, mu_per_um)
    chords = found.thickness_um / pixel_um
    # A rim that lies a little further out errs where there is no chord: the spread reaches beyond it.
    shape_error = _SHAPE_SPREAD * ndimage.maximum_filter(ndimage.gaussian_filter(chords, 1.0), size=5)
    weight = 1 / (found.variance_um2 / pixel_um**2 + _RIM_PX**2 + shape_error**2)
    spheres = _search(chords, weight, smallest_um / pixel_um, largest_um / pixel_um)
    # The centre of the first coarse pixel lies half a coarse pixel from the mosaic's upper left corner.
    left, top = mosaic.x_um[0] + pixel_um / 2, mosaic.y_um[0] + pixel_um / 2
    edges = _touching(spheres, weight > 0)
    found_particles = [
        Particle2D(
            x_um=left + column * pixel_um,
            y_um=top + row * pixel_um,
            equivalent_diameter_um=2 * radius * factor ** (1 / 3) * pixel_um,
            peak_thickness_um=2 * radius * factor * pixel_um,
            touches_edge=bool(edge),
        )
        for (column, row, radius, factor), edge in zip(spheres.table().tolist(), edges, strict=True)
    ]
    return tuple(sorted(found_particles, key=lambda p: (p.y_um, p.x_um)))


def _coarser(mosaic: MosaicMap) -> tuple[NDArray[np.float64], float]:
    """The image averaged in blocks to about the search's pixel, and that pixel in um."""
    n = max(1, round(_SEARCH_PIXEL_UM / mosaic.pixel_size_um))
    image = mosaic.image.astype(np.float64)
    n = min(n, *image.shape)
    rows, columns = (size // n for size in image.shape)
    blocks = image[: rows * n, : columns * n].reshape(rows, n, columns, n)
    return blocks.mean(axis=(1, 3)), mosaic.pixel_size_um * n


def _search(chords: NDArray[np.float64], weight: NDArray[np.float64], smallest: float, largest: float) -> Spheres:
    """Search, fit, and search again in what is left over (pixels)."""
    largest = max(smallest, min(largest, 1.5 * max(chords.shape)))
    radii = np.geomspace(smallest, largest, 2 + int(np.log(largest / smallest) / np.log(_STEP))) / 2
    spheres, residual = Spheres.of(np.empty((0, 4))), chords
    for least in _FITS_AGAIN:
        more = find_spheres(residual, weight, radii, least_fraction=least, least_fall=_LEAST_EVIDENCE)
        if not len(more):
            break
        spheres = Spheres.of(np.vstack((spheres.table(), more.table())))
        spheres, residual = fit_spheres(chords, weight, spheres, rounds=4)
    kept = _believable(spheres, chords.shape, smallest)
    if kept.all():
        return spheres
    return fit_spheres(chords, weight, Spheres.of(spheres.table()[kept]), rounds=2)[0]


def _believable(spheres: Spheres, shape: tuple[int, ...], smallest: float) -> NDArray[np.bool_]:
    """Large enough, thick enough for its width, and with its centre in the picture."""
    size = 2 * spheres.radius * np.cbrt(spheres.factor)
    inside = (spheres.column > -0.5) & (spheres.column < shape[1] - 0.5)
    inside &= (spheres.row > -0.5) & (spheres.row < shape[0] - 0.5)
    return inside & (size >= smallest) & (spheres.factor > 0.5)


def _touching(spheres: Spheres, seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """True for spheres of which a part lies outside the picture, or a twentieth or more was not seen."""
    rows, columns = seen.shape
    result = np.zeros(len(spheres), bool)
    for i, (column, row, radius, _) in enumerate(spheres.table()):
        c0, c1 = int(np.floor(column - radius)), int(np.ceil(column + radius)) + 1
        r0, r1 = int(np.floor(row - radius)), int(np.ceil(row + radius)) + 1
        if c0 < 0 or r0 < 0 or c1 > columns or r1 > rows:
            result[i] = True
            continue
        y, x = np.ogrid[r0:r1, c0:c1]
        disc = (x - column) ** 2 + (y - row) ** 2 < radius**2
        result[i] = float(seen[r0:r1, c0:c1][disc].mean()) < 0.95 if disc.any() else False
    return result
