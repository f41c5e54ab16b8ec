"""Which voids would have been found in this volume? Some of known size are put into it, and looked for as all are.

Probability of detection by size, hit or miss (Berens 1989; MIL-HDBK-1823A): balls of nothing, blurred as the volume's
edges are, are taken from the grey of sound solid at random places, so that threshold, flooding, least size and the
noise at that very place decide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.crop import ParticleCrop
from xrm_control.analysis.distance import depth_of
from xrm_control.analysis.greyvolume import expected_share
from xrm_control.analysis.statistics import wilson
from xrm_control.analysis.void_measures import blurred_ball
from xrm_control.analysis.void_significance import LEAST_SIGNIFICANCE, SolidNoise, significance
from xrm_control.analysis.voids import VoidSpec, find_voids, void_zones
from xrm_control.contracts.quality import VoidDetection
from xrm_control.contracts.tables import INTERNAL

DIAMETERS_VOXELS = (2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0)
WALL_VOXELS = 2.0
TRIED = 36
"""Of each size: all of them found say 90 % at least, with 95 % confidence."""
_MOST_HOSTS = 24
_LEAST_PLACES = 200


@dataclass(frozen=True)
class _Host:
    """A whole particle, and how deep (z, y, x) each voxel of its sound solid lies below all surfaces, in voxels."""

    crop: ParticleCrop
    depth: NDArray[np.float32]


def void_detection(
    crops: Sequence[ParticleCrop], noise: SolidNoise | None, spec: VoidSpec, seed: int
) -> tuple[VoidDetection, ...]:
    """By size, smallest first, up to the first of which all were found; nothing where no particle can hold any.

    Walls are of `WALL_VOXELS` and more.
    """
    random = np.random.default_rng([seed, 1823])
    hosts = [_host(crop) for crop in _chosen(crops)]
    found: list[VoidDetection] = []
    for diameter in DIAMETERS_VOXELS:
        room = [np.argwhere(host.depth >= diameter / 2 + WALL_VOXELS) for host in hosts]
        ends = np.cumsum([len(places) for places in room])
        if not len(ends) or ends[-1] < _LEAST_PLACES:
            break
        hits = 0
        for pick in random.integers(0, ends[-1], TRIED):
            which = int(np.searchsorted(ends, pick, side="right"))
            place = room[which][pick - ends[which]] + random.uniform(-0.5, 0.5, 3)
            hits += _is_found(hosts[which].crop, place, diameter / 2, noise, spec)
        low, high = wilson(hits / TRIED, TRIED)
        size_um = diameter * hosts[0].crop.voxel_um
        found.append(VoidDetection(diameter_um=size_um, tried=TRIED, found=hits, low=low, high=high))
        if hits == TRIED:
            break
    return tuple(found)


def found_from_um(found: Sequence[VoidDetection], share: float) -> float | None:
    """The diameter from which on this share was found, between the sizes that were tried; None where none was."""
    shares = np.maximum.accumulate([one.found / one.tried for one in found]) if found else np.empty(0)
    if not shares.size or shares[-1] < share:
        return None
    at = int(np.argmax(shares >= share))
    if at == 0:
        return found[0].diameter_um
    part = (share - shares[at - 1]) / (shares[at] - shares[at - 1])
    return found[at - 1].diameter_um + float(part) * (found[at].diameter_um - found[at - 1].diameter_um)


def _chosen(crops: Sequence[ParticleCrop]) -> list[ParticleCrop]:
    """Whole ones of all sizes: of the sorted, each so many-th."""
    whole = sorted(
        (one for one in crops if not (one.touches_rows or one.touches_cylinder)), key=lambda one: -one.voxels
    )
    return whole[:: math.ceil(max(len(whole), 1) / _MOST_HOSTS)]


def _host(crop: ParticleCrop) -> _Host:
    blocked = (crop.voids.labels > 0) | ~crop.envelope | crop.cracks.beside
    return _Host(crop, depth_of(~blocked).astype(np.float32))


def _is_found(
    crop: ParticleCrop, place: NDArray[np.float64], radius: float, noise: SolidNoise | None, spec: VoidSpec
) -> bool:
    """Whether a void of this radius at this place (z, y, x), in voxels of the box, would count.

    The blur is the one along interpolated rays, a little wide: a voxel averages, too, and nothing is promised too
    early.
    """
    sigma = crop.blur_voxels
    half = math.ceil(radius + 3 * sigma) + 3
    middle = np.round(place).astype(int)
    box = tuple(slice(max(m - half, 0), min(m + half + 1, n)) for m, n in zip(middle, crop.grey.shape, strict=True))
    grids = np.ogrid[box]
    distance = np.sqrt(sum((grid - c) ** 2 for grid, c in zip(grids, place, strict=True)))
    levels = crop.levels
    grey = crop.grey[box] - (levels.contrast_per_um * blurred_ball(distance, radius, sigma)).astype(np.float32)
    solid = (crop.solid | crop.cracks.opened)[box] & ((grey > levels.middle_of(crop.ground[box])) | (distance > half))
    seen = find_voids(solid, spec)
    numbers = np.unique(seen.labels[distance <= radius + 1])
    numbers = [int(one) for one in numbers if one and seen.kinds[one - 1] in INTERNAL]
    if not numbers:
        return False
    if noise is None:
        return True
    share = (grey - levels.background_per_um) / levels.contrast_per_um
    missing = (expected_share(seen.envelope, crop.blur_voxels) - share).astype(np.float32)
    zones = void_zones(seen.labels, seen.envelope, crop.reach_voxels)
    return any(
        significance(seen.labels == one, (seen.labels == one) | (zones == one), missing, crop.blur_voxels, noise)
        >= LEAST_SIGNIFICANCE
        for one in numbers
    )
