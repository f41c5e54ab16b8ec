"""Element types of frames: what the camera makes, what an array PV can carry, and what arrives.

Channel Access has no unsigned integers but bytes: 16 bits travel as signed ones, or as 32 (waveform of USHORT or LONG),
or as floating-point numbers. A narrower waveform cuts bits off, and the frames still look like frames. DataType:
areaDetector's NDDataType_t; FTVL and TYPE: the waveform's element type and that of its driver's interface.
"""

from __future__ import annotations

import contextlib

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DeviceError, FrameUnusable
from xrm_control.devices.epics.registry import Registry

# What a frame of each DataType is kept as: counts are never negative.
KEPT_AS = {
    "UInt8": np.dtype(np.uint8),
    "Int8": np.dtype(np.uint8),
    "UInt16": np.dtype(np.uint16),
    "Int16": np.dtype(np.uint16),
    "UInt32": np.dtype(np.uint32),
    "Int32": np.dtype(np.uint32),
    "Float32": np.dtype(np.float32),
    "Float64": np.dtype(np.float64),
}
# The waveform's elements as Channel Access sends them, that carry each DataType without loss.
_CARRIES = {
    "UInt8": ("uint8", "int16", "int32", "float32", "float64"),
    "Int8": ("uint8", "int16", "int32", "float32", "float64"),
    "UInt16": ("int16", "int32", "float32", "float64"),
    "Int16": ("int16", "int32", "float32", "float64"),
    "UInt32": ("int32", "float64"),
    "Int32": ("int32", "float64"),
    "Float32": ("float32", "float64"),
    "Float64": ("float64",),
}
_FTVL = {"uint8": "UCHAR", "int16": "SHORT", "int32": "LONG", "float32": "FLOAT", "float64": "DOUBLE"}


def kept_as(data_type: object, where: str) -> np.dtype:
    """The dtype of the camera's frames. Raises DeviceError for a DataType that cannot be kept."""
    found = KEPT_AS.get(str(data_type))
    if found is None:
        raise DeviceError(
            "the camera's data type cannot be kept",
            where=where,
            value=data_type,
            limit=", ".join(KEPT_AS),
            remedy="set DataType of the camera",
        )
    return found


def check_waveform(data_type: object, element: np.dtype, where: str) -> np.dtype:
    """The dtype of the frames to come. Raises DeviceError when the array PV cannot carry what the camera makes."""
    found = kept_as(data_type, where)
    carries = _CARRIES[str(data_type)]
    if element.name not in carries:
        raise DeviceError(
            "the array PV's elements cannot hold the camera's pixels: the values would be cut",
            where=where,
            value=f"{_FTVL.get(element.name, element.name)} elements, camera DataType {data_type}",
            limit=f"FTVL {' or '.join(_FTVL[name] for name in carries)}",
            remedy="give NDStdArrays.template TYPE and FTVL that fit, or set the camera's DataType",
        )
    return found


def as_frame(
    pixels: NDArray[np.generic], kept: np.dtype, data_type: object, where: str, *, bits: bool
) -> NDArray[np.generic]:
    """`pixels` as `kept`, the dtype that `kept_as` gave when the camera was configured; NaN stays NaN.

    data_type: DataType as it came with the frame. bits: signed elements hold the bits of unsigned ones. Raises
    FrameUnusable when the frame is of another type than was set up, or holds values that it cannot have.
    """
    if KEPT_AS.get(str(data_type)) != kept:
        raise FrameUnusable(
            "the frame is of another data type than the camera was set up with",
            where=where,
            value=data_type,
            limit=kept.name,
            remedy="somebody has changed DataType of the camera",
        )
    unsigned = str(data_type).startswith("UInt")
    if pixels.dtype == kept and (unsigned or kept.kind == "f"):
        return pixels
    if bits and unsigned and pixels.dtype.kind == "i" and pixels.dtype.itemsize == kept.itemsize:
        return pixels.view(kept)
    if bits and not unsigned and kept.kind == "u" and pixels.dtype == np.uint8 and kept == np.uint8:
        pixels = pixels.view(np.int8)
    if kept.kind == "f" and pixels.dtype.kind == "f":
        return pixels.astype(kept)
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        # No picture; whoever judges frames says so.
        return pixels
    _fits(pixels, kept, data_type, where)
    return pixels.astype(kept)


def _fits(pixels: NDArray[np.generic], kept: np.dtype, data_type: object, where: str) -> None:
    if kept.kind == "u" and pixels.dtype.kind in "iuf":
        top = np.iinfo(kept).max
        low, high = (float(pixels.min()), float(pixels.max())) if pixels.size else (0.0, 0.0)
        if low >= 0 and high <= top:
            return
        found, limit = f"{low:g} to {high:g}", f"0 to {top}"
    else:
        found, limit = f"{pixels.dtype} elements", f"DataType {data_type}"
    raise FrameUnusable(
        "the pixels are not what the camera's data type allows",
        where=where,
        value=found,
        limit=limit,
        remedy="compare DataType of the camera with FTVL and TYPE of the array plugin: xrm doctor does",
    )


class FrameType:
    """The camera's DataType as it was when the camera was first set up, held to for as long as the session lasts."""

    def __init__(self, camera_prefix: str, registry: Registry) -> None:
        self._pv = pvs(camera_prefix)
        self._registry = registry
        self.data_type = ""
        self.kept = np.dtype(np.uint16)

    async def hold(self) -> None:
        """At first: take what the camera is set to. Later: set it back when it was changed; best effort.

        Frames of another type are then refused one by one. Raises DeviceError for a type that cannot be kept.
        """
        wanted, found = await self._registry.read(self._pv["DataType"], self._pv["DataType_RBV"])
        right = self.data_type or wanted
        if found != right or wanted != right:
            # The read-back may lag behind what somebody has just written; some cameras cannot be set at all.
            with contextlib.suppress(DeviceError):
                await self._registry.write(self._pv["DataType"], right)
            (found,) = await self._registry.read(self._pv["DataType_RBV"])
        if not self.data_type:
            self.kept = kept_as(found, self._pv["DataType_RBV"])
            self.data_type = str(found)


def pvs(camera_prefix: str) -> dict[str, str]:
    """Field -> PV of the camera, those that are used here."""
    return {field: camera_prefix + field for field in ("DataType", "DataType_RBV")}
