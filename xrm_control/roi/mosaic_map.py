"""The mosaic as the choice of regions sees it: a calibrated transmission image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.roi.side_view import SideView


@dataclass(frozen=True)
class MosaicMap:
    """Transmission (rows, columns), NaN where nothing was seen; stage coordinates in um.

    x0_um, y0_um: stage position of the centre of pixel [0, 0]; x grows with the column, y (downwards) with the row.
    side: the strip as the beam meets it at +-90 degrees, None where that is not known.
    Raises DataError when the image is not two-dimensional, empty, or its scale is no positive length.
    """

    image: NDArray[np.float32]
    pixel_size_um: float
    x0_um: float
    y0_um: float
    side: SideView | None = None

    def __post_init__(self) -> None:
        if self.image.ndim != 2 or self.image.size == 0:
            raise DataError("a mosaic is one image of rows and columns", where="mosaic", value=self.image.shape)
        if not (np.isfinite(self.pixel_size_um) and self.pixel_size_um > 0):
            raise DataError("the pixel size must be a positive length in um", where="mosaic", value=self.pixel_size_um)
        if not (np.isfinite(self.x0_um) and np.isfinite(self.y0_um)):
            raise DataError("the mosaic has no place on the stage", where="mosaic", value=(self.x0_um, self.y0_um))

    @property
    def x_um(self) -> tuple[float, float]:
        """Left and right edge (outer edges of the pixels), stage um."""
        left = self.x0_um - self.pixel_size_um / 2
        return left, left + self.image.shape[1] * self.pixel_size_um

    @property
    def y_um(self) -> tuple[float, float]:
        """Upper and lower edge (outer edges of the pixels), stage um."""
        top = self.y0_um - self.pixel_size_um / 2
        return top, top + self.image.shape[0] * self.pixel_size_um
