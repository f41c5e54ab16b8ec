"""How large the noise is, and so how closely a solution should meet the data: no closer (Morozov 1966)."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

Noise = Annotated[float, Field(ge=0, le=100)] | Literal["auto"]

_NORMAL_MAD = 0.6745  # median of the absolute value of a normal variable of unit variance
_ORDER = 4  # of differences: what is smooth over five columns is not noise


def noise_of(sinograms: NDArray[np.float32], noise: float | Literal["auto"]) -> NDArray[np.float64]:
    """sinograms (rows, n, columns) -> (rows,) standard deviation of one line integral: `noise`, or as data show it."""
    return noise_levels(sinograms) if noise == "auto" else np.full(len(sinograms), float(noise))


def noise_levels(sinograms: NDArray[np.float32]) -> NDArray[np.float64]:
    """sinograms (rows, n, columns) -> (rows,) standard deviation of white noise, from fourth differences along the
    detector, their median so that edges do not count. 0 where there are fewer than five columns.
    """
    if sinograms.shape[2] <= _ORDER:
        return np.zeros(len(sinograms))
    bend = np.abs(np.diff(sinograms, _ORDER, axis=2)).reshape(len(sinograms), -1)
    gain = math.sqrt(math.comb(2 * _ORDER, _ORDER))
    return np.median(bend, axis=1).astype(np.float64) / (_NORMAL_MAD * gain)
