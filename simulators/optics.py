"""From line integrals to the light on the detector: sampling grid, zone-plate blur, illumination."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simulators.render import Grid
from simulators.seeding import generator

if TYPE_CHECKING:
    from scipy.sparse import csr_array

DETECTOR_PX = 1024
PIXEL_UM = 0.064
BINNINGS = (1, 2, 4, 8)
_FINEST_ROW_UM = 0.064
_FINEST_COLUMN_UM = 0.032


def sampling_grid(binning: int) -> Grid:
    """The sub-pixels of a binned frame, centred on the detector: 4 x 4 per pixel as far as the specimen has detail.

    Specimen slabs are 0.128 um thick and enter rows by exact coverage, so rows finer than half of that add nothing.
    """
    pixel_um = PIXEL_UM * binning
    column_um = max(pixel_um / 4.0, _FINEST_COLUMN_UM)
    row_um = max(pixel_um / 4.0, _FINEST_ROW_UM)
    field_um = DETECTOR_PX * PIXEL_UM
    columns, rows = round(field_um / column_um), round(field_um / row_um)
    return Grid(columns, rows, column_um, row_um, 0.5 * (column_um - field_um), -0.5 * field_um)


@lru_cache(maxsize=16)
def detection(count: int, size: int, step_um: float, fwhm_um: float) -> csr_array:
    """The matrix (size, count) that blurs a line of sub-pixels and averages it into pixels; edges are repeated.

    The point spread is a Gaussian of that full width at half maximum; separable, so one matrix serves rows and columns.
    """
    from scipy.sparse import csr_array

    kernel = _kernel(fwhm_um, step_um)
    half = len(kernel) // 2
    pixel, tap = np.divmod(np.arange(count * len(kernel)), len(kernel))
    source = np.clip(pixel + tap - half, 0, count - 1)
    weights = kernel[tap] * (size / count)
    return csr_array((weights.astype(np.float32), (pixel * size // count, source)), shape=(size, count))


def detect(image: NDArray[np.float32], grid: Grid, size: int, fwhm_um: float) -> NDArray[np.float32]:
    """Blur an image on the sub-pixels of a grid and average it into (size, size) pixels."""
    across = detection(grid.columns, size, grid.column_um, fwhm_um)
    down = detection(grid.rows, size, grid.row_um, fwhm_um)
    return np.ascontiguousarray((across @ (down @ image).T).T)


def _kernel(fwhm_um: float, step_um: float) -> NDArray[np.float64]:
    """Gaussian integrated over the sub-pixels, cut at 3.5 sigma."""
    from scipy.special import erf

    if fwhm_um <= 0.0:
        return np.ones(1)
    sigma = fwhm_um / (2.0 * math.sqrt(2.0 * math.log(2.0))) / step_um
    half = max(1, math.ceil(3.5 * sigma))
    edges = (np.arange(2 * half + 2) - half - 0.5) / (sigma * math.sqrt(2.0))
    weights = np.diff(erf(edges))
    return weights / weights.sum()


@dataclass(frozen=True)
class Illumination:
    """The condenser's spot: bright in the middle, darker by `unevenness` in the corners, mottled, slowly wandering."""

    unevenness: float
    wander: float
    seed: int

    def image(self, shape: tuple[int, int], t_s: float) -> NDArray[np.float64]:
        """Relative intensity (rows, columns) at t_s; its maximum is about 1."""
        if self.unevenness == 0.0:
            return np.ones(shape)
        phases = generator(self.seed, "illumination").uniform(0.0, 2.0 * math.pi, 10)
        down, across = ((np.arange(size) - 0.5 * (size - 1)) / (0.5 * size) for size in shape)
        v, u = down[:, None], across[None, :]
        shift_u = 0.15 * math.cos(phases[0]) + self.wander * math.sin(2.0 * math.pi * t_s / 1900.0 + phases[1])
        shift_v = 0.15 * math.sin(phases[0]) + self.wander * math.sin(2.0 * math.pi * t_s / 2700.0 + phases[2])
        image = 1.0 - 0.5 * self.unevenness * ((u - shift_u) ** 2 + (v - shift_v) ** 2)
        for order, (a, b) in enumerate(phases[3:9].reshape(3, 2)):
            waves = math.pi * (2.0 + order)
            image = image + 0.06 * self.unevenness * np.sin(waves * u + a) * np.sin(waves * v + b)
        return image
