"""Writing OME-TIFF volumes: float32 as they are, or 16 bit with the scale that leads back to 1/um."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.core.origins import Origins
from xrm_control.storage.durable import durable_file
from xrm_control.storage.formats.planes import begin_planes, write_in_turn
from xrm_control.storage.formats.planes_on_disk import AnyVolume

_FULL_SCALE = 65535


@dataclass(frozen=True)
class Scale:
    """attenuation [1/um] = offset_per_um + step_per_um * stored value."""

    offset_per_um: float
    step_per_um: float

    def attenuation(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """Stored 16-bit values back to 1/um."""
        return (stored.astype(np.float32) * np.float32(self.step_per_um)) + np.float32(self.offset_per_um)


Volume = NDArray[Any] | Sequence[AnyVolume]


def write_volume(
    path: Path,
    volume: Volume,
    voxel_size_um: float,
    *,
    name: str = "volume",
    replace: bool = False,
    origins: Origins | None = None,
) -> Path:
    """Write [z, y, x] in its own dtype (attenuation: float32, 1/um); whole and on the disk when this returns.

    volume: a reconstruction, as an array or in parts along z, which may be left in a file. origins: told in the file.
    Raises DataError for what is no volume, StorageError where the disk fails or `path` exists.
    """
    parts = _parts(volume, path)
    about = json.dumps(_note(origins)) if parts[0].dtype.kind == "f" else ""
    _write(path, parts, _shape(parts), parts[0].dtype, voxel_size_um, name, about, replace)
    return path


def write_volume_16bit(
    path: Path,
    volume: Volume,
    voxel_size_um: float,
    *,
    name: str = "volume",
    replace: bool = False,
    origins: Origins | None = None,
) -> Scale:
    """Write [z, y, x] in 1/um as uint16 between its least and largest value; returns and stores the scale.

    `read_volume` gives 1/um again, to half a step (the range / 131070). Otherwise as `write_volume`.
    """
    parts = _parts(volume, path)
    low, high = min(float(part.min()) for part in parts), max(float(part.max()) for part in parts)
    scale = Scale(low, (high - low) / _FULL_SCALE if high > low else 1.0)
    note = {**_note(origins), "offset_per_um": scale.offset_per_um, "step_per_um": scale.step_per_um}
    stored = (
        np.rint((image.astype(float) - scale.offset_per_um) / scale.step_per_um).astype(np.uint16)
        for part in parts
        for image in part
    )
    _write(path, stored, _shape(parts), np.dtype(np.uint16), voxel_size_um, name, json.dumps(note), replace)
    return scale


def begin_volume(path: Path, shape: tuple[int, int, int], voxel_size_um: float, origins: Origins | None = None) -> int:
    """A file for a reconstruction in float32, 1/um, as `write_volume` gives, whose planes `put_planes` brings later.

    Returns where in it they begin. On the disk, but for the pixels, when this returns; what was there goes. Raises
    StorageError where the disk refuses.
    """
    with durable_file(path, "the volume", replace=True) as file:
        return begin_planes(file, shape, np.dtype(np.float32), voxel_size_um, "volume", json.dumps(_note(origins)))


def _note(origins: Origins | None) -> dict[str, Any]:
    """What the reader is to know: the unit, that slices are circles in squares, and where the scale is from."""
    told = origins or Origins()
    known = {"scale": told.scale, "angles": told.angles, "light": told.light, "notes": list(told.notes)}
    return {"units": "1/um", "field": "cylinder", **{name: value for name, value in known.items() if value}}


def _shape(parts: Sequence[AnyVolume]) -> tuple[int, int, int]:
    _, rows, columns = parts[0].shape
    return (sum(len(part) for part in parts), rows, columns)


def _parts(volume: Volume, path: Path) -> Sequence[AnyVolume]:
    parts = [volume] if isinstance(volume, np.ndarray) else volume
    if not parts:
        raise DataError("a volume of no parts is not written", where=str(path))
    for part in parts:
        if part.ndim != 3 or 0 in part.shape:
            raise DataError("a volume has three dimensions", where=str(path), value=f"shape {part.shape}")
        if part.shape[1:] != parts[0].shape[1:] or part.dtype != parts[0].dtype:
            raise DataError("the parts of a volume must be alike", where=str(path), value=f"{part.shape} {part.dtype}")
        if part.dtype.kind == "f" and not all(np.isfinite(image).all() for image in part):
            raise DataError("a volume with NaN or infinity is not written", where=str(path))
    return parts


def _write(
    path: Path,
    parts: Iterable[AnyVolume],
    shape: tuple[int, int, int],
    dtype: np.dtype,
    voxel_size_um: float,
    name: str,
    description: str,
    replace: bool,
) -> None:
    need_bytes = math.prod(shape) * dtype.itemsize
    with durable_file(path, "the volume", replace=replace, need_bytes=need_bytes) as file:
        # Room for the pixels first, then the pixels: no more than a part of them is ever in memory.
        start = begin_planes(file, shape, dtype, voxel_size_um, name, description)
        write_in_turn(file, start, parts)
