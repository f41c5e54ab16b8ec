"""Distance to labelled regions, and which of them is nearest."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.reach import within
from xrm_control.analysis.threshold import BoolVolume

Label = TypeVar("Label", bound=np.integer[Any])
Box = tuple[slice, slice, slice]


def nearest_label(labels: NDArray[Label], reach_voxels: float) -> NDArray[Label]:
    """Every voxel of labels (z, y, x) within `reach_voxels` of a labelled one gets the nearest one's label."""
    from scipy import ndimage

    result = np.zeros_like(labels)
    box = bounding_box(labels > 0, int(np.ceil(reach_voxels)))
    if box is None:
        return result
    alone = labels[box].max()
    body = labels[box] == alone
    if np.count_nonzero(body) == np.count_nonzero(labels[box]):
        result[box][within(body, reach_voxels)] = alone
        return result
    distances = np.empty(labels[box].shape, np.float64)
    indices = np.empty((3, *distances.shape), np.int32)
    ndimage.distance_transform_edt(labels[box] == 0, return_indices=True, distances=distances, indices=indices)
    result[box] = np.where(distances <= reach_voxels, labels[box][tuple(indices)], 0)
    return result


def bounding_box(mask: BoolVolume, margin: int) -> Box | None:
    """The box of the voxels in mask (z, y, x), `margin` wider on each side within the array; None if there are none."""
    slices = []
    for axis in range(3):
        hit = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        if not len(hit):
            return None
        slices.append(slice(max(int(hit[0]) - margin, 0), min(int(hit[-1]) + margin + 1, mask.shape[axis])))
    return (slices[0], slices[1], slices[2])


def boxes_of(labels: NDArray[np.integer[Any]]) -> list[Box | None]:
    """The box of label 1, 2, ... of labels (z, y, x); None for a label that is not there."""
    from scipy import ndimage

    found = ndimage.find_objects(labels.astype(np.int32, copy=False))
    return [None if box is None else (box[0], box[1], box[2]) for box in found]


def grown_box(box: tuple[slice, ...], shape: tuple[int, ...], margin: int) -> Box:
    """`box` wider by `margin` on each side, within `shape`."""
    grown = [slice(max(s.start - margin, 0), min(s.stop + margin, n)) for s, n in zip(box, shape, strict=True)]
    return (grown[0], grown[1], grown[2])


def largest_of(height: NDArray[np.float32], labels: NDArray[np.integer], count: int) -> NDArray[np.float32]:
    """The largest height (count + 1,) within each label; 0 outside of all, where it is of no label."""
    found = np.zeros(count + 1, np.float32)
    labelled = labels > 0
    np.maximum.at(found, labels[labelled], height[labelled])
    return found
