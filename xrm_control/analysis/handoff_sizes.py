"""Numbers of one row of a core's table beside each other, and beside the volume that it was given.

What is told twice must agree, and what cannot be is refused: columns that were mixed up, units of another size. Limits
are wide: definitions of surfaces and radii differ, orders of magnitude do not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xrm_control.contracts.handoff import HandoffSpec
from xrm_control.contracts.tables import PLANES, Particle

CLOSE = 0.05
# Of the surface of the sphere of the same volume: agglomerates have some ten.
_MOST_SURFACE = 100.0
# None has less, but for what voxels cost: this, and one over the diameter in voxels, which may be unknown.
_EXCESS, _EXCESS_UNKNOWN, _MOST_EXCESS = 0.05, 0.15, 0.4
_LEAST_UM = 0.05  # in diameter: no X-ray microscope measures less
# Of the radius of that sphere.
_LEAST_RADIUS, _MOST_RADIUS = 0.05, 20.0
_MOST_PER_UM = 10.0  # uranium at 1 keV, about
_PERCENT = 0.5  # of a percentage, as rounded
_MOST_WEIGHT = 1000.0
_MOST_UNSURE = 10.0  # of the number itself

_DIAMETER, _VOLUME = Particle.equivalent_diameter_um.name, Particle.volume_um3.name
_SURFACE, _VOID = Particle.surface_area_um2.name, Particle.void_volume_um3.name
_SIZES = (_DIAMETER, _VOLUME, _SURFACE, Particle.sphericity.name, Particle.radius_mean_um.name)


@dataclass(frozen=True)
class Odd:
    """A cell that cannot be right: what is wrong with it, and what could be."""

    what: str
    column: str
    limit: str


@dataclass(frozen=True)
class Room:
    """The volume that was handed over: its voxel (um), and its extent along x, y, z (um; None: not said)."""

    voxel_um: float
    xyz_um: tuple[float, float, float] | None

    @classmethod
    def of(cls, handed: HandoffSpec) -> Room:
        """As the hand-off tells it."""
        shape, voxel_um = handed.shape, handed.voxel_size_um
        extent = None if shape is None else (shape[2] * voxel_um, shape[1] * voxel_um, shape[0] * voxel_um)
        return cls(voxel_um, extent)


def odd_cells(cells: Mapping[str, float], room: Room | None, *, own: bool = False) -> Iterator[Odd]:
    """What is wrong with a row: its numbers by column, without the empty ones; room: None where nothing is known.

    own: of the built-in core, whose definitions are known: diameters and volumes alone.
    """
    volume = cells.get(_VOLUME, math.nan)
    if not volume > 0:
        return  # said already
    yield from _diameter(cells, volume)
    if own:
        return
    yield from _radii(cells, volume)
    yield from _surface(cells, volume, _excess(volume, room))
    yield from _void(cells, volume)
    yield from _weight(cells)
    yield from _unsure(cells)
    mu = cells.get(Particle.mean_attenuation_per_um.name)
    if mu is not None and not 0 < mu <= _MOST_PER_UM:
        name = Particle.mean_attenuation_per_um.name
        yield Odd("no matter attenuates so", name, f"above 0, at most {_MOST_PER_UM:g} 1/um")
    if room is not None:
        yield from _placed(cells, volume, room)
    elif _sphere_um(volume) < _LEAST_UM:
        yield Odd("no microscope measures so small a body", _VOLUME, f"a diameter of {_LEAST_UM:g} um; is it in um3?")


def _sphere_um(volume: float) -> float:
    """Diameter of the sphere of that volume."""
    return (6 * volume / math.pi) ** (1 / 3)


def _excess(volume: float, room: Room | None) -> float:
    """By how much a measured sphericity may be above 1."""
    if room is None:
        return _EXCESS_UNKNOWN
    return min(_EXCESS + room.voxel_um / _sphere_um(volume), _MOST_EXCESS)


def _diameter(cells: Mapping[str, float], volume: float) -> Iterator[Odd]:
    expected = _sphere_um(volume)
    diameter = cells.get(_DIAMETER)
    # Volume and diameter tell the same size twice.
    if diameter is not None and diameter > 0 and abs(diameter / expected - 1) > CLOSE:
        what = "the equivalent diameter is not that of the sphere of the same volume"
        yield Odd(what, _DIAMETER, f"{expected:.4g}, from {_VOLUME} {volume:g}; to {CLOSE:.0%}")


def _radii(cells: Mapping[str, float], volume: float) -> Iterator[Odd]:
    sphere = _sphere_um(volume) / 2
    limit = f"{_LEAST_RADIUS:g} to {_MOST_RADIUS:g} times {sphere:.4g}, the radius of the sphere of that volume"
    for name in (Particle.radius_mean_um.name, *(Particle.radius_um[plane].name for plane in PLANES)):
        radius = cells.get(name)
        if radius is not None and not _LEAST_RADIUS <= radius / sphere <= _MOST_RADIUS:
            yield Odd("no particle of this volume has such a radius", name, limit)
    for name in (Particle.roughness_um[plane].name for plane in PLANES):
        # Below 0 where it is less than its floor.
        if abs(cells.get(name, 0.0)) > _MOST_RADIUS * sphere:
            yield Odd("no particle of this volume is so rough", name, f"within {_MOST_RADIUS * sphere:.4g}")


def _surface(cells: Mapping[str, float], volume: float, excess: float) -> Iterator[Odd]:
    sphere = math.pi * _sphere_um(volume) ** 2
    surface, ratio = cells.get(_SURFACE), cells.get(Particle.surface_to_volume_per_um.name)
    least = sphere / (1 + excess)
    if surface is not None and not least <= surface <= _MOST_SURFACE * sphere:
        limit = f"{least:.4g} to {_MOST_SURFACE * sphere:.4g}: a sphere of that volume has {sphere:.4g}, the least"
        yield Odd("no body of this volume has such a surface", _SURFACE, limit)
    if surface is not None and ratio is not None and abs(ratio * volume - surface) > CLOSE * abs(surface):
        name = Particle.surface_to_volume_per_um.name
        yield Odd("is not the surface over the volume", name, f"{surface / volume:.4g}; to {CLOSE:.0%}")
    round_, name = cells.get(Particle.sphericity.name), Particle.sphericity.name
    if round_ is not None and not 1 / _MOST_SURFACE <= round_ <= 1 + excess:
        limit = f"{1 / _MOST_SURFACE:g} to {1 + excess:.3g}; 1 of a sphere, the most"
        yield Odd("no body has such a sphericity", name, limit)
    elif surface is not None and surface > 0 and round_ is not None and abs(round_ * surface / sphere - 1) > CLOSE:
        limit = f"{sphere / surface:.4g}, from {_VOLUME} and {_SURFACE}; to {CLOSE:.0%}"
        yield Odd("is not the surface of the sphere of that volume over the particle's", name, limit)


def _void(cells: Mapping[str, float], volume: float) -> Iterator[Odd]:
    void, dead = cells.get(_VOID), cells.get(Particle.dead_volume_percent.name)
    count, percent = cells.get(Particle.void_count.name), Particle.dead_volume_percent.name
    if void is not None and not 0 <= void <= volume * (1 + CLOSE):
        yield Odd("the voids do not fit into the particle", _VOID, f"0 to {volume:g}, its {_VOLUME}")
    if dead is not None and not 0 <= dead <= 100:
        yield Odd("is no share", percent, "0 to 100")
    elif void is not None and dead is not None:
        share = 100 * void / volume
        if abs(dead - share) > CLOSE * share + _PERCENT:
            yield Odd("is not the voids' share of the volume", percent, f"{share:.4g}")
    if count is not None and (count < 0 or not count.is_integer()):
        yield Odd("is no number of voids", Particle.void_count.name, "a whole number, 0 or above")


def _weight(cells: Mapping[str, float]) -> Iterator[Odd]:
    """One over a probability; of a cut particle it may be 0."""
    weight = cells.get(Particle.weight.name)
    if weight is None or cells.get(Particle.touches_boundary.name) != 0:
        return
    if not 1 - CLOSE <= weight <= _MOST_WEIGHT:
        limit = f"1 to {_MOST_WEIGHT:g}: one over the probability of being whole; 1 where nothing is corrected for"
        yield Odd("no whole particle has such a weight", Particle.weight.name, limit)


def _unsure(cells: Mapping[str, float]) -> Iterator[Odd]:
    for name, u in cells.items():
        number = abs(cells.get(name.removesuffix("_u"), 0.0))
        if not name.endswith("_u"):
            continue
        if u < 0:
            yield Odd("an uncertainty is below 0", name, "0 or above")
        elif name.removesuffix("_u") in _SIZES and number > 0 and u > _MOST_UNSURE * number:
            limit = f"{_MOST_UNSURE:g} times the {number:g} of {name.removesuffix('_u')}"
            yield Odd("an uncertainty is far larger than the number itself", name, limit)


def _placed(cells: Mapping[str, float], volume: float, room: Room) -> Iterator[Odd]:
    voxel = room.voxel_um**3
    if volume < voxel * (1 - CLOSE):
        yield Odd("is smaller than a voxel", _VOLUME, f"at least {voxel:.4g}, of a voxel of {room.voxel_um:g} um")
    if room.xyz_um is None:
        return
    whole = math.prod(room.xyz_um)
    if volume > whole:
        yield Odd("is larger than the volume that was handed over", _VOLUME, f"at most {whole:.4g}")
    for column, extent in zip((Particle.x_um, Particle.y_um, Particle.z_um), room.xyz_um, strict=True):
        place = cells.get(column.name)
        if place is not None and abs(place) > extent / 2 + room.voxel_um:
            limit = f"within {extent / 2:.4g} um of its middle"
            yield Odd("lies outside of the volume that was handed over", column.name, limit)
