"""How much each view differs from the next one, beside how much views around it do: what turns changes smoothly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.processing.trust.evidence import BAND_HIGH_PX, BAND_LOW_PX, Images, RegionEvidence
from xrm_control.reconstruction.filters import banded, local_means, medians
from xrm_control.reconstruction.half_acquisition import is_full_turn

_LEAST_VIEWS = 12
_FARTHEST_PX = 4.0  # an edge of the field may move so far between neighbours; beyond, they have little in common
_FARTHEST_WIDE_PX = 2.5  # where each view shows one side alone, and its far end moves fastest
_AROUND = 9  # pairs
_BLOCK_PX = 16
_ALONG = 0.1
_LEAST_ROWS_PX = 48  # in which no single particle fills half of the rows
_REACH = 3  # half blocks around the place of the largest change
_LIKE_STEP = 1.2
_LEAST_LIKE = 4  # pairs around, of which half may be odd
_DARK_SHARE = 0.3  # of the views: their noise has heavy tails
_DARK_BLOCK = 0.4  # transmission: edge-on many particles lie behind one another, and soon do no more


@dataclass(frozen=True)
class Differences:
    """Of n pairs of neighbours by angle, all without unit.

    views (n, 2): their numbers. change (n,): squared difference over the median of the pairs around; even (n,):
    whether their step is like that of the pairs around. local (n,): the most of any block of 16 x 16 pixels, at
    (row, column) in `places` (n, 2) of the detector; nan for dark views. elsewhere (n,): change of what lies
    farther from there.
    """

    views: NDArray[np.int64]
    change: NDArray[np.float64]
    even: NDArray[np.bool_]
    local: NDArray[np.float64]
    places: NDArray[np.int64]
    elsewhere: NDArray[np.float64]


def differences(evidence: RegionEvidence) -> Differences | str:
    """Why there is nothing to compare, in its place."""
    looks = evidence.looks
    theta = evidence.theta_deg[looks.views]
    order = np.argsort(theta, kind="stable")
    steps = np.diff(theta[order])
    if len(order) < _LEAST_VIEWS:
        return "too few views"
    usual = float(np.median(steps))
    axis_px, side = evidence.projector.axis_px, looks.images.shape[2]
    reach = max(axis_px, side - 1 - axis_px, side / 2)
    wide = evidence.projector.side != evidence.projector.columns
    if np.radians(usual) * reach > (_FARTHEST_WIDE_PX if wide else _FARTHEST_PX):
        return "neighbouring views lie too far apart"
    views = evidence.banded
    rows, columns = _middles(views.shape[1]), _middles(views.shape[2])
    grid = np.ix_(rows, columns)
    whole = np.empty(len(steps))
    blocks = np.empty((len(steps), len(rows), len(columns)), np.float32)
    lit = np.empty(blocks.shape, bool)
    for pair in range(len(steps)):
        squared = _without_strip(views[order[pair + 1]] - views[order[pair]]) ** 2
        whole[pair] = squared.mean()
        blocks[pair] = local_means(squared, _BLOCK_PX)[grid]
        lit[pair] = local_means(looks.images[order[pair]], _BLOCK_PX)[grid] > _DARK_BLOCK
    # Where a view is missing the next one has turned farther; where two share an angle, less.
    around_deg = np.maximum(medians(steps, _AROUND), 1e-9)
    farther = _farther(steps, around_deg)
    usually, around = _usual(whole, steps, around_deg), _usual(blocks, steps, around_deg)
    whole, blocks = whole / farther, blocks / farther[:, None, None]
    if not usually.max() > 0:
        return "the views do not differ"
    least = 1e-6 * usually.max()
    there = np.maximum(around, np.median(blocks, axis=(1, 2))[:, None, None])
    there = np.maximum(there, least).reshape(len(steps), -1)
    ratios = blocks.reshape(len(steps), -1) / there
    # At the sides powder comes into the field that was not there before.
    inside = (columns >= _BLOCK_PX) & (columns < views.shape[2] - _BLOCK_PX)
    if inside.any():
        lit &= inside
    ratios[~lit.reshape(ratios.shape)] = 0.0
    worst = ratios.argmax(axis=1)
    elsewhere = np.empty(len(steps))
    for pair, place in enumerate(worst):
        row, column = divmod(int(place), len(columns))
        away = np.ones(blocks.shape[1:], bool)
        away[max(row - _REACH, 0) : row + _REACH + 1, max(column - _REACH, 0) : column + _REACH + 1] = False
        away = away if away.any() else ~away
        elsewhere[pair] = blocks[pair][away].sum() / max(float(around[pair][away].sum()), least)
    light = _light(looks.images)[order]
    dark = np.minimum(light[1:], light[:-1]) < np.quantile(light, _DARK_SHARE)
    places = np.stack([rows[worst // len(columns)], columns[worst % len(columns)]], axis=1) * looks.bin
    return Differences(
        views=np.stack([looks.views[order[:-1]], looks.views[order[1:]]], axis=1),
        change=np.where(_along(light, theta), 1.0, whole / np.maximum(usually, least)),
        even=(steps <= _LIKE_STEP * around_deg) & (steps * _LIKE_STEP >= around_deg),
        local=np.where(dark, np.nan, ratios.max(axis=1)),
        places=places.astype(np.int64),
        elsewhere=elsewhere,
    )


def _farther(steps_deg: NDArray[np.float64], usual_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """By how much more two views differ that are farther apart than usual; less than usual noise does not allow for."""
    return np.maximum(steps_deg / usual_deg, 1.0) ** 2


def _usual(
    values: NDArray[np.floating], steps_deg: NDArray[np.float64], around_deg: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n, ...) -> (n, ...): median of the pairs around each, as if they were its own `around_deg` apart.

    Of golden angles the steps have two or three sizes: like is compared with like where there are enough of its own.
    """
    count = len(values)
    pairs = np.clip(np.arange(count)[:, None] + np.arange(_AROUND) - _AROUND // 2, 0, count - 1)
    shape = (count, _AROUND, *(1,) * (values.ndim - 1))
    near = values[pairs] / _farther(steps_deg[pairs], around_deg[:, None]).reshape(shape)
    usual = np.asarray(np.median(near, axis=1), np.float64)
    own_deg = np.maximum(steps_deg, 1e-9)[:, None]
    like = (steps_deg[pairs] <= _LIKE_STEP * own_deg) & (steps_deg[pairs] * _LIKE_STEP >= own_deg)
    for pair in np.flatnonzero((like.sum(axis=1) >= _LEAST_LIKE) & ~like.all(axis=1)):
        usual[pair] = np.median(near[pair][like[pair]], axis=0)
    return usual


def foretold(evidence: RegionEvidence, found: Differences, pair: int) -> float:
    """Change of one pair over the median of those around, as the volume's own projections have it; 1 without a volume.

    One particle alone stands still to the view where its way turns back.
    """
    volume = evidence.small_volume
    if volume is None:
        return 1.0
    first = max(min(pair - _AROUND // 2, len(found.views) - _AROUND), 0)
    pairs = found.views[first : first + _AROUND]
    theta = evidence.theta_deg[pairs]
    one, other = (
        np.stack([banded(image, BAND_LOW_PX, BAND_HIGH_PX) for image in evidence.projector.project(volume, of_pair)])
        for of_pair in theta.T
    )
    changes = np.stack([_without_strip(change) for change in other - one])
    change = (changes**2).mean(axis=(1, 2)) / np.maximum(np.diff(theta, axis=1)[:, 0] ** 2, 1e-12)
    usual = float(np.median(change))
    return float(change[pair - first]) / usual if usual > 0 else 1.0


def _without_strip(change: Images) -> Images:
    """Without what is the same in all rows: where the strip ends, its edge face passes fast through the beam."""
    return change - np.median(change, axis=0) if change.shape[0] >= _LEAST_ROWS_PX else change


def _light(images: Images) -> NDArray[np.float64]:
    """How bright each view is (n,) where it is darkest: along the strip it shows air beside what no light passes."""
    return np.quantile(images, _ALONG, axis=(1, 2)).astype(np.float64)


def _along(light: NDArray[np.float64], theta_deg: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Pairs of the darkest tenth of a full turn: a strip that is passed along its length changes fast there, and
    smoothly nowhere."""
    darkest = np.minimum(light[1:], light[:-1]) < np.quantile(light, _ALONG)
    return darkest & is_full_turn(theta_deg)


def _middles(size: int) -> NDArray[np.int64]:
    """Of blocks that overlap by half."""
    return np.arange(_BLOCK_PX // 2, size - _BLOCK_PX // 4, _BLOCK_PX // 2, dtype=np.int64)
