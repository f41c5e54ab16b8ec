"""Transmissions that somebody else made: with which power of them their noise grows, and what may have been done.

The variance of photon noise goes with the transmission; that of its square root not at all, of a power of it above one
faster. Noise that was put there evenly, or a camera's that outweighs the photons', looks as that of a root.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from xrm_control.processing.trust.neighbouring_views import NeighbouringViews, inside, middle_rows, middles
from xrm_control.processing.trust.noise_levels import MOST_FIVES, PIXELS, NoiseSamples
from xrm_control.processing.trust.proportion import NoisePower, power_of_samples
from xrm_control.reconstruction.scan import ScanData

_UNSURE = 0.25
_LEAST_T, _LEAST_NOISE = 1e-3, 1e-4
_STEEPER, _SIGMAS, _FLATTER, _FLATTER_SIGMAS = 0.15, 3.0, 0.3, 2.5


def transmission_noise(scan: ScanData) -> NoisePower | None:
    """The power above one, and its standard uncertainty; None of views that have hardly two levels, or no noise."""
    count, rows, columns = scan.projections.shape
    if not scan.normalised or count < 5 or min(rows, columns) < 3:
        return None
    band, one = middle_rows(rows), np.ones(1, np.float32)
    size = (band.stop - band.start) * columns
    found: list[tuple[NDArray[np.float32], ...]] = []
    for middle in middles(count, size, reach=2, pixels=PIXELS, most=MOST_FIVES).tolist():
        seen = np.asarray(scan.projections[middle - 2 : middle + 3, band], np.float32)
        views = NeighbouringViews.of(middle, seen, one)
        around = np.maximum(views.around, _LEAST_T)
        usual = np.sqrt(around)
        pixels = views.roughness(usual), views.roughness(usual, step=2), views.steepness(usual), *[inside(around)] * 3
        found.append(tuple(np.asarray(one, np.float32).ravel() for one in pixels))
    samples = NoiseSamples(*(np.concatenate(one) for one in zip(*found, strict=True)))
    if float(np.median(np.abs(samples.near))) < _LEAST_NOISE:
        return None
    return power_of_samples(samples)


def noise_note(scan: ScanData) -> tuple[str, ...]:
    """The figure, where noise does not go as that of photons and nothing says why; or that it tells nothing."""
    found = transmission_noise(scan)
    if found is not None and found.u > _UNSURE:
        return (
            f"noise does not tell whether these are transmissions: its variance goes with their power "
            f"{1 + found.excess:.2f} (uncertain by {found.u:.2f}), that of photons with 1, that of roots with 0",
        )
    if found is None or found.excess > -_FLATTER - _FLATTER_SIGMAS * found.u:
        return ()
    return (
        f"the noise of these transmissions does not grow with the light: its variance goes with their power "
        f"{1 + found.excess:.2f} (uncertain by {found.u:.2f}), that of photons with 1: roots of transmissions (then "
        "attenuation is half of what it should be), even noise, or a camera's",
    )


def steeper(scan: ScanData) -> str:
    """What speaks against transmissions whose noise grows faster than that of photons; "" for nothing."""
    found = transmission_noise(scan)
    if found is None or found.excess <= _STEEPER + _SIGMAS * found.u:
        return ""
    gamma = 1 / (1 - found.excess) if found.excess < 1 else math.inf
    return (
        f"these are no transmissions as they were measured: the variance of their noise goes with their power "
        f"{1 + found.excess:.2f}, that of photons with 1 (limit {1 + _STEEPER + _SIGMAS * found.u:.2f}), as of a gamma "
        f"of {gamma:.2g}; attenuation is then wrong by as much"
    )
