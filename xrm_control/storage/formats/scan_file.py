"""What a file holds of a scan, and the family of scan formats: one file each, found by looking."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

from xrm_control.storage.formats.lazy_frames import LazyFrames


@dataclass(frozen=True)
class ScanFile:
    """A scan as its file tells it; what the file leaves out is empty (zero frames) or None.

    projections (n, rows, columns), left in the file where it allows that; flats (f, rows, columns), darks (d, rows,
    columns): as stored. theta_deg (n,). time_s (n,), flat_time_s (f,): relative; counted from 0 where the file has no
    times. shifts_px (n, 2): to the right, downwards. normalised: the projections are transmissions.
    """

    source: str
    projections: NDArray[Any] | LazyFrames
    theta_deg: NDArray[Any]
    time_s: NDArray[Any]
    flats: NDArray[Any]
    flat_time_s: NDArray[Any]
    darks: NDArray[Any]
    pixel_size_um: float | None = None
    energy_kev: float | None = None
    shifts_px: NDArray[Any] | None = None
    normalised: bool = False


class ScanFormat(ABC):
    """Reads one kind of file with projections and their references."""

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]

    @abstractmethod
    def recognises(self, path: Path) -> bool:
        """Whether the content is of this kind; the suffix fits already."""

    @abstractmethod
    def read(self, path: Path) -> ScanFile:
        """The scan in the file. Raises DataError."""


class VolumeFormat(ABC):
    """Reads one kind of file or folder with a volume [z, y, x]."""

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]

    @abstractmethod
    def recognises(self, path: Path) -> bool:
        """Whether the content is of this kind; the suffix fits already. A folder has no suffix to fit."""

    @abstractmethod
    def read(self, path: Path) -> tuple[NDArray[Any], float | None]:
        """Array [z, y, x] and voxel size in um, None where the file does not say. Raises DataError."""
