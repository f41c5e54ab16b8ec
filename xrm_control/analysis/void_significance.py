"""Is a void more than noise? Each is held against what sound solid of the same volume shows without one.

Noise of a reconstruction is not white: views that few photons pass leave streaks, along which it hangs together over
many voxels, and a streak's dark end crosses the threshold as a small void does. The amplitude of a void is therefore
estimated by the filter that is best in noise of this covariance (generalised least squares: the matched filter for
coloured noise, Kay 1993; the Hotelling observer of CT, Barrett and Myers 2004). Its spread is not computed from a model
but seen: the same filter, laid over sound solid elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.crop import ParticleCrop
from xrm_control.analysis.greyvolume import BoxLevels, expected_share
from xrm_control.analysis.reach import deeper
from xrm_control.analysis.threshold import BoolVolume
from xrm_control.analysis.void_measures import blurred_ball, grey_blur_voxels
from xrm_control.analysis.voids import VoidLabels, void_zones

LEAST_SIGNIFICANCE = 6.0
"""Standard deviations: among the 10^5 places of a scan's solid noise alone reaches 4.5, and 5 where streaks are."""

_SURE = 2 * LEAST_SIGNIFICANCE
_LAGS = 7
_NUGGET = 0.2
"""Of the variance, white, added to the covariance: no filter may live on differences that it is not known to hold."""
_MOST_CROPS, _MOST_VOXELS, _PLACES = 32, 150, 2000
_LEAST_PLACES, _LEAST_SOUND, _LEAST_COVER = 100, 2000, 0.9
_LARGEST_LIMIT = 10.0
_OF_PROMISE = 1.5
_LEAST_PAIRS = 0.01


@dataclass(frozen=True)
class SolidNoise:
    """What is missing in sound solid, as a share of the contrast, in particles laid into one volume.

    missing (z, y, x) float32; sound: where it is known; places (n, 3): voxels at random in it; covariance: at lags of
    up to `_LAGS` voxels, zero lag in the middle.
    """

    missing: NDArray[np.float32]
    sound: BoolVolume
    places: NDArray[np.intp]
    covariance: NDArray[np.float64]

    @property
    def deviation(self) -> float:
        """Standard deviation of one voxel."""
        return math.sqrt(max(float(self.covariance[_LAGS, _LAGS, _LAGS]), 0.0))

    @property
    def together(self) -> float:
        """Voxels that hang together at most: by what the variance of a sum over many exceeds that of white noise."""
        variance = float(self.covariance[_LAGS, _LAGS, _LAGS])
        return max(float(np.clip(self.covariance, 0, None).sum()) / variance, 1.0) if variance > 0 else 1.0

    def filter_of(self, offsets: NDArray[np.intp], template: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        """Weights (n,) of the voxels `offsets` (n, 3) that estimate the amplitude of `template` (n,) best, and the
        standard deviation that the covariance promises."""
        lags = offsets[:, None] - offsets[None]
        z, y, x = np.moveaxis(np.clip(lags, -_LAGS, _LAGS) + _LAGS, -1, 0)
        matrix = np.where(np.abs(lags).max(-1) <= _LAGS, self.covariance[z, y, x], 0.0)
        values, axes = np.linalg.eigh(matrix)
        values = np.maximum(values, 0.0) + _NUGGET * self.covariance[_LAGS, _LAGS, _LAGS]
        weights = axes @ ((axes.T @ template) / values)
        information = float(weights @ template)
        return weights / information, 1 / math.sqrt(information)

    def spread_of(self, offsets: NDArray[np.intp], weights: NDArray[np.float64]) -> float | None:
        """Standard deviation of the filter's answer where there is nothing; None where too little solid holds it."""
        shape = np.array(self.sound.shape)
        within = ((self.places + offsets.min(0) >= 0) & (self.places + offsets.max(0) < shape)).all(1)
        # By one number a voxel instead of three: a large void has a million of them.
        strides = np.array([shape[1] * shape[2], shape[2], 1])
        at = (self.places[within] @ strides)[:, None] + (offsets @ strides)[None]
        cover = self.sound.ravel().take(at) @ np.abs(weights)
        enough = cover >= _LEAST_COVER * float(np.abs(weights).sum())
        if np.count_nonzero(enough) < _LEAST_PLACES:
            return None
        answers = self.missing.ravel().take(at[enough]) @ weights
        return float(np.sqrt(np.mean(answers**2)))


def solid_noise(crops: Sequence[ParticleCrop], seed: int) -> SolidNoise | None:
    """Noise of the solid of these particles; None where there is too little of it, or none at all (a mask)."""
    chosen = sorted(crops, key=lambda crop: -crop.voxels)
    chosen = chosen[:: max(len(chosen) // _MOST_CROPS, 1)][:_MOST_CROPS]
    boxes = [_missing_in(crop) for crop in chosen]
    shape = np.max([sound.shape for _, sound in boxes], axis=0)
    # One above the other, with room between them, so that nothing is laid over two.
    missing = np.zeros((len(boxes), shape[0] + _LAGS, *shape[1:]), np.float32)
    sounds = np.zeros(missing.shape, bool)
    products = np.zeros((2 * _LAGS + 1,) * 3)
    pairs = np.zeros_like(products)
    for number, (values, sound) in enumerate(boxes):
        own = (number, *(slice(n) for n in sound.shape))
        missing[own], sounds[own] = values, sound
        products += _products(values)
        pairs += _products(sound.astype(np.float32))
    if np.count_nonzero(sounds) < _LEAST_SOUND or not products[_LAGS, _LAGS, _LAGS] > 0:
        return None
    sound = sounds.reshape(-1, *shape[1:])
    values = missing.reshape(sound.shape)
    places = np.flatnonzero(sound)
    # In the order in which they lie in memory.
    places = places[np.sort(np.random.default_rng(seed).permutation(len(places))[:_PLACES])]
    places = np.column_stack(np.unravel_index(places, sound.shape))
    return SolidNoise(values, sound, places, products / np.maximum(pairs, _LEAST_PAIRS * pairs.max()))


def without_noise(crops: Sequence[ParticleCrop], noise: SolidNoise | None) -> tuple[list[ParticleCrop], int]:
    """The same particles without the voids that noise could be, and how many those were.

    noise: None where that of the solid is not known (particles too small, a mask): the background's takes its place.
    """
    kept = [_kept(crop, noise) for crop in crops]
    return kept, sum(len(a.voids.kinds) - len(b.voids.kinds) for a, b in zip(crops, kept, strict=True))


def noise_limit_voxels(noise: SolidNoise, blur_voxels: float) -> float | None:
    """Diameter, in voxels, of the ball of nothing that has just `LEAST_SIGNIFICANCE`; None where it cannot be told."""
    sigma = grey_blur_voxels(blur_voxels)
    for diameter in np.arange(1.5, _LARGEST_LIMIT, 0.25):
        half = math.ceil(diameter / 2 + 2 * sigma)
        offsets = np.argwhere(np.ones((2 * half + 1,) * 3, bool)) - half
        distance = np.sqrt((offsets**2).sum(1))
        near = distance <= diameter / 2 + 2 * sigma
        _, spread = _filter(noise, *_thinned(offsets[near], blurred_ball(distance[near], diameter / 2, sigma)))
        if spread * LEAST_SIGNIFICANCE <= 1:
            return float(diameter)
    return None


def _missing_in(crop: ParticleCrop) -> tuple[NDArray[np.float32], BoolVolume]:
    """What each voxel of sound solid, away from all surfaces, lacks of the particle's level; 0 elsewhere."""
    blocked = (crop.voids.labels > 0) | ~crop.envelope | crop.cracks.beside
    sound = deeper(~blocked, crop.reach_voxels)
    share = (crop.grey - crop.levels.background_per_um) / crop.levels.contrast_per_um
    values = np.where(sound, 1 - share, 0).astype(np.float32)
    if sound.any():
        values[sound] -= values[sound].mean()
    return values, sound


def _products(values: NDArray[np.float32]) -> NDArray[np.float64]:
    from scipy import fft

    fast = [int(fft.next_fast_len(n + _LAGS, real=True) or n + _LAGS) for n in values.shape]
    spectrum = np.asarray(fft.rfftn(values, fast))
    lags = [np.arange(-_LAGS, _LAGS + 1) % n for n in fast]
    return np.asarray(fft.irfftn(np.abs(spectrum) ** 2, fast))[np.ix_(*lags)].astype(float)


def _kept(crop: ParticleCrop, noise: SolidNoise | None) -> ParticleCrop:
    if not crop.voids.kinds:
        return crop
    zones = void_zones(crop.voids.labels, crop.envelope, crop.reach_voxels)
    expected = expected_share(crop.envelope, crop.blur_voxels)
    share = (crop.grey - crop.levels.background_per_um) / crop.levels.contrast_per_um
    missing = (expected - share).astype(np.float32)
    labels = np.zeros_like(crop.voids.labels)
    envelope = crop.envelope.copy()
    kinds = []
    for label, kind in enumerate(crop.voids.kinds, start=1):
        mask = crop.voids.labels == label
        zone = mask | (zones == label)
        if noise is None:
            stands_out = _in_background(zone, missing, crop.levels)
        else:
            stands_out = significance(mask, zone, missing, crop.blur_voxels, noise)
        if stands_out >= LEAST_SIGNIFICANCE:
            kinds.append(kind)
            labels[mask] = len(kinds)
        elif kind == "open":
            envelope &= ~mask
    return replace(crop, voids=VoidLabels(labels, tuple(kinds), envelope), envelope=envelope)


def _in_background(zone: BoolVolume, missing: NDArray[np.float32], levels: BoxLevels) -> float:
    """What is missing over the noise of as many voxels of the background."""
    noise = levels.noise_per_um / levels.contrast_per_um
    return float(missing[zone].sum()) / max(noise * math.sqrt(np.count_nonzero(zone) * levels.correlation_voxels), 1e-9)


def significance(
    mask: BoolVolume, zone: BoolVolume, missing: NDArray[np.float32], blur_voxels: float, noise: SolidNoise
) -> float:
    """Amplitude of what is missing in the form of `mask`, over its spread in sound solid."""
    from scipy import ndimage

    found = float(missing[zone].sum())
    if found > _SURE * noise.deviation * math.sqrt(np.count_nonzero(zone) * noise.together):
        return _SURE
    blurred = np.asarray(ndimage.gaussian_filter(mask.astype(np.float32), grey_blur_voxels(blur_voxels)))
    offsets, template = _thinned(np.argwhere(zone), blurred[zone].astype(float))
    at = tuple(offsets.T)
    offsets = offsets - np.round(offsets.mean(0)).astype(np.intp)
    weights, spread = _filter(noise, offsets, template)
    return float(weights @ missing[at]) / spread


def _filter(
    noise: SolidNoise, offsets: NDArray[np.intp], template: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """The weights and their spread: as seen, or as promised and half as much again where no solid is large enough."""
    weights, promised = noise.filter_of(offsets, template)
    return weights, noise.spread_of(offsets, weights) or _OF_PROMISE * promised


def _thinned(offsets: NDArray[np.intp], template: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Every so many of the voxels of a large void: it stands out of the noise by far."""
    step = math.ceil(len(offsets) / _MOST_VOXELS)
    return offsets[::step], template[::step]
