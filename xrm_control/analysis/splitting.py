"""Touching particles told apart: distance transform, watershed from every maximum, merging over shallow saddles.

Merging basins whose saddle is nearly as high as the lower of their peaks is the h-maxima rule with an h that grows
with the particle: a rough or oblong particle ripples in proportion to nothing but noise (`min_dynamic_voxels`), two
particles that touch have a neck well narrower than the smaller of them (`neck_ratio`). A neck less than a voxel
narrower may be a dent that noise has made on one side of a thin rod, for the map tells the nearest surface alone: it
counts where the surface dips all round. Smaller ones whose neck the blur has filled are told by `satellites`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from xrm_control.analysis.distance import depth_of
from xrm_control.analysis.label_expansion import Box, bounding_box, boxes_of, largest_of
from xrm_control.analysis.reach import padded
from xrm_control.analysis.satellites import set_off, valley_voxels
from xrm_control.analysis.threshold import BoolVolume
from xrm_control.core.model import Spec

Labels = NDArray[np.uint32]

_DENT, _LEAST_VALLEY = 1.0, 0.45
"""Voxels: narrower necks are no dents; and how deep the valley about others is. On cylinders and capsules of 1.2 to 3
voxels radius at SNR 9 dents reach 0.42, about contacts of balls of that size it is 0.53 and more."""


class SplitSpec(Spec):
    """When two basins of the distance map are two particles.

    neck_ratio: neck radius over radius of the smaller part, below which they are; min_dynamic_voxels: and the smaller
    part's radius exceeds the neck's by this much; smoothing_voxels: Gaussian blur of the distance map.
    fused_neck_ratio: radius of the neck without blur over the smaller one's, from which on two round ones of like size
    are one particle all the same (`necks`); 1: never.
    """

    neck_ratio: float = Field(default=0.87, gt=0, le=1)
    min_dynamic_voxels: float = Field(default=0.4, ge=0, le=1000)
    smoothing_voxels: float = Field(default=0.7, ge=0, le=5)
    fused_neck_ratio: float = Field(default=0.5, ge=0.2, le=1)

    @model_serializer(mode="wrap")
    def _as_before(self, said: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the part of later that says nothing: recipes from before keep their hash."""
        content: dict[str, Any] = said(self)
        if self.fused_neck_ratio == type(self).model_fields["fused_neck_ratio"].default:
            del content["fused_neck_ratio"]
        return content


def fill_enclosed(solid: BoolVolume) -> BoolVolume:
    """`solid` with everything filled that a 6-connected flood from the array's border cannot reach."""
    import cc3d

    empty, parts = cc3d.connected_components(~padded(solid), connectivity=6, return_N=True)
    return solid.copy() if parts == 1 else (empty != empty[0, 0, 0])[1:-1, 1:-1, 1:-1]


def split(filled: BoolVolume, spec: SplitSpec) -> Labels:
    """Labels (z, y, x), 0 outside, of the particles in `filled`, a mask whose internal voids are filled already."""
    box = bounding_box(filled, 1)
    labels = np.zeros(filled.shape, np.uint32)
    if box is not None:
        labels[box] = _split_box(filled[box], spec)
    return set_off(labels, filled)


def _split_box(filled: BoolVolume, spec: SplitSpec) -> Labels:
    import cc3d
    from scipy import ndimage
    from skimage.segmentation import watershed

    smooth = depth_of(filled).astype(np.float32)
    if spec.smoothing_voxels > 0:
        smooth = np.asarray(ndimage.gaussian_filter(smooth, spec.smoothing_voxels, truncate=3), np.float32)
    peaks = filled & (smooth == ndimage.maximum_filter(smooth, 3))
    markers = np.asarray(cc3d.connected_components(peaks, connectivity=26))
    basins = np.asarray(watershed(-smooth, markers.astype(np.int32), mask=filled))
    return _merged(basins, smooth, spec)


def saddles(basins: NDArray[np.integer], height: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Pairs (n, 2) of adjacent basins and the height (n,) of the highest pass between them."""
    pairs, heights = [], []
    for axis in range(3):
        low = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
        high = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
        first, second = basins[low], basins[high]
        border = (first != second) & (first > 0) & (second > 0)
        pairs.append(np.sort(np.column_stack((first[border], second[border])).astype(np.int64), axis=1))
        heights.append(np.minimum(height[low][border], height[high][border]))
    pair, top = np.concatenate(pairs), np.concatenate(heights)
    order = np.lexsort((-top, pair[:, 1], pair[:, 0]))
    pair, top = pair[order], top[order]
    first_of = np.ones(len(pair), bool)
    first_of[1:] = np.any(pair[1:] != pair[:-1], axis=1)
    return pair[first_of], top[first_of]


def _merged(basins: NDArray[np.integer], height: NDArray[np.float32], spec: SplitSpec) -> Labels:
    count = int(basins.max(initial=0))
    peak = largest_of(height, basins, count).astype(float)
    parent = np.arange(count + 1)

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    boxes: list[Box | None] = []
    pairs, passes = saddles(basins, height)
    for index in np.argsort(-passes, kind="stable"):
        first, second = root(int(pairs[index, 0])), root(int(pairs[index, 1]))
        if first == second:
            continue
        if peak[first] < peak[second]:
            first, second = second, first
        lower, neck = peak[second], passes[index]
        one_body = neck >= spec.neck_ratio * lower or lower - neck < spec.min_dynamic_voxels
        if not one_body and lower - neck < _DENT:
            boxes = boxes or boxes_of(basins)
            both = np.array([root(item) in (first, second) for item in range(count + 1)])
            one_body = _is_dent(basins, both, [(one, boxes[one - 1]) for one in pairs[index]], height)
        if one_body:
            parent[second] = first
    roots = np.array([root(item) for item in range(count + 1)])
    _, compact = np.unique(roots, return_inverse=True)
    return compact.astype(np.uint32)[basins]


def _is_dent(
    basins: NDArray[np.integer],
    both: BoolVolume,
    pair: Sequence[tuple[int, Box | None]],
    height: NDArray[np.float32],
) -> bool:
    """Whether the surface does not dip all round between the peaks of two basins, each with its box; both: which
    basins are of either's body."""
    balls = [_ball(basins[box] == one, height[box], box) for one, box in pair if box is not None]
    reach = round(1.8 * max(radius for _, radius in balls)) + 4
    low = np.maximum(np.min([middle for middle, _ in balls], axis=0).astype(int) - reach, 0)
    high = np.max([middle for middle, _ in balls], axis=0).astype(int) + reach + 1
    own = both[basins[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]]
    first, second = ((middle - low, radius) for middle, radius in balls)
    return valley_voxels(own, first, second) < _LEAST_VALLEY


def _ball(own: BoolVolume, height: NDArray[np.float32], box: Box) -> tuple[NDArray[np.float64], float]:
    """Where a basin is highest, and its height there."""
    place = np.unravel_index(int(np.argmax(np.where(own, height, 0))), own.shape)
    return np.array([part.start + at for part, at in zip(box, place, strict=True)], float), float(height[place])
