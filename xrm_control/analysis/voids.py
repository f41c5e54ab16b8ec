"""Internal voids of one particle: ternary flooding, on its own cropped box.

What a 6-connected flood from outside does not reach is internal. A one-voxel leak would turn a void into exterior, so
the flood is repeated after closing the particle: what becomes enclosed by a closing of one voxel is `ambiguous` (noise
could have made the leak), as is what lies behind a wall that the threshold does not see (`lids`); what needs two voxels
is `open`. The particle is alone in its box: a gap walled in by
several particles is no void.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xrm_control.analysis.label_expansion import nearest_label
from xrm_control.analysis.reach import deeper, within
from xrm_control.analysis.splitting import fill_enclosed
from xrm_control.analysis.threshold import BoolVolume
from xrm_control.core.model import Spec

VoidKind = Literal["closed", "ambiguous", "open"]
CLOSINGS: dict[VoidKind, int] = {"ambiguous": 1, "open": 2}
"""Voxels."""


SKIN_VOXELS = 1.5


class VoidSpec(Spec):
    """min_voxels: smaller voids are noise (false voids in 3 to 23 % of sound particles at one voxel, none at eight)."""

    min_voxels: int = Field(default=8, ge=1, le=1_000_000)


@dataclass(frozen=True)
class VoidLabels:
    """labels (z, y, x) uint16, 0 none; kinds: kind of label 1, 2, ...; envelope: the particle with its voids filled."""

    labels: NDArray[np.uint16]
    kinds: tuple[VoidKind, ...]
    envelope: BoolVolume


def find_voids(
    solid: BoolVolume, spec: VoidSpec, leaky: BoolVolume | None = None, lidded: BoolVolume | None = None
) -> VoidLabels:
    """The voids of one particle; solid: its voxels above the threshold, in a box with a margin; leaky: what is known to
    be enclosed by a wall so thin that no closing mends it; lidded: what a wall fainter than the threshold encloses.
    """
    envelope = fill_enclosed(solid)
    labels: NDArray[np.uint16] = np.zeros(solid.shape, np.uint16)
    kinds: list[VoidKind] = []
    _add(labels, kinds, envelope & ~solid, "closed", spec.min_voxels)
    envelope = _sealed(labels, kinds, envelope, "ambiguous", spec)
    if lidded is not None and (pits := lidded & ~envelope).any():
        _add(labels, kinds, pits, "ambiguous", spec.min_voxels)
        envelope = fill_enclosed(envelope | (labels > 0))
    envelope = _sealed(labels, kinds, envelope, "open", spec)
    if leaky is not None and np.count_nonzero(leaky & ~envelope) >= spec.min_voxels:
        _add(labels, kinds, leaky & ~envelope, "open", spec.min_voxels)
        envelope = fill_enclosed(envelope | leaky)
    return VoidLabels(labels, tuple(kinds), envelope)


def _sealed(
    labels: NDArray[np.uint16], kinds: list[VoidKind], envelope: BoolVolume, kind: VoidKind, spec: VoidSpec
) -> BoolVolume:
    """The envelope with what a closing of that kind encloses, which is added to `labels` and `kinds`."""
    reach = CLOSINGS[kind] + 0.25
    closed = deeper(within(envelope, reach), reach, black_border=True)
    pockets = fill_enclosed(closed) & ~closed
    if not pockets.any():
        return envelope
    # The closing ate into the pocket from its walls: grow it back.
    grown = within(pockets, reach) & closed & ~envelope
    before = len(kinds)
    _add(labels, kinds, pockets | grown, kind, spec.min_voxels)
    return fill_enclosed(envelope | (labels > 0)) if len(kinds) > before else envelope


def void_zones(labels: NDArray[np.uint16], envelope: BoolVolume, reach_voxels: float) -> NDArray[np.uint16]:
    """For grey-level integration: each void grown by `reach_voxels` inside the particle, but for its outermost voxels.

    Whose grey depends too much on where in them the surface lies.
    """
    if not labels.any():
        return labels
    deep = deeper(envelope, SKIN_VOXELS)
    return np.where((labels > 0) | deep, nearest_label(labels, reach_voxels), 0).astype(np.uint16)


def _add(labels: NDArray[np.uint16], kinds: list[VoidKind], mask: BoolVolume, kind: VoidKind, min_voxels: int) -> None:
    import cc3d

    parts = np.asarray(cc3d.connected_components(mask, connectivity=6))
    for part, size in enumerate(np.bincount(parts.ravel())[1:], start=1):
        if size >= min_voxels:
            kinds.append(kind)
            labels[parts == part] = len(kinds)
