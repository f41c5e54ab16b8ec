"""The camera as an areaDetector driver: exposes, reads out, counts, and hands arrays to the plugins.

The sequence of what is posted is that of ADSimDetector: for every frame Acquire, Readout; after the last one Idle, then
Acquire_RBV = 0, then AcquireBusy = 0, with which the put-completion of Acquire is sent.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.description import CameraFrame
from simulators.errors import Disconnected
from simulators.ioc.detector_parameters import NO_YES, Apply, Parameters
from simulators.ioc.detector_plugin import CAMERA_PORT, Array, Plugin, cast, show_array
from simulators.ioc.detector_records import DATA_TYPES, camera_records, port_records
from simulators.ioc.detector_region import Region, crop
from simulators.ioc.pacing import IocTime
from simulators.ioc.pv import Pv
from simulators.microscope import Microscope

TRIGGER_MODES = ("Internal", "Software")
_SHORTEST_EXPOSURE_S = 1e-6
_COUNT_DOWN_WALL_S = 0.1
_TRY_AGAIN_WALL_S = 0.5
# Timers wake up to a millisecond late; shorter waits watch the clock.
_TOO_SHORT_TO_SLEEP_WALL_S = 2e-4
_STATES = (
    "Idle",
    "Acquire",
    "Readout",
    "Correct",
    "Saving",
    "Aborting",
    "Error",
    "Waiting",
    "Initializing",
    "Disconnected",
    "Aborted",
)


class _Stopped(Exception):
    """A client wrote Acquire = 0."""


class Camera:
    """`plugins` receive the arrays; `run` must be running for Acquire to have an effect.

    trigger_modes: the choices of TriggerMode. In the first it runs free, in the others it waits for TriggerSoftware.
    """

    def __init__(
        self,
        prefix: str,
        microscope: Microscope,
        time: IocTime,
        workers: Executor,
        trigger_modes: tuple[str, ...] = TRIGGER_MODES,
    ) -> None:
        self.plugins: tuple[Plugin, ...] = ()
        self._microscope, self._time, self._workers = microscope, time, workers
        sensor = microscope.describe().camera
        self._region = Region(sensor.width_px, sensor.height_px, sensor.binnings)
        self._acquiring, self._queued = False, 0
        self._stop: asyncio.Future[None]
        self._start, self._trigger, self._done = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._done.set()
        p = self._p = Parameters(prefix)
        port_records(p, CAMERA_PORT, callbacks=True)
        camera_records(p)
        self._data_type = "UInt16"
        p.choice("DataType", self._data_type, DATA_TYPES, apply=self._change_data_type)
        p.readings(Manufacturer="Simulated", Model="X-ray microscope camera")
        p.readings(MaxSizeX=sensor.width_px, MaxSizeY=sensor.height_px)
        for name, value in self._region.wanted.items():
            p.integer(name, value, apply=self._change_region(name))
        for name in ("ReverseX", "ReverseY"):
            p.choice(name, "No", NO_YES)
        p.double("AcquireTime", 1.0, "s", apply=_not_negative)
        p.double("AcquirePeriod", 0.0, "s", apply=_not_negative)
        p.readings(TimeRemaining=0.0, NumImagesCounter=0, StatusMessage="\0")
        p.choice("ImageMode", "Single", ("Single", "Multiple", "Continuous"))
        p.integer("NumImages", 1, apply=_positive)
        self._runs_free = trigger_modes[0]
        p.choice("TriggerMode", self._runs_free, trigger_modes)
        p.choice("TriggerSource", "Software", ("Software",))
        p.control("TriggerSoftware", "Done", ("Done", "Trigger")).on_put = self._put_trigger
        p.choice("UniqueIdMode", "Driver", ("Camera", "Driver"))
        p.control("WaitForPlugins", "No", NO_YES)
        p.reading("DetectorState_RBV", "Idle", _STATES)
        p.switch("Acquire", "Acquire", "Acquiring", self._put_acquire)
        p.reading("AcquireBusy", "Done", ("Done", "Acquiring"))

    def pvs(self) -> dict[str, Pv]:
        """All records of the camera."""
        return self._p.pvs()

    @property
    def arrays(self) -> int:
        """ArrayCounter_RBV."""
        return self._p.value("ArrayCounter")

    async def show_rate(self, per_s: float) -> None:
        """Post ArrayRate_RBV."""
        await self._p.set("ArrayRate", per_s)

    async def run(self) -> None:
        """Acquire whenever told to, for ever."""
        while True:
            await self._start.wait()
            self._start.clear()
            try:
                await self._acquire()
            except _Stopped:
                self._microscope.abort_exposure(self._time.now_s())
                await self._end("Acquisition stopped", "Idle" if self._mode == "Continuous" else "Aborted")
            except Disconnected as problem:
                await self._end(str(problem), "Disconnected")
                await self._reconnect()
            else:
                await self._end("Waiting for acquisition", "Idle")

    async def queued(self, change: int) -> None:
        """A plugin's queue has grown or shrunk."""
        self._queued += change
        await self._p.show("NumQueuedArrays", self._queued)
        await self._finish()

    @property
    def _mode(self) -> str:
        return self._p.value("ImageMode")

    async def _acquire(self) -> None:
        """One acquisition: a frame, NumImages of them, or as many as it takes until it is stopped."""
        p = self._p
        await p.set("NumImagesCounter", 0)
        while True:
            begun_s = self._time.now_s()
            if p.value("TriggerMode") != self._runs_free:
                begun_s = await self._triggered()
            await self._take()
            if self._mode == "Single":
                return
            if self._mode == "Multiple" and p.value("NumImagesCounter") >= p.value("NumImages"):
                return
            next_s = begun_s + p.value("AcquirePeriod")
            if next_s > self._time.now_s():
                await p.set("DetectorState", "Waiting")
                await self._pass_until(next_s)

    async def _take(self) -> None:
        """One frame."""
        p, microscope, time = self._p, self._microscope, self._time
        region = self._region.used
        exposure_s = max(p.value("AcquireTime"), _SHORTEST_EXPOSURE_S)
        microscope.configure_camera(region["BinX"], exposure_s, time.now_s())
        exposure = microscope.expose(time.now_s())
        await p.set("DetectorState", "Acquire")
        timestamp = p["DetectorState_RBV"].epics_timestamp
        await self._count_down(exposure.exposure_ends_s)
        await p.set("DetectorState", "Readout")
        # From the end of the exposure on the frame is what it is: rendering it passes for the read-out.
        loop = asyncio.get_running_loop()
        rendering = loop.run_in_executor(self._workers, microscope.read, exposure.number, exposure.ready_s)
        await self._pass_until(exposure.ready_s)
        frame = await self._or_stop(rendering)
        for name in ("ArrayCounter", "NumImagesCounter"):
            await p.count(name)
        if p.value("ArrayCallbacks") == "Enable":
            await self._hand_on(frame, region, (timestamp.secondsSinceEpoch, timestamp.nanoSeconds))

    async def _hand_on(self, frame: CameraFrame | None, region: dict[str, int], timestamp: tuple[int, int]) -> None:
        p = self._p
        if frame is None:
            for plugin in self.plugins:
                await plugin.lose(CAMERA_PORT)
            return
        image = crop(frame.image, region, p.value("ReverseX") == "Yes", p.value("ReverseY") == "Yes")
        image = read_out(image, self._data_type)
        own = p.value("UniqueIdMode") == "Driver"
        array = Array(image, p.value("ArrayCounter") if own else frame.unique_id, timestamp)
        await show_array(p, image)
        await p.set("UniqueId", array.unique_id)
        for plugin in self.plugins:
            await plugin.deliver(array, CAMERA_PORT)

    async def _triggered(self) -> float:
        """Wait for a trigger; those that came before do not count."""
        self._trigger.clear()
        await self._p.set("DetectorState", "Waiting")
        await self._or_stop(asyncio.ensure_future(self._trigger.wait()))
        return self._time.now_s()

    async def _count_down(self, end_s: float) -> None:
        """Pass the exposure; where that takes a while, TimeRemaining tells how long."""
        time = self._time
        step_s = _COUNT_DOWN_WALL_S * time.speed
        while (left_s := end_s - time.now_s()) > step_s:
            await self._p.set("TimeRemaining", left_s)
            await self._pass_until(time.now_s() + step_s)
        await self._pass_until(end_s)
        await self._p.set("TimeRemaining", 0.0)

    async def _pass_until(self, moment_s: float) -> None:
        """Let time pass; raises _Stopped when told to stop meanwhile."""
        while (left_s := (moment_s - self._time.now_s()) / self._time.speed) >= 0.0:
            if left_s > _TOO_SHORT_TO_SLEEP_WALL_S:
                await asyncio.wait([self._stop], timeout=left_s)
            if self._stop.done():
                raise _Stopped

    async def _or_stop(self, awaited: asyncio.Future[Any]) -> Any:
        """The result of what is awaited; raises _Stopped when told to stop before it comes."""
        await asyncio.wait([awaited, self._stop], return_when=asyncio.FIRST_COMPLETED)
        if self._stop.done():
            awaited.cancel()
            raise _Stopped
        return awaited.result()

    async def _put_acquire(self, on: bool) -> bool:
        """Begin or stop; returns when the acquisition is over, and the plugins are done if they are to be waited for.

        Acquire = 1 while it acquires changes nothing.
        """
        if on and not self._acquiring:
            self._acquiring = True
            self._done.clear()
            self._stop = asyncio.get_running_loop().create_future()
            await self._p.set("StatusMessage", "Acquiring data")
            await self._p.turn("Acquire", True)
            await self._p.show("AcquireBusy", "Acquiring")
            self._start.set()
        elif not on and self._acquiring and not self._stop.done():
            self._stop.set_result(None)
        await self._done.wait()
        return self._acquiring

    async def _put_trigger(self, value: str) -> str:
        if value == "Trigger":
            self._trigger.set()
        return "Done"

    async def _end(self, message: str, state: str) -> None:
        """Post how an acquisition ended; the state before Acquire = 0."""
        await self._p.set("TimeRemaining", 0.0)
        await self._p.set("StatusMessage", message)
        await self._p.set("DetectorState", state)
        self._acquiring = False
        await self._p.turn("Acquire", False)
        await self._finish()

    async def _finish(self) -> None:
        waits = self._p["WaitForPlugins"].now == "Yes" and self._queued > 0
        if not self._acquiring and not waits:
            await self._p.show("AcquireBusy", "Done")
            self._done.set()

    async def _reconnect(self) -> None:
        """Ask a camera that is away every now and then whether it is back."""
        while not self._start.is_set():
            await self._time.wait_wall(_TRY_AGAIN_WALL_S)
            try:
                self._microscope.configure_camera(self._region.used["BinX"], 1.0, self._time.now_s())
            except Disconnected:
                continue
            await self._p.set("DetectorState", "Idle")
            return

    async def _change_data_type(self, name: str) -> str:
        """From the next frame on."""
        self._data_type = name
        return name

    def _change_region(self, name: str) -> Apply:
        async def apply(value: int) -> int:
            self._region.want(name, value)
            for other, used in self._region.used.items():
                await self._p.set(other, used)
            return self._region.used[name]

        return apply


def read_out(image: NDArray[Any], data_type: str) -> NDArray[Any]:
    """Counts of 16 bits as a camera sends them in another of areaDetector's types: of short integers the upper bits.

    A frame that comes as floats, because it has what is no number, stays so.
    """
    if image.dtype.kind == "f":
        return image
    kind = np.dtype(data_type.lower())
    spare_bits = 16 - 8 * kind.itemsize + (kind.kind == "i")
    return cast(image >> max(0, spare_bits) if kind.kind != "f" else image, kind)


async def _not_negative(value: float) -> float:
    return max(0.0, value)


async def _positive(value: int) -> int:
    return max(1, value)
