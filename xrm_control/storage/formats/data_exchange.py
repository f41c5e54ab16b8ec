"""Data Exchange (HDF5), the layout of the APS beamlines.

/exchange/{data, data_white, data_dark, theta}: De Carlo et al. 2014, doi 10.1107/S160057751401604X.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.storage.formats.hdf5 import dataset, has_paths, lazy_frames, open_hdf5, read_array, scalar_in
from xrm_control.storage.formats.lazy_frames import LazyFrames
from xrm_control.storage.formats.scan_file import ScanFile, ScanFormat

_LENGTHS_UM = {"m": 1e6, "mm": 1e3, "um": 1.0, "µm": 1.0, "micron": 1.0, "microns": 1.0, "nm": 1e-3, "": 1.0}
_ENERGIES_KEV = {"ev": 1e-3, "kev": 1.0, "": 1.0}
_PIXEL_PATHS = (
    "measurement/instrument/detection_system/objective/resolution",
    "measurement/instrument/detector/pixel_size",
)


class DataExchange(ScanFormat):
    """Reads /exchange; white and dark may be absent, theta must not."""

    name = "Data Exchange"
    suffixes = (".h5", ".hdf5", ".hdf")

    def recognises(self, path: Path) -> bool:
        return has_paths(path, "exchange/data")

    def read(self, path: Path) -> ScanFile:
        with open_hdf5(path) as file:
            projections = lazy_frames(file, "exchange/data")
            theta = _theta_deg(file)
            if len(theta) != len(projections):
                raise DataError(
                    "one angle per projection is needed",
                    where=f"{path}:/exchange/theta",
                    value=len(theta),
                    limit=len(projections),
                )
            flats = _references(file, "exchange/data_white", projections)
            darks = _references(file, "exchange/data_dark", projections)
            pixels = (scalar_in(file, name, _LENGTHS_UM) for name in _PIXEL_PATHS)
            return ScanFile(
                source=str(path),
                projections=projections,
                theta_deg=theta,
                time_s=np.arange(len(projections), dtype=float),
                flats=flats,
                flat_time_s=np.zeros(len(flats)),
                darks=darks,
                pixel_size_um=next((pixel for pixel in pixels if pixel is not None), None),
                energy_kev=scalar_in(file, "measurement/instrument/monochromator/energy", _ENERGIES_KEV),
            )


def _theta_deg(file: h5py.File) -> NDArray[np.float64]:
    theta = read_array(file, "exchange/theta", 1).astype(float)
    unit = dataset(file, "exchange/theta").attrs.get("units", "degrees")
    unit = unit.decode() if isinstance(unit, bytes) else str(unit)
    return np.degrees(theta) if unit.lower().startswith("rad") else theta


def _references(file: h5py.File, name: str, projections: LazyFrames) -> NDArray[Any]:
    if name not in file:
        return np.empty((0, *projections.shape[1:]), projections.dtype)
    frames = read_array(file, name, 3)
    if frames.shape[1:] != projections.shape[1:]:
        raise DataError(
            "references must have the shape of the projections",
            where=f"{file.filename}:/{name}",
            value=frames.shape[1:],
            limit=projections.shape[1:],
        )
    return frames
