"""What the HDF5 scan formats share: scale, exposure times, cone beams."""

from __future__ import annotations

import h5py
import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.storage.formats.hdf5 import Fact, datasets_below, fact, text, unit_of
from xrm_control.storage.formats.units import Sourced, factor, length_um

_CONE_MAGNIFICATION = 1.02
_LARGEST_KEV = 200.0
_EACH = 3  # different sizes of one fact, which are told
_FAR_M = 5.0  # a source beyond is a synchrotron's
PIXEL_OPTION = "--pixel-size-um"


def pixel_from(facts: list[Fact | None], assumed: str, where: str) -> Sourced | None:
    """Of x and y pixel sizes that a file states, those that it does. Raises DataError for oblong pixels."""
    sizes = [
        length_um(float(value), one.unit, one.path, PIXEL_OPTION, assumed=assumed)
        for one in facts
        if one is not None
        for value in np.unique(one.values)[:_EACH]
    ]
    if not sizes:
        return None
    if max(size.value for size in sizes) > 1.001 * min(size.value for size in sizes):
        raise DataError(
            "the pixels are no squares",
            where=f"{where}: {sizes[0].source}",
            value=" x ".join(f"{size.value:g}" for size in sizes) + " um",
            remedy=f"rebin the scan, or state the pixel with {PIXEL_OPTION}",
        )
    return sizes[0]


def energy_kev(found: Fact | None) -> float | None:
    """In whatever unit; without one in keV, or in eV where it is beyond 200. None where the unit is not known."""
    if found is None:
        return None
    if not found.unit:
        return found.value / 1000.0 if found.value > _LARGEST_KEV else found.value
    scale = factor(found.unit, "keV")
    return None if scale is None else found.value * scale


def binning_of(file: h5py.File, group: str) -> Fact | None:
    """Of the camera, if the file states one above 1 below `group`."""
    for path, item in datasets_below(file, group):
        if int(item.size or 0) <= 2 and "binning" in path.lower().rpartition("/")[2]:
            found = fact(file, path)
            if found is not None and found.value > 1:
                return found
    return None


def refuse_unsure(pixel: Sourced, by: Fact, where: str, *, divided: bool = False) -> None:
    """Raise DataError: of a pixel it is not clear whether it is before or after what the file says besides.

    by: the magnification (divided) or the binning.
    """
    other = pixel.value / by.value if divided else pixel.value * by.value
    what = "the camera's or at the sample" if divided else "of the camera or of the frames, which are binned"
    raise DataError(
        f"the file does not say whether its pixel is {what}",
        where=where,
        value=f"{pixel.scale()}; {by.path} = {by.value:g}",
        remedy=f"state the pixel at the sample: {PIXEL_OPTION} {other:g} or {pixel.value:g}",
    )


def refuse_cone_beam(file: h5py.File, group: str) -> None:
    """Raise DataError where the file speaks of a source so near that its rays are no parallel beam."""
    to_sample: dict[str, float] = {}
    to_detector: dict[str, float] = {}
    behind: dict[str, float] = {}
    for path, item in datasets_below(file, group):
        lower = path.lower()
        last = lower.rpartition("/")[2]
        if item.dtype.kind in "SO" and item.size == 1 and any(w in last for w in ("geometry", "beam_type", "beamtype")):
            if "cone" in text(item[()]).lower():
                raise _cone(f"{file.filename}:/{path}", text(item[()]))
            continue
        if item.dtype.kind not in "uif" or item.size != 1 or not _is_distance(last):
            continue
        metres = abs(float(np.asarray(item[()]).reshape(-1)[0])) * (factor(unit_of(item) or "m", "m") or 1.0)
        if not np.isfinite(metres) or metres == 0:
            continue
        if ("source" in last and "detector" in last) or last in ("sdd", "fdd"):
            to_detector[path] = metres
        elif "source" in lower or last in ("sod", "fod"):
            to_sample[path] = metres
        else:
            behind[path] = metres
    if not to_sample and not to_detector:
        return
    sod = min(to_sample.values(), default=0.0)
    sdd = min(to_detector.values(), default=0.0)
    odd = max(behind.values(), default=0.0)
    sdd = sdd or sod + odd
    sod = sod or sdd - odd
    path = next(iter((*to_sample, *to_detector)))
    if sod <= 0 or sdd / sod > _CONE_MAGNIFICATION or (sdd == sod and sod < _FAR_M):
        raise _cone(f"{file.filename}:/{path}", f"source to sample {sod:g} m, source to detector {sdd:g} m")


def _is_distance(name: str) -> bool:
    return "distance" in name or name in ("sod", "sdd", "fod", "fdd", "odd")


def _cone(where: str, value: str) -> DataError:
    return DataError(
        "this is a cone-beam scan, and only parallel beams are reconstructed here",
        where=where,
        value=value,
        limit=f"magnification below {_CONE_MAGNIFICATION:g}",
        remedy="use a program for cone beams, and bring its volume to `xrm analyze`",
    )


def seconds_of(found: Fact) -> NDArray[np.float64]:
    """Exposure times in s. Raises DataError for an unknown unit."""
    scale = factor(found.unit or "s", "s")
    if scale is None:
        raise DataError(
            "the unit of a time is not understood", where=found.path, value=repr(found.unit), limit="s, ms, us, min"
        )
    return found.values * scale
