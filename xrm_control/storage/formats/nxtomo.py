"""NXtomo (HDF5, NeXus): frames of all kinds in one stack, told apart by their image_key.

https://manual.nexusformat.org/classes/applications/NXtomo.html; alignment frames and the pixel at the sample as the
nxtomo package writes them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.core.origins import Origins
from xrm_control.storage.formats.angles import described, stated_angles
from xrm_control.storage.formats.hdf5 import (
    dataset,
    fact,
    has_paths,
    lazy_frames,
    open_hdf5,
    read_array,
    text,
    unit_of,
)
from xrm_control.storage.formats.hdf5_scans import pixel_from, refuse_cone_beam, seconds_of
from xrm_control.storage.formats.light import Light
from xrm_control.storage.formats.scan_file import ScanFile, ScanFormat, ScanOptions
from xrm_control.storage.formats.units import Sourced, angles_deg, factor

_PROJECTION, _FLAT, _DARK, _INVALID, _ALIGNMENT = 0, 1, 2, 3, -1
_CURRENTS = ("a", "ma", "ampere", "milliampere")
_DETECTOR = "instrument/detector"


class NXtomo(ScanFormat):
    """Reads the only entry, the file's default one, or that of `--entry`; invalid and alignment frames are left out."""

    name = "NXtomo"
    suffixes = (".nx", ".nxs", ".h5", ".hdf5")
    options = ScanFormat.options | {"entry", "angle_unit", "angles", "start_deg", "end_deg"}

    def recognises(self, path: Path) -> bool:
        return bool(_entries(path))

    def read(self, path: Path, told: ScanOptions) -> ScanFile:
        entry = _entry(path, told.entry)
        with open_hdf5(path) as file:
            name = f"{entry}/{_DETECTOR}/data"
            frames = lazy_frames(file, name)
            key = _key(file, entry, len(frames))
            kinds = {kind: np.flatnonzero(key == kind) for kind in (_PROJECTION, _FLAT, _DARK)}
            views = kinds[_PROJECTION]
            theta, origin = _theta(file, entry, told, len(frames), views)
            refuse_cone_beam(file, entry)
            light = _light(file, entry, len(frames), views, kinds[_FLAT])
            pixel = told.pixel() or _pixel(file, entry)
            energy = fact(file, f"{entry}/instrument/beam/incident_energy")
            times = np.arange(len(frames), dtype=float)
            back, bad = (int(np.count_nonzero(key == kind)) for kind in (_ALIGNMENT, _INVALID))
            notes = (
                f"{back} alignment frames were left out (image_key_control -1)" if back else "",
                f"{bad} frames that the file calls invalid were left out (image_key 3)" if bad else "",
                light.note,
            )
            return ScanFile(
                source=str(path),
                projections=lazy_frames(file, name, views.tolist()),
                theta_deg=theta,
                time_s=times[views],
                flats=frames[kinds[_FLAT]],
                flat_time_s=times[kinds[_FLAT]],
                darks=frames[kinds[_DARK]],
                pixel_size_um=None if pixel is None else pixel.value,
                energy_kev=None if energy is None else energy.value * (factor(energy.unit, "keV") or 1.0),
                light=light.projections,
                flat_light=light.flats,
                origins=Origins("" if pixel is None else pixel.scale(), described(theta, origin)).noting(
                    *filter(None, notes)
                ),
            )


def _entry(path: Path, wanted: str | None) -> str:
    known = _entries(path)
    if wanted is not None:
        if wanted.strip("/") in known:
            return wanted.strip("/")
        raise DataError(
            "there is no such entry with a scan", where=f"--entry, {path}", value=wanted, limit=", ".join(known)
        )
    if len(known) > 1:
        with open_hdf5(path) as file:
            default = text(file.attrs.get("default", "")).strip("/")
        if default in known:
            return default
        raise DataError(
            "the file holds several scans",
            where=str(path),
            value=", ".join(known),
            remedy=f"say which one: --entry {known[0]}",
        )
    return known[0]


def _key(file: h5py.File, entry: str, frames: int) -> NDArray[np.int64]:
    """What each frame is; the finer key tells alignment frames from projections."""
    key = np.full(frames, _PROJECTION)
    for name in ("image_key", "image_key_control"):
        path = f"{entry}/{_DETECTOR}/{name}"
        if path not in file:
            continue
        found = read_array(file, path, 1).astype(int)
        if len(found) != frames:
            raise DataError("one value per frame is needed", where=f"{file.filename}: {name}", value=len(found))
        odd = sorted(set(found.tolist()) - {_PROJECTION, _FLAT, _DARK, _INVALID, _ALIGNMENT})
        if odd:
            raise DataError(
                "is no key of a frame",
                where=f"{file.filename}: {name}",
                value=odd[:5],
                limit="0 projection, 1 flat, 2 dark, 3 invalid, -1 alignment",
            )
        key = found if name == "image_key" else np.where((key == _PROJECTION) | (found == _INVALID), found, key)
    return key


def _theta(
    file: h5py.File, entry: str, told: ScanOptions, frames: int, views: NDArray[np.int64]
) -> tuple[NDArray[np.float64], str]:
    if told.states_angles:
        return stated_angles(told, len(views))
    name = f"{entry}/sample/rotation_angle"
    theta = read_array(file, name, 1).astype(float)
    if len(theta) != frames:
        raise DataError(
            "one value per frame is needed", where=f"{file.filename}: rotation_angle", value=len(theta), limit=frames
        )
    return angles_deg(theta[views], unit_of(dataset(file, name)), "sample/rotation_angle", told.angle_unit)


def _pixel(file: h5py.File, entry: str) -> Sourced | None:
    """At the sample, before that of the detector, which may be the camera's."""
    for place in ("sample", _DETECTOR):
        both = [fact(file, f"{entry}/{place}/{axis}_pixel_size") for axis in "xy"]
        found = pixel_from(both, "m", file.filename)
        if found is not None:
            return Sourced(found.value, found.source.removeprefix(f"{entry}/").removeprefix("instrument/"))
    return None


def _light(file: h5py.File, entry: str, frames: int, views: NDArray[np.int64], flats: NDArray[np.int64]) -> Light:
    """From the beam monitor, which counts over each exposure, or is a current and goes with the exposure time."""
    times = fact(file, f"{entry}/{_DETECTOR}/count_time")
    seconds: NDArray[Any] | None = None
    if times is not None and len(times.values) == frames:
        seconds = seconds_of(times)
    monitor = fact(file, f"{entry}/control/data")
    if monitor is not None and len(monitor.values) == frames:
        light = monitor.values
        if monitor.unit.lower() in _CURRENTS and seconds is not None:
            light = light * seconds
        return Light.of(light[views], light[flats], "beam monitor", "control/data")
    if seconds is None:
        return Light()
    return Light.of(seconds[views], seconds[flats], "exposure times", "detector/count_time")


def _entries(path: Path) -> list[str]:
    """Those with frames and their keys."""
    if not has_paths(path):
        return []
    keys = ("image_key", "image_key_control")
    with open_hdf5(path) as file:
        return sorted(
            name
            for name in map(str, file)
            if f"{name}/{_DETECTOR}/data" in file and any(f"{name}/{_DETECTOR}/{key}" in file for key in keys)
        )
