"""Frames from areaDetector's array plugin (NDStdArrays): the image comes over Channel Access itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DeviceError, FrameLost, FrameUnusable
from xrm_control.devices.epics import libca
from xrm_control.devices.epics.pixels import FrameType, as_frame, check_waveform
from xrm_control.devices.epics.registry import Registry

# Room for time stamp, alarm and protocol.
_HEADER_BYTES = 128
_FIELDS = ("EnableCallbacks", "ArrayData", "UniqueId_RBV", "ArraySize0_RBV", "ArraySize1_RBV", "DataType_RBV")


class ArraySource:
    """See `camera.FrameSource`."""

    def __init__(self, prefix: str, frame_type: FrameType, registry: Registry) -> None:
        self._pv = pvs(prefix)
        self._type = frame_type
        self._registry = registry

    async def prepare(self, shape: tuple[int, int]) -> None:
        """See `FrameSource.prepare`. Raises DeviceError when the array PV is too small or too narrow for a frame."""
        await self._type.hold()
        check_waveform(self._type.data_type, self._registry.element_type(self._pv["ArrayData"]), self._pv["ArrayData"])
        await self._registry.write(self._pv["EnableCallbacks"], "Enable")
        room, needed = self._registry.elements(self._pv["ArrayData"]), shape[0] * shape[1]
        if room < needed:
            raise DeviceError(
                "the array PV is smaller than a frame",
                where=self._pv["ArrayData"],
                value=f"{room} elements",
                limit=f"{needed} for {shape[0]} x {shape[1]} pixels",
                remedy="give the waveform more elements (NELM) in the IOC, or use a larger binning",
            )
        self._fits(needed * self._registry.element_bytes(self._pv["ArrayData"]), shape)

    def _fits(self, needed_bytes: int, shape: tuple[int, int]) -> None:
        """libca drops an array that is too large without a word: a frame would never come."""
        largest = libca.array_limit_bytes()
        if largest is not None and needed_bytes + _HEADER_BYTES > largest:
            raise DeviceError(
                "a frame does not fit this client's Channel Access setting",
                where=self._pv["ArrayData"],
                value=f"{needed_bytes} bytes for {shape[0]} x {shape[1]} pixels",
                limit=f"EPICS_CA_MAX_ARRAY_BYTES={largest}",
                remedy="set EPICS_CA_AUTO_ARRAY_BYTES=YES, or channel_access.max_array_bytes in the PV map",
            )

    async def newest_id(self) -> int:
        """See `FrameSource.newest_id`; 0 as long as the plugin has seen no frame."""
        (unique_id,) = await self._registry.readings(self._pv["UniqueId_RBV"], may_be_invalid=True)
        return int(unique_id.value)

    async def fetch(self, last_id: int) -> tuple[NDArray[np.generic], int]:
        """See `FrameSource.fetch`."""
        fields = ("UniqueId_RBV", "ArraySize0_RBV", "ArraySize1_RBV", "DataType_RBV", "ArrayData")
        unique_id, columns, rows, kind, pixels = await self._registry.read(*(self._pv[field] for field in fields))
        if unique_id <= last_id:
            raise FrameLost(
                "no new frame after the exposure: its unique id does not follow",
                where=self._pv["UniqueId_RBV"],
                value=unique_id,
                limit=f"above {last_id}",
                remedy="a dropped frame is taken again; DroppedArrays_RBV of the plugin counts them",
            )
        flat = np.atleast_1d(np.asarray(pixels))
        if flat.size != rows * columns:
            raise FrameUnusable(
                "the array does not have as many pixels as its plugin says",
                where=self._pv["ArrayData"],
                value=f"{flat.size} pixels",
                limit=f"{rows} x {columns}",
                remedy="ColorMode of the camera must be Mono, and the plugin must listen to it (NDArrayPort)",
            )
        image = as_frame(flat, self._type.kept, kind, self._pv["ArrayData"], bits=True)
        return image.reshape(rows, columns), int(unique_id)


def pvs(prefix: str) -> dict[str, str]:
    """Field -> PV of the plugin, those that are used here."""
    return {field: prefix + field for field in _FIELDS}
