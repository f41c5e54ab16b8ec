"""What no encoder sees: rotation run-out and thermal drift of the sample."""

from __future__ import annotations

import math
from dataclasses import dataclass

from simulators.seeding import generator


@dataclass(frozen=True)
class RunOut:
    """Lateral and vertical error of the rotation, in um: harmonics of theta, and a random part anew at each move."""

    amplitude_um: float
    random_um: float
    seed: int

    def at(self, theta_deg: float, move_number: int) -> tuple[float, float]:
        """(lateral, vertical) in um in the laboratory, at an angle that was reached by move `move_number`."""
        phases = generator(self.seed, "run-out").uniform(0.0, 2.0 * math.pi, (3, 2))
        theta = math.radians(theta_deg)
        lateral, vertical = (
            sum(
                self.amplitude_um * 0.5**order * math.sin((order + 1) * theta + phases[order, direction])
                for order in range(3)
            )
            for direction in (0, 1)
        )
        jitter = self.random_um * generator(self.seed, "run-out jitter", move_number).standard_normal(2)
        return lateral + float(jitter[0]), vertical + float(jitter[1])


@dataclass(frozen=True)
class ThermalDrift:
    """Slow wandering of the sample against the beam, with periods of 50 to 90 minutes."""

    amplitude_um: float
    seed: int

    def at(self, t_s: float) -> tuple[float, float, float]:
        """Displacement of the sample (x, y, z) in um, relative to time 0."""
        random = generator(self.seed, "thermal drift")
        phases, periods_s = random.uniform(0.0, 2.0 * math.pi, 3), random.uniform(3000.0, 5400.0, 3)
        x, y, z = (
            self.amplitude_um * (math.sin(2.0 * math.pi * t_s / period_s + phase) - math.sin(phase))
            for phase, period_s in zip(phases, periods_s, strict=True)
        )
        return x, y, z
