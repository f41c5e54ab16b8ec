"""ZEISS Xradia .txrm and .xrm: OLE2 containers, read and never written.

Images are `ImageData{ceil(i / 100)}/Image{i}`, i from 1, and stay in the file until they are asked for; streams may be
absent and are compared without case. Arrays may be longer than the number of images taken, and an aborted scan took
fewer images than it was meant to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import olefile
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.storage.formats.lazy_frames import LazyFrames
from xrm_control.storage.formats.scan_file import ScanFile, ScanFormat

_TYPES = {3: "<u1", 4: "<i2", 5: "<u2", 6: "<i4", 7: "<u4", 10: "<f4", 11: "<f8"}


class Xradia(ScanFormat):
    """Reads counts, angles, the reference image if there is one, and the alignment's shifts."""

    name = "Xradia"
    suffixes = (".txrm", ".xrm")

    def recognises(self, path: Path) -> bool:
        return path.is_file() and bool(olefile.isOleFile(str(path)))

    def read(self, path: Path) -> ScanFile:
        return read_streams(partial(_container, path), str(path))


@contextmanager
def _container(path: Path) -> Iterator[Container]:
    try:
        with olefile.OleFileIO(str(path)) as container:
            yield container
    except OSError as error:
        raise DataError(f"cannot be read as an OLE2 container: {error}", where=str(path)) from error


class Container(Protocol):
    """What is used of an OLE2 container."""

    def listdir(self) -> list[list[str]]: ...
    def openstream(self, filename: list[str], /) -> BinaryIO: ...
    def get_size(self, filename: list[str], /) -> int: ...


class _Streams:
    """The container's streams by name without case, as arrays."""

    def __init__(self, container: Container, source: str) -> None:
        self._container = container
        self.source = source
        self._names = {"/".join(entry).lower(): entry for entry in container.listdir()}

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._names

    def array(self, name: str, dtype: str) -> NDArray[Any]:
        """All whole values of a stream. Raises DataError where there is no such stream."""
        entry = self._names.get(name.lower())
        if entry is None:
            raise DataError("the stream is missing", where=f"{self.source}: {name}")
        data = self._container.openstream(entry).read()
        size = np.dtype(dtype).itemsize
        return np.frombuffer(data[: len(data) // size * size], dtype)

    def integer(self, name: str) -> int:
        values = self.array(name, "<i4")
        if not values.size:
            raise DataError("the stream is empty", where=f"{self.source}: {name}")
        return int(values[0])

    def floats(self, name: str, count: int) -> NDArray[np.float64] | None:
        """The first `count` values; None where the stream is absent or shorter."""
        values = self.array(name, "<f4") if name in self else np.empty(0)
        return values[:count].astype(float) if len(values) >= count else None

    def require(self, name: str, size: int) -> None:
        """Raise DataError unless there is a stream of this many bytes, as far as the container's directory says."""
        entry = self._names.get(name.lower())
        if entry is None:
            raise DataError("the stream is missing", where=f"{self.source}: {name}")
        found = self._container.get_size(entry)
        if found != size:
            raise DataError(
                "the image is cut short or of another type",
                where=f"{self.source}: {name}",
                value=f"{found} bytes",
                limit=f"{size}",
            )

    def image(self, name: str, dtype: str, shape: tuple[int, int]) -> NDArray[Any]:
        self.require(name, shape[0] * shape[1] * np.dtype(dtype).itemsize)
        values = self.array(name, dtype)
        if values.size != shape[0] * shape[1]:
            raise DataError(
                "the image is cut short", where=f"{self.source}: {name}", value=values.size, limit=shape[0] * shape[1]
            )
        return values.reshape(shape)


def read_streams(opened: Callable[[], AbstractContextManager[Container]], source: str) -> ScanFile:
    """The scan in a container, which is opened now and again for the images.

    Raises DataError, naming `source` and the stream.
    """
    with opened() as container:
        return _read(_Streams(container, source), opened)


def _read(streams: _Streams, opened: Callable[[], AbstractContextManager[Container]]) -> ScanFile:
    taken = streams.integer("ImageInfo/" + ("ImagesTaken" if "ImageInfo/ImagesTaken" in streams else "NoOfImages"))
    shape = _shape(streams)
    if taken < 1 or min(shape) < 1:
        raise DataError("the file holds no image", where=streams.source, value=f"{taken} images of {shape}")
    kind = _dtype(streams, "ImageInfo/DataType")
    for view in range(taken):
        streams.require(_image_name(view), shape[0] * shape[1] * np.dtype(kind).itemsize)
    theta = streams.floats("ImageInfo/Angles", taken)
    if theta is None:
        raise DataError("one angle per image is needed", where=f"{streams.source}: ImageInfo/Angles", limit=taken)
    flats = np.empty((0, *shape), kind)
    if "ReferenceData/Image" in streams:
        own = _dtype(streams, "ReferenceData/DataType") if "ReferenceData/DataType" in streams else kind
        flats = streams.image("ReferenceData/Image", own, shape)[None]
    pixel = streams.floats("ImageInfo/PixelSize", 1)
    energy = streams.floats("ImageInfo/Energy", 1)
    return ScanFile(
        source=streams.source,
        projections=LazyFrames(
            (taken, *shape), np.dtype(kind).newbyteorder("="), partial(_read_images, opened, streams.source, kind)
        ),
        theta_deg=theta,
        time_s=np.arange(taken, dtype=float),
        flats=flats,
        flat_time_s=np.zeros(len(flats)),
        darks=np.empty((0, *shape), kind),  # the software takes the dark off before it stores
        pixel_size_um=float(pixel[0]) if pixel is not None and pixel[0] > 0 else None,
        energy_kev=_energy_kev(float(energy[0])) if energy is not None and energy[0] > 0 else None,
        shifts_px=_shifts(streams, taken),
    )


def _read_images(
    opened: Callable[[], AbstractContextManager[Container]], source: str, kind: str, views: Sequence[int], rows: slice
) -> NDArray[Any]:
    with opened() as container:
        streams = _Streams(container, source)
        shape = _shape(streams)
        out = np.empty((len(views), rows.stop - rows.start, shape[1]), np.dtype(kind).newbyteorder("="))
        for target, view in zip(out, views, strict=True):
            target[...] = streams.image(_image_name(view), kind, shape)[rows]
    return out


def _image_name(view: int) -> str:
    return f"ImageData{view // 100 + 1}/Image{view + 1}"


def _shape(streams: _Streams) -> tuple[int, int]:
    return streams.integer("ImageInfo/ImageHeight"), streams.integer("ImageInfo/ImageWidth")


def _dtype(streams: _Streams, name: str) -> str:
    code = streams.integer(name)
    if code not in _TYPES:
        raise DataError("unknown data type", where=f"{streams.source}: {name}", value=code, limit=sorted(_TYPES))
    return _TYPES[code]


def _energy_kev(stored: float) -> float:
    """Nano-CT instruments store eV, others keV; no instrument has 200 keV or 200 eV."""
    return stored / 1000.0 if stored > 200 else stored


def _shifts(streams: _Streams, taken: int) -> NDArray[np.float64] | None:
    right = streams.floats("Alignment/X-Shifts", taken)
    up = streams.floats("Alignment/Y-Shifts", taken)
    if right is None or up is None or not (np.any(right) or np.any(up)):
        return None
    return np.column_stack((right, -up))
