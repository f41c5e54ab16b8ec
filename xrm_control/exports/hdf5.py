"""What the HDF5 exporters share: new files, stacks written in blocks, where each frame came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import ArrayLike

from xrm_control.core.version import __version__
from xrm_control.exports.exporter import ReadBack
from xrm_control.exports.region_scan import FrameStack, RegionScan
from xrm_control.exports.steady_file import SteadyFile
from xrm_control.storage.formats.registry import read_scan

_BLOCK_BYTES = 64_000_000


@contextmanager
def new_file(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file that was not there. Raises OSError for whatever fails, also when it is closed."""
    beneath = SteadyFile(path)
    try:
        with h5py.File(beneath, "w") as file:
            yield file
    except RuntimeError as error:
        # What HDF5 says of a file whose disk has failed it says less well than the disk.
        raise (beneath.failed or OSError(str(error))) from error
    finally:
        beneath.close()


def put(group: h5py.Group, name: str, value: ArrayLike, units: str = "") -> None:
    """A small dataset, with its units; the groups above it are made."""
    item = group.create_dataset(name, data=value)
    if units:
        item.attrs["units"] = units


def put_texts(group: h5py.Group, name: str, texts: Sequence[str]) -> None:
    """A list of texts."""
    group.create_dataset(name, data=list(map(str, texts)), dtype=h5py.string_dtype())


def put_images(group: h5py.Group, name: str, frames: Sequence[tuple[FrameStack, int]]) -> h5py.Dataset:
    """Images (n, rows, columns) as the camera gave them, read in blocks from the stacks by index."""
    images = frames[0][0].images
    _, rows, columns = images.shape
    item = group.create_dataset(name, (len(frames), rows, columns), images.dtype)
    item.attrs["units"] = "counts"
    step = max(1, _BLOCK_BYTES // max(1, rows * columns * images.dtype.itemsize))
    for first in range(0, len(frames), step):
        block = frames[first : first + step]
        item[first : first + len(block)] = np.stack([stack.images[index] for stack, index in block])
    return item


def put_provenance(group: h5py.Group, scan: RegionScan, frames: Sequence[tuple[FrameStack, int]]) -> None:
    """Run, region, recipe and, for each frame of the file in its order: file in the run, SHA-256, instrument time."""
    put(group, "program", f"xrm_control {__version__}")
    put(group, "run", scan.run)
    put(group, "region", scan.roi)
    put(group, "recipe_sha256", scan.recipe_sha256)
    put(group, "simulated", scan.simulated)
    put(group, "notes", "\n".join(scan.notes))
    put_texts(group, "frame_id", [stack.frame_ids[index] for stack, index in frames])
    put_texts(group, "frame_sha256", [stack.sha256[index] for stack, index in frames])
    put(group, "frame_time", [stack.time_s[index] for stack, index in frames], "s")


def each(stack: FrameStack) -> list[tuple[FrameStack, int]]:
    """All frames of a stack, for `put_images`."""
    return [(stack, index) for index in range(len(stack))]


def as_read(path: Path) -> ReadBack:
    """The file through the reader that `xrm reconstruct` has for it."""
    found = read_scan(path)
    return ReadBack(found.projections, found.flats, found.darks, found.theta_deg, found.pixel_size_um, found.energy_kev)
