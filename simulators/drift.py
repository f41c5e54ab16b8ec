"""What no encoder sees: rotation run-out and thermal drift of the sample."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from simulators.seeding import generator


@dataclass(frozen=True)
class RunOut:
    """Lateral and vertical error of the rotation, in um: harmonics of theta, and a random part anew at each move."""

    amplitude_um: float
    random_um: float
    seed: int

    def at(self, theta_deg: float, move_number: int) -> tuple[float, float]:
        """(lateral, vertical) in um in the laboratory, at an angle that was reached by move `move_number`."""
        phases = self._phases
        theta = math.radians(theta_deg)
        lateral, vertical = (
            sum(
                self.amplitude_um * 0.5**order * math.sin((order + 1) * theta + phases[order, direction])
                for order in range(3)
            )
            for direction in (0, 1)
        )
        jitter = self.random_um * _jitter(self.seed, move_number)
        return lateral + float(jitter[0]), vertical + float(jitter[1])

    @cached_property
    def _phases(self) -> NDArray[np.float64]:
        return generator(self.seed, "run-out").uniform(0.0, 2.0 * math.pi, (3, 2))


@lru_cache(maxsize=64)
def _jitter(seed: int, move_number: int) -> NDArray[np.float64]:
    """One exposure asks for it many times."""
    return generator(seed, "run-out jitter", move_number).standard_normal(2)


@dataclass(frozen=True)
class ThermalDrift:
    """Slow wandering of the sample against the beam, with periods of 50 to 90 minutes, and away, at a rate."""

    amplitude_um: float
    seed: int
    rate_um_h: float = 0.0

    def at(self, t_s: float) -> tuple[float, float, float]:
        """Displacement of the sample (x, y, z) in um, relative to time 0."""
        phases, periods_s = self._waves
        x, y, z = (
            self.amplitude_um * (math.sin(2.0 * math.pi * t_s / period_s + phase) - math.sin(phase))
            for phase, period_s in zip(phases, periods_s, strict=True)
        )
        away_um = self.rate_um_h * t_s / 3600.0
        return x + 0.8 * away_um, y + 0.6 * away_um, z

    @cached_property
    def _waves(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Phases and periods (s) of x, y, z."""
        random = generator(self.seed, "thermal drift")
        return random.uniform(0.0, 2.0 * math.pi, 3), random.uniform(3000.0, 5400.0, 3)
