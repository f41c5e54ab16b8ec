"""Light that arrives where it does not belong."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_REACH = 6.0  # lengths, beyond which 2 % of the tail are left out


def spread(photons: NDArray[np.float64], pixel_um: float, share: float, length_um: float) -> NDArray[np.float64]:
    """A share of each pixel's light falls off exponentially about it, edges mirrored; the sum stays."""
    reach = min(math.ceil(_REACH * length_um / pixel_um), min(photons.shape) - 1)
    padded = np.pad(photons, reach, mode="symmetric")
    shape = padded.shape[0], padded.shape[1]
    tail = np.fft.irfft2(np.fft.rfft2(padded) * _transfer(shape, reach, length_um / pixel_um), shape)
    rows, columns = photons.shape
    return (1.0 - share) * photons + share * tail[reach : reach + rows, reach : reach + columns]


@lru_cache(maxsize=4)
def _transfer(shape: tuple[int, int], reach: int, length_px: float) -> NDArray[np.complex128]:
    """Of the kernel exp(-r / length) within reach, about pixel (0, 0), with a sum of 1."""
    along = np.arange(-reach, reach + 1)
    kernel = np.exp(-np.hypot(along[:, None], along) / length_px)
    whole = np.zeros(shape)
    whole[np.ix_(along, along)] = kernel / kernel.sum()
    return np.fft.rfft2(whole)
