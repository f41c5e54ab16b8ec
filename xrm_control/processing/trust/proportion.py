"""Whether counts are in proportion to light: the noise of photons grows as the root of their number.

Counts that were stored with a gamma, or as logarithms, keep every view and every ray consistent with all others; only
the noise tells. By the power of the counts with which its variance grows, less the one of photons: 0 of counts as they
came, (g - 1) / g of a gamma g, far below -1 of logarithms.

Views have a range of light, and the sample (see `noise_levels`); flats have no sample, but hardly a range of light.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.processing.trust.neighbouring_views import band_of, expected_counts
from xrm_control.processing.trust.noise_levels import NoiseSamples, noise_levels, noise_samples
from xrm_control.reconstruction.filters import local_means
from xrm_control.reconstruction.references import References, flat_sets

_AROUND_PX = 5
_DARKEST, _RARE, _STEPS = 0.2, 0.002, 8  # transmission; levels
_CLOSE_PX = 1.5  # by how much the field's rim moves from view to view
_STEEPER, _FLATTER, _FLATTER_VIEWS, _SIGMAS = 0.15, 0.3, 0.5, 3.0
_STEEPER_BOTH, _SIGMAS_BOTH = 0.05, 2.5
_QUIETER = 0.5
_FLAT_STEPS, _LEAST_OF_FLATS, _LEAST_RANGE = 6, 50, 0.005


@dataclass(frozen=True)
class NoisePower:
    """Power of the counts by which the variance departs from that of photons, and its standard uncertainty."""

    excess: float
    u: float


def out_of_proportion(evidence: RegionEvidence) -> str:
    """What speaks against counts in proportion to light, in words; "" for nothing, and where nothing tells."""
    references = evidence.references
    if references is None:
        return ""
    if references.gain_counts <= 0:
        return _quieter_than_darks(evidence, references)
    views = power_of_views(evidence)
    flats = power_of_flats(evidence, references)
    if views is not None and views.excess > _STEEPER + _SIGMAS * views.u:
        return _said("views", views, _STEEPER)
    # Of lenses that vignette, flats do so alone.
    both = flats is not None and flats.excess > _STEEPER + _SIGMAS * flats.u
    if both and views is not None and views.excess > _STEEPER_BOTH + _SIGMAS_BOTH * views.u:
        return _said("views", views, _STEEPER_BOTH, _SIGMAS_BOTH)
    # A beam of little profile tells of its own unevenness as well: the views, which have more, must agree.
    agrees = views is not None and views.excess < -_FLATTER
    if agrees and flats is not None and flats.excess < -_FLATTER - _SIGMAS * flats.u:
        return _said("flats", flats, -_FLATTER)
    if views is not None and _close(evidence) and views.excess < -_FLATTER_VIEWS - _SIGMAS * views.u:
        return _said("views", views, -_FLATTER_VIEWS)
    return ""


def _quieter_than_darks(evidence: RegionEvidence, references: References) -> str:
    """Light adds noise; of flats that were made up, without any, nothing is said."""
    sets = flat_sets(evidence.scan.flat_time_s, evidence.scan.time_s)
    noise = [float(np.median(np.var(evidence.scan.flats[one], axis=0, ddof=1))) for one in sets if len(one) > 1]
    dark, light = references.read_counts**2, float(np.mean(noise)) if noise else 0.0
    if len(evidence.scan.darks) < 2 or not 0 < light < _QUIETER * dark:
        return ""
    return (
        f"counts are not in proportion to light: the flats vary less than the darks (variance {light:.3g} and "
        f"{dark:.3g}; limit {_QUIETER:g} of it), though light adds noise, so they were stored as logarithms, or darks "
        "and flats are of another setting; attenuation is then wrong by as much"
    )


def _said(what: str, found: NoisePower, limit: float, sigmas: float = _SIGMAS) -> str:
    beyond = limit + math.copysign(sigmas * found.u, limit)
    return (
        f"counts are not in proportion to light: the variance of the {what} goes with their power "
        f"{1 + found.excess:.2f}, that of photons with 1 (limit {1 + beyond:.2f}), so they were stored with a gamma or "
        "as logarithms, or darks and flats are of another setting; attenuation is then wrong by as much"
    )


def _close(evidence: RegionEvidence) -> bool:
    """Whether neighbouring views show much the same even at the rim of the field."""
    theta = np.asarray(evidence.scan.theta_deg, float)
    steps = np.abs(np.diff(theta))
    columns = evidence.scan.projections.shape[2]
    return bool(len(steps)) and math.radians(float(np.median(steps))) * columns / 2 <= _CLOSE_PX


def power_of_views(evidence: RegionEvidence) -> NoisePower | None:
    """By the transmission that the views have; None where they have hardly two levels of it."""
    samples = evidence.once(noise_samples)
    if samples is None:
        return None
    return power_of_samples(samples)


def power_of_samples(samples: NoiseSamples) -> NoisePower | None:
    """See `power_of_views`."""
    at = np.log(np.maximum(samples.transmission, 1e-3))
    darkest = max(math.log(_DARKEST), float(np.quantile(at, _RARE)))
    levels = noise_levels(samples, at, np.linspace(darkest, float(at.max()) + 1e-6, _STEPS + 1))
    points = list(zip(levels.at, np.log(levels.ratio), levels.weight, strict=True))
    return _line(points) if len(points) > 1 else None


def power_of_flats(evidence: RegionEvidence, references: References) -> NoisePower | None:
    """By the beam's profile; None where it is even, or no flat was repeated."""
    band = band_of(evidence)
    part = references.of_rows(band)
    frames = np.asarray(evidence.scan.flats[:, band], np.float32) - part.dark
    found: list[tuple[float, float, float]] = []
    for beam, members in zip(part.beams, flat_sets(evidence.scan.flat_time_s, evidence.scan.time_s), strict=True):
        if len(members) < 2:
            continue
        smooth = np.maximum(local_means(beam, 2 * _AROUND_PX), 1e-6)
        # What fluctuates all over the frame, or moves as a whole, is the beam.
        noise = np.stack([one - local_means(one, 2 * _AROUND_PX) for one in frames[members]]).var(axis=0, ddof=1)
        ratio, at = (noise / expected_counts(part, smooth))[~part.bad], np.log(smooth)[~part.bad]
        edges = np.quantile(at, np.linspace(0, 1, _FLAT_STEPS + 1))
        for low, high in itertools.pairwise(edges):
            here = ratio[(at >= low) & (at <= high)]
            if len(here) < _LEAST_OF_FLATS:
                continue
            mean = float(here[here <= np.quantile(here, 0.99)].mean())
            if mean > 0:
                place = float(at[(at >= low) & (at <= high)].mean())
                found.append((place, math.log(mean), len(here) * (len(members) - 1) / 2))
    places = [place for place, _, _ in found]
    return _line(found) if len(found) > 2 and max(places) - min(places) > _LEAST_RANGE else None


def _line(points: list[tuple[float, float, float]]) -> NoisePower | None:
    """Slope of a line through (logarithm of the level, of the variance over the expected one, weight)."""
    x, y, weight = np.array(points).T
    x = x - np.average(x, weights=weight)
    spread = float(weight @ x**2)
    return NoisePower(float(weight @ (x * y)) / spread, spread**-0.5) if spread > 0 else None
