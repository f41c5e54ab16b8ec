"""What a powder is: material, sizes, habits, voids, and what real powder has beside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from simulators.populations import LogNormal, VoidPopulation

Habit = Literal["sphere", "plate", "rod", "dumbbell", "fragment"]


@dataclass(frozen=True)
class Defects:
    """What difficulty turns on; shares are those at difficulty 1, in proportion to it, and at most 0.9.

    grouped: of the particles that touch others; per_group: how many these are, on average; neck_um: how deep touching
    ones are grown into each other at most. satellites: of the particles that carry some. cracked, fragments, shells:
    of the particles. open_necks, thin_walls: of the voids that have a channel to the surface of 0.2 um and more, or
    walls from 0.1 um. mu_spread: root mean square between particles, relative. coarse: of the particles, log-uniform
    from the largest usual size to coarse_um. lumps_um, lump_cell_um: of the coarser roughness. elongation, skew: at
    most. voids: of a powder that ideally has none.
    """

    grouped: float = 0.45
    per_group: float = 3.0
    neck_um: float = 0.25
    satellites: float = 0.06
    cracked: float = 0.08
    fragments: float = 0.04
    shells: float = 0.02
    open_necks: float = 0.1
    thin_walls: float = 0.25
    mu_spread: float = 0.04
    coarse: float = 0.01
    coarse_um: float = 50.0
    lumps_um: float = 0.6
    lump_cell_um: float = 2.5
    elongation: float = 0.12
    skew: float = 0.04
    voids: VoidPopulation | None = None


@dataclass(frozen=True)
class Powder:
    """A powder: its material, sizes, strip area per particle in um2, voids; habits with their shares.

    roughness_um: of the finer roughness, on the scale of primary particles. ideal: at difficulty 0 it is made of lone
    spheres with pits for open voids, as it always was.
    """

    material: str
    sizes: LogNormal
    area_per_particle_um2: float
    voids: VoidPopulation | None = None
    habits: tuple[tuple[Habit, float], ...] = (("sphere", 1.0),)
    roughness_um: float = 0.5
    defects: Defects = field(default_factory=Defects)
    ideal: bool = False
