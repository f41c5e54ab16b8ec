"""A file as NDFileHDF5 writes it, in its default layout.

| path | what |
|---|---|
| /entry/instrument/detector/data | the frames (frames, rows, columns); (rows, columns) in Single mode |
| /entry/data/data | a hard link to it |
| /entry/instrument/NDAttributes/NDArrayUniqueId | unique id of each frame, int32 |
| /entry/instrument/NDAttributes/NDArrayTimeStamp | s since 1990, float64 |
| /entry/instrument/NDAttributes/NDArrayEpicsTSSec, NDArrayEpicsTSnSec | the same in two parts, uint32 |
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from simulators.ioc.detector_plugin import Array

_CLASSES = {
    "entry": "NXentry",
    "entry/instrument": "NXinstrument",
    "entry/instrument/detector": "NXdetector",
    "entry/instrument/detector/NDAttributes": "NXcollection",
    "entry/instrument/NDAttributes": "NXcollection",
    "entry/instrument/performance": "",
    "entry/data": "NXdata",
}
_ATTRIBUTES = {
    "NDArrayUniqueId": "i4",
    "NDArrayTimeStamp": "f8",
    "NDArrayEpicsTSSec": "u4",
    "NDArrayEpicsTSnSec": "u4",
}


class FrameFile:
    """One open file for frames like `like`; OSError when it cannot be made. It gets its name when it is closed."""

    def __init__(self, path: Path, suffix: str, like: Array, several: bool, deflate: int | None) -> None:
        self._path, self._written_as = path, path.with_name(path.name + suffix)
        self._several, self._count = several, 0
        shape = like.image.shape
        self._file = h5py.File(self._written_as, "w")
        for name, kind in _CLASSES.items():
            group = self._file.create_group(name)
            if kind:
                group.attrs["NX_class"] = np.bytes_(kind)
        stack = {"shape": (0, *shape), "maxshape": (None, *shape), "chunks": (1, *shape)}
        single = {"shape": shape, "chunks": shape if deflate else None}
        self._data = self._file.create_dataset(
            "entry/instrument/detector/data",
            dtype=like.image.dtype,
            compression="gzip" if deflate else None,
            compression_opts=deflate or None,
            **(stack if several else single),
        )
        self._data.attrs["signal"] = np.int32(1)
        self._file["entry/data/data"] = self._data
        self._attributes = {
            name: self._file.create_dataset(
                f"entry/instrument/NDAttributes/{name}", (0,), kind, maxshape=(None,), chunks=(16,)
            )
            for name, kind in _ATTRIBUTES.items()
        }

    def append(self, array: Array) -> None:
        """One frame more; OSError or ValueError when it cannot be written."""
        number = self._count
        if self._several:
            self._data.resize(number + 1, axis=0)
            self._data[number] = array.image
        else:
            self._data[...] = array.image
        seconds, nanoseconds = array.timestamp
        values = (array.unique_id, seconds + nanoseconds * 1e-9, seconds, nanoseconds)
        for dataset, value in zip(self._attributes.values(), values, strict=True):
            dataset.resize(number + 1, axis=0)
            dataset[number] = value
        self._count += 1

    def close(self) -> None:
        """Finish the file and give it its name."""
        self._file.close()
        if self._written_as != self._path:
            self._written_as.rename(self._path)
