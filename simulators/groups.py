"""Particles that touch: grown onto each other one by one, and laid on the tape as one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from simulators.layered import penetration_um
from simulators.measure import Measures
from simulators.shapes import SLAB_UM

_DIRECTIONS = 24
_HALVINGS = 14
_TOUCHING_UM = 0.3
_TRIES = 4000


@dataclass(frozen=True)
class Body:
    """A particle that is to be laid somewhere. number: its own; host: number of the particle it is a satellite of."""

    number: int
    table: NDArray[np.float32]
    measures: Measures
    host: int | None = None

    @property
    def reach_um(self) -> float:
        """About its centre."""
        return self.measures.radius_max_um


@dataclass
class Group:
    """Bodies that are joined, with their places (n, 3) from the first's; y in whole slabs."""

    bodies: list[Body]
    places_um: list[tuple[float, float, float]]

    def attach(self, body: Body, partner: int, overlap_um: float, random: np.random.Generator) -> bool:
        """Grow a body onto a member, overlap_um deep; False where there is no room beside the others."""
        anchor = self.places_um[partner]
        apart_um = self.bodies[partner].reach_um + body.reach_um
        for _ in range(_DIRECTIONS):
            azimuth, sine = random.uniform(0.0, 2.0 * math.pi), random.uniform(-0.7, 0.7)
            d_slabs = round(sine * apart_um / SLAB_UM)
            beam = math.cos(azimuth), math.sin(azimuth)
            distance_um = self._touching(body, partner, d_slabs, beam, overlap_um, apart_um)
            if distance_um is None:
                continue
            place = (
                anchor[0] + beam[0] * distance_um,
                anchor[1] + d_slabs * SLAB_UM,
                anchor[2] + beam[1] * distance_um,
            )
            if all(self._deep(body, place, n) <= _TOUCHING_UM for n in range(len(self.bodies)) if n != partner):
                self.bodies.append(body)
                self.places_um.append(place)
                return True
        return False

    def _touching(
        self, body: Body, partner: int, d_slabs: int, beam: tuple[float, float], overlap_um: float, apart_um: float
    ) -> float | None:
        """Distance along the beam at which the two overlap so deep; None if they never do."""
        table = self.bodies[partner].table

        def deep(distance_um: float) -> float:
            return penetration_um(table, body.table, beam[0] * distance_um, d_slabs, beam[1] * distance_um)

        far_um = apart_um + 0.5
        near_um = 0.0
        # From outside inwards, so that the first contact counts.
        for step in np.linspace(far_um, 0.0, 24).tolist():
            if deep(step) >= overlap_um:
                near_um = step
                break
            far_um = step
        else:
            return None
        for _ in range(_HALVINGS):
            middle = 0.5 * (far_um + near_um)
            far_um, near_um = (far_um, middle) if deep(middle) >= overlap_um else (middle, near_um)
        return near_um

    def _deep(self, body: Body, place: tuple[float, float, float], n: int) -> float:
        own = self.places_um[n]
        apart_um = math.dist(own, place)
        if apart_um > self.bodies[n].reach_um + body.reach_um:
            return -math.inf
        d_slabs = round((place[1] - own[1]) / SLAB_UM)
        return penetration_um(self.bodies[n].table, body.table, place[0] - own[0], d_slabs, place[2] - own[2])

    @property
    def lowest_um(self) -> float:
        """z of what hangs lowest, from the first's centre."""
        return min(p[2] + b.measures.lowest_z_um for b, p in zip(self.bodies, self.places_um, strict=True))

    def spheres(self) -> NDArray[np.float64]:
        """Enclosing spheres (n, 4) of the members: x, y, z above what it rests on, radius."""
        lowest = self.lowest_um
        return np.array(
            [(p[0], p[1], p[2] - lowest, b.reach_um) for b, p in zip(self.bodies, self.places_um, strict=True)]
        )


def lay(
    groups: list[Group], width_um: float, length_um: float, random: np.random.Generator
) -> list[tuple[float, float, float] | None]:
    """Places of the groups' first members on a strip about x = y = 0; None where there is no room.

    Largest first on the tape, no two enclosing spheres of different groups overlapping.
    """
    found: list[tuple[float, float, float] | None] = [None] * len(groups)
    members = [group.spheres() for group in groups]
    placed = np.zeros((sum(len(one) for one in members), 4))
    count = 0
    size = [float(np.abs(one[:, :2]).max() + one[:, 3].max()) for one in members]
    for index in np.argsort(-np.array(size), kind="stable").tolist():
        own = members[index]
        reach_um = own[:, 3]
        half_um = np.array((0.5 * width_um, 0.5 * length_um))
        low = half_um + (own[:, :2] - reach_um[:, None]).min(axis=0)
        high = half_um - (own[:, :2] + reach_um[:, None]).max(axis=0)
        if np.any(-low > high):
            continue
        candidates = random.uniform(-low, high, (_TRIES, 2))
        candidates[:, 1] = np.rint(candidates[:, 1] / SLAB_UM) * SLAB_UM
        chosen = _first_free(candidates, placed[:count], own)
        if chosen < 0:
            continue
        x, y = candidates[chosen]
        found[index] = (float(x), float(y), float(-groups[index].lowest_um))
        placed[count : count + len(own)] = own + np.array((x, y, 0.0, 0.0))
        count += len(own)
    return found


@numba.njit(cache=True, nogil=True)
def _first_free(candidates, placed, own):  # type: ignore[no-untyped-def]
    for c in range(len(candidates)):
        free = True
        for p in range(len(placed)):
            for n in range(len(own)):
                dx = candidates[c, 0] + own[n, 0] - placed[p, 0]
                dy = candidates[c, 1] + own[n, 1] - placed[p, 1]
                dz = own[n, 2] - placed[p, 2]
                apart = own[n, 3] + placed[p, 3]
                if dx * dx + dy * dy + dz * dz < apart * apart:
                    free = False
                    break
            if not free:
                break
        if free:
            return c
    return -1
