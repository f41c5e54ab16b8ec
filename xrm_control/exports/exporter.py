"""The family of exporters: the scan of a region in a format of others. A member is one file in `formats/`."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.core.family import Family
from xrm_control.core.model import Spec
from xrm_control.exports.region_scan import FrameStack, RegionScan
from xrm_control.storage.formats.lazy_frames import LazyFrames

EXPORTERS = Family("xrm_control.exports.formats", group="xrm_control.exporters")

Images = NDArray[Any] | LazyFrames
# Stored as 64-bit numbers, perhaps in other units.
_RELATIVE = 1e-12


@dataclass(frozen=True)
class ReadBack:
    """What a reader of the format finds in a file: see `RegionScan`; None for what the format does not hold."""

    projections: Images | None = None
    flats: Images | None = None
    darks: Images | None = None
    theta_deg: NDArray[Any] | None = None
    pixel_size_um: float | None = None
    energy_kev: float | None = None


class Exporter(Spec):
    """Base of the family: settings of one format, told apart by `kind`. suffix: of its files."""

    suffix: ClassVar[str]

    @abstractmethod
    def write(self, scan: RegionScan, path: Path) -> None:
        """Write the scan to `path`, a new file. May raise OSError, which is told with the place."""

    @abstractmethod
    def read(self, path: Path) -> ReadBack:
        """The file as a reader of its format finds it, so that nothing counts that was not read back."""

    def verify(self, scan: RegionScan, path: Path) -> None:
        """Hold the file against the run: every image, angle and scale. Raises DataError naming what differs."""
        found = self.read(path)
        where = f"{path.name}, {scan.title}"
        images = (found.projections, found.flats, found.darks)
        for what, stored, stack in zip(("projections", "flats", "darks"), images, scan.stacks, strict=True):
            if stored is not None:
                _same_images(what, stored, stack, where)
        for what, stored, own in (
            ("theta_deg", found.theta_deg, scan.projections.theta_deg),
            ("pixel_size_um", found.pixel_size_um, scan.pixel_size_um),
            ("energy_kev", found.energy_kev, scan.energy_kev),
        ):
            if stored is None:
                continue
            if np.shape(stored) != np.shape(own) or not np.allclose(stored, own, rtol=_RELATIVE, atol=1e-9):
                raise _other(what, where)


def _same_images(what: str, stored: Images, stack: FrameStack, where: str) -> None:
    if len(stored) != len(stack):
        raise _other(f"the number of {what}", where)
    for index, name in enumerate(stack.frame_ids):
        if not np.array_equal(stored[index], stack.images[index]):
            raise _other(f"{what}, {name}", where)


def _other(what: str, where: str) -> DataError:
    return DataError(
        "the exported file, read back, is not what the run holds; it was thrown away",
        where=where,
        value=what,
        remedy="export again; if it happens again, look at the disk",
    )
