"""The noise of the views at the counts that they have, held against what photons and camera make.

What the sample leaves in second differences grows with the distance of the views at least as its square, noise does
not: two distances tell them apart where views lie close together, and the smoothest places are looked at alone.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.processing.trust.neighbouring_views import (
    APART,
    OF_MEDIAN,
    band_of,
    expected_counts,
    inside,
    neighbouring_views,
    variance,
)
from xrm_control.reconstruction.filters import local_means
from xrm_control.reconstruction.scan import ScanData

PIXELS, MOST_FIVES = 64 * 128**2, 200
_LEVEL_PX = 3
_OF_THREE = np.array([1, 4, 1], np.float32) / 6
_LEAST, _LEAST_SMOOTH = 400, 150  # pixels of a level
_SMOOTHEST = 0.25

Values = NDArray[np.float32]


@dataclass(frozen=True)
class NoiseSamples:
    """Pixels (n,) of some views. near, far: second differences over neighbouring views, and over every second one, in
    standard deviations expected; steep: of the surroundings, in the same; transmission and
    expected: of the surroundings, the latter the variance in counts squared; counts: of all light, with the stray light
    that was taken off.
    """

    near: Values
    far: Values
    steep: Values
    transmission: Values
    expected: Values
    counts: Values


@dataclass(frozen=True)
class NoiseLevels:
    """Means (k,) of pixels of like counts. at: as asked for; counts: of all light; ratio: variance over the expected
    one; variances: in counts squared; weight: inverse of its relative variance."""

    at: NDArray[np.float64]
    counts: NDArray[np.float64]
    ratio: NDArray[np.float64]
    variances: NDArray[np.float64]
    weight: NDArray[np.float64]

    def where(self, chosen: NDArray[np.bool_]) -> NoiseLevels:
        """Some of them; chosen (k,)."""
        return NoiseLevels(*(np.asarray(value)[chosen] for value in vars(self).values()))


def noise_samples(evidence: RegionEvidence) -> NoiseSamples | None:
    """Of views that have flats; None without, and for fewer than five views."""
    scan, references = evidence.scan, evidence.references
    if references is None or len(scan.projections) < 5:
        return None
    part = references.of_rows(band_of(evidence))
    sound, camera = inside(~part.bad), replace(part, taken_counts=0.0)
    found: list[tuple[Values, ...]] = []
    for views in neighbouring_views(evidence, part, reach=2, pixels=PIXELS, most=MOST_FIVES):
        # As second differences weigh the three views: edge-on, a layer is dark in one of them alone.
        level = local_means(np.tensordot(_OF_THREE, views.seen[1:4], 1), _LEVEL_PX)
        stray = _stray_counts(scan, float(views.around.mean()))
        expected = expected_counts(camera, views.counts() + stray)
        usual = np.sqrt(expected) / views.full
        pixels = views.roughness(usual), views.roughness(usual, step=2), views.steepness(usual)
        counts = np.maximum(level, 0) * views.full + stray
        pixels += tuple(inside(one) for one in (views.around, expected, counts))
        found.append(tuple(np.asarray(one[sound], np.float32) for one in pixels))
    return NoiseSamples(*(np.concatenate(one) for one in zip(*found, strict=True)))


def _stray_counts(scan: ScanData, transmitted: float) -> float:
    """What was taken off a view that is so bright in the mean."""
    stray = scan.stray
    return 0.0 if stray is None else max(stray.even_counts, 0.0) + stray.share * transmitted * stray.beam_counts


def noise_levels(
    samples: NoiseSamples, at: NDArray[np.floating], edges: NDArray[np.floating], steepest: float | None = None
) -> NoiseLevels:
    """Levels between neighbouring `edges` (k + 1,) of `at` (n,); those that hold too few pixels are left out.

    steepest: of the places that are looked at, in standard deviations of the noise; None: the smoothest quarter.
    """
    found: list[tuple[float, ...]] = []
    for low, high in itertools.pairwise(edges):
        here = (at >= low) & (at < high)
        if np.count_nonzero(here) < _LEAST:
            continue
        here &= samples.steep <= (np.quantile(samples.steep[here], _SMOOTHEST) if steepest is None else steepest)
        pixels = int(np.count_nonzero(here))
        if pixels < _LEAST_SMOOTH:
            continue
        near, far = variance(samples.near[here]), variance(samples.far[here])
        noise = near - max(far - near, 0.0) / 3
        if noise > 0:
            weight = pixels / (OF_MEDIAN**2 * APART)
            means = (float(one[here].mean(dtype=np.float64)) for one in (at, samples.counts, samples.expected))
            place, counts, expected = means
            found.append((place, counts, noise, noise * expected, weight))
    return NoiseLevels(*(np.array(found, float).reshape(-1, 5).T))
