"""NDStdArrays: the newest image as a waveform."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.ioc.detector_plugin import Array, Plugin, Source
from simulators.ioc.pacing import IocTime
from simulators.ioc.pv import array as waveform


class ImagePlugin(Plugin):
    """ArrayData holds up to `pixels` numbers: int16, whose bits are those of the uint16 counts, or float32."""

    enabled = True

    def __init__(
        self, prefix: str, port: str, source: Source, source_port: str, time: IocTime, pixels: int, array_kind: str
    ) -> None:
        super().__init__(prefix, port, "NDPluginStdArrays", source, source_port, time)
        self._convert = {"int16": _counts, "float32": _floats}[array_kind]
        self._data = self._p.add("ArrayData", waveform(pixels, array_kind))

    async def process(self, array: Array) -> None:
        """The data first, then what they are: whoever waits for the unique id finds the data there."""
        await self._data.post(self._convert(array.image).ravel())
        await self.announce(array)
        await self.count()


def _counts(image: NDArray[Any]) -> NDArray[np.int16]:
    """As integers; what is not a number becomes 0, as in the conversion that C makes."""
    if image.dtype != np.uint16:
        image = np.nan_to_num(image, nan=0.0).astype(np.uint16)
    return np.ascontiguousarray(image).view(np.int16)


def _floats(image: NDArray[Any]) -> NDArray[np.float32]:
    return np.ascontiguousarray(image, dtype=np.float32)
