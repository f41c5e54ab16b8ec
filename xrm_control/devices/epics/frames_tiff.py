"""Frames from the files of areaDetector's TIFF plugin (NDFileTIFF)."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from xrm_control.core.errors import FrameLost
from xrm_control.devices.epics.camera_map import TiffFrames
from xrm_control.devices.epics.frames_file import FileSource
from xrm_control.devices.epics.pixels import FrameType
from xrm_control.devices.epics.registry import Registry


def source(spec: TiffFrames, prefix: str, frame_type: FrameType, registry: Registry) -> FileSource:
    """See `camera.FrameSource`."""
    return FileSource(spec, prefix, "tif", _read, frame_type, registry)


def _read(path: Path) -> NDArray[np.generic]:
    try:
        return np.asarray(tifffile.imread(path))
    except (OSError, ValueError, KeyError, IndexError, struct.error, tifffile.TiffFileError) as error:
        raise FrameLost(
            f"the file of the frame cannot be read: {error}", where=str(path),
            remedy="check camera.frames.local_folder in the PV map, and the plugin's file",
        ) from error  # fmt: skip
