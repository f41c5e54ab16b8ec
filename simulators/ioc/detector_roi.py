"""NDPluginROI: a part of the image, binned by summing, turned over and scaled, for plugins that listen to its port."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.ioc.detector_parameters import NO_YES, Apply
from simulators.ioc.detector_plugin import Array, Plugin, Source, cast
from simulators.ioc.detector_records import DATA_TYPES
from simulators.ioc.pacing import IocTime
from simulators.ioc.pv import integer

_DISABLE_ENABLE = ("Disable", "Enable")
_AUTOMATIC = "Automatic"
_WHOLE = 1_000_000
# X runs along the columns, the last axis of an image.
_AXES = {"X": 1, "Y": 0}


class RoiPlugin(Plugin):
    """Offsets and sizes are clipped to the array that comes, and the read-backs then say so."""

    def __init__(self, prefix: str, port: str, source: Source, time: IocTime) -> None:
        super().__init__(prefix, port, "NDPluginROI", source, time)
        p = self._p
        self._asked: dict[str, int] = {}
        p.text("Name")
        for axis in "XYZ":
            for name, value in (("Bin", 1), ("Min", 0), ("Size", _WHOLE)):
                self._asked[name + axis] = value
                p.integer(name + axis, value, apply=self._ask(name + axis))
            for name in ("AutoSize", "Reverse"):
                p.choice(name + axis, "No", NO_YES)
            p.choice(f"Enable{axis}", "Enable", _DISABLE_ENABLE)
            p.readings(**{f"MaxSize{axis}": 0})
        for axis in "XY":
            p.add(f"Max{axis}", integer(read_only=True, record="longin"))
            p.control(f"Set{axis}HOPR", 0)
        for name in ("EnableScale", "CollapseDims"):
            p.choice(name, "Disable", _DISABLE_ENABLE)
        p.double("Scale", 1.0)
        p.choice("DataTypeOut", _AUTOMATIC, (*DATA_TYPES, _AUTOMATIC))

    async def process(self, array: Array) -> None:
        """Cut, and hand on."""
        image = array.image
        for axis, number in _AXES.items():
            image = await self._cut(image, axis, number)
        scale = self._p.value("Scale")
        if self._p.value("EnableScale") == "Enable" and scale:
            image = image / scale
        wanted = self._p.value("DataTypeOut")
        kind = array.image.dtype if wanted == _AUTOMATIC else np.dtype(wanted.lower())
        part = replace(array, image=np.ascontiguousarray(cast(image, kind)))
        await self.count()
        await self.announce(part)
        await self.hand_on(part)

    async def _cut(self, image: NDArray[Any], axis: str, number: int) -> NDArray[Any]:
        p, whole = self._p, image.shape[number]
        await p.set(f"MaxSize{axis}", whole)
        await p.show(f"Max{axis}", whole)
        if p.value(f"Enable{axis}") == "Disable":
            return image
        start = min(max(self._asked[f"Min{axis}"], 0), whole - 1)
        size = whole if p.value(f"AutoSize{axis}") == "Yes" else self._asked[f"Size{axis}"]
        size = min(max(size, 1), whole - start)
        binning = min(max(self._asked[f"Bin{axis}"], 1), size)
        for name, value in (("Min", start), ("Size", size), ("Bin", binning)):
            await p.set(name + axis, value)
        part = np.moveaxis(image, number, 0)[start : start + size // binning * binning]
        if binning > 1:
            sums = np.float64 if part.dtype.kind == "f" else np.int64
            part = part.reshape(-1, binning, *part.shape[1:]).sum(axis=1, dtype=sums)
        return np.moveaxis(part[:: -1 if p.value(f"Reverse{axis}") == "Yes" else 1], 0, number)

    def _ask(self, name: str) -> Apply:
        async def apply(value: int) -> int:
            self._asked[name] = value
            return value

        return apply
