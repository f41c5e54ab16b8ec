"""NDStdArrays: the newest image as a waveform, whose element type (TYPE, FTVL) is its own and not the camera's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulators.ioc.detector_plugin import Array, Plugin, Source, cast
from simulators.ioc.pacing import IocTime
from simulators.ioc.pv import array as waveform
from simulators.ioc.pv import choice, integer

_FTVL = ("STRING", "CHAR", "UCHAR", "SHORT", "USHORT", "LONG", "ULONG", "INT64", "UINT64", "FLOAT", "DOUBLE", "ENUM")


@dataclass(frozen=True)
class Elements:
    """FTVL of the waveform; the type that the counts are cast to; the type in which they are served."""

    ftvl: str
    cast: str
    served: str


# By what an IOC's start-up file asks for. Channel Access has no unsigned numbers of 16 bits: USHORT is sent as int32.
ELEMENTS = {
    "int8": Elements("UCHAR", "uint8", "uint8"),
    "int16": Elements("SHORT", "int16", "int16"),
    "uint16": Elements("USHORT", "uint16", "int32"),
    "int32": Elements("LONG", "int32", "int32"),
    "float32": Elements("FLOAT", "float32", "float32"),
    "float64": Elements("DOUBLE", "float64", "float64"),
}


class ImagePlugin(Plugin):
    """ArrayData holds up to `pixels` numbers of `array_kind`, one of ELEMENTS; int16 has the bits of uint16 counts."""

    enabled = True

    def __init__(self, prefix: str, port: str, source: Source, time: IocTime, pixels: int, array_kind: str) -> None:
        super().__init__(prefix, port, "NDPluginStdArrays", source, time)
        self._elements = ELEMENTS[array_kind]
        self._data = self._p.add("ArrayData", waveform(pixels, self._elements.served))
        self._p.add("ArrayData.FTVL", choice(self._elements.ftvl, _FTVL, read_only=True, record="waveform"))
        self._p.add("ArrayData.NELM", integer(pixels, read_only=True, record="waveform"))

    async def process(self, array: Array) -> None:
        """The data first, then what they are: whoever waits for the unique id finds the data there."""
        elements = self._elements
        data = cast(array.image, np.dtype(elements.cast)).astype(elements.served, copy=False)
        await self._data.post(np.ascontiguousarray(data).ravel())
        await self.announce(array)
        await self.count()
