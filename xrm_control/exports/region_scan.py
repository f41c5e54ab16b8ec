"""One region's scan as an exporter receives it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.storage.formats.lazy_frames import LazyFrames


@dataclass(frozen=True)
class FrameStack:
    """Frames of one kind in the order in which they were taken, as the camera gave them.

    images (n, rows, columns), left on the disk; theta_deg (n,): measured; time_s (n,): middle of the exposure in
    instrument time; exposure_s (n,); frame_ids and sha256: of each frame's file in the run.
    """

    images: LazyFrames
    theta_deg: NDArray[np.float64]
    time_s: NDArray[np.float64]
    exposure_s: NDArray[np.float64]
    frame_ids: tuple[str, ...]
    sha256: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.frame_ids)


@dataclass(frozen=True)
class RegionScan:
    """All kept frames of one region, with scale and origin.

    pixel_size_um: at the sample. started_utc: of the run, ISO 8601. notes: what a reader must know, such as frames that
    are missing; they go into the file.
    """

    run: str
    roi: str
    sample: str
    simulated: bool
    started_utc: str
    recipe_sha256: str
    projections: FrameStack
    flats: FrameStack
    darks: FrameStack
    pixel_size_um: float
    energy_kev: float
    notes: tuple[str, ...] = ()

    @property
    def stacks(self) -> tuple[FrameStack, FrameStack, FrameStack]:
        """Projections, flats, darks."""
        return self.projections, self.flats, self.darks

    @property
    def frame_bytes(self) -> int:
        """What all images take, uncompressed."""
        return sum(len(stack) * self._each for stack in self.stacks)

    @property
    def title(self) -> str:
        """For people: run and region, and whether they are of a simulated microscope."""
        return f"{self.run}, {self.roi}{' (simulated)' if self.simulated else ''}"

    @property
    def _each(self) -> int:
        _, rows, columns = self.projections.images.shape
        return rows * columns * self.projections.images.dtype.itemsize

    def require_one_shape(self) -> None:
        """Raises DataError where flats or darks do not fit the projections."""
        wanted = (self.projections.images.shape[1:], self.projections.images.dtype)
        for name, stack in (("flats", self.flats), ("darks", self.darks)):
            if (stack.images.shape[1:], stack.images.dtype) != wanted:
                raise DataError(
                    f"the {name} do not fit the projections",
                    where=f"{self.run}, {self.roi}",
                    value=f"{stack.images.dtype} {stack.images.shape[1:]}",
                    limit=f"{wanted[1]} {wanted[0]}",
                )
