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
    refuse_mixed_scales,
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
from xrm_control.storage.formats.lazy_frames import LazyFrames
from xrm_control.storage.formats.light import Light
from xrm_control.storage.formats.scan_file import ScanFile, ScanFormat, ScanOptions
from xrm_control.storage.formats.units import Sourced, angles_deg

_MEASUREMENT = "measurement/instrument"
_OBJECTIVE = f"{_MEASUREMENT}/detection_system/objective"
_CAMERA = (f"{_MEASUREMENT}/detector/", f"{_MEASUREMENT}/detection_system/camera/")
_POWERS = (
    f"{_OBJECTIVE}/magnification",
    f"{_MEASUREMENT}/detection_system/magnification",
    f"{_MEASUREMENT}/detector/magnification",
)
_WHITE = ("flat", "white", "reference")


class DataExchange(ScanFormat):
    """Reads /exchange, or the group of `--entry`; white and dark may be absent, theta may be stated instead."""

    name = "Data Exchange"
    suffixes = (".h5", ".hdf5", ".hdf")
    options = ScanFormat.options | {"entry", "angle_unit", "angles", "start_deg", "end_deg"}

    def recognises(self, path: Path) -> bool:
        return has_paths(path, "exchange/data")

    def read(self, path: Path, told: ScanOptions) -> ScanFile:
        with open_hdf5(path) as file:
            group = _group(file, told.entry)
            projections = lazy_frames(file, f"{group}/data")
            theta, origin = _theta(file, group, told, len(projections))
            if len(theta) != len(projections):
                raise DataError(
                    "one angle per projection is needed",
                    where=f"{path}:/{group}/theta",
                    value=f"{len(theta)} angles, frames {projections.shape}",
                    limit=len(projections),
                    remedy="write the frames as (views, rows, columns)"
                    if len(theta) in projections.shape[1:]
                    else "mend the angles, or state them: --angles FILE, or --start and --end",
                )
            refuse_mixed_scales(file, [f"{group}/{name}" for name in ("data", "data_white", "data_dark")])
            refuse_cone_beam(file, "/")
            flats = _references(file, f"{group}/data_white", projections)
            darks = _references(file, f"{group}/data_dark", projections)
            light = _with_darks(_light(file, group, len(projections), len(flats)), file, group, len(darks))
            pixel = told.pixel() or _pixel(file, str(path))
            energy = fact(file, f"{_MEASUREMENT}/monochromator/energy")
            return ScanFile(
                source=str(path),
                projections=projections,
                theta_deg=theta,
                time_s=np.arange(len(projections), dtype=float),
                flats=flats,
                flat_time_s=np.zeros(len(flats)),
                darks=darks,
                pixel_size_um=None if pixel is None else pixel.value,
                energy_kev=energy_kev(energy),
                light=light.projections,
                flat_light=light.flats,
                origins=Origins(
                    "" if pixel is None else pixel.scale(), described(theta, origin), light=light.said
                ).noting(*filter(None, (light.note,))),
            )


def _group(file: h5py.File, entry: str | None) -> str:
    """The primary group by the format's own rule, unless another one is named."""
    known = [name for name in map(str, file) if name.startswith("exchange") and f"{name}/data" in file]
    if entry is None:
        return "exchange"
    if entry.strip("/") not in known:
        raise DataError(
            "there is no such entry with data", where=f"--entry, {file.filename}", value=entry, limit=", ".join(known)
        )
    return entry.strip("/")


def _theta(file: h5py.File, group: str, told: ScanOptions, views: int) -> tuple[NDArray[np.float64], str]:
    if told.states_angles:
        return stated_angles(told, views)
    if f"{group}/theta" not in file:
        raise DataError(
            "the file does not say the angles of its views",
            where=f"{file.filename}:/{group}/theta",
            remedy="state them: --angles FILE with one a view, or --start and --end in degrees",
        )
    theta = read_array(file, f"{group}/theta", 1).astype(float)
    unit = unit_of(dataset(file, f"{group}/theta"))
    return angles_deg(theta, unit, f"{group}/theta", told.angle_unit)


def _pixel(file: h5py.File, where: str) -> Sourced | None:
    """At the sample: as it is stated, or the camera's over the magnification of the objective.

    Raises DataError where the two contradict each other.
    """
    own = f"state it yourself: {PIXEL_OPTION}"
    stated = pixel_from([deciding_fact(file, f"{_OBJECTIVE}/resolution", own)], "um", where)
    camera = next(filter(None, (_camera(file, place, where) for place in _CAMERA)), None)
    power = next(filter(None, (fact(file, path) for path in _POWERS)), None)
    if camera is None or (stated is not None and power is None):
        return stated
    if power is None:
        for path in _POWERS:
            _refuse_no_power(file, path, camera)
    else:
        camera = Sourced(camera.value / power.value, f"{camera.source}, divided by {power.path} = {power.value:g}")
    binning = binning_of(file, f"{_MEASUREMENT}/detector") or binning_of(file, f"{_MEASUREMENT}/detection_system")
    if stated is None:
        if binning is not None:
            refuse_unsure(camera, binning, where)
        return camera
    times = (1.0,) if binning is None else (1.0, binning.value)
    if min(abs(stated.value / camera.value / one - 1) for one in times) > 0.05:
        raise DataError(
            "the file contradicts itself about the pixel at the sample",
            where=where,
            value=f"{stated.scale()}; but {camera.scale()}",
            remedy="state which is right: --pixel-size-um",
        )
    return stated


def _refuse_no_power(file: h5py.File, path: str, camera: Sourced) -> None:
    """A magnification that is stated and none would leave the camera's pixel for that at the sample."""
    item = file.get(path)
    if isinstance(item, h5py.Dataset) and item.size:
        raise DataError(
            "the magnification is no number above zero, so the camera's pixel tells nothing of that at the sample",
            where=f"{file.filename}:/{path}",
            value=f"{text(item[()])[:60]!r}; {camera.scale()}",
            remedy=f"state the pixel at the sample: {PIXEL_OPTION}",
        )


def _camera(file: h5py.File, place: str, where: str) -> Sourced | None:
    names = ("x_pixel_size", "pixel_size_x", "y_pixel_size", "pixel_size_y", "pixel_size", "actual_pixel_size")
    own = f"state the pixel at the sample: {PIXEL_OPTION}"
    found = [one for one in (deciding_fact(file, f"{place}{name}", own) for name in names) if one]
    return pixel_from([*found[:2]], "um", where)


def _light(file: h5py.File, group: str, views: int, flats: int) -> Light:
    """From exposure times, wherever they stand: beside the frames, as their attributes, or with the detector."""
    if any("different" in path.lower() and text(item[()]).lower() == "same" for path, item in _exposures(file)):
        return Light()
    of_flats, of_views = _stated(file, group, flats, white=True), _stated(file, group, views, white=False)
    if of_views is None or (flats and of_flats is None):
        return Light()
    if of_flats is None:
        return Light(_each(of_views, views))
    return Light.of(
        _each(of_views, views), _each(of_flats, flats), "exposure times", f"{of_views.path} and {of_flats.path}"
    )


def _with_darks(light: Light, file: h5py.File, group: str, darks: int) -> Light:
    """What is stated of the darks' exposure beside that of the projections."""
    of_views, of_darks = _stated(file, group, 1, white=False), _attribute(file, f"{group}/data_dark")
    if of_darks is None:
        stated = (fact(file, path) for path, _ in _exposures(file) if "dark" in path.lower())
        of_darks = next((one for one in stated if one is not None), None)
    if not darks or of_views is None or of_darks is None:
        return light
    return light.with_darks(seconds_of(of_views), seconds_of(of_darks), f"{of_views.path} and {of_darks.path}")


def _stated(file: h5py.File, group: str, count: int, *, white: bool) -> Fact | None:
    """Exposure times of the flats or of the projections: one, or one for each."""
    own = _attribute(file, f"{group}/data_white" if white else f"{group}/data")
    if own is not None:
        return own
    for path, _ in _exposures(file):
        lower = path.lower()
        if "dark" in lower or any(word in lower for word in _WHITE) != white:
            continue
        found = fact(file, path)
        if found is not None and len(found.values) in (1, count):
            return found
    return None


def _attribute(file: h5py.File, name: str) -> Fact | None:
    item = file.get(name)
    if isinstance(item, h5py.Dataset):
        for key, stored in item.attrs.items():
            if "expos" in key.lower() and np.asarray(stored).dtype.kind in "uif":
                return Fact(np.asarray(stored, float).reshape(-1), "", f"{name}, {key}")
    return None


def _exposures(file: h5py.File) -> list[tuple[str, h5py.Dataset]]:
    return [
        (path, item)
        for path, item in datasets_below(file, "/")
        if "expos" in path.lower().rpartition("/")[2] and item.size and item.ndim <= 1
    ]


def _each(found: Fact, count: int) -> NDArray[np.float64]:
    seconds = seconds_of(found)
    return seconds if len(seconds) == count else np.full(count, seconds[0])


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
