"""Planes across a volume that lies plane by plane in its file: read as slabs of many planes next to each other.

A plane along z is one piece of the file. One along y is a row of each, and one along x a voxel of each row: whoever
reads a single one of these reads the whole file for it. So as many of them as fit into a piece of memory are taken out
at one pass, and the next ones are there at once; a volume that fits is read once.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from xrm_control.storage.formats.planes_on_disk import AnyVolume

# A row of a plane is little to read; the first plane should come soon.
_ROWS = 32
Slab = NDArray[np.generic]
Convert = Callable[[NDArray[np.generic]], NDArray[np.generic]]


@dataclass
class Slabs:
    """Of all volumes that are looked at: of `slab_bytes` each, of `kept_bytes` together at most, what was not used for
    longest goes first.
    """

    slab_bytes: int = 64 << 20
    kept_bytes: int = 384 << 20
    _kept: OrderedDict[Hashable, NDArray[np.generic]] = field(
        default_factory=OrderedDict[Hashable, NDArray[np.generic]]
    )
    _making: dict[Hashable, threading.Lock] = field(default_factory=dict[Hashable, threading.Lock])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def plane(
        self, name: Hashable, volume: AnyVolume, axis: int, index: int, convert: Convert, itemsize: int
    ) -> NDArray[np.generic]:
        """The plane at `index` along `axis` (1: y, 2: x), (z, the other), each voxel converted.

        name: of the volume, other after it has changed; convert: the same shape of `itemsize` bytes. Raises what
        reading the volume does.
        """
        wide = self._width(volume, axis, itemsize)
        first = index // wide * wide
        slab = self._slab((name, axis, first), lambda: _cut(volume, axis, first, wide, convert))
        return slab[index - first]

    def _slab(self, key: Hashable, make: Callable[[], Slab]) -> Slab:
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        # Many ask at once for planes of one slab: it is read once.
        with making:
            with self._lock:
                found = self._kept.get(key)
                if found is not None:
                    self._kept.move_to_end(key)
            if found is None:
                found = make()
                self._keep(key, found)
        return found

    def _keep(self, key: Hashable, slab: Slab) -> None:
        with self._lock:
            self._kept[key] = slab
            while len(self._kept) > 1 and sum(one.nbytes for one in self._kept.values()) > self.kept_bytes:
                old, _ = self._kept.popitem(last=False)
                self._making.pop(old, None)

    def _width(self, volume: AnyVolume, axis: int, itemsize: int) -> int:
        """How many planes make a slab."""
        most = max(1, self.slab_bytes // (volume.shape[0] * volume.shape[3 - axis] * itemsize))
        return min(most, _ROWS) if axis == 1 and most < volume.shape[1] else min(most, volume.shape[axis])


def _cut(volume: AnyVolume, axis: int, first: int, wide: int, convert: Convert) -> Slab:
    """Planes first to first + wide, as (plane, z, the other)."""
    end = min(first + wide, volume.shape[axis])
    slab: Slab | None = None
    for z in range(volume.shape[0]):
        # A slice along y is read alone; along x whole rows are.
        part = convert(volume[z, first:end] if axis == 1 else volume[z][:, first:end])
        if slab is None:
            slab = np.empty((end - first, volume.shape[0], volume.shape[3 - axis]), part.dtype)
        slab[:, z] = part if axis == 1 else part.T
    return np.empty((0, 0, 0)) if slab is None else slab
