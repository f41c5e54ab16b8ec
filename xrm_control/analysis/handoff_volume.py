"""A core's tables beside the volume that it was given: places, then sizes, then greys; and matter without a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.handoff import load_volume
from xrm_control.analysis.handoff_bodies import Body, OddRow
from xrm_control.analysis.handoff_fill import odd_sizes, without_row
from xrm_control.analysis.handoff_matter import Matter
from xrm_control.analysis.handoff_places import odd_attenuation, odd_places
from xrm_control.analysis.handoff_sizes import Room
from xrm_control.contracts.handoff import HandoffSpec


def handed_volume(handed: HandoffSpec, handoff: Path) -> NDArray[np.number] | None:
    """The volume (z, y, x) in 1/um that a core was given, if it lies beside `handoff`. Raises as `load_volume`."""
    path = handoff.parent / handed.volume
    if not path.is_file():
        return None
    volume = load_volume(path, handed.voxel_size_um)
    return volume if handed.attenuation_scale == 1 else volume * np.float32(handed.attenuation_scale)


def odd_in_volume(bodies: Sequence[Body], room: Room, volume: NDArray[np.number]) -> Iterator[OddRow]:
    """What does not go with the matter in the volume (z, y, x; 1/um). Of places that are wrong no size is told."""
    matter = Matter.of(volume, room.voxel_um) if bodies else None
    if matter is None:
        return
    for look in (odd_places, odd_sizes):
        found = list(look(bodies, matter, room))
        yield from found
        if any(one.row is None for one in found):
            return
    yield from odd_attenuation(bodies, matter)


def left_without_row(bodies: Sequence[Body], voxel_um: float, volume: NDArray[np.number]) -> tuple[str, ...]:
    """Notes on matter that no row tells of, which a core may have its reasons for."""
    matter = Matter.of(volume, voxel_um)
    return () if matter is None else without_row(bodies, matter)
