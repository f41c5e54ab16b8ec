"""Where the counts of no light lie, told by the noise: the variance of photons grows from nothing, in a line.

A dark of another level leaves every ray consistent with all others, and takes its share of the attenuation; light that
is no beam, unlike it, brings noise of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.processing.trust.evidence import Images, RegionEvidence
from xrm_control.processing.trust.noise_levels import NoiseLevels, noise_levels, noise_samples

_STEPS, _LEAST_STEPS = 12, 4
_RARE, _MOST, _DARKEST = 0.002, 0.99, 0.02  # of the pixels; of the counts of the brightest ones
_STEEPEST = 2.0  # standard deviations: the sample's edges leave 1 % of the variance, at 4 a fifth
_FEW = 50.0  # photons, of which the median of deviations is no measure of a Gaussian's
_LEAST_RANGE = 0.6  # of the brightest level: from brighter ones on a line reaches no light by chance
_ROUNDS = 20
_MOST_READ_PHOTONS = 5.0  # standard deviation of a camera's own noise, where no two darks tell it
_IN_MATTER, _OPAQUE = 0.9, 0.02


@dataclass(frozen=True)
class DarkLevel:
    """too_high_counts: by how much the level that was taken off lies above that of no light, below it where negative;
    u_counts: its standard uncertainty; unsure_counts: what the camera's own noise may add to it, where no darks tell
    that. counts, variances (k,): of levels of light; gain_counts: of a photon, by their slope. beam_counts: of the open
    beam. mu_off: relative error of attenuations that it makes; u_mu: its standard uncertainty.
    """

    too_high_counts: float
    u_counts: float
    unsure_counts: float
    counts: NDArray[np.float64]
    variances: NDArray[np.float64]
    gain_counts: float
    beam_counts: float
    mu_off: float
    u_mu: float


def dark_level(evidence: RegionEvidence) -> DarkLevel | str:
    """Why nothing tells, in its place."""
    references = evidence.references
    if references is None:
        return "no flats: the views are transmissions already"
    samples = evidence.once(noise_samples)
    if samples is None:
        return "too few views"
    counts = samples.counts
    darkest = max(float(np.quantile(counts, _RARE)), _DARKEST * float(np.quantile(counts, _MOST)))
    brightest = float(counts.max()) * (1 + 1e-6)
    if not 0 < darkest < brightest:
        return "the views are all of one grey"
    edges = np.geomspace(darkest, brightest, _STEPS + 1)
    levels = noise_levels(samples, counts, edges, _STEEPEST)
    if len(levels.at):
        photon_counts = references.gain_counts * float(np.median(levels.ratio))
        levels = levels.where(levels.counts >= _FEW * photon_counts)
    if len(levels.at) < _LEAST_STEPS or levels.counts[0] > _LEAST_RANGE * levels.counts[-1]:
        return "smooth places of the views have hardly two levels of light"
    variances = levels.variances
    slope, at_zero, u = _line(levels, variances)
    if slope <= 0:
        return "the noise does not grow with the light"
    told = len(evidence.scan.darks) > 1
    off = (at_zero - (references.read_counts**2 if told else 0.0)) / slope
    beam = float(np.median(references.beams))
    images = evidence.looks.images
    mu_off = _mu_off(images, off / beam)
    steeper = [_mu_off(images, (off + sign * u) / beam) for sign in (-1, 1)]
    return DarkLevel(
        too_high_counts=off,
        u_counts=u,
        unsure_counts=0.0 if told else _MOST_READ_PHOTONS**2 * slope,
        counts=levels.counts,
        variances=variances,
        gain_counts=slope,
        beam_counts=beam,
        mu_off=mu_off,
        u_mu=abs(steeper[1] - steeper[0]) / 2,
    )


def _line(levels: NoiseLevels, variances: NDArray[np.float64]) -> tuple[float, float, float]:
    """Slope of the variances at no counts, their value there, and standard uncertainty of minus the counts at which
    they would be nothing. What goes with the square of the counts is light or sample that moves, and no photons'."""
    level = levels.counts / levels.counts[-1]
    powers = np.stack([level, np.ones_like(level), level**2], axis=1)
    line, inverse, model = _fitted(powers, variances, levels.weight)
    if line[2] <= 0:
        line, inverse, model = _fitted(powers[:, :2], variances, levels.weight)
    slope, at_zero = float(line[0]), float(line[1])
    misfit = float(levels.weight @ (variances / model - 1) ** 2) / (len(variances) - len(line))
    by = np.array([-at_zero / slope, 1.0]) / slope
    u = math.sqrt(float(by @ inverse[:2, :2] @ by) * max(misfit, 1.0))
    return slope / float(levels.counts[-1]), at_zero, u * float(levels.counts[-1])


def _fitted(
    powers: NDArray[np.float64], variances: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Factors of `powers` (k, p), their covariance, and the variances that they make. Errors go with these."""
    line, inverse, model = np.zeros(powers.shape[1]), np.eye(powers.shape[1]), variances
    for _ in range(_ROUNDS):
        weights = weight / model**2
        inverse = np.linalg.inv(powers.T @ (powers * weights[:, None]))
        line = inverse @ (powers.T @ (weights * variances))
        model = np.maximum(powers @ line, 0.1 * variances)
    return np.asarray(line, float), np.asarray(inverse, float), np.asarray(model, float)


def _mu_off(transmitted: Images, too_high: float) -> float:
    """Relative error of the attenuation in matter; too_high: level taken off above that of no light, of the beam."""
    thick = transmitted[(transmitted < _IN_MATTER) & (transmitted > _OPAQUE)]
    if not thick.size:
        return too_high
    right = np.maximum((thick + too_high) / (1 + too_high), 1e-3)
    return float(-np.log(thick).sum() / max(-np.log(np.minimum(right, 1.0)).sum(), 1e-6)) - 1
