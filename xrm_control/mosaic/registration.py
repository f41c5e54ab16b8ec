"""How far one tile lies from its neighbour, from what both of them saw.

Overlaps are strips of a few pixels, where the periodic picture behind phase correlation does not hold. Each pair is
therefore compared over the pixels that both really saw: normalised cross-correlation with masks, at every whole-pixel
shift within reach (Padfield 2012), then Gauss-Newton on the grey values (Lucas and Kanade 1981), which also says how
well each direction is known. A pair is believed where one place is far likelier than any other, and what is left of
the difference there is noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

Floats = NDArray[np.floating]

_LEAST_PIXELS = 64
_LEAST_LIKENESS = 0.3
# Pixels that say the same: a particle's. A likeness counts by how many such there are.
_ALIKE_PX = 64
# The next best place, farther than this away, must be less likely than that share of the best.
_ELSEWHERE_PX, _SECOND = 8, 0.75
# What is left of the difference, over what the pixels' own noise makes; interpolation leaves a hundredth of the light.
_MOST_LEFT, _INTERPOLATED = 3.0, 0.01
_MOST_STEPS, _MOST_FRACTION_PX = 8, 1.5


@dataclass(frozen=True)
class PairShift:
    """Tile `second` lies `shift_px` (x, y) further from tile `first` than the stage said.

    information: inverse covariance of the shift, (2, 2), 1 / px2; log_gain: logarithm of the first's brightness over
    the second's, where both saw the same.
    """

    first: int
    second: int
    shift_px: Floats
    information: Floats
    log_gain: float = 0.0


def pair_shift(
    first: int, second: int, images: tuple[Floats, Floats], apart_px: Floats, reach_px: float
) -> PairShift | None:
    """Compare two tiles; None when their overlap cannot tell.

    images: both (rows, columns), NaN where unseen; apart_px: nominal distance (x, y) of the second's upper left pixel
    from the first's; reach_px: how far the truth may lie from it.
    """
    one, two = images
    start = _whole_shift(one, two, apart_px, reach_px)
    if start is None:
        return None
    refined = _refine(one, two, start)
    if refined is None:
        return None
    shift = np.array(start) + refined.fraction_px - apart_px
    if np.hypot(*shift) > reach_px or np.abs(refined.fraction_px).max() > _MOST_FRACTION_PX:
        return None
    noise = math.hypot(_noise(one), _noise(two)) * _SMOOTHED
    if refined.left > _MOST_LEFT * math.hypot(noise, _INTERPOLATED):
        return None
    return PairShift(first, second, shift, refined.information, refined.log_gain)


def _whole_shift(one: Floats, two: Floats, apart_px: Floats, reach_px: float) -> tuple[int, int] | None:
    """The whole-pixel distance (right, down) within reach at which both are most alike; None where none stands out."""
    # Less noise, of which a particle's picture has none; what is unseen stays so.
    likeness, pixels = likeness_map(
        *(np.where(np.isfinite(image), _Grey.of(image).smooth, np.nan) for image in (one, two))
    )
    rows, columns = two.shape
    down, right = np.indices(likeness.shape) - np.array([rows - 1, columns - 1])[:, None, None]
    # What lies off by more than the reach on the whole grid may still be within it between the pixels.
    near = np.maximum(np.abs(right - apart_px[0]), np.abs(down - apart_px[1])) <= math.ceil(reach_px)
    weight = np.arctanh(np.clip(likeness, 0.0, 0.9999)) * np.sqrt(pixels / _ALIKE_PX)
    weight[~near | (likeness < _LEAST_LIKENESS)] = 0.0
    best = np.unravel_index(int(np.argmax(weight)), weight.shape)
    if weight[best] <= 0:
        return None
    elsewhere = np.maximum(np.abs(right - right[best]), np.abs(down - down[best])) > _ELSEWHERE_PX
    if elsewhere.any() and weight[elsewhere].max() > _SECOND * weight[best]:
        return None
    return int(right[best]), int(down[best])


def likeness_map(one: Floats, two: Floats) -> tuple[Floats, Floats]:
    """Normalised cross-correlation over the pixels seen in both, and how many those are, for all shifts of whole
    pixels: the entry [rows + down - 1, columns + right - 1] (of `two`'s) is that of `two` lying (right, down) from
    `one`. The correlation is -1 where there are too few, or no contrast.
    """
    seen = [np.isfinite(image) for image in (one, two)]
    level = float(np.mean(one[seen[0]])) if seen[0].any() else 0.0
    values = [np.where(mask, image - level, 0.0) for mask, image in zip(seen, (one, two), strict=True)]
    shape = [a + b - 1 for a, b in zip(one.shape, two.shape, strict=True)]
    size = [fft.next_fast_len(n, real=True) for n in shape]
    here, there = (
        [np.asarray(fft.rfft2(part, size)) for part in (mask.astype(np.float64), value, value**2)]
        for mask, value in ((seen[0], values[0]), (seen[1][::-1, ::-1], values[1][::-1, ::-1]))
    )

    def summed(first: int, second: int) -> Floats:
        return np.asarray(fft.irfft2(here[first] * there[second], size))[: shape[0], : shape[1]]

    pixels = np.maximum(np.rint(summed(0, 0)), 0.0)
    n = np.maximum(pixels, 1.0)
    left, right = summed(1, 0), summed(0, 1)
    spread = np.maximum(summed(2, 0) - left**2 / n, 0.0) * np.maximum(summed(0, 2) - right**2 / n, 0.0)
    enough = (pixels >= _LEAST_PIXELS) & (spread > (1e-7 * n) ** 2)
    likeness = np.divide(summed(1, 1) - left * right / n, np.sqrt(spread), out=np.full(shape, -1.0), where=enough)
    return np.clip(likeness, -1.0, 1.0), pixels


def _noise(image: Floats) -> float:
    """Standard deviation of the noise of a pixel, from second differences along the rows, most of which see no edge."""
    second = image[:, :-2] - 2 * image[:, 1:-1] + image[:, 2:]
    known = second[np.isfinite(second)]
    return float(np.median(np.abs(known)) / 0.6745 / math.sqrt(6.0)) if known.size else 0.0


def _overlap(one: Floats, two: Floats, right: int, down: int) -> tuple[Floats, Floats]:
    """The parts of both images that coincide when the second lies (right, down) pixels from the first."""
    rows, columns = one.shape
    r0, r1 = max(down, 0), min(rows, rows + down)
    c0, c1 = max(right, 0), min(columns, columns + right)
    if r1 <= r0 or c1 <= c0:
        return one[:0, :0], two[:0, :0]
    return one[r0:r1, c0:c1], two[r0 - down : r1 - down, c0 - right : c1 - right]


# Of the noise of a pixel, what a Gaussian of 1.2 pixels leaves.
_SMOOTHING_PX, _SMOOTHED = 1.2, 0.24
# Variance of the slope of two smoothed images' mean, over that of their difference: 1 / (4 x 8 pi x 1.2^4).
_SLOPE_NOISE, _LEAST_OWN = 0.0048, 0.2


@dataclass(frozen=True)
class _Refined:
    """The part of a shift below a pixel, its information, and what is left of the difference (standard deviation)."""

    fraction_px: Floats
    information: Floats
    left: float
    log_gain: float


def _refine(one: Floats, two: Floats, start: tuple[int, int]) -> _Refined | None:
    """Sub-pixel part of the shift of two images beyond `start`; None where nothing holds it.

    Slopes are those of smooth images, differences those of the images as they are: noise in a slope then has no
    part in the difference at its own pixel, and pulls the shift nowhere, however narrow the overlap.
    """
    left, seen = _overlap(one, two, *start)
    both = np.isfinite(left) & np.isfinite(seen)
    inner = np.asarray(ndimage.binary_erosion(both, iterations=1, border_value=0), bool)
    if min(left.shape) < 4 or both.sum() < _LEAST_PIXELS or inner.sum() < _LEAST_PIXELS // 2:
        return None
    here, there = (_Grey.of(image) for image in (one, two))
    left, left_smooth = (_overlap(image, two, *start)[0] for image in (here.image, here.smooth))
    shift, information, left_over, log_gain = np.zeros(2), np.zeros((2, 2)), 0.0, 0.0
    for _ in range(_MOST_STEPS):
        # The whole of it: what lies beyond the overlap belongs to the picture too.
        moved, moved_smooth = (
            _overlap(one, np.asarray(ndimage.shift(image, (shift[1], shift[0]), order=3, mode="nearest")), *start)[1]
            for image in (there.image, there.smooth)
        )
        mean = (left_smooth + moved_smooth) / 2
        # Brightness may differ between tiles (the illumination drifts): level and gain are fitted along. Of the mean:
        # noise in one of the two alone would agree with itself in the difference.
        slopes = (-_slope(mean, 1)[inner], -_slope(mean, 0)[inner])
        design = np.column_stack((*slopes, mean[inner], np.ones(int(inner.sum()))))
        target = (left - moved)[inner]
        normal = np.asarray(design.T @ design, np.float64)
        if np.linalg.cond(normal[:2, :2]) > 1e6:
            return None
        solution = np.linalg.lstsq(design, target, rcond=None)[0]
        spread = float(np.mean((target - design @ solution) ** 2)) + 1e-12
        shape, mixed, light = normal[:2, :2], normal[:2, 2:], normal[2:, 2:]
        information = _information(shape - mixed @ np.linalg.pinv(light) @ mixed.T, spread, int(inner.sum()))
        smooth = (left_smooth - moved_smooth)[inner]
        left_over = float(np.std(smooth - design @ np.linalg.lstsq(design, smooth, rcond=None)[0]))
        log_gain = math.log(max(float(left[inner].sum()), 1e-9) / max(float(moved[inner].sum()), 1e-9))
        shift = shift + np.clip(solution[:2], -0.7, 0.7)
        if np.abs(solution[:2]).max() < 1e-3:
            break
    return _Refined(shift, information, left_over, log_gain)


def _information(held: Floats, spread: float, pixels: int) -> Floats:
    """Inverse covariance of a shift that slopes hold; what noise alone adds to their squares holds nothing.

    The sandwich H V^-1 H: H is what the picture's own slopes hold, V the scatter of what was summed up.
    """
    values, axes = np.linalg.eigh(held)
    values = np.maximum(values, 1e-12)
    own = np.maximum(values - pixels * _SLOPE_NOISE * spread, _LEAST_OWN * values)
    return (axes * (own**2 / values / spread)) @ axes.T


@dataclass(frozen=True)
class _Grey:
    """A picture without holes, and the same with less noise."""

    image: Floats
    smooth: Floats

    @classmethod
    def of(cls, image: Floats) -> _Grey:
        seen = np.isfinite(image)
        filled = np.where(seen, image, float(np.mean(image[seen])) if seen.any() else 0.0)
        return cls(filled, np.asarray(ndimage.gaussian_filter(filled, _SMOOTHING_PX), np.float64))


def _slope(image: Floats, axis: int) -> Floats:
    return np.asarray(np.gradient(image, axis=axis), np.float64)
