"""Double sampling: what radiographs of all particles of a mosaic add to the CT of some (Neyman 1938; Cochran 1977).

CT finds which of some particles are voided; a radiograph of each of them, and of all others, says how likely that is.
The share that CT finds is put right by how the radiographs of those that were scanned differ from all: a regression
estimator in two phases, or prediction-powered inference (Angelopoulos and others 2023) with its strength tuned to the
data. It is unbiased whatever the radiographs say:

- predictions are cross-fitted by region (Zrnic and Candes 2024): none was learned from the region that it is used in;
- they are freed from size and crowd: among particles of like size, with as many beside them, their mean is zero over
  the mosaic, so it is in what any choice of regions expects, which knows nothing else;
- particles of the mosaic that should have been measured whole and have no counterpart count as scanned: what is lost on
  the way from one view to the other cannot show in the result; where the radiograph says nothing the prediction is the
  mean.

Nothing of it is chosen by the result: it stands beside the plain figure, narrower or not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.counterparts import counterparts
from xrm_control.analysis.prediction import fitted, predicted, scaled
from xrm_control.analysis.size_classes import MosaicSizes, Window
from xrm_control.analysis.statistics import wilson
from xrm_control.analysis.weighted_rows import WeightedRows
from xrm_control.contracts.population import DoubleSampling
from xrm_control.contracts.rows import Rows
from xrm_control.contracts.tables import Particle

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indices = NDArray[np.int64]

_LEAST_PAIRS, _LEAST_EACH = 20, 5
"""Particles of both views, and voided and sound ones among them, from which a prediction can be learned."""

_LEARNED = 4
"""Parameters: three of the prediction, and its strength."""

_MOST_STRENGTH = 1.5
_DEGREE = 3
"""Of the polynomial in ln d that takes the size out of the predictions."""

_ABOUT_UM = 25.0
"""Half the side of the square in which a particle's neighbours are counted: about a field of view."""

_RIM_UM = 1.0
"""Nearer to a window's side than that, a particle is cut."""


@dataclass(frozen=True)
class _Twofold:
    """What both views say. which (n,): of each whole particle, its counterpart in the mosaic, -1 for none; region (n,):
    its number. lost (b,): particles of the mosaic that should be whole in a region and have no counterpart; lost_in
    (b,): which. features (m, k), known (m,): of the mosaic, and whether its radiograph says anything; crowd (m,): how
    many lie about each.
    """

    which: Indices
    region: Indices
    lost: Indices
    lost_in: Indices
    features: Floats
    known: Flags
    crowd: Floats

    @property
    def learned(self) -> Flags:
        """(n,): whole particles of which both views say something."""
        return (self.which >= 0) & self.known[self.which]


def double_sampled(
    particles: Rows, found: WeightedRows, voided: Flags | None, plain: tuple[float, float] | None, mosaic: MosaicSizes
) -> DoubleSampling:
    """Of the share of voided particles. particles: all rows, cut ones too; found: the whole ones and their weights;
    voided (n,): of these; plain: the share by CT alone, and the number of trials that it is worth.
    """
    whole = found.rows
    if not len(whole) or voided is None or plain is None:
        return DoubleSampling(reason="no whole particle was looked into")
    if mosaic.doubt:
        return DoubleSampling(n=len(whole), reason=mosaic.doubt)
    if not len(mosaic.void_scores) == len(mosaic.places_um) == len(mosaic.diameters_um) > 0:
        return DoubleSampling(n=len(whole), reason="no radiographs of the mosaic's particles are on record")
    twofold = _twofold(particles, found, mosaic)
    visible = whole.numbers(Particle.equivalent_diameter_um) >= mosaic.smallest_um
    told = DoubleSampling(
        n=len(whole),
        n_mosaic=len(mosaic.diameters_um),
        n_judged=int(twofold.known.sum()),
        n_pairs=int((twofold.which >= 0).sum()),
        n_without=int((visible & (twofold.which < 0)).sum()),
        n_lost=len(twofold.lost),
    )
    if reason := _too_little(twofold, voided):
        return told.model_copy(update={"reason": reason})
    return _estimate(twofold, found, voided, plain, told)


def _too_little(twofold: _Twofold, voided: Flags) -> str:
    regions, learned = len(np.unique(twofold.region)), twofold.learned
    if regions < 2:
        return "one region alone: its own particles would judge what was learned from them"
    if learned.sum() < _LEAST_PAIRS:
        return f"{int(learned.sum())} particles were judged in both views, at least {_LEAST_PAIRS} are needed"
    of_each = min(int(voided[learned].sum()), int((~voided[learned]).sum()))
    if of_each < _LEAST_EACH:
        return f"{of_each} particles of one kind were judged in both views, at least {_LEAST_EACH} are needed"
    return ""


def _estimate(
    twofold: _Twofold, found: WeightedRows, voided: Flags, plain: tuple[float, float], told: DoubleSampling
) -> DoubleSampling:
    values, everyone = voided.astype(float), np.ones(len(voided), bool)
    share, count = plain
    excess, excess_lost = _predictions(twofold, voided, found.weights)
    # What is known of scanned particles from their radiographs: those with a counterpart, and those that were lost.
    scanned = np.where(twofold.which >= 0, found.weights, 0.0)
    lost = found.weights[_nearest_in_size(twofold, found)]
    total = max(float(scanned.sum() + lost.sum()), 1e-300)
    of_mean, of_lost = scanned * excess / total, lost * excess_lost / total
    of_share = found.influence(values, everyone)
    power = float((of_mean**2).sum() + (of_lost**2).sum())
    strength = float(np.clip((of_share * of_mean).sum() / power, 0.0, _MOST_STRENGTH)) if power > 0 else 0.0
    value = float(np.clip(share - strength * (of_mean.sum() + of_lost.sum()), 0.0, 1.0))
    left = np.concatenate((of_share - strength * of_mean, -strength * of_lost))
    trials = _trials(left, np.concatenate((twofold.region, twofold.lost_in)), twofold, found, value)
    low, high = wilson(value, trials)
    learned = twofold.learned
    varies = learned.any() and np.ptp(excess[learned]) > 0
    return told.model_copy(
        update={
            "value": value,
            "interval": (low, high),
            "worth": len(voided) * trials / count if count > 0 else None,
            "strength": strength,
            "correlation": float(np.corrcoef(excess[learned], values[learned])[0, 1]) if varies else 0.0,
        }
    )


def _trials(left: Floats, region: Indices, twofold: _Twofold, found: WeightedRows, value: float) -> float:
    """Independent trials that the estimate is worth, from what each particle adds to it: the spread of what is left,
    more where regions differ by more than their particles explain, and the mosaic's own chance.
    """
    n, classes = len(found.rows), 1 if found.classes is None else len(found.classes.counts)
    within = float((left**2).sum())
    sums = np.bincount(region, weights=left)
    k = len(np.unique(twofold.region))
    apart = float((sums**2).sum()) / within * k / (k - 1) if within > 0 else 1.0
    # A share of none or all was estimated from as many, and is not without chance.
    share = float(np.clip(value, 0.5 / n, 1 - 0.5 / n))
    free = max(n - classes - _LEARNED, 1)
    variance = within * n / free * max(1.0, apart) + share * (1 - share) / len(twofold.known)
    return share * (1 - share) / variance


def _predictions(twofold: _Twofold, voided: Flags, weights: Floats) -> tuple[Floats, Floats]:
    """How much likelier each whole particle (n,), and each lost one (b,), is voided than its like, as learned
    in the other regions; 0 where nothing is known.
    """
    excess, lost = np.zeros(len(voided)), np.zeros(len(twofold.lost))
    learned = twofold.learned
    for region in np.unique(np.concatenate((twofold.region, twofold.lost_in))):
        others = learned & (twofold.region != region)
        if len(np.unique(voided[others])) < 2:
            continue
        slopes = fitted(twofold.features[twofold.which[others]], voided[others], weights[others])
        every = _freed(predicted(twofold.features, slopes), twofold)
        own = (twofold.region == region) & (twofold.which >= 0)
        excess[own] = every[twofold.which[own]]
        own_lost = twofold.lost_in == region
        lost[own_lost] = every[twofold.lost[own_lost]]
    return excess, lost


def _freed(prediction: Floats, twofold: _Twofold) -> Floats:
    """Predictions (m,) less their mean in the mosaic among those of like size and crowd; 0 where nothing is known."""
    known = twofold.known
    like = np.column_stack(
        (np.vander(twofold.features[:, 1], _DEGREE + 1), twofold.crowd, twofold.crowd * twofold.features[:, 1])
    )
    slopes = np.linalg.lstsq(like[known], prediction[known], rcond=None)[0]
    return np.where(known, prediction - like @ slopes, 0.0)


def _nearest_in_size(twofold: _Twofold, found: WeightedRows) -> Indices:
    """Of lost particles (b,), the measured one whose weight stands for theirs."""
    own = np.log(found.rows.numbers(Particle.equivalent_diameter_um))
    paired = np.flatnonzero(twofold.which >= 0)
    shown = twofold.features[twofold.which[paired], 1]
    apart = np.abs(twofold.features[twofold.lost, 1][:, None] - shown[None, :])
    return paired[apart.argmin(axis=1)] if len(paired) and len(own) else np.zeros(len(twofold.lost), np.int64)


def _twofold(particles: Rows, found: WeightedRows, mosaic: MosaicSizes) -> _Twofold:
    at_um, seen_um = np.array(mosaic.places_um, float).reshape(-1, 2), np.array(mosaic.diameters_um, float)
    scores = np.array(mosaic.void_scores, float)
    names = sorted(set(particles.texts(Particle.roi)))
    number = {name: k for k, name in enumerate(names)}
    every = np.array([number[name] for name in particles.texts(Particle.roi)], np.int64)
    places = np.column_stack([particles.numbers(Particle.stage_um[axis]) for axis in "xy"])
    partner = counterparts(places, particles.numbers(Particle.equivalent_diameter_um), every, at_um, seen_um)
    of = dict(zip(_keys(particles), partner.tolist(), strict=True))
    which = np.array([of[key] for key in _keys(found.rows)], np.int64)
    region = np.array([number[name] for name in found.rows.texts(Particle.roi)], np.int64)
    free = np.ones(len(seen_um), bool)
    free[partner[partner >= 0]] = False
    lost, lost_in = _lost(at_um, seen_um, free, [(number[w.roi], w) for w in mosaic.windows if w.roi in number])
    known = np.isfinite(scores)
    features = np.zeros((len(seen_um), 2))
    if known.any():
        features[:, 0] = np.where(known, scaled(np.where(known, scores, 0.0), scores[known]), 0.0)
        features[:, 1] = scaled(np.log(seen_um), np.log(seen_um[known]))
    return _Twofold(which, region, lost, lost_in, features, known, _crowd(at_um, known))


def _crowd(at_um: Floats, known: Flags) -> Floats:
    """How many particles of the mosaic lie in a square about each (m,), in units of their spread."""
    from scipy.spatial import KDTree

    beside = KDTree(at_um).query_ball_point(at_um, _ABOUT_UM, p=np.inf, return_length=True)
    number = np.array(beside, float)
    return scaled(number, number[known]) if known.any() else np.zeros(len(at_um))


def _lost(at_um: Floats, seen_um: Floats, free: Flags, windows: list[tuple[int, Window]]) -> tuple[Indices, Indices]:
    """Particles of the mosaic without a counterpart that stay wholly in a window as it turns, resting on the tape."""
    lost: list[Indices] = []
    inside: list[Indices] = []
    for number, window in windows:
        room_x, room_y = ((side / 2 - _RIM_UM - seen_um / 2) for side in (window.width_um, window.height_um))
        from_axis = np.hypot(at_um[:, 0] - window.x_um, seen_um / 2 - window.z_um)
        held = np.flatnonzero(free & (from_axis <= room_x) & (np.abs(at_um[:, 1] - window.y_um) <= room_y))
        lost.append(held)
        inside.append(np.full(len(held), number, np.int64))
    if not lost:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    return np.concatenate(lost), np.concatenate(inside)


def _keys(particles: Rows) -> list[tuple[str, int]]:
    return list(zip(particles.texts(Particle.roi), particles.ids(Particle.particle_id), strict=True))
