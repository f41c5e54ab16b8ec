"""The camera as areaDetector: settings believed by read-back, a frame by its unique id.

One frame is one acquisition (ImageMode Single). The put of Acquire completes through AcquireBusy, with WaitForPlugins
after the plugins have done their part; the frame then is in the plugin named in the map. Names: ADCore documentation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.clock import Clock
from xrm_control.core.errors import DeviceError, FrameLost, FrameUnusable, InstrumentUnreachable, XrmError
from xrm_control.devices.epics.answers import TimedOut, no_number
from xrm_control.devices.epics.exposure import ExposureWatch
from xrm_control.devices.epics.pv_map import CameraMap
from xrm_control.devices.epics.registry import Registry
from xrm_control.devices.protocols import CameraFrame, CameraSettings, Disturbance

_WRITTEN = {"ImageMode": "Single", "NumImages": 1, "ArrayCallbacks": "Enable"}
_FIELDS = (
    *_WRITTEN, "TriggerMode", "WaitForPlugins", "Acquire", "Acquire_RBV", "AcquireTime", "AcquireTime_RBV",
    "BinX", "BinY", "BinX_RBV", "BinY_RBV", "MinX", "MinY", "SizeX", "SizeY", "MinX_RBV", "MinY_RBV",
    "SizeX_RBV", "SizeY_RBV", "MaxSizeX_RBV", "MaxSizeY_RBV", "ImageMode_RBV", "NumImages_RBV",
    "TriggerMode_RBV", "ArrayCounter_RBV", "DetectorState_RBV", "StatusMessage_RBV",
)  # fmt: skip
# What stopping needs, on a circuit of its own.
_STOPPING = ("Acquire", "Acquire_RBV")
_NOT_ACQUIRING = ("Done", "Idle", 0)
_FAILED = ("Error", "Aborted", "Aborting", "Disconnected")
# A camera that has not delivered after three times the planned time (and this) hangs.
_PATIENCE, _GRACE_S = 3.0, 5.0
# Nor one that has had less than this of the wall clock: an IOC on a busy machine is no fault.
_LEAST_WALL_S = 20.0
# Of the wall clock: how long a camera may take to end what it is doing.
_IDLE_S, _POLL_S = 10.0, 0.02


def hangs_after_s(exposure_s: float, readout_s: float) -> float:
    """How long a camera may take for a frame, in s of the instrument, before it is said to hang."""
    return _PATIENCE * (exposure_s + readout_s) + _GRACE_S


class FrameSource(Protocol):
    """Where the frame of an acquisition is fetched."""

    async def prepare(self, shape: tuple[int, int]) -> None:
        """Called after the camera took its settings; `shape` is (rows, columns) of the frames to come."""
        ...

    async def fetch(self, last_id: int) -> tuple[NDArray[np.generic], int]:
        """The newest frame and its unique id. Raises FrameLost when none came after `last_id`."""
        ...

    async def newest_id(self) -> int:
        """Unique id of the newest frame there is."""
        ...


class EpicsCamera:
    """See `protocols.Camera`. `exposed` is called when an exposure is over and its frame is about to be fetched."""

    def __init__(
        self,
        camera: CameraMap,
        prefix: str,
        frames: FrameSource,
        registry: Registry,
        clock: Clock,
        watch: ExposureWatch,
        exposed: Callable[[], None] = lambda: None,
    ) -> None:
        self._map = camera
        self._pv = pvs(prefix)
        self._colour = f"{prefix}ColorMode_RBV"
        self._frames = frames
        self._registry = registry
        self._clock = clock
        self._watch = watch
        self._exposed = exposed
        self._exposure_s = 0.0
        self._binning = 0
        self._shape = (0, 0)
        self._last_id = 0
        # After a frame that never came nobody knows whether the camera has counted it.
        self._uncounted = False

    async def examine(self) -> None:
        """Is it the detector of the map? Raises DeviceError."""
        width, height = await self._read("MaxSizeX_RBV", "MaxSizeY_RBV")
        self._has_trigger_mode()
        await self._counts_light()
        region = self._map.region
        if region is not None and (region.min_x + region.size_x > width or region.min_y + region.size_y > height):
            raise DeviceError(
                "the map's region reaches beyond the detector",
                where=f"{self._pv['MaxSizeX_RBV']}, {self._pv['MaxSizeY_RBV']}",
                value=f"{region.size_x} x {region.size_y} px from {region.min_x}, {region.min_y}",
                limit=f"{width} x {height} px",
                remedy="correct camera.region in the PV map",
            )
        if region is None and (width, height) != (self._map.width_px, self._map.height_px):
            raise DeviceError(
                "the detector has another size than the map says",
                where=f"{self._pv['MaxSizeX_RBV']}, {self._pv['MaxSizeY_RBV']}",
                value=f"{width} x {height} px",
                limit=f"{self._map.width_px} x {self._map.height_px} px",
                remedy="correct camera.width_px and camera.height_px, or the camera's prefix, in the PV map;"
                " camera.region takes a part of the detector",
            )

    async def _counts_light(self) -> None:
        """One number for each pixel; a camera without ColorMode has no other."""
        if not self._registry.has(self._colour):
            return
        (mode,) = await self._registry.readings(self._colour, may_be_invalid=True)
        if mode.value not in (0, "Mono"):
            raise DeviceError(
                "the camera's frames have colours",
                where=self._colour,
                value=mode.value,
                limit="Mono",
                remedy="set ColorMode of the camera to Mono",
            )

    def _has_trigger_mode(self) -> None:
        choices = self._registry.choices(self._pv["TriggerMode"])
        if self._map.trigger_mode not in choices:
            raise DeviceError(
                "the camera does not have the map's trigger mode",
                where=self._pv["TriggerMode"],
                value=self._map.trigger_mode,
                limit=", ".join(choices),
                remedy="set camera.trigger_mode in the PV map to the one in which Acquire = 1 takes one frame",
            )

    async def configure(self, binning: int, exposure_s: float) -> CameraSettings:
        """See `Camera.configure`."""
        about = self._map
        if binning not in about.readout_s:
            raise DeviceError(
                "the camera does not have this binning",
                where=self._pv["BinX"],
                value=binning,
                limit=", ".join(map(str, sorted(about.readout_s))),
            )
        await self.stop()
        for field, value in _WRITTEN.items():
            await self._write(field, value)
        await self._write("TriggerMode", about.trigger_mode)
        await self._write("WaitForPlugins", "Yes")
        region = about.full_region
        if about.has_binning:
            for field in ("BinX", "BinY"):
                await self._write(field, binning)
        for field, value in (("MinX", region.min_x), ("MinY", region.min_y),
                             ("SizeX", region.size_x), ("SizeY", region.size_y)):  # fmt: skip
            await self._write(field, value)
        await self._write("AcquireTime", float(exposure_s))
        settings = await self._read_back(binning)
        self._exposure_s, self._binning, self._shape = settings.exposure_s, settings.binning, settings.shape
        await self._frames.prepare(self._shape)
        self._last_id = await self._frames.newest_id()
        # A plugin that was disabled for a while has not seen the last frames, and some cameras number theirs otherwise.
        (counted,) = await self._read("ArrayCounter_RBV")
        self._uncounted = self._last_id != counted
        return settings

    def halt(self) -> None:
        """Say that the acquisition shall end, from any thread, and wait for nothing. Raises InstrumentUnreachable."""
        self._registry.command(self._pv["Acquire"], 0)

    async def stop(self) -> None:
        """End whatever it acquires, also somebody else's live view. Raises DeviceError when it goes on."""
        self.halt()
        deadline_s = self._clock.now_s() + self._clock.wall_s(_IDLE_S)
        while True:
            (acquiring,) = await self._registry.read(self._pv["Acquire_RBV"], urgent=True)
            if acquiring in _NOT_ACQUIRING and not self._registry.busy(self._pv["Acquire"]):
                return
            if self._clock.now_s() > deadline_s:
                raise DeviceError(
                    "the camera does not end its acquisition",
                    where=self._pv["Acquire_RBV"],
                    value=acquiring,
                    limit=f"{_IDLE_S:g} s after Acquire = 0",
                    remedy="look at the camera; with WaitForPlugins it also waits for files that cannot be written",
                )
            await self._clock.sleep(self._clock.wall_s(_POLL_S))

    async def expose(self) -> CameraFrame:
        """See `Camera.expose`."""
        if not self._binning:
            raise DeviceError("the camera was not configured before exposing", where=self._pv["Acquire"])
        epoch = self._registry.epoch
        self._watch.begin()
        started_s = self._clock.now_s()
        try:
            allowed_s = hangs_after_s(self._exposure_s, self._map.readout_s[self._binning])
            allowed_s = max(allowed_s, self._clock.wall_s(_LEAST_WALL_S))
            await self._registry.write(self._pv["Acquire"], 1, within_s=allowed_s)
        except TimedOut as lost:
            await self._hangs(epoch, lost)
        if self._registry.epoch != epoch:
            raise InstrumentUnreachable(
                "the connection was lost during the exposure; its frame is not believed", where=self._pv["Acquire"]
            )
        self._exposed()
        try:
            image, unique_id = await self._fetch()
        except XrmError:
            self._registry.forget_ahead()
            raise
        disturbances = (*self._foreign(unique_id), *self._watch.end())
        self._last_id, self._uncounted = unique_id, False
        if self._map.flip_rows:
            image = image[::-1]
        if self._map.flip_columns:
            image = image[:, ::-1]
        return CameraFrame(image, unique_id, started_s, started_s + self._exposure_s, disturbances)

    def _foreign(self, unique_id: int) -> tuple[Disturbance, ...]:
        """Frames that somebody else has exposed since the last one."""
        if unique_id == self._last_id + 1 or self._uncounted:
            return ()
        text = f"the camera's count went from {self._last_id} to {unique_id}: somebody else exposes frames"
        return (Disturbance("camera", text, self._pv["Acquire"]),)

    async def _fetch(self) -> tuple[NDArray[np.generic], int]:
        """The frame, or why there is none in the camera's own words."""
        try:
            return await self._frames.fetch(self._last_id)
        except FrameUnusable:
            # It came and counts as the one of this exposure.
            self._last_id += 1
            raise
        except FrameLost as lost:
            self._uncounted = True
            state, message = await self._read("DetectorState_RBV", "StatusMessage_RBV")
            if state not in _FAILED:
                raise
            raise FrameLost(
                f"the exposure ended in the state {state}: {message}",
                where=self._pv["DetectorState_RBV"],
                remedy="look at the camera, and whether somebody else stopped the acquisition",
            ) from lost

    async def _hangs(self, epoch: int, lost: InstrumentUnreachable) -> None:
        """No completion in time: a lost IOC, or a camera that hangs; the latter is told to stop."""
        try:
            (state,) = await self._read("DetectorState_RBV")
        except InstrumentUnreachable:
            raise lost from None
        if self._registry.epoch != epoch:
            raise lost
        await self.stop()
        self._uncounted = True
        raise FrameLost(
            "the camera did not finish its exposure and was stopped",
            where=self._pv["Acquire"],
            value=f"state {state}",
            limit=lost.what,
            remedy="look at the camera; WaitForPlugins also waits for plugins whose files cannot be written",
        ) from lost

    async def _read_back(self, binning: int) -> CameraSettings:
        region, binned = self._map.full_region, self._map.has_binning
        wanted: dict[str, int | str] = {"BinX_RBV": binning, "BinY_RBV": binning} if binned else {}
        wanted |= {
            "MinX_RBV": region.min_x, "MinY_RBV": region.min_y, "SizeX_RBV": region.size_x, "SizeY_RBV": region.size_y,
            "ImageMode_RBV": "Single", "NumImages_RBV": 1, "TriggerMode_RBV": self._map.trigger_mode,
        }  # fmt: skip
        *values, exposure_s = await self._read(*wanted, "AcquireTime_RBV")
        found = dict(zip(wanted, values, strict=True))
        if found != wanted:
            wrong = {field: value for field, value in found.items() if value != wanted[field]}
            raise DeviceError(
                "the camera did not take its settings",
                where=", ".join(self._pv[field] for field in wrong),
                value=", ".join(map(str, wrong.values())),
                limit=", ".join(str(wanted[field]) for field in wrong),
                remedy="check that nobody else controls the camera, and that it can do what camera in the PV map says",
            )
        if isinstance(exposure_s, float) and not math.isfinite(exposure_s):
            raise no_number(self._pv["AcquireTime_RBV"], exposure_s)
        if not (isinstance(exposure_s, int | float) and exposure_s > 0):
            raise DeviceError(
                "the camera says no exposure time",
                where=self._pv["AcquireTime_RBV"],
                value=exposure_s,
                limit="a number of seconds above 0",
                remedy="look at the camera and its driver",
            )
        kept = {**found, "AcquireTime_RBV": exposure_s}
        self._watch.watch_camera({self._pv[field]: value for field, value in kept.items()})
        return CameraSettings(binning, float(exposure_s), (region.size_y // binning, region.size_x // binning))

    async def _read(self, *fields: str) -> tuple:
        return await self._registry.read(*(self._pv[field] for field in fields))

    async def _write(self, field: str, value: float | int | str) -> None:
        await self._registry.write(self._pv[field], value)


def urgent_pvs(prefix: str) -> list[str]:
    """Full names of what stopping needs."""
    return [prefix + field for field in _STOPPING]


def pvs(prefix: str) -> dict[str, str]:
    """Field -> PV of the camera, those that are used here."""
    return {field: prefix + field for field in _FIELDS}
