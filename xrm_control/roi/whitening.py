"""Where there may be bodies: matched filters that know what lies about.

Among many overlapping shadows the largest sphere fits everywhere. Filters are therefore whitened by the spectrum of the
map itself (Wiener; North 1943 for noise that is not white): what all the others make is then noise as well, in which a
rim of the right radius stands out. Lengths in this module are pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xrm_control.roi.bodies import Bodies, shadow

Floats = NDArray[np.float64]

_FACTORS = (0.25, 1.7)
"""Chord over that of a sphere that a flake, a shell or an upright body may have."""

_PREFERRED = 0.8
"""Spread of the logarithm of that ratio: of two explanations the one nearer to a sphere's is the more likely."""


_RIM_VARIANCE = 0.25
"""Of the shadow itself, square pixels: without noise no template fits to the last digit."""

_RADIUS_KNOWN = 0.05
"""To which share of it, less half a pixel, a radius is met by one of those tried: finer rings would miss each other."""

_LONG = 0.24
"""STRETCH of the elongated templates (axes of 1 to 1.6), in four directions."""

ROUND = np.zeros((1, 3))
ANY = np.vstack((ROUND, [(_LONG, 0, 0), (-_LONG, 0, 0), (0, _LONG, 0), (0, -_LONG, 0), (0, 0, 0.6)]))
"""Templates to try: spheres alone, or elongated and hollow ones as well (STRETCH, SKEW, HOLLOW)."""


def candidates(
    residual: Floats,
    seen: NDArray[np.bool_],
    radii: Floats,
    forms: Floats,
    blur_px: float,
    *,
    least: float,
    spacing: float,
) -> Bodies:
    """Bodies at local maxima of the filters over place, radius and form, strongest first.

    residual: chords not yet explained, (rows, columns); radii, forms: those to try; least: standard deviations
    above the map's own; no two closer than `spacing` times the sum of their radii.
    """
    from scipy import fft, ndimage

    shape = residual.shape
    reach = int(radii.max() * (1.3 if len(forms) > 1 else 1.0))
    padded = tuple(int(fft.next_fast_len(n + reach + 4, real=True) or 0) for n in shape)
    image = np.asarray(fft.rfft2(np.where(seen, residual, 0.0).astype(np.float32), padded))
    spectrum = _spectrum(image, padded, int(seen.sum()))
    whitened = image / spectrum
    share = (_twice(padded) / spectrum / np.prod(padded)).astype(np.float32)
    strongest, which = np.zeros(shape, np.float32), np.zeros(shape, np.int16)
    # What does not fit into the map cannot be looked for in it.
    kinds = [(radius, form) for radius in radii for form in forms if _side(radius, form, blur_px) <= min(padded)]
    for kind, (radius, form) in enumerate(kinds):
        template = _template(radius, form, blur_px, padded)
        own = float((template**2 * share).sum())
        answer = np.asarray(fft.irfft2(whitened * template, padded))[: shape[0], : shape[1]]
        # Of most places there is nothing to say.
        row, column = np.nonzero(answer > np.maximum(least * np.sqrt(own), _FACTORS[0] * own))
        found = answer[row, column] / np.sqrt(own)
        factor = found / np.sqrt(own)
        found = np.where(factor < _FACTORS[1], found * np.exp(-0.5 * (np.log(factor) / _PREFERRED) ** 2), 0.0)
        better = found > strongest[row, column]
        strongest[row[better], column[better]] = found[better]
        which[row[better], column[better]] = kind
    row, column = np.nonzero((strongest > 0) & (strongest == ndimage.maximum_filter(strongest, size=5)))
    order = np.argsort(-strongest[row, column], kind="stable")
    row, column = row[order], column[order]
    best = [kinds[kind] for kind in which[row, column]]
    radius = np.array([radius for radius, _ in best])
    kept = _apart(column.astype(float), row.astype(float), radius, spacing)
    form = np.array([form for _, form in best]).reshape(-1, 3)
    return Bodies.spheres(column[kept].astype(float), row[kept].astype(float), radius[kept], form[kept])


def _apart(column: Floats, row: Floats, radius: Floats, spacing: float) -> NDArray[np.int64]:
    """Indices of those that keep away from all before them."""
    kept, count = np.empty(len(column), np.int64), 0
    # Side by side in memory: there are thousands, each held against all before it.
    x, y, r = (np.empty(len(column)) for _ in range(3))
    for i in range(len(column)):
        away = (x[:count] - column[i]) ** 2 + (y[:count] - row[i]) ** 2
        if not (away < (spacing * (r[:count] + radius[i])) ** 2).any():
            kept[count], x[count], y[count], r[count] = i, column[i], row[i], radius[i]
            count += 1
    return kept[:count]


def _twice(padded: tuple[int, ...]) -> Floats:
    """How often each column of a real transform stands for itself and its mirror image."""
    times = np.full(padded[1] // 2 + 1, 2.0)
    times[0] = 1.0
    if padded[1] % 2 == 0:
        times[-1] = 1.0
    return times


def _template(radius: float, form: Floats, blur_px: float, padded: tuple[int, ...]) -> NDArray[np.float32]:
    """Transform of a body's shadow about pixel [0, 0]: real, as a shadow is the same turned by 180 degrees."""
    from scipy import fft, ndimage

    side, unsure_px = _side(radius, form, blur_px), _unsure_px(radius)
    half = side // 2
    middle = np.array([float(half)])
    small = shadow(Bodies.spheres(middle, middle, np.array([radius]), form[None]), (side, side), blur_px)
    lines = np.zeros((side, padded[1]), np.float32)
    lines[:, :side] = ndimage.gaussian_filter(small, unsure_px)
    # Most lines are empty, and need no transform of their own.
    columns = np.zeros((padded[0], padded[1] // 2 + 1), np.complex64)
    columns[:side] = np.asarray(fft.rfft(np.roll(lines, -half, 1), axis=1))
    return np.real(np.asarray(fft.fft(np.roll(columns, -half, 0), axis=0, overwrite_x=True)))


def _side(radius: float, form: Floats, blur_px: float) -> int:
    """Pixels of a template's side: all of the shadow, and as far as the radius is unsure."""
    half = int(np.ceil(radius * np.exp(np.hypot(form[0], form[1])) + 2 + blur_px))
    return 2 * (half + int(np.ceil(4 * _unsure_px(radius)))) + 1


def _unsure_px(radius: float) -> float:
    return max(0.0, _RADIUS_KNOWN * radius - 0.5)


def _spectrum(image: NDArray[np.complexfloating], padded: tuple[int, ...], pixels: int) -> NDArray[np.float32]:
    """The map's power by frequency, the same in all directions, per pixel that was seen."""
    from scipy import fft, ndimage

    rows, columns = fft.fftfreq(padded[0]), fft.rfftfreq(padded[1])
    frequency = np.hypot(rows[:, None], columns[None, :])
    bins = np.minimum((frequency * 200).astype(int), 120)
    power = np.bincount(bins.ravel(), (np.abs(image) ** 2).ravel()) / np.maximum(np.bincount(bins.ravel()), 1)
    power = np.exp(ndimage.gaussian_filter1d(np.log(np.maximum(power, 1e-12)), 1.0)) / pixels + _RIM_VARIANCE
    return power[bins].astype(np.float32)
