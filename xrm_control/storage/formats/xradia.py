"""ZEISS Xradia files (.txrm, .xrm, .txm): OLE2 containers, read and never written.

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
from xrm_control.core.memory import require_memory
from xrm_control.core.origins import Origins
from xrm_control.storage.formats.angles import described
from xrm_control.storage.formats.lazy_frames import LazyFrames
from xrm_control.storage.formats.light import Light
from xrm_control.storage.formats.scan_file import (
    VOXEL_OPTION,
    ScanFile,
    ScanFormat,
    ScanOptions,
    VolumeFile,
    VolumeFormat,
    told_voxel,
)
from xrm_control.storage.formats.units import Sourced, angles_deg, length_um

_CONE_MAGNIFICATION = 1.02
_TYPES = {3: "<u1", 4: "<i2", 5: "<u2", 6: "<i4", 7: "<u4", 10: "<f4", 11: "<f8"}


class Xradia(ScanFormat):
    """Reads counts, angles, the reference image if there is one, exposure times, and the alignment's shifts."""

    name = "Xradia"
    suffixes = (".txrm", ".xrm")
    options = ScanFormat.options | {"angle_unit"}

    def recognises(self, path: Path) -> bool:
        return path.suffix.lower() != ".txm" and path.is_file() and bool(olefile.isOleFile(str(path)))

    def read(self, path: Path, told: ScanOptions) -> ScanFile:
        return read_streams(partial(_container, path), str(path), told)


class XradiaVolume(VolumeFormat):
    """Reads the slices of a reconstruction; what their numbers mean is not stated."""

    name = "Xradia volume"
    suffixes = (".txm",)

    def recognises(self, path: Path) -> bool:
        known = (".txrm", ".xrm")
        return path.suffix.lower() not in known and path.is_file() and bool(olefile.isOleFile(str(path)))

    def read(self, path: Path, told_um: float | None) -> VolumeFile:
        return read_slices(partial(_container, path), str(path), told_um)


@contextmanager
def _container(path: Path) -> Iterator[Container]:
    try:
        with olefile.OleFileIO(str(path)) as container:
            yield container
    except DataError:
        raise
    except Exception as error:  # damaged containers raise whatever the library does
        what = str(error) or type(error).__name__
        raise DataError(
            f"cannot be read as an OLE2 container: {what}", where=str(path), remedy="copy it anew"
        ) from error


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


def read_streams(
    opened: Callable[[], AbstractContextManager[Container]], source: str, told: ScanOptions | None = None
) -> ScanFile:
    """The scan in a container, which is opened now and again for the images.

    Raises DataError, naming `source` and the stream.
    """
    with opened() as container:
        return _read(_Streams(container, source), opened, told or ScanOptions())


def read_slices(
    opened: Callable[[], AbstractContextManager[Container]], source: str, told_um: float | None
) -> VolumeFile:
    """The volume in a container. Raises DataError as `read_streams` does."""
    with opened() as container:
        streams = _Streams(container, source)
        taken, shape, kind = _announced(streams)
        require_memory(taken * shape[0] * shape[1] * np.dtype(kind).itemsize, source)
        voxel = told_voxel(told_um) or _pixel(streams, VOXEL_OPTION)
        values = np.stack([streams.image(_image_name(number), kind, shape) for number in range(taken)])
    return VolumeFile.of_cubes(values.astype(values.dtype.newbyteorder("=")), voxel)


def _announced(streams: _Streams) -> tuple[int, tuple[int, int], str]:
    """Number, shape and type of the images, all of which are there."""
    taken = streams.integer("ImageInfo/" + ("ImagesTaken" if "ImageInfo/ImagesTaken" in streams else "NoOfImages"))
    shape = _shape(streams)
    if taken < 1 or min(shape) < 1:
        raise DataError("the file holds no image", where=streams.source, value=f"{taken} images of {shape}")
    kind = _dtype(streams, "ImageInfo/DataType")
    for view in range(taken):
        streams.require(_image_name(view), shape[0] * shape[1] * np.dtype(kind).itemsize)
    return taken, shape, kind


def _pixel(streams: _Streams, option: str) -> Sourced | None:
    stored = streams.floats("ImageInfo/PixelSize", 1)
    if stored is None or stored[0] == 0:
        return None
    return length_um(float(stored[0]), "um", "ImageInfo/PixelSize", option)


def _read(streams: _Streams, opened: Callable[[], AbstractContextManager[Container]], told: ScanOptions) -> ScanFile:
    taken, shape, kind = _announced(streams)
    _refuse_cone_beam(streams)
    stored = streams.floats("ImageInfo/Angles", taken)
    if stored is None and taken == 1:
        stored = np.zeros(1)  # a single picture, as references are
    if stored is None:
        raise DataError("one angle per image is needed", where=f"{streams.source}: ImageInfo/Angles", limit=taken)
    theta, origin = angles_deg(stored, "degrees", "ImageInfo/Angles", told.angle_unit)
    flats = np.empty((0, *shape), kind)
    if "ReferenceData/Image" in streams:
        own = _dtype(streams, "ReferenceData/DataType") if "ReferenceData/DataType" in streams else kind
        flats = streams.image("ReferenceData/Image", own, shape)[None]
    light = _light(streams, taken, len(flats))
    pixel = told.pixel() or _pixel(streams, "--pixel-size-um")
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
        dark_free=True,
        pixel_size_um=None if pixel is None else pixel.value,
        energy_kev=_energy_kev(float(energy[0])) if energy is not None and energy[0] > 0 else None,
        shifts_px=_shifts(streams, taken),
        light=light.projections,
        flat_light=light.flats,
        origins=Origins("" if pixel is None else pixel.scale(), described(theta, origin), light=light.said).noting(
            *filter(None, (light.note,))
        ),
    )


def _light(streams: _Streams, taken: int, flats: int) -> Light:
    times = streams.floats("ImageInfo/ExpTimes", taken)
    if times is None or not (times > 0).all():
        return Light()
    own = streams.floats("ReferenceData/ExpTime", 1)
    own = streams.floats("ReferenceData/ExpTimes", 1) if own is None else own
    if flats and (own is None or own[0] <= 0):
        return Light()
    where = "ImageInfo/ExpTimes and ReferenceData/ExpTime"
    return Light.of(times, np.empty(0) if own is None or not flats else own, "exposure times", where)


def _refuse_cone_beam(streams: _Streams) -> None:
    """Distances of 1 stand for none: instruments with a zone plate have parallel beams."""
    source, detector = (streams.floats(f"ImageInfo/{name}RADistance", 1) for name in ("Sto", "Dto"))
    if source is None or detector is None:
        return
    to_sample, behind = abs(float(source[0])), abs(float(detector[0]))
    if to_sample in (0.0, 1.0) or 1 + behind / to_sample <= _CONE_MAGNIFICATION:
        return
    raise DataError(
        "this is a cone-beam scan, and only parallel beams are reconstructed here",
        where=f"{streams.source}: ImageInfo/StoRADistance",
        value=f"source to sample {to_sample:g} mm, sample to detector {behind:g} mm",
        limit=f"magnification below {_CONE_MAGNIFICATION:g}",
        remedy="use a program for cone beams, and bring its volume to `xrm analyze`",
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
