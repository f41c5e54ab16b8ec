"""Which part of a volume is looked at: a cylinder, all of a crop, or what a mask leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.distance import depth_of
from xrm_control.analysis.levels import cylinder
from xrm_control.analysis.sampling import whole_in_box, whole_probability
from xrm_control.analysis.threshold import BoolVolume

FieldKind = Literal["cylinder", "box", "auto"]
_MASKED_SHARE = 0.9  # of what lies outside the inscribed circle
_CHANCE = 0.02  # of the inside that may have the mask's value by chance


@dataclass(frozen=True)
class VolumeField:
    """inside (y, x): what is looked at, the same in each slice. border (y, x): distance in voxels of their centres to
    its side, negative outside. words: what it is.
    """

    inside: BoolVolume
    border: NDArray[np.float64]
    box: bool
    words: str

    def whole(self, diameter_um: float, centre_um: tuple[float, float, float], shape: tuple[int, int, int],
              margin_um: float, voxel_um: float) -> tuple[float, float]:  # fmt: skip
        """Share of the field in which a particle of this size is whole, and its derivative by the diameter, 1/um."""
        halves = [n / 2 * voxel_um - margin_um for n in shape]
        if self.box:
            return whole_in_box(diameter_um, (halves[2], halves[1], halves[0]))
        return whole_probability(diameter_um, centre_um[1], min(halves[1:]), halves[0])


def find_field(volume: NDArray[np.number], kind: FieldKind = "cylinder") -> VolumeField:
    """The field of a volume (z, y, x). auto: the mask if one value stands outside a circle, else all of it: a crop."""
    if kind == "auto":
        masked = _masked(volume)
        if masked is not None:
            return masked
    if kind == "cylinder":
        inside = cylinder((volume.shape[0], volume.shape[1], volume.shape[2]))
        return VolumeField(inside, _to_circle(inside.shape), False, "the inscribed cylinder of a reconstruction")
    shape = volume.shape[1:]
    y, x = np.ogrid[: shape[0], : shape[1]]
    border = np.minimum(np.minimum(y, shape[0] - 1 - y), np.minimum(x, shape[1] - 1 - x)) + 0.5
    return VolumeField(np.ones(shape, bool), border, True, "the whole box: a crop, or a reconstruction of unknown make")


def _to_circle(shape: tuple[int, ...]) -> NDArray[np.float64]:
    ny, nx = shape
    y, x = np.ogrid[:ny, :nx]
    return min(ny, nx) / 2 - np.hypot(y - (ny - 1) / 2, x - (nx - 1) / 2)


def _masked(volume: NDArray[np.number]) -> VolumeField | None:
    """Where a single value stands outside of something like a circle, and hardly within."""
    value = volume[0, 0, 0]
    constant = (volume == value).all(axis=0)
    circle = cylinder((volume.shape[0], volume.shape[1], volume.shape[2]))
    outside = ~circle
    if not outside.any() or constant[outside].mean() < _MASKED_SHARE or constant.mean() > 0.9:
        return None
    inside = ~constant
    if np.count_nonzero(volume[:, inside] == value) > _CHANCE * volume[:, inside].size:
        return None  # a background without noise has one value too
    border = np.where(inside, depth_of(inside, black_border=True), 0.0) - 0.5
    # The mask's own edge is drawn with mixed values.
    inside &= border > 1
    return VolumeField(inside, border - 1, False, f"what a mask of {value:g} outside leaves")
