"""Volumes in one TIFF file: OME-TIFF, ImageJ's, and plain ones of many pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.core.memory import require_memory
from xrm_control.storage.formats.ome_tiff import Scale
from xrm_control.storage.formats.scan_file import VOXEL_OPTION, VolumeFile, VolumeFormat, told_voxel
from xrm_control.storage.formats.tiff_pages import (
    all_pages,
    inverted,
    open_tiff,
    pages_alike,
    refuse_several,
    white_is_zero,
)
from xrm_control.storage.formats.units import Sourced, factor, length_um

_STRAIGHT_LINE = 0  # ImageJ's name for the calibration c0 + c1 * value
_NO_UNITS = ("", "pixel", "pixels")


class TiffVolume(VolumeFormat):
    """Reads OME-TIFF, ImageJ and plain multi-page TIFF files."""

    name = "TIFF"
    suffixes = (".ome.tif", ".ome.tiff", ".tif", ".tiff")

    def recognises(self, path: Path) -> bool:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

    def read(self, path: Path, told_um: float | None) -> VolumeFile:
        told = told_voxel(told_um)
        with open_tiff(path) as file:
            pixels, facts = _ome(file)
            _refuse_missing_files(pixels, path)
            volume, axes = _values(file, path)
            sizes = None if told else (_ome_sizes(pixels) if pixels else _imagej_sizes(file))
            turned = white_is_zero(file)
            imagej = file.imagej_metadata or {}
        notes = []
        if turned:
            volume = inverted(volume, path)
            notes.append("white is stored as zero: the values were turned round")
        if "T" in axes:
            notes.append("its time steps were taken as slices")
        grey = str(facts.get("units", ""))
        scale = _scale(facts)
        if scale is not None:
            volume, grey = scale.attenuation(volume), "1/um"
        elif imagej:
            volume, grey = _calibrated(volume, imagej, path)
        if told is not None:
            return VolumeFile(
                volume, (told.value, told.value, told.value), told.scale(), grey, _is_ours(facts), tuple(notes)
            )
        if sizes is None:
            return VolumeFile(volume, None, "", grey, _is_ours(facts), tuple(notes))
        z, y, x = sizes
        source = x.scale() + (f"; there from {facts['scale']}" if facts.get("scale") else "")
        notes += [str(note) for note in facts.get("notes", ())]
        return VolumeFile(volume, (z.value, y.value, x.value), source, grey, _is_ours(facts), tuple(notes))


def _is_ours(facts: dict[str, Any]) -> bool:
    return facts.get("field") == "cylinder" or "offset_per_um" in facts


def _values(file: tifffile.TiffFile, path: Path) -> tuple[NDArray[Any], str]:
    """Array [z, y, x] and the axes as the file calls them."""
    if not file.series:
        raise DataError("holds no picture", where=str(path))
    refuse_several(file, path)
    series = file.series[0]
    where = str(path)
    if pages_alike(file):
        require_memory(series.nbytes * len(file.series), where)
        return all_pages(file), "ZYX"
    if "S" in series.axes or "C" in series.axes.replace("CZYX", "ZYX"):
        raise DataError("is in colours or channels, and a volume has grey values", where=where, value=series.axes)
    if any(page is None for page in series.pages):
        raise DataError("some of the pictures that the file announces are missing", where=where, value=series.shape)
    end = None if series.dataoffset is None else series.dataoffset + series.nbytes
    if end is not None and end > path.stat().st_size:
        raise DataError(
            "the file is cut short", where=where, value=f"{path.stat().st_size} bytes", limit=end, remedy="copy it anew"
        )
    require_memory(series.nbytes, where)
    volume = series.asarray()
    while volume.ndim > 3 and volume.shape[0] == 1:
        volume = volume[0]
    if volume.ndim != 3:
        raise DataError("a volume has three dimensions", where=where, value=f"{series.axes} of shape {series.shape}")
    return volume, series.axes


def _ome(file: tifffile.TiffFile) -> tuple[dict[str, Any], dict[str, Any]]:
    """Pixels' attributes and what our own files note; empty where the file is no OME-TIFF."""
    if not file.is_ome or not file.ome_metadata:
        return {}, {}
    image = tifffile.xml2dict(file.ome_metadata).get("OME", {}).get("Image", {})
    image = image[0] if isinstance(image, list) else image
    try:
        facts = json.loads(str(image.get("Description", "")))
    except ValueError:
        facts = {}
    return dict(image.get("Pixels", {})), facts if isinstance(facts, dict) else {}


def _refuse_missing_files(pixels: dict[str, Any], path: Path) -> None:
    """Of a volume in several files; one that is alone may have been renamed."""
    parts = pixels.get("TiffData", [])
    names = {
        str(part["UUID"]["FileName"])
        for part in (parts if isinstance(parts, list) else [parts])
        if isinstance(part, dict) and isinstance(part.get("UUID"), dict) and "FileName" in part["UUID"]
    }
    missing = sorted(name for name in names if name != path.name and not (path.parent / name).is_file())
    if len(names) > 1 and missing:
        raise DataError(
            "files of the volume are missing, and would be read as zeros",
            where=str(path),
            value=", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else ""),
            remedy="bring them into the same folder",
        )


def _ome_sizes(pixels: dict[str, Any]) -> tuple[Sourced, Sourced, Sourced] | None:
    found: list[Sourced | None] = []
    for axis in "ZYX":
        size = pixels.get(f"PhysicalSize{axis}")
        unit = str(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        found.append(None if size is None else length_um(float(size), unit, f"PhysicalSize{axis}", VOXEL_OPTION))
    return _complete(found, "PhysicalSize")


def _imagej_sizes(file: tifffile.TiffFile) -> tuple[Sourced, Sourced, Sourced] | None:
    """Resolution and unit of an ImageJ file, and its spacing along z."""
    notes = file.imagej_metadata or {}
    unit = str(notes.get("unit", ""))
    if unit.strip().lower() in _NO_UNITS:
        return None
    found: list[Sourced | None] = []
    spacing = notes.get("spacing")
    found.append(None if spacing is None else length_um(abs(float(spacing)), unit, "ImageJ's spacing", VOXEL_OPTION))
    for name in ("YResolution", "XResolution"):
        tag = file.pages[0].tags.get(name)  # type: ignore[union-attr]
        known = tag is not None and tag.value[0]
        found.append(
            length_um(tag.value[1] / tag.value[0], unit, f"ImageJ's {name}", VOXEL_OPTION)
            if tag is not None and known
            else None
        )
    if spacing is None and found[2] is not None and abs(found[2].value / (factor(unit, "um") or 0.0) - 1) < 1e-6:
        found[0] = found[2]  # ImageJ leaves a spacing of 1 out
    return _complete(found, "ImageJ's resolution and spacing")


def _complete(found: list[Sourced | None], what: str) -> tuple[Sourced, Sourced, Sourced] | None:
    """All three, or none. Raises DataError where some are said and others not."""
    z, y, x = found
    if z is not None and y is not None and x is not None:
        return z, y, x
    if z is None and y is None and x is None:
        return None
    lacking = ", ".join(axis for axis, size in zip("zyx", found, strict=True) if size is None)
    known = next(size for size in (x, y, z) if size is not None)
    raise DataError(
        f"the file states the size of a voxel, but not along {lacking}",
        where=what,
        value=known.scale(),
        remedy=f"state it, for cubes: {VOXEL_OPTION} {known.value:g}",
    )


def _calibrated(volume: NDArray[Any], notes: dict[str, Any], path: Path) -> tuple[NDArray[Any], str]:
    """ImageJ's calibration of grey values: applied where it is a straight line. Returns values and their unit."""
    if "cf" not in notes and "c0" not in notes:
        return volume, ""
    if int(notes.get("cf", _STRAIGHT_LINE)) != _STRAIGHT_LINE:
        raise DataError(
            "the grey values have a calibration that is no straight line",
            where=str(path),
            value=f"cf={notes.get('cf')}",
            remedy="apply it and save the volume in 32 bits",
        )
    grey = str(notes.get("vunit", "")).strip().strip('"')
    step = factor(grey, "1/um")
    scale = Scale(float(notes.get("c0", 0.0)), float(notes.get("c1", 1.0)))
    values = scale.attenuation(volume)
    if step is None:
        return values, grey
    return (values * np.float32(step)), "1/um"


def _scale(facts: dict[str, Any]) -> Scale | None:
    try:
        return Scale(float(facts["offset_per_um"]), float(facts["step_per_um"]))
    except (ValueError, KeyError, TypeError):
        return None
