"""What the HDF5 scan formats share: scale, exposure times, cone beams."""

from __future__ import annotations

import h5py
import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.storage.formats.hdf5 import Fact, datasets_below, text, unit_of
from xrm_control.storage.formats.units import Sourced, factor, length_um

_CONE_MAGNIFICATION = 1.02
_FAR_M = 5.0  # a source beyond is a synchrotron's
PIXEL_OPTION = "--pixel-size-um"


def pixel_from(facts: list[Fact | None], assumed: str, where: str) -> Sourced | None:
    """Of x and y pixel sizes that a file states, those that it does. Raises DataError for oblong pixels."""
    sizes = [
        length_um(one.value, one.unit, one.path, PIXEL_OPTION, assumed=assumed) for one in facts if one is not None
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
