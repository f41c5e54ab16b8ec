"""Frames from the files of one of areaDetector's file plugins (mode Single), for detectors too large for an array.

The files stay where the IOC put them; what counts as truth is the run's own durable copy. What differs between formats
is how one file is read: `frames_hdf5`, `frames_tiff`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DeviceError, FrameLost, FrameUnusable
from xrm_control.devices.epics.camera_map import Hdf5Frames, TiffFrames
from xrm_control.devices.epics.pixels import FrameType, as_frame
from xrm_control.devices.epics.registry import Registry

# Set at each configuration; the template is the format's own.
WRITTEN = {
    "EnableCallbacks": "Enable",
    "FileWriteMode": "Single",
    "FileTemplate": "",
    "FileName": "frame",
    "AutoIncrement": "Yes",
    "AutoSave": "Yes",
}
_FIELDS = (
    *WRITTEN,
    "FilePath",
    "FilePathExists_RBV",
    "FullFileName_RBV",
    "WriteStatus",
    "WriteMessage",
    "UniqueId_RBV",
)


class FileSource:
    """See `camera.FrameSource`. `read(path)` returns the pixels of one file, or raises FrameLost."""

    def __init__(
        self,
        spec: Hdf5Frames | TiffFrames,
        prefix: str,
        extension: str,
        read: Callable[[Path], NDArray[np.generic]],
        frame_type: FrameType,
        registry: Registry,
    ) -> None:
        self._spec = spec
        self._pv = pvs(prefix)
        self._written = {**WRITTEN, "FileTemplate": f"%s%s_%6.6d.{extension}"}
        self._read = read
        self._type = frame_type
        self._registry = registry
        self._last_file = ""
        self._shape = (0, 0)

    async def prepare(self, shape: tuple[int, int]) -> None:
        """See `FrameSource.prepare`. Raises DeviceError when the folder is not there, or the camera's type not ours."""
        self._shape = shape
        await self._type.hold()
        for field, value in self._written.items():
            await self._registry.write(self._pv[field], value)
        await self._registry.write(self._pv["FilePath"], self._spec.folder)
        (exists,) = await self._registry.read(self._pv["FilePathExists_RBV"])
        if exists not in ("Yes", 1):
            raise DeviceError(
                "the IOC does not see the folder for its frames",
                where=self._pv["FilePath"],
                value=self._spec.folder,
                remedy="make the folder on the IOC's machine, or correct camera.frames.folder in the PV map",
            )
        # Of an IOC that has not written a file since its start this is UDF: no name yet, and no fault.
        (name,) = await self._registry.readings(self._pv["FullFileName_RBV"], may_be_invalid=True)
        self._last_file = str(name.value)

    async def newest_id(self) -> int:
        """See `FrameSource.newest_id`; 0 as long as the plugin has seen no frame."""
        (unique_id,) = await self._registry.readings(self._pv["UniqueId_RBV"], may_be_invalid=True)
        return int(unique_id.value)

    async def fetch(self, last_id: int) -> tuple[NDArray[np.generic], int]:
        """See `FrameSource.fetch`."""
        fields = ("UniqueId_RBV", "FullFileName_RBV", "WriteStatus", "WriteMessage")
        answers = await self._registry.readings(*(self._pv[field] for field in fields), may_be_invalid=True)
        unique_id, name, status, message = (answer.value for answer in answers)
        if status not in ("Write OK", 0):
            raise FrameLost(
                f"the file plugin could not write: {message}", where=self._pv["WriteStatus"], value=name,
                remedy="look at the disk of the IOC",
            )  # fmt: skip
        if unique_id <= last_id or name in ("", self._last_file):
            raise FrameLost(
                "no new file after the exposure: its unique id does not follow",
                where=self._pv["UniqueId_RBV"],
                value=f"{unique_id}, {name}",
                limit=f"above {last_id}",
            )
        self._last_file = name
        path = Path(self._spec.here) / PurePath(name).name
        pixels = await asyncio.get_running_loop().run_in_executor(None, self._read, path)
        return self._image(pixels, path), int(unique_id)

    def _image(self, pixels: NDArray[np.generic], path: Path) -> NDArray[np.generic]:
        """The one image of the file, (rows, columns)."""
        found = pixels.shape
        if pixels.ndim == 3 and len(pixels) == 1:
            pixels = pixels[0]
        if pixels.shape != self._shape:
            raise FrameUnusable(
                "the file does not hold one image of the size that the camera promised",
                where=str(path),
                value=" x ".join(map(str, found)) or "one number",
                limit=f"{self._shape[0]} x {self._shape[1]} pixels",
                remedy="look at FileWriteMode (Single), ColorMode (Mono) and at the plugin's source (NDArrayPort)",
            )
        return as_frame(pixels, self._type.kept, ndarray_type(pixels.dtype), str(path), bits=False)


def ndarray_type(dtype: np.dtype) -> str:
    """areaDetector's name of an element type."""
    return {"u": "UInt", "i": "Int", "f": "Float"}.get(dtype.kind, dtype.kind) + str(8 * dtype.itemsize)


def pvs(prefix: str) -> dict[str, str]:
    """Field -> PV of the plugin, those that are used here."""
    return {field: prefix + field for field in _FIELDS}
