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
from xrm_control.processing.trust.photon_noise import expected_counts, inside, roughness
from xrm_control.reconstruction.filters import local_means, steepness
from xrm_control.reconstruction.preprocess import transmission
from xrm_control.reconstruction.scan import ScanData

_PIXELS, _MOST_FIVES, _MOST_ROWS = 64 * 128**2, 200, 256
_AROUND_PX, _LEVEL_PX = 5, 3
_OF_THREE = np.array([1, 4, 1], np.float32) / 6
_LEAST, _LEAST_SMOOTH = 400, 150  # pixels of a level
_SMOOTHEST = 0.25
_SIGMA, _OF_MEDIAN, _APART = 0.6745, 2.34, 3.0

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
    count, rows, _ = scan.projections.shape
    if references is None or count < 5:
        return None
    first = max((rows - _MOST_ROWS) // 2, 0)
    band = slice(first, min(first + _MOST_ROWS, rows))
    part = references.of_rows(band)
    beam, sound = part.beams.mean(axis=0), inside(~part.bad)
    camera = replace(part, taken_counts=0.0)
    # As they were taken: what is moved is smoothed too.
    spec = evidence.spec.preprocess.model_copy(update={"apply_shifts": False})
    fives = min(max(_PIXELS // part.dark.size, 8), _MOST_FIVES)
    found: list[tuple[Values, ...]] = []
    for middle in np.unique(np.linspace(2, count - 3, fives).round().astype(np.int64)):
        five = np.arange(int(middle) - 2, int(middle) + 3)
        seen = transmission(scan, spec, rows=band, views=five, references=references).values
        around = local_means(seen[1:4].mean(axis=0), _AROUND_PX)
        # As second differences weigh the three views: edge-on, a layer is dark in one of them alone.
        level = local_means(np.tensordot(_OF_THREE, seen[1:4], 1), _LEVEL_PX)
        light = 1.0 if scan.light is None or scan.flat_light is None else scan.light[middle] / np.mean(scan.flat_light)
        full, stray = beam * np.float32(light), _stray_counts(scan, float(around.mean()))
        expected = expected_counts(camera, np.maximum(around, 0) * full + stray)
        usual = np.sqrt(expected) / full
        near, far = (roughness(views, (0, 1, 2))[0] / inside(usual) for views in (seen[1:4], seen[::2]))
        pixels = near, far, inside(steepness(around, _AROUND_PX) / usual)
        counts = np.maximum(level, 0) * full + stray
        pixels += tuple(inside(one) for one in (around, expected, counts))
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
        near, far = _variance(samples.near[here]), _variance(samples.far[here])
        noise = near - max(far - near, 0.0) / 3
        if noise > 0:
            weight = pixels / (_OF_MEDIAN**2 * _APART)
            means = (float(one[here].mean(dtype=np.float64)) for one in (at, samples.counts, samples.expected))
            place, counts, expected = means
            found.append((place, counts, noise, noise * expected, weight))
    return NoiseLevels(*(np.array(found, float).reshape(-1, 5).T))


def _variance(values: NDArray[np.floating]) -> float:
    """By the median, which few steep edges do not move."""
    return float((np.median(np.abs(values)) / _SIGMA) ** 2)
