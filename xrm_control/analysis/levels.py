"""Grey levels of a volume: modes of particle and background, noise and its correlation, SNR.

"Background" is the space between the particles of the powder layer, not the empty air far from it: the layer carries
the streaks of the nearly opaque edge-on views, and it is there that particles end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.label_expansion import bounding_box
from xrm_control.analysis.reach import deeper, within
from xrm_control.analysis.threshold import BoolVolume, FloatVolume, Modes
from xrm_control.core.errors import AnalysisError

EDGE_VOXELS = 2.0
MIN_CONTRAST_IN_NOISE = 4.0
MIN_SAMPLES = 30
TREND_VOXELS = 8.0


@dataclass(frozen=True)
class Levels:
    """What `find_levels` learns. rough: particles at the mid-level; layer: the box that holds them;
    noise_correlation_voxels: the integral of the noise's autocorrelation, the factor by which the variance of a sum
    exceeds that of white noise; noise_lag1: its value one voxel away; snr: as in the paper."""

    modes: Modes
    rough: BoolVolume
    layer: tuple[slice, slice, slice]
    noise_particle_per_um: float
    noise_correlation_voxels: float
    noise_lag1: float
    snr: float


def cylinder(shape: tuple[int, int, int]) -> BoolVolume:
    """The inscribed cylinder of the field of view, (ny, nx): axis along z, radius half the width of a slice."""
    ny, nx = shape[1:]
    y, x = np.ogrid[:ny, :nx]
    radius = min(ny, nx) / 2
    return (y - (ny - 1) / 2) ** 2 + (x - (nx - 1) / 2) ** 2 <= radius**2


def otsu_level(values: NDArray[np.floating]) -> float:
    """Otsu's threshold of values (n,), 256 bins between their extreme ten-thousandths."""
    low, high = np.percentile(values, (0.01, 99.99))
    if not high > low:
        return float(high)
    counts, edges = np.histogram(values, 256, (float(low), float(high)))
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    moment = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (moment / below - (moment[-1] - moment) / above) ** 2
    return float(edges[int(np.nanargmax(between[:-1])) + 1])


def fitted_mode(values: NDArray[np.floating]) -> tuple[float, float]:
    """Mode and robust standard deviation of values (n,): a parabola through the logarithm of the histogram's top.

    Fewer than 200 values, values in a few bins alone, or a top that is no top, give the median.
    """
    median = float(np.median(values))
    sigma = 1.4826 * float(np.median(np.abs(values - median)))
    # Without noise the spread is one of rounding, too narrow for a histogram.
    finest = max(1e-5 * float(np.ptp(values)), 100 * float(np.finfo(np.float32).eps) * abs(median))
    if len(values) < 200 or sigma <= finest:
        return median, sigma
    counts, edges = np.histogram(values, 60, (median - 3 * sigma, median + 3 * sigma))
    centres = (edges[:-1] + edges[1:]) / 2
    smooth = np.convolve(counts, np.ones(5) / 5, "same")
    top = centres[int(np.argmax(smooth))]
    near = (np.abs(centres - top) < 1.2 * sigma) & (counts > 0)
    if np.count_nonzero(near) < 4:
        return median, sigma
    curve = np.polyfit(centres[near] - top, np.log(counts[near]), 2, w=np.sqrt(counts[near]))
    shift = -curve[1] / (2 * curve[0]) if curve[0] < 0 else np.inf
    return (float(top + shift) if abs(shift) < 1.2 * sigma else median), sigma


def find_levels(volume: FloatVolume, inside: BoolVolume) -> Levels:
    """Levels of a volume (z, y, x) in 1/um; inside: its reconstructed part, a cylinder (y, x).

    Raises AnalysisError when nothing stands out of the noise.
    """
    values = volume[:, inside]
    background, noise = fitted_mode(values)
    start = otsu_level(values)
    # Few particles: Otsu would cut the noise in half.
    for rough_level in (start, background + 6 * noise, background + 4 * noise):
        first = _trial(volume, inside, rough_level)
        found = None if first is None else _trial(volume, inside, first.middle)
        if found is not None:
            return _levels(volume, inside, found)
    if _thin(values, start, background, noise):
        raise AnalysisError(
            "what stands out is thinner than five voxels: shells, or particles too small for these voxels",
            value=f"{np.count_nonzero(values > start)} voxels above {start:.3g} 1/um",
            limit=f"{2 * EDGE_VOXELS + 1:g} voxels",
            remedy="measure solid particles, in finer voxels",
        )
    raise AnalysisError(
        "empty: no particle stands out of the noise",
        value=f"noise {noise:.3g} 1/um about {background:.3g} 1/um",
        remedy="choose a region with particles, or give a fixed threshold",
    )


def _thin(values: FloatVolume, level: float, background: float, noise: float) -> bool:
    """Whether what is above `level` stands well out of the noise, though it has no core."""
    bright = values[values > level]
    return len(bright) >= MIN_SAMPLES and float(bright.mean()) - background > 2 * MIN_CONTRAST_IN_NOISE * noise


@dataclass(frozen=True)
class _Trial:
    modes: Modes
    core: BoolVolume
    outside: BoolVolume
    layer: tuple[slice, slice, slice]
    noise_particle: float

    @property
    def middle(self) -> float:
        return self.modes.background_per_um + 0.5 * self.modes.contrast_per_um


def _trial(volume: FloatVolume, inside: BoolVolume, level: float) -> _Trial | None:
    """Modes on either side of `level`, away from edges; None when they are not two."""
    rough = (volume > level) & inside
    box = bounding_box(rough, 1)
    core = np.zeros(volume.shape, bool)
    if box is not None:
        core[box] = deeper(rough[box], EDGE_VOXELS + 0.5, black_border=True)
    if np.count_nonzero(core) < MIN_SAMPLES:
        return None
    layer = _layer_box(core)
    outside = np.zeros(volume.shape, bool)
    outside[layer] = ~within(rough[layer], EDGE_VOXELS) & inside[layer[1:]]
    if np.count_nonzero(outside) < MIN_SAMPLES:
        outside = ~rough & inside
    particle, noise_particle = fitted_mode(volume[core])
    background, _ = fitted_mode(volume[outside])
    modes = Modes(particle, background, float(np.std(volume[outside])))
    if modes.contrast_per_um < MIN_CONTRAST_IN_NOISE * modes.noise_per_um:
        return None
    return _Trial(modes, core, outside, layer, noise_particle)


def _levels(volume: FloatVolume, inside: BoolVolume, trial: _Trial) -> Levels:
    noise = trial.modes.noise_per_um
    difference = float(volume[trial.core].mean()) - float(volume[trial.outside].mean())
    snr = difference / noise if noise > 0 else float("inf")
    correlation, lag1 = noise_correlation(volume[trial.layer], trial.outside[trial.layer])
    rough = (volume > trial.middle) & inside
    return Levels(trial.modes, rough, trial.layer, trial.noise_particle, correlation, lag1, snr)


def _layer_box(core: BoolVolume) -> tuple[slice, slice, slice]:
    """The box of the particles' cores but for stray ones: 0.5 to 99.5 % along each axis, six voxels wider."""
    slices = []
    for axis in range(3):
        other = tuple(a for a in range(3) if a != axis)
        share = np.cumsum(core.sum(other, dtype=np.int64)) / np.count_nonzero(core)
        first, last = np.searchsorted(share, (0.005, 0.995))
        slices.append(slice(max(int(first) - 6, 0), int(last) + 7))
    return (slices[0], slices[1], slices[2])


def noise_correlation(volume: FloatVolume, mask: BoolVolume) -> tuple[float, float]:
    """Integral (voxels) over lags up to 3 voxels, and value at one voxel, of the noise's autocorrelation in `mask`.

    What varies over more than a few voxels (streaks, tape) is taken off first: each particle's own levels follow it.
    The mask's own autocorrelation normalises every lag, so holes do no harm.
    """
    if np.count_nonzero(mask) < 1000:
        return 1.0, 0.0
    shape = [n + 4 for n in volume.shape]
    weight = mask.astype(np.float32)
    kept = np.where(mask, volume - volume[mask].mean(), np.float32(0))
    smooth = _blurred(kept) / np.maximum(_blurred(weight), 1e-3)
    noise = np.where(mask, kept - smooth, np.float32(0))
    products = _autocorrelation(noise, shape)
    pairs = _autocorrelation(weight, shape)
    lags = np.arange(-3, 4)
    near = np.ix_(lags, lags, lags)
    radius = np.sqrt(lags[:, None, None] ** 2 + lags[:, None] ** 2 + lags**2)
    covariance = products[near] / np.maximum(pairs[near], 1)
    centre = covariance[3, 3, 3]
    if not centre > 0:
        return 1.0, 0.0
    covariance = covariance / centre
    lag1 = float(np.mean([covariance[3, 3, 4], covariance[3, 4, 3], covariance[4, 3, 3]]))
    return float(max(covariance[radius <= 3].sum(), 0.3)), max(lag1, 0.0)


def _blurred(values: FloatVolume) -> FloatVolume:
    from scipy import ndimage

    return np.asarray(ndimage.gaussian_filter(values, TREND_VOXELS, truncate=3), np.float32)


def _autocorrelation(values: FloatVolume, shape: list[int]) -> FloatVolume:
    from scipy import fft

    fast = [fft.next_fast_len(n, real=True) for n in shape]
    spectrum = np.asarray(fft.rfftn(values, fast))
    return np.asarray(fft.irfftn(np.abs(spectrum) ** 2, fast))
