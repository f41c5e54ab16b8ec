"""NXtomo (HDF5, NeXus): frames of all kinds in one stack, told apart by their image_key.

https://manual.nexusformat.org/classes/applications/NXtomo.html; here with the entry at /entry or first in the file.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from xrm_control.core.errors import DataError
from xrm_control.storage.formats.hdf5 import dataset, has_paths, lazy_frames, open_hdf5, read_array, scalar_in
from xrm_control.storage.formats.scan_file import ScanFile, ScanFormat

_LENGTHS_UM = {"m": 1e6, "mm": 1e3, "um": 1.0, "µm": 1.0, "nm": 1e-3, "": 1e6}
_ENERGIES_KEV = {"ev": 1e-3, "kev": 1.0, "": 1.0}
_PROJECTION, _FLAT, _DARK = 0, 1, 2


class NXtomo(ScanFormat):
    """Reads the first entry; frames with image_key 3 (invalid) are left out."""

    name = "NXtomo"
    suffixes = (".nx", ".nxs", ".h5", ".hdf5")

    def recognises(self, path: Path) -> bool:
        return any(has_paths(path, f"{entry}/instrument/detector/image_key") for entry in _entries(path))

    def read(self, path: Path) -> ScanFile:
        entry = next(one for one in _entries(path) if has_paths(path, f"{one}/instrument/detector/image_key"))
        detector = f"{entry}/instrument/detector"
        with open_hdf5(path) as file:
            name = f"{detector}/data"
            frames = lazy_frames(file, name)
            key = read_array(file, f"{detector}/image_key", 1).astype(int)
            theta = read_array(file, f"{entry}/sample/rotation_angle", 1).astype(float)
            unit = dataset(file, f"{entry}/sample/rotation_angle").attrs.get("units", "degree")
            unit = unit.decode() if isinstance(unit, bytes) else str(unit)
            if unit.lower().startswith("rad"):
                theta = np.degrees(theta)
            for what, values in (("image_key", key), ("rotation_angle", theta)):
                if len(values) != len(frames):
                    raise DataError("one value per frame is needed", where=f"{path}: {what}", value=len(values))
            times = np.arange(len(frames), dtype=float)
            return ScanFile(
                source=str(path),
                projections=lazy_frames(file, name, np.flatnonzero(key == _PROJECTION).tolist()),
                theta_deg=theta[key == _PROJECTION],
                time_s=times[key == _PROJECTION],
                flats=frames[np.flatnonzero(key == _FLAT)],
                flat_time_s=times[key == _FLAT],
                darks=frames[np.flatnonzero(key == _DARK)],
                pixel_size_um=scalar_in(file, f"{detector}/x_pixel_size", _LENGTHS_UM),
                energy_kev=scalar_in(file, f"{entry}/instrument/beam/incident_energy", _ENERGIES_KEV),
            )


def _entries(path: Path) -> list[str]:
    if not path.is_file() or not h5py.is_hdf5(path):
        return []
    with open_hdf5(path) as file:
        return sorted(file)
