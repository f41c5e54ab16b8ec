"""From transmission to the thickness of the powder: Beer-Lambert, less the tape and the drift of the illumination."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import AnalysisError
from xrm_control.roi.tape_level import tape_level

Floats = NDArray[np.float64]

_OPAQUE = 1e-3
"""Transmission below which nothing more can be read from a pixel."""

SPREAD_UM = 15.0
"""Reach of the background's mean: shorter than the illumination varies over, longer than the gaps are apart."""

_DRIFT = 0.07
"""How far the open beam may drift between the flats and a tile, relative."""

_LEAST_BRIGHT = 0.025
"""Optical depth that an air bubble takes away, at least."""

_OPEN_BEAM = 0.3
"""Share of a side of the picture that no bubble reaches: what does is the open beam beside the strip."""

_BUBBLE_REACH_UM, _FLOOR_REACHES_UM, _LEAST_FREE = 10.0, (8.0, 4.0, 2.0, 1.0), 0.15
"""How far about a bubble its floor is looked for beneath powder; over what it is averaged there, from the widest down,
and the share that must be free of powder for the next.
"""

_RIM_UM = 1.0
_FLOOR_KNOWN = 0.2
"""To which share of it the floor of a bubble is known."""

_SMOOTH_PX, _WIDE_PX = 1.0, 3.0
"""Reach of the mean that the levels are read from, and of the one that shows what is brighter than the tape."""


@dataclass(frozen=True)
class ThicknessMap:
    """Path through the powder in um (rows, columns), 0 where nothing was seen; its variance in um2 (infinite there).

    bright_um: by how much it is brighter than the tape about it, as path (rows, columns), 0 where it is not, or where
    that is the open beam beside the strip; floor_um: what was added for that, in bubbles and beneath what lies over
    them, as path (rows, columns), not below 0; bright_share: of what was seen is so, and reaches no side; drift: how
    far the tape's level varies, as optical depth (94 % of the view).
    """

    thickness_um: Floats
    variance_um2: Floats
    bright_um: Floats
    floor_um: Floats
    bright_share: float = 0.0
    drift: float = 0.0


def thickness_map(transmission: Floats, pixel_size_um: float, mu_per_um: float) -> ThicknessMap:
    """Thickness of the powder above its tape.

    transmission: (rows, columns), NaN where nothing was seen. The background is the image's own level
    where no particle is, followed as it drifts. Photon noise is measured there and grows as 1 / transmission.
    Raises AnalysisError when no pixel is usable.
    """
    seen = np.isfinite(transmission)
    if not seen.any():
        raise AnalysisError("the mosaic holds no usable pixel", where="mosaic", remedy="check shutter and flats")
    clipped = np.clip(np.where(seen, transmission, 1.0), _OPAQUE, None)
    path = np.where(seen, -np.log(clipped) / mu_per_um, 0.0)
    smooth = mean_over(path, seen, _SMOOTH_PX)
    background, empty = _background(path, smooth, seen, pixel_size_um, _DRIFT / mu_per_um)
    noise = _noise(path, empty)
    # Beyond the tape it is brighter than the background: no powder there, but nothing negative either.
    bare = smooth < background - np.maximum(2 * noise, _DRIFT / mu_per_um)
    above = path - background
    thickness = np.where(seen & ~bare, above, 0.0)
    variance = noise**2 * np.maximum(np.exp(-mu_per_um * background) / clipped, 1.0)
    low, high = np.percentile(background[seen], (3, 97))
    least_um = _LEAST_BRIGHT / mu_per_um
    bright = _bright(above, seen, noise, least_um)
    share = float(_within(bright)[seen].mean())
    drift = float(high - low) * mu_per_um
    bubbles = _within(bright, _OPEN_BEAM)
    floor = np.zeros(above.shape)
    if bubbles.any():
        floor = _floor(above, seen, bubbles, least_um, pixel_size_um)
        thickness = np.where(seen & ~(bare & (floor == 0)), above - floor, 0.0)
        variance = variance + (_FLOOR_KNOWN * floor) ** 2
    brighter = np.where(bubbles, -mean_over(above, seen, _WIDE_PX), 0.0)
    return ThicknessMap(thickness, np.where(seen, variance, np.inf), brighter, -floor, share, drift)


def _floor(
    above: Floats, seen: NDArray[np.bool_], bubbles: NDArray[np.bool_], least_um: float, pixel_um: float
) -> Floats:
    """By how much less than the tape a bubble holds back (rows, columns), not above 0: in the bubbles and beneath what
    lies over them or their edges, as the nearest that is free of powder tells.
    """
    from scipy import ndimage

    near = np.asarray(ndimage.binary_dilation(bubbles, iterations=round(_BUBBLE_REACH_UM / pixel_um)), bool)
    smooth = mean_over(above, seen, _SMOOTH_PX)
    # Over a bubble the rim of a particle is no higher than the tape; what is pushed aside is lower than it is deep.
    powder = seen & (smooth > -float(np.percentile(smooth[bubbles], 5)))
    rims = np.asarray(ndimage.binary_dilation(powder, iterations=max(1, round(_RIM_UM / pixel_um))), bool)
    free = seen & (smooth < least_um) & ~rims
    floor = np.zeros(above.shape)
    # From afar to close by, wherever there is enough.
    for sigma_um in _FLOOR_REACHES_UM:
        told = ndimage.gaussian_filter(free.astype(np.float64), sigma_um / pixel_um) > _LEAST_FREE
        floor = np.where(told, mean_over(above, free, sigma_um / pixel_um), floor)
    return np.where(near & seen, np.minimum(floor, 0.0), 0.0)


def _bright(path: Floats, seen: NDArray[np.bool_], noise: float, least_um: float) -> NDArray[np.bool_]:
    """Where it is brighter than the tape over several pixels."""
    least = max(least_um, 5 * noise / (2 * np.sqrt(np.pi) * _WIDE_PX))
    return seen & (mean_over(path, seen, _WIDE_PX) < -least)


def _within(bright: NDArray[np.bool_], most_of_side: float = 0.0) -> NDArray[np.bool_]:
    """Without what reaches the picture's sides, over more than a share of one."""
    from scipy import ndimage

    labels = np.zeros(bright.shape, np.int32)
    ndimage.label(bright, output=labels)
    count = int(labels.max()) + 1
    shares = [np.bincount(labels[:, at], minlength=count) / len(labels) for at in (0, -1)]
    reaching = np.max(shares, axis=0) > most_of_side
    return bright & ~reaching[labels]


def mean_over(image: Floats, mask: NDArray[np.bool_], sigma: float, otherwise: Floats | float = 0.0) -> Floats:
    """Gaussian mean over the pixels of the mask; `otherwise` where (nearly) none is within reach."""
    from scipy import ndimage

    # A wide Gaussian is taken on sums over blocks, much smaller than itself.
    n = max(1, int(sigma / 6))
    rows, columns = (-(-size // n) * n for size in image.shape)
    sums = np.zeros((2, rows, columns))
    sums[0, : image.shape[0], : image.shape[1]] = mask
    sums[1, : image.shape[0], : image.shape[1]] = np.where(mask, image, 0.0)
    sums = sums.reshape(2, rows // n, n, columns // n, n).mean(axis=(2, 4))
    share, total = (ndimage.gaussian_filter(part, sigma / n, mode="constant") for part in sums)
    known = share > 1e-3
    mean = np.divide(total, share, out=np.zeros_like(total), where=known)
    place = np.ix_(*(np.arange(size) // n for size in image.shape))
    return np.where(known[place], mean[place], otherwise)


def _background(
    path: Floats, smooth: Floats, seen: NDArray[np.bool_], pixel_size_um: float, drift_um: float
) -> tuple[Floats, NDArray[np.bool_]]:
    """The level without powder, and the pixels it was read from."""
    noise = _noise(path, seen) / (2 * np.sqrt(np.pi) * _SMOOTH_PX)
    overall = tape_level(smooth, seen, drift_um, noise, pixel_size_um)
    level = np.full(path.shape, overall)
    window = drift_um
    empty = seen
    for _ in range(3):
        chosen = seen & (np.abs(smooth - level) < window)
        if not chosen.any():
            break
        empty = chosen
        level = mean_over(path, empty, SPREAD_UM / pixel_size_um, otherwise=overall)
        spread = 1.4826 * float(np.median(np.abs((smooth - level)[empty])))
        window = min(window, max(3 * spread, 1e-6))
    return level, empty


def _noise(path: Floats, where: NDArray[np.bool_]) -> float:
    """Standard deviation of the white noise, from differences of neighbours (median, so edges do not matter)."""
    pairs = where[:, 1:] & where[:, :-1]
    if pairs.sum() < 16:
        return 1e-2
    differences = (path[:, 1:] - path[:, :-1])[pairs]
    return max(1.4826 * float(np.median(np.abs(differences))) / np.sqrt(2), 1e-2)
