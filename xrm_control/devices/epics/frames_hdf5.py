"""Frames from the files of areaDetector's HDF5 plugin (NDFileHDF5)."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import FrameLost
from xrm_control.devices.epics.camera_map import Hdf5Frames
from xrm_control.devices.epics.frames_file import FileSource
from xrm_control.devices.epics.pixels import FrameType
from xrm_control.devices.epics.registry import Registry


def source(spec: Hdf5Frames, prefix: str, frame_type: FrameType, registry: Registry) -> FileSource:
    """See `camera.FrameSource`."""
    return FileSource(spec, prefix, "h5", partial(_read, dataset=spec.dataset), frame_type, registry)


def _read(path: Path, dataset: str) -> NDArray[np.generic]:
    try:
        with h5py.File(path, "r") as file:
            return np.asarray(file[dataset][()])  # type: ignore[index]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise FrameLost(
            f"the file of the frame cannot be read: {error}", where=str(path),
            remedy="check camera.frames.local_folder and dataset in the PV map",
        ) from error  # fmt: skip
