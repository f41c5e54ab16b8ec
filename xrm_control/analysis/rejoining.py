"""Pieces of one particle that a crack has parted: labels that face each other across a thin gap, made one again.

Two pieces are one particle where

- they face each other over most of the smaller one's shadow along the gap's normal, nowhere further apart than a crack
  opens: surfaces are paired voxel by voxel, each with the nearest of the other, so that the gap may be curved;
- what lies between is a gap, and no solid neck: a good part of it is darker than a particle. What splitting told apart
  at a neck stays apart;
- the outline of one goes on as that of the other (`outlines`), and the convex hull of both holds no more than the hulls
  of each and the gap. About a contact of balls, of grains whose faces do not match, of plates that lie askew, outlines
  step or flare, and the hull spans a notch.

What cannot be told apart: two particles that lie face to face with outlines that match within about a tenth of their
width (stacked plates of one size, aligned) are joined. The pieces of a particle that have moved aside by more than
that, or have turned, or are further apart than `MOST_OPENING_UM`, stay two, as do pieces that are smaller than some
fifty voxels, and those of a particle whose own outline is hollow along the crack; the check `facing_faces` doubts those
that still face each other. A gap so narrow that the threshold does not see it parts nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.label_expansion import Box, grown_box
from xrm_control.analysis.outlines import Gap, step_between
from xrm_control.analysis.reach import within
from xrm_control.analysis.threshold import BoolVolume, FloatVolume

Labels = NDArray[np.uint32]
Floats = NDArray[np.float64]

MOST_OPENING_UM = 2.0
_ALLOWANCE = 1.7
"""Voxels between the middles of two voxels beside a gap, above its opening."""

LEAST_PIECE = 12
"""Voxels: of less no hull and no shadow is known."""

_LEAST_FACING = 0.55
"""Of the shadow of the smaller piece along the normal of the gap: halves of a ball 0.58 to 1, balls that touch 0.1 to
0.4."""

_OPEN_SHARE, _LEAST_OPEN = 0.75, 0.4
"""A voxel that shows less than this share of the contrast is gap; of the gap's voxels so many must be."""

_MOST_NOTCH = 0.15
"""What the hull of both holds besides, over the smaller piece: two halves of a ball 0.02, equal balls that touch 0.5,
two equal cubes face to face that are shifted by a fifth of their side 0.2."""

_MOST_STEP, _MOST_RELATIVE_STEP = 0.4, 0.05
"""Mean over all sides by which one outline stands out beyond the other's, in voxels and in radii of the face: halves of
a ball of 10 um 0.0 to 0.13 voxels, equal discs that are shifted by a seventh of their width 0.3, balls that touch 1 to
7."""

_MOST_ASIDE, _MOST_RELATIVE_ASIDE, _ASIDE_OF_WIDTH = 0.6, 0.08, 0.15
"""The same of how far one outline lies from where both together lead, and, as lines are drawn on over it, in widths of
the gap: halves of a ball of 10 um 0.4 to 1.1 voxels, one that has moved aside by a seventh of its width 2.3."""

_CLOSE = 0.01
"""Voxels more than asked for, so that nothing is lost by rounding before the distances themselves are looked at."""

_ROUNDED = 0.3
"""Voxels by which blur rounds the edges of two faces; times their outline and the gap, it is no notch."""


def rejoined(labels: Labels, volume: FloatVolume, dark: float, voxel_um: float) -> tuple[Labels, dict[int, int]]:
    """`labels` (z, y, x) with the pieces of one particle under one label, and of how many pieces such labels are.

    dark: grey below which a voxel between two pieces is gap (see `dark_level`).
    """
    from scipy import ndimage

    windows = ndimage.find_objects(labels.astype(np.int32))
    sizes = np.bincount(labels.ravel(), minlength=len(windows) + 1)
    reach = MOST_OPENING_UM / voxel_um + _ALLOWANCE
    boxes = {
        number: grown_box(window, labels.shape, 0)
        for number, window in enumerate(windows, 1)
        if window is not None and sizes[number] >= LEAST_PIECE
    }
    joined: dict[int, int] = {}
    result = labels
    waiting = _near(boxes, reach)
    while waiting:
        one, other = waiting.pop(0)
        pair = _Pair(result, volume, one, other, boxes[one], boxes[other])
        if not _one_particle(pair, dark, reach):
            continue
        if result is labels:
            result = labels.copy()
        # Under the lower number; its neighbours may fit the whole of it better than they fitted a part.
        result[boxes[other]][result[boxes[other]] == other] = one
        boxes[one] = _union(boxes[one], boxes.pop(other))
        joined[one] = joined.get(one, 1) + joined.pop(other, 1)
        waiting = [pair for pair in waiting if other not in pair and one not in pair]
        waiting += [pair for pair in _near(boxes, reach) if one in pair and pair not in waiting]
    return result, joined


def dark_level(particle: float, background: float) -> float:
    """Grey below which a voxel between two pieces is gap."""
    return background + _OPEN_SHARE * (particle - background)


@dataclass(frozen=True)
class _Pair:
    """Two labels in a volume, and their boxes."""

    labels: Labels
    grey: FloatVolume
    one: int
    other: int
    of_one: Box
    of_other: Box

    def gap(self, reach: float) -> Gap | None:
        """Places in the volume. See `facing`."""
        margin = int(np.ceil(reach))
        near = [grown_box(box, self.labels.shape, margin) for box in (self.of_one, self.of_other)]
        sides = [slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(*near, strict=True)]
        if any(side.start >= side.stop for side in sides):
            return None
        part = self.labels[tuple(sides)]
        found = facing(part == self.one, part == self.other, reach)
        start = np.array([side.start for side in sides])
        return found and Gap(found.middles + start, found.width, found.normal)

    def points(self, of: int) -> NDArray[np.int64]:
        """Voxels (n, 3) of one of them."""
        box = self.of_one if of == self.one else self.of_other
        return np.argwhere(self.labels[box] == of) + np.array([side.start for side in box])


def _one_particle(pair: _Pair, dark: float, reach: float) -> bool:
    gap = pair.gap(reach)
    if gap is None:
        return False
    one, other = (pair.points(number) for number in (pair.one, pair.other))
    along, smaller = gap.across, min(one, other, key=len)
    facing_area = _cells(gap.middles, along)
    if facing_area < _LEAST_FACING * _cells(smaller.astype(float), along):
        return False
    if np.mean(_at(pair.grey, gap.middles) < dark) < _LEAST_OPEN:
        return False
    step = step_between(one, other, gap)
    if step is None or step.out > max(_MOST_STEP, _MOST_RELATIVE_STEP * step.radius):
        return False
    width = float(np.mean(gap.width))
    if step.aside > max(_MOST_ASIDE, _MOST_RELATIVE_ASIDE * step.radius) + _ASIDE_OF_WIDTH * width:
        return False
    between = facing_area * width + _ROUNDED * 2 * math.sqrt(math.pi * facing_area) * width
    excess = _hull(np.concatenate((one, other))) - _hull(one) - _hull(other) - between
    return excess <= _MOST_NOTCH * len(smaller)


def facing(one: BoolVolume, other: BoolVolume, reach: float) -> Gap | None:
    """The gap between two pieces (z, y, x) where each voxel's nearest in the other has that voxel, or one beside it, as
    its own nearest; None where they are nowhere within `reach` voxels of each other, or hardly."""
    from scipy import ndimage

    # Boxes that are near may have nothing of their labels where they meet.
    if not (one.any() and other.any()):
        return None
    if np.count_nonzero(one & within(other, reach + _CLOSE)) < LEAST_PIECE:
        return None
    distance, nearest = np.empty(one.shape, np.float64), np.empty((3, *one.shape), np.int32)
    ndimage.distance_transform_edt(~other, return_indices=True, distances=distance, indices=nearest)
    at = np.argwhere(one & (distance <= reach))
    if len(at) < LEAST_PIECE:
        return None
    back = np.empty_like(nearest)
    ndimage.distance_transform_edt(~one, return_distances=False, return_indices=True, indices=back)
    there = nearest[:, *at.T].T
    here = back[:, *there.T].T
    mutual = ((here - at) ** 2).sum(axis=1) <= 2
    at, there = at[mutual], there[mutual]
    if len(at) < LEAST_PIECE:
        return None
    middles = (at + there) / 2
    across = there - at
    normal = np.asarray(np.linalg.svd(middles - middles.mean(axis=0), full_matrices=False)[2][2], float)
    # A patch that is thick or small tells its normal less well than the pairs do.
    if abs(float(normal @ across.mean(axis=0))) < 0.5 * float(np.linalg.norm(across, axis=1).mean()):
        normal = across.mean(axis=0) / max(float(np.linalg.norm(across.mean(axis=0))), 1e-9)
    return Gap(middles, np.linalg.norm(across, axis=1), normal)


def _cells(points: Floats, across: Floats) -> float:
    """Area in voxels that points (n, 3) cover in the plane of `across`, holes of one voxel closed."""
    from scipy import ndimage

    flat = points @ across.T
    place = np.floor(flat - flat.min(axis=0) + 3).astype(int)
    cells = np.zeros(place.max(axis=0) + 4, bool)
    cells[place[:, 0], place[:, 1]] = True
    return float(np.count_nonzero(ndimage.binary_closing(cells, np.ones((3, 3)))))


def _at(grey: FloatVolume, points: Floats) -> Floats:
    from scipy import ndimage

    return np.asarray(ndimage.map_coordinates(grey, points.T, order=1, mode="nearest"), float)


def _hull(points: NDArray[np.int64]) -> float:
    """Volume of the convex hull of points (n, 3), in voxels."""
    from scipy.spatial import ConvexHull, QhullError

    try:
        return float(ConvexHull(_ends(points)).volume)
    except QhullError:
        return 0.0


def _ends(points: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first and the last point of each row along the last axis: no other is on the hull."""
    ordered = points[np.lexsort(points.T[::-1])]
    new = np.any(ordered[1:, :2] != ordered[:-1, :2], axis=1)
    return ordered[np.concatenate(([True], new)) | np.concatenate((new, [True]))]


def _near(boxes: dict[int, Box], reach: float) -> list[tuple[int, int]]:
    """Pairs of labels, in order, whose boxes are within `reach` voxels of each other."""
    numbers = sorted(boxes)
    low = np.array([[side.start for side in boxes[n]] for n in numbers]).reshape(-1, 3)
    high = np.array([[side.stop for side in boxes[n]] for n in numbers]).reshape(-1, 3)
    pairs: list[tuple[int, int]] = []
    for place, number in enumerate(numbers):
        beside = np.all((low[place + 1 :] <= high[place] + reach) & (low[place] <= high[place + 1 :] + reach), axis=1)
        pairs += [(number, numbers[place + 1 + int(at)]) for at in np.flatnonzero(beside)]
    return pairs


def _union(one: Box, other: Box) -> Box:
    sides = [slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(one, other, strict=True)]
    return (sides[0], sides[1], sides[2])
