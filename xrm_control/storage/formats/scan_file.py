"""What a file holds of a scan or of a volume, and the families of formats: one file each, found by looking."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.core.origins import NOT_SAID, Origins
from xrm_control.storage.formats.lazy_frames import LazyFrames
from xrm_control.storage.formats.units import Sourced, operator_um

VOXEL_OPTION = "--voxel-size-um"


@dataclass(frozen=True)
class ScanOptions:
    """What the operator says of a scan file; it goes before what the file says.

    pixel_size_um: at the sample. angle_unit: of the file's angles. entry: which of several scans in a file.
    angles: a file with an angle a view; start_deg, end_deg: of the first and the last view, evenly spaced between.
    flats, darks: patterns of file names in a folder of pictures. references: another file with the reference images.
    """

    pixel_size_um: float | None = None
    angle_unit: str | None = None
    entry: str | None = None
    angles: Path | None = None
    start_deg: float | None = None
    end_deg: float | None = None
    flats: str | None = None
    darks: str | None = None
    references: Path | None = None

    def pixel(self) -> Sourced | None:
        """The pixel, if the operator states it. Raises DataError where it makes no sense."""
        return None if self.pixel_size_um is None else operator_um(self.pixel_size_um, "--pixel-size-um")

    @property
    def states_angles(self) -> bool:
        """Whether the operator gives angles of his own."""
        return self.angles is not None or self.start_deg is not None or self.end_deg is not None


NOTHING_TOLD = ScanOptions()


@dataclass(frozen=True)
class ScanFile:
    """A scan as its file tells it; what the file leaves out is empty (zero frames) or None.

    projections (n, rows, columns), left in the file where it allows that; flats (f, rows, columns), darks (d, rows,
    columns): as stored. theta_deg (n,). time_s (n,), flat_time_s (f,): relative; counted from 0 where the file has no
    times. shifts_px (n, 2): to the right, downwards. normalised: the projections are transmissions.
    light (n,), flat_light (f,): exposure of each frame in one common unit, time or beam monitor; None: the same for
    all. origins: where scale and angles are from. dark_free: the darks were taken off before the file was written.
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
    light: NDArray[Any] | None = None
    flat_light: NDArray[Any] | None = None
    origins: Origins = NOT_SAID
    dark_free: bool = False


@dataclass(frozen=True)
class References:
    """Flats (f, rows, columns), perhaps with their exposures (f,), and darks (d, rows, columns) of another file."""

    flats: NDArray[Any]
    darks: NDArray[Any]
    light: NDArray[Any] | None = None


@dataclass(frozen=True)
class VolumeFile:
    """A volume as its file tells it.

    values (z, y, x). voxel_zyx_um: None where the file does not say. scale_source: where it is from. grey: unit of the
    values, "" where the file does not state it. reconstruction: slices known to be circles in squares.
    """

    values: NDArray[Any]
    voxel_zyx_um: tuple[float, float, float] | None = None
    scale_source: str = ""
    grey: str = ""
    reconstruction: bool = False
    notes: tuple[str, ...] = ()

    @classmethod
    def of_cubes(cls, values: NDArray[Any], voxel: Sourced | None, *, grey: str = "") -> VolumeFile:
        """With the voxel's edge and its source in one; None: not known."""
        if voxel is None:
            return cls(values, grey=grey)
        return cls(values, (voxel.value, voxel.value, voxel.value), voxel.scale(), grey)

    @property
    def cubic(self) -> bool:
        """Whether the voxels are cubes, to a thousandth, as far as the file says."""
        sizes = self.voxel_zyx_um or (1.0, 1.0, 1.0)
        return max(sizes) - min(sizes) <= 1e-3 * max(sizes)


def told_voxel(told_um: float | None) -> Sourced | None:
    """The voxel size by the operator's word. Raises DataError where it makes no sense."""
    return None if told_um is None else operator_um(told_um, VOXEL_OPTION)


class ScanFormat(ABC):
    """Reads one kind of file with projections and their references."""

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    options: ClassVar[frozenset[str]] = frozenset({"pixel_size_um", "references"})

    @abstractmethod
    def recognises(self, path: Path) -> bool:
        """Whether the content is of this kind; the suffix fits already. A folder has no suffix to fit."""

    @abstractmethod
    def read(self, path: Path, told: ScanOptions) -> ScanFile:
        """The scan in the file. Raises DataError."""

    def read_references(self, path: Path) -> References:
        """What the file holds of references; its images, where it has no flats of its own. Raises DataError."""
        # Of references no angles are wanted, so those that a file lacks do no harm.
        own = ScanOptions(start_deg=0.0, end_deg=180.0) if "start_deg" in self.options else ScanOptions()
        scan = self.read(path, own)
        if len(scan.flats):
            return References(scan.flats, scan.darks, scan.flat_light)
        return References(scan.projections[:], scan.darks, scan.light)

    def refuse_options(self, path: Path, told: ScanOptions) -> None:
        """Raise DataError for an option that says nothing to this kind of file."""
        for name, value in vars(told).items():
            if value is not None and name not in self.options:
                option = "--" + name.removesuffix("_deg").replace("_", "-")
                raise DataError(
                    f"says nothing to a file of {self.name}", where=f"{option}, {path}", remedy="leave it out"
                )


class VolumeFormat(ABC):
    """Reads one kind of file or folder with a volume [z, y, x]."""

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]

    @abstractmethod
    def recognises(self, path: Path) -> bool:
        """Whether the content is of this kind; the suffix fits already. A folder has no suffix to fit."""

    @abstractmethod
    def read(self, path: Path, told_um: float | None) -> VolumeFile:
        """The volume; told_um: the voxel size as the operator states it, before the file. Raises DataError."""
