"""Frames from the files of areaDetector's HDF5 plugin (NDFileHDF5, mode Single), for detectors too large for an array.

The files stay where the IOC put them; what counts as truth is the run's own durable copy.
"""

from __future__ import annotations

import asyncio
from pathlib import Path, PurePath

import h5py
import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DeviceError, FrameLost, FrameUnusable
from xrm_control.devices.epics.pv_map import Hdf5Frames
from xrm_control.devices.epics.registry import Registry

_WRITTEN = {
    "EnableCallbacks": "Enable",
    "FileWriteMode": "Single",
    "FileTemplate": "%s%s_%6.6d.h5",
    "FileName": "frame",
    "AutoIncrement": "Yes",
    "AutoSave": "Yes",
}
_FIELDS = (
    *_WRITTEN,
    "FilePath",
    "FilePathExists_RBV",
    "FullFileName_RBV",
    "WriteStatus",
    "WriteMessage",
    "UniqueId_RBV",
)


class Hdf5Source:
    """See `camera.FrameSource`."""

    def __init__(self, spec: Hdf5Frames, prefix: str, registry: Registry) -> None:
        self._spec = spec
        self._pv = pvs(prefix)
        self._registry = registry
        self._last_file = ""

    async def prepare(self, shape: tuple[int, int]) -> None:
        """See `FrameSource.prepare`. Raises DeviceError when the folder is not there."""
        for field, value in _WRITTEN.items():
            await self._registry.write(self._pv[field], value)
        await self._registry.write(self._pv["FilePath"], self._spec.folder)
        exists, self._last_file = await self._registry.read(
            self._pv["FilePathExists_RBV"], self._pv["FullFileName_RBV"]
        )
        if exists not in ("Yes", 1):
            raise DeviceError(
                "the IOC does not see the folder for its frames",
                where=self._pv["FilePath"],
                value=self._spec.folder,
                remedy="make the folder on the IOC's machine, or correct camera.frames.folder in the PV map",
            )

    async def newest_id(self) -> int:
        """See `FrameSource.newest_id`."""
        return int((await self._registry.read(self._pv["UniqueId_RBV"]))[0])

    async def fetch(self, last_id: int) -> tuple[NDArray[np.generic], int]:
        """See `FrameSource.fetch`."""
        fields = ("UniqueId_RBV", "FullFileName_RBV", "WriteStatus", "WriteMessage")
        unique_id, name, status, message = await self._registry.read(*(self._pv[field] for field in fields))
        if status not in ("Write OK", 0):
            raise FrameLost(
                f"the file plugin could not write: {message}", where=self._pv["WriteStatus"], value=name,
                remedy="look at the disk of the IOC",
            )  # fmt: skip
        if unique_id <= last_id or name == self._last_file:
            raise FrameLost(
                "no new file after the exposure: its unique id does not follow",
                where=self._pv["UniqueId_RBV"],
                value=f"{unique_id}, {name}",
                limit=f"above {last_id}",
            )
        self._last_file = name
        path = Path(self._spec.local_folder or self._spec.folder) / PurePath(name).name
        image = await asyncio.get_running_loop().run_in_executor(None, _read, path, self._spec.dataset)
        return image, int(unique_id)


def _read(path: Path, dataset: str) -> NDArray[np.generic]:
    """The last image of the file, (rows, columns)."""
    try:
        with h5py.File(path, "r") as file:
            data = file[dataset][()]  # type: ignore[index]
    except (OSError, KeyError) as error:
        raise FrameLost(
            f"the file of the frame cannot be read: {error}", where=str(path),
            remedy="check camera.frames.local_folder and dataset in the PV map",
        ) from error  # fmt: skip
    image = np.asarray(data)
    if image.ndim == 3 and len(image):
        image = image[-1]
    if image.ndim != 2:
        raise FrameUnusable("the file does not hold an image", where=f"{path}{dataset}", value=image.shape)
    return image


def pvs(prefix: str) -> dict[str, str]:
    """Field -> PV of the plugin, those that are used here."""
    return {field: prefix + field for field in _FIELDS}
