"""Projections as TIFF: a folder with one file a view, or one file of many pages. Angles are the operator's to state."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.core.memory import require_memory
from xrm_control.core.origins import Origins
from xrm_control.storage.formats.angles import described, stated_angles
from xrm_control.storage.formats.lazy_frames import LazyFrames
from xrm_control.storage.formats.scan_file import ScanFile, ScanFormat, ScanOptions
from xrm_control.storage.formats.tiff_pages import (
    SUFFIXES,
    all_pages,
    in_order,
    inverted,
    open_tiff,
    pages_alike,
    read_picture,
    refuse_gaps,
    refuse_several,
    white_is_zero,
)

_REFERENCE_WORDS = ("flat", "dark", "white", "bright", "ref", "gain", "offset")


class TiffScan(ScanFormat):
    """Reads pictures in the order of their numbers; flats and darks by the patterns that the operator gives."""

    name = "TIFF projections"
    suffixes = SUFFIXES
    options = ScanFormat.options | {"angle_unit", "angles", "start_deg", "end_deg", "flats", "darks"}

    def recognises(self, path: Path) -> bool:
        if path.is_dir():
            return bool(_pictures(path, "*"))
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

    def read(self, path: Path, told: ScanOptions) -> ScanFile:
        if path.is_dir():
            flats, darks = (_chosen(path, pattern, name) for pattern, name in _patterns(told))
            views = _views(path, [*flats, *darks])
            projections: LazyFrames | NDArray[Any] = _lazy(views)
            white, black = (_stack(files, projections) for files in (flats, darks))
        else:
            if told.flats or told.darks:
                raise DataError(
                    "patterns belong to a folder of pictures",
                    where=str(path),
                    remedy="give --references FILE, or a folder with one file a view",
                )
            projections = _pages(path)
            white = black = np.empty((0, *projections.shape[1:]), projections.dtype)
        if not told.states_angles:
            raise DataError(
                "pictures do not say their angles",
                where=str(path),
                remedy="give --angles FILE with one a view, or --start and --end in degrees",
            )
        theta, origin = stated_angles(told, len(projections))
        pixel = told.pixel()
        return ScanFile(
            source=str(path),
            projections=projections,
            theta_deg=theta,
            time_s=np.arange(len(projections), dtype=float),
            flats=white,
            flat_time_s=np.zeros(len(white)),
            darks=black,
            pixel_size_um=None if pixel is None else pixel.value,
            origins=Origins("" if pixel is None else pixel.scale(), described(theta, origin)),
        )


def _patterns(told: ScanOptions) -> tuple[tuple[str | None, str], ...]:
    return (told.flats, "--flats"), (told.darks, "--darks")


def _pictures(folder: Path, pattern: str) -> list[Path]:
    return in_order([one for one in folder.glob(pattern) if one.is_file() and one.suffix.lower() in SUFFIXES])


def _chosen(folder: Path, pattern: str | None, option: str) -> list[Path]:
    if pattern is None:
        return []
    try:
        found = _pictures(folder, pattern)
    except (ValueError, NotImplementedError) as error:
        raise DataError(f"is no pattern: {error}", where=option, value=pattern, remedy='e.g. "flat_*.tif"') from error
    if not found:
        raise DataError("no picture has a name like this", where=f"{option}, {folder}", value=pattern)
    return found


def _views(folder: Path, taken: Sequence[Path]) -> list[Path]:
    views = [one for one in _pictures(folder, "*") if one not in set(taken)]
    if not views:
        raise DataError("no projection is left", where=str(folder), remedy="let the patterns match references alone")
    alike = [one for one in views if any(word in one.name.lower() for word in _REFERENCE_WORDS)]
    if alike and len(alike) < len(views):
        raise DataError(
            "the names look like those of references, not of projections",
            where=str(folder),
            value=f"{alike[0].name} and {len(alike) - 1} more",
            remedy='name them: --flats "PATTERN" --darks "PATTERN"',
        )
    refuse_gaps(views, "projections")
    usual = re.sub(r"\d+", "#", views[0].name)
    same = [one for one in taken if one.parent == views[0].parent and re.sub(r"\d+", "#", one.name) == usual]
    if same:
        raise DataError(
            "the patterns of the references take pictures that are named like projections",
            where=str(folder),
            value=f"{same[0].name} and {len(same) - 1} more, beside {views[0].name}",
            remedy="let --flats and --darks match references alone",
        )
    return views


def _lazy(files: list[Path]) -> LazyFrames:
    first = read_picture(files[0])
    return LazyFrames((len(files), *first.shape), first.dtype, partial(_read, tuple(files), first.shape, first.dtype))


def _read(
    files: Sequence[Path], shape: tuple[int, int], dtype: np.dtype, views: Sequence[int], rows: slice
) -> NDArray[Any]:
    out = np.empty((len(views), rows.stop - rows.start, shape[1]), dtype)
    for target, view in zip(out, views, strict=True):
        picture = read_picture(files[view])
        if (picture.shape, picture.dtype) != (shape, dtype):
            raise DataError(
                "projections must be pictures of one shape and type",
                where=str(files[view]),
                value=f"{picture.shape} {picture.dtype}",
                limit=f"{shape} {dtype}, as {files[0].name}",
            )
        target[...] = picture[rows]
    return out


def _stack(files: list[Path], like: LazyFrames) -> NDArray[Any]:
    """References: one picture a file, or many pages in one."""
    found = [_pages(file) if len(files) == 1 else read_picture(file)[None] for file in files]
    for file, one in zip(files, found, strict=True):
        if one.shape[1:] != like.shape[1:]:
            raise DataError(
                "references must have the shape of the projections",
                where=str(file),
                value=one.shape[1:],
                limit=like.shape[1:],
            )
    return np.concatenate(found) if found else np.empty((0, *like.shape[1:]), like.dtype)


def _pages(path: Path) -> NDArray[Any]:
    with open_tiff(path) as file:
        refuse_several(file, path)
        series = file.series[0] if file.series else None
        if series is None or len(series.shape) not in (2, 3):
            raise DataError("holds no grey pictures", where=str(path), value=None if series is None else series.shape)
        require_memory(series.nbytes * len(file.series), str(path))
        frames = all_pages(file) if pages_alike(file) else series.asarray()
        turned = white_is_zero(file)
    frames = frames[None] if frames.ndim == 2 else frames
    return inverted(frames, path) if turned else frames
