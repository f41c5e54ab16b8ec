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
    Fact,
    dataset,
    datasets_below,
    deciding_fact,
    fact,
    has_paths,
    lazy_frames,
    open_hdf5,
    read_array,
    text,
    unit_of,
)
from xrm_control.storage.formats.hdf5_scans import (
    PIXEL_OPTION,
    binning_of,
    energy_kev,
    pixel_from,
    refuse_cone_beam,
    refuse_unsure,
    seconds_of,
)
from xrm_control.storage.formats.light import Light
from xrm_control.storage.formats.scan_file import ScanFile, ScanFormat, ScanOptions
from xrm_control.storage.formats.units import Sourced, angles_deg, factor

_PROJECTION, _FLAT, _DARK, _INVALID, _ALIGNMENT = 0, 1, 2, 3, -1
_CURRENTS = ("a", "ma", "ampere", "milliampere")
_DETECTOR = "instrument/detector"
_FAR_PX = 5.0


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
            light = _light(file, entry, len(frames), views, kinds[_FLAT], kinds[_DARK])
            pixel = told.pixel() or _pixel(file, entry)
            energy = fact(file, f"{entry}/instrument/beam/incident_energy")
            times = np.arange(len(frames), dtype=float)
            back, bad = (int(np.count_nonzero(key == kind)) for kind in (_ALIGNMENT, _INVALID))
            notes = (
                f"{back} alignment frames were left out (image_key_control -1)" if back else "",
                f"{bad} frames that the file calls invalid were left out (image_key 3)" if bad else "",
                light.note,
                _moved(file, entry, views, None if pixel is None else pixel.value),
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
                energy_kev=energy_kev(energy),
                light=light.projections,
                flat_light=light.flats,
                origins=Origins(
                    "" if pixel is None else pixel.scale(), described(theta, origin), light=light.said
                ).noting(*filter(None, notes)),
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
        stored = read_array(file, path, 1)
        if len(stored) != frames:
            raise DataError(
                "one value per frame is needed", where=f"{file.filename}: {name}", value=len(stored), limit=frames
            )
        odd = sorted(set(stored.tolist()) - {_PROJECTION, _FLAT, _DARK, _INVALID, _ALIGNMENT})
        if odd:
            raise DataError(
                "is no key of a frame",
                where=f"{file.filename}: {name}",
                value=odd[:5],
                limit="0 projection, 1 flat, 2 dark, 3 invalid, -1 alignment",
            )
        found = stored.astype(int)
        key = found if name == "image_key" else np.where((key == _PROJECTION) | (found == _INVALID), found, key)
    return key


def _theta(
    file: h5py.File, entry: str, told: ScanOptions, frames: int, views: NDArray[np.int64]
) -> tuple[NDArray[np.float64], str]:
    if told.states_angles:
        return stated_angles(told, len(views))
    name = f"{entry}/sample/rotation_angle"
    if name not in file:
        raise DataError(
            "the file does not say the angles of its views",
            where=f"{file.filename}:/{name}",
            remedy="state them: --angles FILE with one a projection, or --start and --end in degrees",
        )
    theta = read_array(file, name, 1).astype(float)
    if len(theta) != frames:
        raise DataError(
            "one value per frame is needed",
            where=f"{file.filename}: rotation_angle",
            value=len(theta),
            limit=f"{frames}: projections, flats and darks",
            remedy="state those of the projections: --angles FILE, or --start and --end",
        )
    return angles_deg(theta[views], unit_of(dataset(file, name)), "sample/rotation_angle", told.angle_unit)


def _pixel(file: h5py.File, entry: str) -> Sourced | None:
    """At the sample, before that of the detector, which may be the camera's.

    Raises DataError where a magnification or a binning leaves open which it is.
    """
    own = f"state the pixel at the sample: {PIXEL_OPTION}"
    for place in ("sample", _DETECTOR):
        both = [deciding_fact(file, f"{entry}/{place}/{axis}_pixel_size", own) for axis in "xy"]
        found = pixel_from(both, "m", file.filename)
        if found is None:
            continue
        pixel = Sourced(found.value, found.source.removeprefix(f"{entry}/").removeprefix("instrument/"))
        if place == _DETECTOR:
            _refuse_unsure_detector(file, entry, pixel)
        return pixel
    return None


def _refuse_unsure_detector(file: h5py.File, entry: str, pixel: Sourced) -> None:
    power = _magnification(file, entry)
    camera = pixel_from(
        [fact(file, f"{entry}/{_DETECTOR}/real_{axis}_pixel_size") for axis in "xy"], "m", file.filename
    )
    if power is not None and (camera is None or abs(pixel.value * power.value / camera.value - 1) > 0.05):
        refuse_unsure(pixel, power, file.filename, divided=True)
    binning = binning_of(file, f"{entry}/{_DETECTOR}")
    if binning is not None:
        refuse_unsure(pixel, binning, file.filename)


def _magnification(file: h5py.File, entry: str) -> Fact | None:
    """Of lenses before the camera, if the file states one other than 1."""
    for path, item in datasets_below(file, f"{entry}/instrument"):
        if item.size == 1 and "magnification" in path.lower().rpartition("/")[2]:
            found = fact(file, path)
            if found is not None and found.value != 1:
                return found
    return None


def _moved(file: h5py.File, entry: str, views: NDArray[np.int64], pixel_um: float | None) -> str:
    """Raises DataError for a sample that went along during the scan, as in a helix; a note for a little."""
    if pixel_um is None or not len(views):
        return ""
    for axis in "xyz":
        name = f"{entry}/sample/{axis}_translation"
        item = file.get(name)
        if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "uif" or item.ndim != 1:
            continue
        if len(item) <= views.max():
            continue
        scale = factor(unit_of(item) or "m", "um")
        moved = float(np.ptp(np.asarray(item[()], float)[views])) * (scale or 0.0) / pixel_um
        said = f"the sample moved by {moved:.3g} pixels from projection to projection"
        if moved > _FAR_PX:
            raise DataError(
                f"{said}: no scan about one axis",
                where=f"{file.filename}:/{name}",
                limit=f"{_FAR_PX:g} pixels",
                remedy="put the views where they belong first, and write them without this movement",
            )
        if moved > 1:
            return f"{said}, says sample/{axis}_translation: that was not taken into account"
    return ""


def _light(
    file: h5py.File,
    entry: str,
    frames: int,
    views: NDArray[np.int64],
    flats: NDArray[np.int64],
    darks: NDArray[np.int64],
) -> Light:
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
        found = Light.of(light[views], light[flats], "beam monitor", "control/data")
    elif seconds is None:
        return Light()
    else:
        found = Light.of(seconds[views], seconds[flats], "exposure times", "detector/count_time")
    return found if seconds is None else found.with_darks(seconds[views], seconds[darks], "detector/count_time")


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
