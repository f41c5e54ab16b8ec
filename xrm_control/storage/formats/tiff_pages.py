"""Pictures in TIFF files, read as what they mean: black is dark, and nothing that is missing reads as zero."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from xrm_control.core.errors import DataError

SUFFIXES = (".tif", ".tiff")
_WHITE_IS_ZERO = 0


@contextmanager
def open_tiff(path: Path) -> Iterator[tifffile.TiffFile]:
    """The file, open for reading. Raises DataError where it cannot be read, also later, while it is in use.

    What tifffile only logs as an error, such as a description that is cut off, counts: the scale may stand there.
    """
    said = _Errors()
    tifffile.logger().addHandler(said)
    try:
        with tifffile.TiffFile(path) as file:
            said.refuse(path)
            yield file
        said.refuse(path)
    except DataError:
        raise
    except Exception as error:  # tags, XML, compression: damaged files raise whatever their parsers do
        what = str(error) or type(error).__name__
        packed = "imagecodecs" in what
        raise DataError(
            f"cannot be read as TIFF: {what}",
            where=str(path),
            remedy="save it without compression, or install imagecodecs" if packed else "copy it anew",
        ) from error
    finally:
        tifffile.logger().removeHandler(said)


class _Errors(logging.Handler):
    """What is logged as an error while a file is open."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.first = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.first = self.first or record.getMessage()

    def refuse(self, path: Path) -> None:
        """Raise DataError where something was said."""
        if self.first:
            raise DataError(f"cannot be read as TIFF: {self.first}", where=str(path), remedy="copy it anew")


def refuse_several(file: tifffile.TiffFile, path: Path) -> None:
    """Raise DataError where a file holds pictures of several shapes or types: all but the first would be lost.

    Pages of one shape that were added one by one are no such thing: see `pages_alike`.
    """
    if len(file.series) > 1 and not pages_alike(file):
        shown = ", ".join(f"{one.shape} {one.dtype}" for one in file.series[:4])
        raise DataError(
            "the file holds pictures of several shapes or types, or several stacks, and only one can be meant",
            where=str(path),
            value=shown + (f" and {len(file.series) - 4} more" if len(file.series) > 4 else ""),
            remedy="write the one that is meant alone into a file",
        )


def pages_alike(file: tifffile.TiffFile) -> bool:
    """Whether each page stands for itself, and all are grey pictures of one shape and type: together a stack."""
    kinds = {(one.shape, one.dtype, one.axes) for one in file.series}
    return len(file.series) > 1 and len(kinds) == 1 and file.series[0].axes == "YX"


def all_pages(file: tifffile.TiffFile) -> NDArray[Any]:
    """Of such pages the stack (n, rows, columns)."""
    return np.stack([one.asarray() for one in file.series])


def white_is_zero(file: tifffile.TiffFile) -> bool:
    """Whether bright is stored as small numbers."""
    tag = file.pages[0].tags.get("PhotometricInterpretation") if len(file.pages) else None  # type: ignore[union-attr]
    return tag is not None and int(tag.value) == _WHITE_IS_ZERO


def inverted(values: NDArray[Any], path: Path) -> NDArray[Any]:
    """Numbers stored with white as zero, the other way round. Raises DataError for fractions, which have no end."""
    if values.dtype.kind == "b":
        raise DataError(
            "holds black and white alone, and no grey values",
            where=str(path),
            remedy="give the pictures from which it was made",
        )
    if values.dtype.kind != "u":
        raise DataError(
            "white is stored as zero in numbers that have no largest one", where=str(path), value=str(values.dtype)
        )
    return np.iinfo(values.dtype).max - values


def read_picture(path: Path) -> NDArray[Any]:
    """The one picture (rows, columns) of a file. Raises DataError for anything else."""
    with open_tiff(path) as file:
        picture = file.asarray()
        turned = white_is_zero(file)
    if picture.ndim != 2:
        raise DataError("a file of a stack holds one grey picture", where=str(path), value=f"shape {picture.shape}")
    return inverted(picture, path) if turned else picture


def in_order(files: Sequence[Path]) -> list[Path]:
    """Sorted by the numbers in their names, as people count."""
    return sorted(files, key=lambda one: [int(t) if t.isdecimal() else t for t in re.split(r"(\d+)", one.name)])


def refuse_gaps(files: Sequence[Path], what: str) -> None:
    """Raise DataError unless the names, in order, count on by one and differ in nothing else. Two files or more."""
    parts = [re.split(r"(\d+)", one.name) for one in files]
    shape = [[None if part.isdecimal() else part for part in one] for one in parts]
    usual = max(shape, key=shape.count)
    for file, own in zip(files, shape, strict=True):
        if own != usual:
            raise DataError(
                f"the name does not fit those of the other {what}",
                where=str(file),
                limit="#".join(part or "" for part in usual if part is not None),
                remedy="move what does not belong to the stack elsewhere",
            )
    counting = [place for place in range(1, len(usual), 2) if len({one[place] for one in parts}) > 1]
    if len(files) < 2:
        return
    # Where several numbers change, as with a time in the name, the one that counts on by one is meant.
    steps = {place: [int(b[place]) - int(a[place]) for a, b in pairwise(parts)] for place in counting}
    if any(set(found) == {1} for found in steps.values()):
        return
    place = counting[-1] if counting else 0
    gap = next((n for n, step in enumerate(steps.get(place, [])) if step != 1), 0)
    raise DataError(
        f"the numbers of the {what} do not count on by one: some are missing",
        where=str(files[gap].parent),
        value=f"{files[gap + 1].name} follows {files[gap].name}",
        remedy="bring the missing files, or number them anew if none is missing",
    )
