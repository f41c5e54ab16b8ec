"""What areaDetector plugins share: they take arrays from the camera or from another plugin, whichever port NDArrayPort
names, at once or through a queue of their own.

A plugin that falls behind loses arrays and counts them in DroppedArrays.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from simulators.ioc.detector_parameters import NO_YES, Parameters
from simulators.ioc.detector_records import data_type, plugin_records, port_records
from simulators.ioc.pacing import IocTime
from simulators.ioc.pv import Pv

CAMERA_PORT = "CAM1"
_QUEUE_SIZE = 20


@dataclass(frozen=True)
class Array:
    """An image (rows, columns) of any of areaDetector's types, on its way through the plugins (NDArray).

    timestamp: seconds and nanoseconds since 1990, the epoch of EPICS.
    """

    image: NDArray[Any]
    unique_id: int
    timestamp: tuple[int, int]


class Source(Protocol):
    """Whoever sends arrays (the camera), and waits for plugins when WaitForPlugins is Yes."""

    async def queued(self, change: int) -> None:
        """An array was put into a queue (+1) or is done with (-1)."""
        ...


def cast(image: NDArray[Any], kind: np.dtype[Any]) -> NDArray[Any]:
    """Another type as C makes it: modulo where it is too small; what is not a number becomes 0 among integers."""
    if image.dtype == kind:
        return image
    if image.dtype.kind == "f" and kind.kind != "f":
        with np.errstate(invalid="ignore"):
            return image.astype(np.int64).astype(kind)
    return image.astype(kind)


async def show_array(p: Parameters, image: NDArray[Any]) -> None:
    """Post the size of an array where it differs from the one before."""
    rows, columns = image.shape
    if (p["ArraySizeY_RBV"].now, p["ArraySizeX_RBV"].now) != image.shape:
        for name, value in (("ArraySize0", columns), ("ArraySize1", rows), ("NDimensions", 2)):
            await p.set(name, value)
        await p.set("ArraySizeX", columns)
        await p.set("ArraySizeY", rows)
        await p["Dimensions_RBV"].post(np.array([columns, rows, *[0] * 8], np.int32))
    await p.set("ArraySize", image.nbytes)
    await p.set("CompressedSize", image.nbytes)
    await p.set("DataType", data_type(image.dtype))


class Plugin:
    """One plugin; its kind says what `process` does with an array, and whether it is enabled from the start."""

    enabled = False

    def __init__(self, prefix: str, port: str, kind: str, source: Source, time: IocTime) -> None:
        self.outputs: tuple[Plugin, ...] = ()
        self._p = Parameters(prefix)
        self._port, self._source, self._time = port, source, time
        self._queue: deque[Array] = deque()
        self._arrived = asyncio.Event()
        self._processed_s = -np.inf
        self._busy = False
        p = self._p
        port_records(p, port, callbacks=False)
        p.readings(PluginType=kind, ExecutionTime=0.0)
        p.text("NDArrayPort", CAMERA_PORT)
        p.choice("EnableCallbacks", "Enable" if self.enabled else "Disable", ("Disable", "Enable"))
        p.choice("BlockingCallbacks", "No", NO_YES)
        p.double("MinCallbackTime", 0.0, "s", apply=_not_negative)
        p.integer("DroppedArrays")
        p.integer("QueueSize", _QUEUE_SIZE, apply=self._resize)
        p.reading("QueueFree", _QUEUE_SIZE)
        p.reading("QueueUse", 0)
        p.control("ProcessPlugin", "No", NO_YES)
        plugin_records(p)

    def pvs(self) -> dict[str, Pv]:
        """All records of the plugin."""
        return self._p.pvs()

    @property
    def arrays(self) -> int:
        """ArrayCounter_RBV."""
        return self._p.value("ArrayCounter")

    async def show_rate(self, per_s: float) -> None:
        """Post ArrayRate_RBV."""
        await self._p.set("ArrayRate", per_s)

    def listens_to(self, port: str) -> bool:
        """Whether arrays of a port reach it."""
        return self._p.value("EnableCallbacks") == "Enable" and self._p.value("NDArrayPort") == port

    async def deliver(self, array: Array, port: str) -> None:
        """A port has an array."""
        now_s = self._time.now_s()
        if not self.listens_to(port) or now_s - self._processed_s < self._p.value("MinCallbackTime"):
            return
        self._processed_s = now_s
        if self._p.value("BlockingCallbacks") == "Yes":
            await self._timed(array)
        elif len(self._queue) >= self._p.value("QueueSize"):
            await self.lose(port)
        else:
            self._queue.append(array)
            self._arrived.set()
            if self._busy:
                await self._show_queue()
            await self._source.queued(+1)

    async def lose(self, port: str) -> None:
        """An array of a port did not get here."""
        if self.listens_to(port):
            await self._p.count("DroppedArrays")

    async def run(self) -> None:
        """Work through the queue, for ever."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            self._busy = True
            while self._queue:
                array = self._queue.popleft()
                await self._show_queue()
                await self._timed(array)
                await self._source.queued(-1)
            self._busy = False

    async def process(self, array: Array) -> None:
        """What this kind of plugin does; it ends with `announce`."""
        raise NotImplementedError

    async def announce(self, array: Array) -> None:
        """Post what is known of the array that was just processed."""
        p = self._p
        await show_array(p, array.image)
        seconds, nanoseconds = array.timestamp
        await p.set("EpicsTSSec", seconds)
        await p.set("EpicsTSNsec", nanoseconds)
        await p.set("TimeStamp", seconds + nanoseconds * 1e-9)
        await p.set("UniqueId", array.unique_id)

    async def hand_on(self, array: Array) -> None:
        """To the plugins that listen to this one."""
        for plugin in self.outputs:
            await plugin.deliver(array, self._port)

    async def count(self) -> None:
        """One array more has gone through."""
        await self._p.count("ArrayCounter")

    async def _timed(self, array: Array) -> None:
        begun_s = self._time.wall_s()
        await self.process(array)
        await self._p.set("ExecutionTime", 1e3 * (self._time.wall_s() - begun_s))

    async def _show_queue(self) -> None:
        """Post how full it is; not for an array that is taken from it in the same moment."""
        waiting = len(self._queue)
        await self._p.show("QueueFree", self._p.value("QueueSize") - waiting)
        await self._p.show("QueueUse", waiting)

    async def _resize(self, size: int) -> int:
        size = max(1, size)
        await self._p.show("QueueFree", size - len(self._queue))
        return size


async def _not_negative(value: float) -> float:
    return max(0.0, value)
