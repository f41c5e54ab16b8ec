"""From transmission to the thickness of the powder: Beer-Lambert, less the tape and the drift of the illumination."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from xrm_control.core.errors import AnalysisError

Floats = NDArray[np.float64]

_OPAQUE = 1e-3
"""Transmission below which nothing more can be read from a pixel."""

_BLOCK_UM = 32.0
_SPREAD_UM = 15.0


@dataclass(frozen=True)
class ThicknessMap:
    """Path through the powder in um (rows, columns), 0 where nothing was seen; its variance in um2 (infinite there)."""

    thickness_um: Floats
    variance_um2: Floats


def thickness_map(transmission: Floats, pixel_size_um: float, mu_per_um: float) -> ThicknessMap:
    """Thickness of the powder above its tape.

    transmission: (rows, columns), NaN where nothing was seen. The background is the image's own: the locally
    brightest level, found where no particle is. Photon noise is measured there and grows as 1 / transmission.
    Raises AnalysisError when no pixel is usable.
    """
    seen = np.isfinite(transmission)
    if not seen.any():
        raise AnalysisError("the mosaic holds no usable pixel", where="mosaic", remedy="check shutter and flats")
    clipped = np.clip(np.where(seen, transmission, 1.0), _OPAQUE, None)
    path = np.where(seen, -np.log(clipped) / mu_per_um, 0.0)
    smooth = _mean_over(path, seen, 1.0)
    background, empty = _background(path, smooth, seen, pixel_size_um)
    noise = _noise(path, empty)
    thickness = np.where(seen, path - background, 0.0)
    bright = np.exp(-mu_per_um * background)
    variance = noise**2 * np.maximum(bright / clipped, 1.0)
    return ThicknessMap(thickness, np.where(seen, variance, np.inf))


def _mean_over(image: Floats, mask: NDArray[np.bool_], sigma: float, otherwise: Floats | float = 0.0) -> Floats:
    """Gaussian mean over the pixels of the mask; `otherwise` where (nearly) none is within reach."""
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
    spread = tuple(np.minimum(np.arange(size) // n, parts - 1) for size, parts in zip(image.shape, mean.shape, strict=True))
    place = np.ix_(*spread)
    return np.where(known[place], mean[place], otherwise)


def _background(
    path: Floats, smooth: Floats, seen: NDArray[np.bool_], pixel_size_um: float
) -> tuple[Floats, NDArray[np.bool_]]:
    """The level without powder, and the pixels it was read from."""
    low = _block_level(smooth, seen, max(4, round(_BLOCK_UM / pixel_size_um)))
    spread = max(_noise(smooth, seen & (smooth < low + np.ptp(low) + 1e-9)), 1e-6)
    empty = seen & (smooth < low + 4 * spread)
    level = low
    for _ in range(2):
        level = _mean_over(path, empty, _SPREAD_UM / pixel_size_um, otherwise=low)
        spread = max(1.4826 * float(np.median(np.abs((smooth - level)[empty]))), 1e-6)
        empty = seen & (np.abs(smooth - level) < 3 * spread)
        if not empty.any():
            return low, seen
    return level, empty


def _block_level(smooth: Floats, seen: NDArray[np.bool_], block: int) -> Floats:
    """A low percentile of every block of pixels, spread over the block."""
    rows, columns = (max(1, round(n / block)) for n in smooth.shape)
    r = np.minimum(np.arange(smooth.shape[0]) * rows // smooth.shape[0], rows - 1)
    c = np.minimum(np.arange(smooth.shape[1]) * columns // smooth.shape[1], columns - 1)
    overall = float(np.percentile(smooth[seen], 5))
    level = np.full((rows, columns), overall)
    for i in range(rows):
        for j in range(columns):
            part = np.ix_(r == i, c == j)
            values = smooth[part][seen[part]]
            if values.size >= 16:
                level[i, j] = np.percentile(values, 5)
    # A block that is covered throughout borrows the level of its neighbours.
    around = ndimage.median_filter(level, size=3, mode="nearest")
    return np.minimum(level, around + 0.5)[np.ix_(r, c)]


def _noise(path: Floats, where: NDArray[np.bool_]) -> float:
    """Standard deviation of the white noise, from differences of neighbours (median, so edges do not matter)."""
    pairs = where[:, 1:] & where[:, :-1]
    if pairs.sum() < 16:
        return 1e-2
    differences = (path[:, 1:] - path[:, :-1])[pairs]
    return max(1.4826 * float(np.median(np.abs(differences))) / np.sqrt(2), 1e-2)
