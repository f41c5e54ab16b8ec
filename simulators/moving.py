"""Particles that do not stay where they were."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from simulators.realism import Hop, Realism
from simulators.seeding import generator
from simulators.specimen import Specimen


@dataclass(frozen=True)
class Moving:
    """A specimen whose particles hop. Nothing is drawn before it is looked at."""

    specimen: Specimen
    realism: Realism
    seed: int

    @cached_property
    def hops(self) -> tuple[Hop, ...]:
        """All that will be, in the order of their times."""
        drawn: list[Hop] = []
        if self.realism.movers:
            random, within_s = generator(self.seed, "movers"), self.realism.movers_within_s
            for number in range(1, len(self.specimen.particles) + 1):
                moves, at_s, heading = random.random(), random.uniform(0.0, within_s), random.uniform(0.0, 2 * np.pi)
                if moves < self.realism.movers:
                    step = self.realism.mover_um * np.array((np.cos(heading), np.sin(heading)))
                    drawn.append(Hop(number, at_s, float(step[0]), float(step[1])))
        return tuple(sorted((*drawn, *self.realism.hops), key=lambda hop: hop.at_s))

    def at(self, t_s: float) -> Specimen:
        """As it is at t_s."""
        if not self.hops or t_s < self.hops[0].at_s:
            return self.specimen
        done = sum(hop.at_s <= t_s for hop in self.hops)
        if done not in self._seen:
            self._seen.clear()
            moved = {}
            for hop in self.hops[:done]:
                moved[hop.particle] = np.array((hop.x_um, hop.y_um, hop.z_um)) + moved.get(hop.particle, 0.0)
            self._seen[done] = self.specimen.with_moved(moved)
        return self._seen[done]

    @cached_property
    def _seen(self) -> dict[int, Specimen]:
        return {}
