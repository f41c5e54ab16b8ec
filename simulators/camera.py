"""The detector: photons in, 16-bit counts out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from simulators.description import CameraDescription
from simulators.optics import DETECTOR_PX, PIXEL_UM
from simulators.seeding import generator

BIT_DEPTH = 16
FULL_SCALE = 2**BIT_DEPTH - 1
_FEW = 10.0


@dataclass(frozen=True)
class CameraConfig:
    """counts = photons * gain + dark offset, read noise (counts, rms), hot pixels (counts per second each).

    width_px, height_px, pixel_um: unbinned; another detector than the usual one shows blobs only (`simulators.sketch`).
    column_gain: of the amplifiers, relative, root mean square at binning 8; nonlinearity: share that full scale lacks.
    """

    gain: float
    dark_offset: float = 220.0
    read_noise: float = 24.0
    hot_pixels: int = 9
    hot_counts_per_s: float = 9000.0
    readout_s: tuple[tuple[int, float], ...] = ((1, 1.0), (2, 0.5), (4, 0.2), (8, 0.08))
    width_px: int = DETECTOR_PX
    height_px: int = DETECTOR_PX
    pixel_um: float = PIXEL_UM
    column_gain: float = 0.0
    nonlinearity: float = 0.0

    def describe(self) -> CameraDescription:
        """What a driver publishes."""
        readout_s = dict(self.readout_s)
        return CameraDescription(self.width_px, self.height_px, self.pixel_um, tuple(readout_s), readout_s, BIT_DEPTH)


class Sensor:
    """Turns an expected number of photons per binned pixel into counts; its hot pixels stay where they are."""

    def __init__(self, config: CameraConfig, seed: int, noise: bool, begun_s: float = 0.0) -> None:
        self._config = config
        self._seed = seed
        self._noise = noise
        # Its frames are numbered anew each time it is switched on, and none shows the noise of one before.
        self._begun = (round(1000 * begun_s),) if begun_s else ()

    def image(self, photons: NDArray[np.float64], exposure_s: float, number: int) -> NDArray[np.uint16]:
        """Counts of frame `number`; photons is the expectation (rows, columns)."""
        c = self._config
        rows, columns = photons.shape
        if self._noise:
            arrived = photons_arrived(generator(self._seed, "photons", number, *self._begun), photons)
            counts = self._amplified(arrived) + c.dark_offset
            read = generator(self._seed, "read noise", number, *self._begun)
            counts += c.read_noise * read.standard_normal(photons.shape)
        else:
            counts = self._amplified(photons) + c.dark_offset
        row, column, strength = self._hot
        np.add.at(counts, (row * rows // DETECTOR_PX, column * columns // DETECTOR_PX), strength * exposure_s)
        return np.clip(np.rint(counts), 0, FULL_SCALE).astype(np.uint16)

    def _amplified(self, photons: NDArray[np.float64]) -> NDArray[np.float64]:
        c = self._config
        counts = c.gain * photons
        if c.column_gain:
            columns = photons.shape[1]
            counts = counts * (
                1.0
                + c.column_gain * self._columns[: columns * (c.width_px // columns)].reshape(columns, -1).mean(axis=1)
            )
        return counts * (1.0 - c.nonlinearity * counts / FULL_SCALE) if c.nonlinearity else counts

    @cached_property
    def _columns(self) -> NDArray[np.float64]:
        """How each column (unbinned) is amplified, in units of the spread of eight that are binned."""
        return np.sqrt(8.0) * generator(self._seed, "column gains").standard_normal(self._config.width_px)

    @cached_property
    def _hot(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Rows and columns (unbinned) and counts per second of the hot pixels."""
        random = generator(self._seed, "hot pixels")
        row, column = random.integers(0, DETECTOR_PX, (2, self._config.hot_pixels))
        return row, column, self._config.hot_counts_per_s * random.uniform(0.3, 2.0, self._config.hot_pixels)


def photons_arrived(random: np.random.Generator, expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """Poisson numbers (as floats) whose chance belongs to the pixel, not to its brightness.

    From ten photons on the quantile of a Poisson distribution is that of a normal one with Cornish and Fisher's terms
    to the third order, each pixel with its own normal deviate: two runs whose beam or timing differ a little have the
    same noise, but for that little. Fewer photons are drawn exactly.
    """
    z = random.standard_normal(expected.shape)
    enough = np.maximum(expected, _FEW)
    root = np.sqrt(enough)
    arrived = np.maximum(enough + root * z + (z * z - 1.0) / 6.0 + (z - z**3) / (72.0 * root), 0.0)
    few = expected < _FEW
    if few.any():
        arrived[few] = random.poisson(expected[few])
    return arrived
