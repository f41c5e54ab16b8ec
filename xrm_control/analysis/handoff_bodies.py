"""Rows of a core's tables beside each other: bodies that cannot lie where they are told to, and voids in their hosts.

Each row may be possible by itself and the table not: sizes in voxels beside places in um, radii that are diameters,
voids that are elsewhere. Bodies do not lie in one another, and what they hold fits into them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xrm_control.analysis.handoff_sizes import CLOSE, Odd, Room
from xrm_control.contracts.tables import INTERNAL, Particle, Void

_COMPACT = 0.8  # sphericity: elongations of about 3 at most
_OVERLAP, _BEYOND = 0.55, 1.7  # of the radii of the spheres of the same volumes; rods side by side, on end
_RADII = (0.55, 1.7)  # of radius_mean over the sphere's, the median of a table
_REACH = 2.0  # of the sphere's radius over the squared sphericity: a rod's half-length is 1.6
_WALL = 0.5  # voxels
_UNKNOWN_SPHERICITY, _LEAST_SPHERICITY = 0.5, 0.1
_ROUNDEST, _FEWEST = 1.07, 3  # sphericity, the median of a table; rows
_MOST_FAULTS = 5  # of each kind

_VOLUME = Particle.volume_um3.name


@dataclass(frozen=True)
class Body:
    """A row of a table: its line, its finite numbers by column, and of a void its host and kind."""

    row: int
    cells: Mapping[str, float]
    host: int = 0
    kind: str = ""

    @property
    def radius_um(self) -> float:
        """Of the sphere of the same volume."""
        return (3 * self.cells[_VOLUME] / (4 * math.pi)) ** (1 / 3)

    @property
    def place_um(self) -> tuple[float, float, float]:
        """Centre x, y, z."""
        return (self.cells["x_um"], self.cells["y_um"], self.cells["z_um"])

    @property
    def compact(self) -> bool:
        """Whether it says of itself that it is no rod and no plate."""
        return self.cells.get(Particle.sphericity.name, 0.0) >= _COMPACT

    @property
    def reach_um(self) -> float:
        """Further from its centre nothing of it can lie."""
        told = self.cells.get(Particle.sphericity.name, _UNKNOWN_SPHERICITY)
        return _REACH * self.radius_um / min(max(told, _LEAST_SPHERICITY), 1.0) ** 2


@dataclass(frozen=True)
class OddRow:
    """What is wrong with a row of a table; row None: with all of it."""

    row: int | None
    odd: Odd


def odd_particles(bodies: Sequence[Body], room: Room | None) -> Iterator[OddRow]:
    """What particles cannot be together; room: the volume that was handed over, if known."""
    yield from _radii(bodies)
    yield from _roundness(bodies)
    yield from _overlaps(bodies)
    if room is not None and room.xyz_um is not None:
        whole, told = math.prod(room.xyz_um), sum(one.cells[_VOLUME] for one in bodies)
        if told > whole * (1 + CLOSE):
            what = f"all particles together, {told:.4g}, are larger than the volume that was handed over"
            yield OddRow(None, Odd(what, _VOLUME, f"at most {whole:.4g}"))
        yield from _beyond(bodies, room.xyz_um, room.voxel_um)


def odd_voids(particles: Mapping[int, Body], voids: Sequence[Body], room: Room | None) -> Iterator[tuple[bool, OddRow]]:
    """What voids cannot be in their particles (by id); with True for a row of the particles' table, False for the
    voids'.
    """
    wall = 0.0 if room is None else _WALL * room.voxel_um
    held: dict[int, list[Body]] = {number: [] for number in particles}
    for void in voids:
        host = particles[void.host]
        held[void.host].append(void)
        size, most = void.cells[_VOLUME], host.cells[_VOLUME]
        if size > most * (1 + CLOSE):
            yield False, OddRow(void.row, Odd("is larger than its particle", _VOLUME, f"at most {most:.4g}"))
        elif void.kind in INTERNAL and void.radius_um > host.radius_um - wall:
            odd = Odd("leaves no wall of its particle", _VOLUME, f"{wall:g} um of a radius of {host.radius_um:.4g}")
            yield False, OddRow(void.row, odd)
        away, reach = math.dist(void.place_um, host.place_um), host.reach_um
        if away > reach:
            what = f"lies {away:.4g} um from the middle of its particle {void.host}, which does not reach so far"
            yield False, OddRow(void.row, Odd(what, Void.x_um.name, f"within {reach:.4g} um"))
    for number, host in particles.items():
        for odd in _held(host, held[number]):
            yield True, OddRow(host.row, odd)


def _held(host: Body, voids: Sequence[Body]) -> Iterator[Odd]:
    """Of one particle: its voids' number and volume, told in both tables; open ones may count or not."""
    internal = [void for void in voids if void.kind in INTERNAL]
    count, volume = host.cells.get(Particle.void_count.name), host.cells.get(Particle.void_volume_um3.name)
    if count is not None and not len(internal) <= count <= len(voids):
        yield Odd("counts other voids than voids.csv has", Particle.void_count.name, f"{len(internal)}")
    least, most = (sum(void.cells[_VOLUME] for void in some) for some in (internal, voids))
    if volume is not None and not least * (1 - CLOSE) <= volume <= most * (1 + CLOSE):
        yield Odd("is not the volume of its voids in voids.csv", Particle.void_volume_um3.name, f"{least:.4g}")
    if most > host.cells[_VOLUME] * (1 + CLOSE):
        yield Odd("its voids together are larger than it is", _VOLUME, f"at least {most:.4g}")


def _radii(bodies: Sequence[Body]) -> Iterator[OddRow]:
    name = Particle.radius_mean_um.name
    ratios = [one.cells[name] / one.radius_um for one in bodies if name in one.cells]
    if not ratios:
        return
    ratio = float(np.median(ratios))
    # Of all directions the mean is at most the sphere's; of a rod's two dozen rays it may be half as much again.
    if not _RADII[0] <= ratio <= _RADII[1]:
        what = f"radii are {ratio:.3g} times those of the spheres of the same volume (median): diameters, or voxels?"
        yield OddRow(None, Odd(what, name, f"{_RADII[0]:g} to {_RADII[1]:g} times"))


def _roundness(bodies: Sequence[Body]) -> Iterator[OddRow]:
    name = Particle.sphericity.name
    told = [one.cells[name] for one in bodies if name in one.cells]
    if len(told) >= _FEWEST and float(np.median(told)) > _ROUNDEST:
        what = f"half of the bodies are rounder than a ball, {float(np.median(told)):.4g} and more"
        yield OddRow(None, Odd(what, name, f"a median of {_ROUNDEST:g}; 1 of a sphere, the most"))


def _overlaps(bodies: Sequence[Body]) -> Iterator[OddRow]:
    from scipy.spatial import KDTree

    compact = [one for one in bodies if one.compact]
    if len(compact) < 2:
        return
    places = np.array([one.place_um for one in compact])
    radii = np.array([one.radius_um for one in compact])
    tree, found = KDTree(places), 0
    for n in np.argsort(radii)[::-1]:
        for other in tree.query_ball_point(places[n], _OVERLAP * 2 * radii[n]):
            smaller = (radii[other], other) < (radii[n], n)
            away = math.dist(places[other], places[n])
            least = max(_OVERLAP * (radii[n] + radii[other]), 0.0)
            if smaller and away < least and found < _MOST_FAULTS:
                found += 1
                what = f"lies in the particle of row {compact[n].row}: their middles are {away:.4g} um apart"
                yield OddRow(compact[other].row, Odd(what, Particle.x_um.name, f"at least {least:.4g} um"))


def _beyond(bodies: Sequence[Body], xyz_um: tuple[float, float, float], voxel_um: float) -> Iterator[OddRow]:
    """Whole, compact particles whose middle is nearer to the border than such a body allows."""
    found = 0
    for one in bodies:
        if not one.compact or one.cells.get(Particle.touches_boundary.name) != 0:
            continue
        inside = [extent / 2 - abs(place) + voxel_um for extent, place in zip(xyz_um, one.place_um, strict=True)]
        if one.radius_um > _BEYOND * min(inside) and found < _MOST_FAULTS:
            found += 1
            axis = "xyz"[int(np.argmin(inside))]
            what = f"is told to be whole, and its middle is {min(inside):.4g} um from the volume's border"
            limit = f"at least {one.radius_um / _BEYOND:.4g} um, or touches_boundary 1"
            yield OddRow(one.row, Odd(what, f"{axis}_um", limit))
