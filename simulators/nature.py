"""What only a real powder has to tell of a particle, and how truth.json tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from simulators.specimen import Particle, Specimen

_SOME = 300  # places of a surface that bound a distance

CrackKind = Literal["inner", "edge", "through"]


@dataclass(frozen=True)
class Contact:
    """With another particle (number from 0): area of the neck in um2, and the overlap that belongs to one of them."""

    other: int
    area_um2: float
    overlap_um3: float


@dataclass(frozen=True)
class Crack:
    """Its plane's normal and the place where that begins (stage frame, um), its widest opening, its volume."""

    kind: CrackKind
    centre_um: tuple[float, float, float]
    normal: tuple[float, float, float]
    opening_um: float
    volume_um3: float


@dataclass(frozen=True)
class Nature:
    """group: numbers (from 0) of all that are joined with it, itself too; satellite_of: number of its host."""

    habit: str
    group: tuple[int, ...]
    satellite_of: int | None = None
    contacts: tuple[Contact, ...] = ()
    cracks: tuple[Crack, ...] = ()
    shell: bool = False


def told(specimen: Specimen, particles: list[dict[str, Any]], voids: list[dict[str, Any]]) -> None:
    """Add to the truth of particles and voids what they have of real ones; numbers from 1 as theirs."""
    for number, (particle, record) in enumerate(zip(specimen.particles, particles, strict=True), start=1):
        nature = particle.nature
        if nature is None:
            continue
        gap_um3 = sum(crack.volume_um3 for crack in nature.cracks)
        record["solid_volume_um3"] -= gap_um3
        record |= {
            "habit": nature.habit,
            "mu_per_um": specimen.mu_per_um * particle.relative_mu,
            "touches": [
                {"id": c.other + 1, "neck_area_um2": c.area_um2, "overlap_um3": c.overlap_um3} for c in nature.contacts
            ],
            "group_id": min(nature.group) + 1,
            "satellite_of": None if nature.satellite_of is None else nature.satellite_of + 1,
            "crack_volume_um3": gap_um3,
            "cracks": [_crack(crack) for crack in nature.cracks],
            "shell": nature.shell,
        }
        for void, own in zip(particle.voids, (v for v in voids if v["particle_id"] == number), strict=True):
            own["neck_volume_um3"] = void.neck.volume_um3 if void.neck else 0.0
            own["wall_min_um"] = _least_wall_um(particle, void.table, void.centre_um) if void.table is not None else 0.0


def _crack(crack: Crack) -> dict[str, Any]:
    x, y, z = crack.centre_um
    return {
        "kind": crack.kind,
        "x_um": x,
        "y_um": y,
        "z_um": z,
        "normal": list(crack.normal),
        "opening_um": crack.opening_um,
        "volume_um3": crack.volume_um3,
    }


def _least_wall_um(particle: Particle, table: NDArray[np.float32], centre_um: tuple[float, float, float]) -> float:
    """Least distance from a void's surface to its particle's, without neck."""
    from scipy.spatial import KDTree

    centre = np.subtract(centre_um, particle.centre_um)
    outer, inner = _surface(particle.table), _surface(table) + centre
    drawn = np.random.default_rng(0)
    some, others = drawn.permutation(inner)[:_SOME], drawn.permutation(outer)[:_SOME]
    # No wall is thicker than that between any two places; so most of the surface need not be asked.
    most = float(np.sqrt(((some[:, None] - others[None]) ** 2).sum(axis=2).min()))
    reach = float(np.linalg.norm(inner - centre, axis=1).max()) + most
    beside = outer[((outer - centre) ** 2).sum(axis=1) <= reach**2]
    found = KDTree(inner).query(beside, distance_upper_bound=most)[0] if len(beside) else np.array([most])
    return min(most, float(found.min()))


def _surface(table: NDArray[np.float32]) -> NDArray[np.float64]:
    """Vertices and middles of the edges at both faces of the slabs (n, 3), from the body's centre."""
    from simulators.shapes import SLAB_UM

    slabs, m = table.shape
    angle = 2.0 * np.pi * np.arange(m) / m
    x, z = table * np.cos(angle), table * np.sin(angle)
    x, z = (np.concatenate((one, 0.5 * (one + np.roll(one, -1, 1))), axis=1).ravel() for one in (x, z))
    y = np.repeat((np.arange(slabs) - 0.5 * (slabs - 1)) * SLAB_UM, 2 * m)
    x, y, z = (one[(x != 0.0) | (z != 0.0)] for one in (x, y, z))
    return np.concatenate([np.column_stack((x, y + side * SLAB_UM, z)) for side in (-0.5, 0.5)])
