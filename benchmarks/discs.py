"""The phantom of the reconstruction benchmark: three discs, whose line integrals are known in closed form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FIELD_UM, MU_PER_UM = 65.536, 0.0458
DISCS_UM = ((-9.0, 4.0, 8.0), (12.0, -10.0, 5.0), (6.0, 14.0, 3.0))  # x, y, radius
_FINE = 4

Stack = NDArray[np.float32]  # (rows, views, columns)
Volume = NDArray[np.floating]  # (rows, side, side), 1/um
Reconstruct = Callable[[Stack], Volume]


@dataclass(frozen=True)
class Scan:
    """`views` over half a turn, ends included, of `side` columns over 65.536 um; x to the right, y downwards.

    The rotation axis is at `axis_px` of the detector and of both axes of the slice.
    """

    side: int
    views: int
    axis_px: float

    @property
    def theta_deg(self) -> NDArray[np.float64]:
        return np.linspace(-90, 90, self.views)

    @property
    def pixel_um(self) -> float:
        return FIELD_UM / self.side

    def sinogram(self) -> NDArray[np.float32]:
        """(views, side): chords of the discs, the mean of four lines a pixel."""
        at_um, theta = self._places_um(), np.radians(self.theta_deg)[:, None]
        total = np.zeros((self.views, len(at_um)))
        for x, y, radius in DISCS_UM:
            offset = at_um - (x * np.cos(theta) - y * np.sin(theta))
            total += 2 * MU_PER_UM * np.sqrt(np.clip(radius**2 - offset**2, 0, None))
        return total.reshape(self.views, self.side, _FINE).mean(axis=2).astype(np.float32)

    def truth(self) -> NDArray[np.float64]:
        """(side, side), 1/um: each pixel the mean of 4 x 4 points."""
        at_um = self._places_um()
        picture = np.zeros((len(at_um),) * 2)
        for x, y, radius in DISCS_UM:
            picture[np.hypot(at_um - x, at_um[:, None] - y) <= radius] = MU_PER_UM
        return picture.reshape(self.side, _FINE, self.side, _FINE).mean(axis=(1, 3))

    def inside(self) -> NDArray[np.bool_]:
        """The field of view, short of its rim."""
        place = np.arange(self.side) - self.axis_px
        return np.hypot(place, place[:, None]) < 0.48 * self.side

    def noise_of(self, snr: float) -> float:
        """Noise of line integrals that gives `snr` in a disc by the ramp with the cosine window, nothing interpolated.

        variance of the slice = pi^2 / views * integral of (|f| cos(pi f))^2 over -1/2..1/2, in 1/pixel^2
        (Kak and Slaney 1988, chapter 5, doi:10.1137/1.9780898719277).
        """
        frequency = np.linspace(-0.5, 0.5, 4001)
        response = np.abs(frequency) * np.cos(np.pi * frequency)
        gain = np.sqrt(np.pi**2 / self.views * np.trapezoid(response**2, frequency)) / self.pixel_um
        return MU_PER_UM / snr / float(gain)

    def _places_um(self) -> NDArray[np.float64]:
        return ((np.arange(self.side * _FINE) + 0.5) / _FINE - 0.5 - self.axis_px) * self.pixel_um
