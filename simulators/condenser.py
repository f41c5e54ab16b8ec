"""What a real condenser's light looks like: darker corners, a spot of the direct beam, grain that wanders."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from simulators.seeding import generator

_SPOT_UM = 6.0
_WAVES = 160
_WAVELENGTH_UM = (2.0, 16.0)


@dataclass(frozen=True)
class Condenser:
    """As in `realism.Realism`."""

    vignetting: float
    spot: float
    texture: float
    texture_drift_um: float
    seed: int

    def image(self, shape: tuple[int, int], pixel_um: float, t_s: float) -> NDArray[np.float64]:
        """Relative intensity (rows, columns) at t_s, about 1 in the middle."""
        y_um, x_um = (np.asarray(pixel_um * (np.arange(size) - 0.5 * (size - 1)), np.float64) for size in shape)
        r2 = (y_um**2)[:, None] + x_um**2
        corner2 = 0.25 * pixel_um**2 * (shape[0] ** 2 + shape[1] ** 2)
        image = 1.0 - self.vignetting * r2 / corner2
        if self.spot:
            image = image * (1.0 + self.spot * np.exp(-0.5 * r2 / _SPOT_UM**2)) / (1.0 + self.spot)
        if self.texture:
            wandered_um = self.texture_drift_um * t_s / 3600.0
            image = image * np.maximum(1.0 + self.texture * self._grain(y_um, x_um - wandered_um), 0.05)
        return image

    def _grain(self, y_um: NDArray[np.float64], x_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """A sum of waves, of root mean square 1, the same wherever it is looked at."""
        down, across, phase = self._waves
        one, other = np.outer(y_um, down) + phase, np.outer(across, x_um)
        return math.sqrt(2.0 / _WAVES) * (np.cos(one) @ np.cos(other) - np.sin(one) @ np.sin(other))

    @cached_property
    def _waves(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Wave numbers down and across, in 1/um, and phases."""
        random = generator(self.seed, "condenser grain")
        low, high = np.log(_WAVELENGTH_UM)
        number = 2.0 * math.pi / np.exp(random.uniform(low, high, _WAVES))
        heading = random.uniform(0.0, 2.0 * math.pi, _WAVES)
        return number * np.sin(heading), number * np.cos(heading), random.uniform(0.0, 2.0 * math.pi, _WAVES)
