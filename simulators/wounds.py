"""What is taken from particles that are laid: overlaps with neighbours, cracks, channels from voids to the surface."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from simulators.cuts import Cut, CutKind
from simulators.layered import CHANNEL, EDGE, INNER, THROUGH, Placed, Sheet, holds, penetration_um, trace
from simulators.measure import area_inside
from simulators.nature import Contact, Crack, CrackKind
from simulators.shapes import SLAB_UM
from simulators.specimen import Particle

_MESH_UM = 0.1
_KINDS: dict[CrackKind, int] = {"through": THROUGH, "edge": EDGE, "inner": INNER}


def placed(particle: Particle, *, inside: bool = True) -> Placed:
    """The whole of a particle's table, voids and all."""
    return Placed(particle.table, particle.centre_um, inside)


def joined(particle: Particle, earlier: list[tuple[int, Particle]]) -> Particle:
    """The particle without what it shares with neighbours that came before it: (number, neighbour)."""
    cuts: list[Cut] = []
    contacts: list[Contact] = []
    envelope = particle.envelope
    taken: list[Placed] = []
    moment = envelope.volume_um3 * np.asarray(envelope.centroid_um)
    volume, surface = envelope.volume_um3, envelope.surface_area_um2
    mesh_um = min(_MESH_UM, max(0.03, 0.06 * envelope.radius_max_um))
    for number, other in earlier:
        offset = np.subtract(other.centre_um, particle.centre_um)
        d_slabs = round(float(offset[1]) / SLAB_UM)
        if np.linalg.norm(offset) > envelope.radius_max_um + other.envelope.radius_max_um:
            continue
        deep = penetration_um(particle.table, other.table, float(offset[0]), d_slabs, float(offset[2]))
        if deep <= 0.0:
            continue
        reach, own = other.envelope.radius_max_um, envelope.radius_max_um
        box = [side for c in offset for side in (max(-own, c - reach), min(own, c + reach))]
        edges, starts, first = trace(
            placed(particle), [placed(other), *taken], [], (box[0], box[1], box[2], box[3], box[4], box[5]), mesh_um
        )
        cut = Cut("overlap", edges, starts, first, particle.table.shape[0], number)
        of_other = area_inside(other.table, particle.table, (-offset).tolist())
        of_own = area_inside(particle.table, other.table, offset.tolist())
        overlap = 0.0 if cut.empty else cut.volume_um3
        contacts.append(Contact(number, of_other, overlap))
        taken.append(placed(other, inside=False))
        if not cut.empty:
            cuts.append(cut)
            moment -= cut.moments()[1]
            volume -= overlap
            surface += of_other - of_own
    x, y, z = (moment / volume).tolist()
    measures = replace(envelope, volume_um3=volume, surface_area_um2=surface, centroid_um=(x, y, z))
    nature = particle.nature and replace(particle.nature, contacts=(*particle.nature.contacts, *contacts))
    return replace(particle, envelope=measures, cuts=(*particle.cuts, *cuts), nature=nature)


def with_channel(
    particle: Particle, number: int, neighbours: list[Particle], diameter_um: float, random: np.random.Generator
) -> Particle:
    """Open a void (its number among the particle's) to the surface by a channel of that diameter."""
    void = particle.voids[number]
    start = np.subtract(void.centre_um, particle.centre_um)
    direction = _outward(particle, start, neighbours, random)
    if direction is None:
        return particle
    sheet = Sheet(CHANNEL, tuple(start.tolist()), tuple(direction.tolist()), _across(direction), diameter_um)
    cut = _cut("channel", particle, [sheet], neighbours, min(_MESH_UM, diameter_um / 4.0))
    if cut.empty:
        return particle
    volume, moment = cut.moments()
    total = void.volume_um3 + volume
    cavity = np.subtract(void.centroid_um or void.centre_um, particle.centre_um)
    x, y, z = ((void.volume_um3 * cavity + np.asarray(moment)) / total + np.asarray(particle.centre_um)).tolist()
    # The wall of a cylinder holds 4 / diameter of its volume; the cavity loses a mouth, the outer mouth closes it.
    opened = replace(
        void,
        neck=cut,
        volume_um3=total,
        surface_area_um2=void.surface_area_um2 + 4.0 * volume / diameter_um,
        centroid_um=(x, y, z),
    )
    return replace(particle, voids=tuple(opened if n == number else v for n, v in enumerate(particle.voids)))


def _outward(
    particle: Particle, start: NDArray[np.float64], neighbours: list[Particle], random: np.random.Generator
) -> NDArray[np.float64] | None:
    """A direction in which a channel from there comes out beside all neighbours; None if none was found."""
    for _ in range(12):
        direction = random.standard_normal(3)
        direction /= np.linalg.norm(direction)
        steps = np.arange(0.0, 2.0 * particle.envelope.radius_max_um, 0.1)
        points = np.asarray(particle.centre_um) + start + steps[:, None] * direction
        inside = [holds(placed(particle), (float(p[0]), float(p[1]), float(p[2]))) for p in points]
        out = points[inside.index(False)] if False in inside else None
        if out is None or any(inside[inside.index(False) :]):
            continue
        nearest = min((math.dist(out, n.centre_um) - n.envelope.radius_max_um for n in neighbours), default=math.inf)
        if nearest > 0.5:
            return direction
    return None


def cracked(
    particle: Particle,
    kind: CrackKind,
    opening_um: float,
    earlier: list[Particle],
    random: np.random.Generator,
) -> Particle:
    """With one crack more, beside its voids and what belongs to neighbours."""
    radius = particle.envelope.radius_min_um if kind == "inner" else 0.5 * particle.envelope.equivalent_diameter_um
    normal = random.standard_normal(3)
    normal /= np.linalg.norm(normal)
    u = np.asarray(_across(normal))
    aside = random.uniform(-0.35, 0.35) * radius
    along = {"through": 0.0, "edge": random.uniform(-0.5, 0.2) * radius, "inner": 0.0}[kind]
    size = {"through": 0.0, "edge": radius, "inner": random.uniform(0.4, 0.75) * math.sqrt(radius**2 - aside**2)}[kind]
    centre = aside * normal + along * u
    sheet = Sheet(
        _KINDS[kind],
        tuple(centre.tolist()),
        tuple(normal.tolist()),
        tuple(u.tolist()),
        opening_um,
        size,
        wave_um=random.uniform(0.05, 0.15) * radius * 0.5,
        wave_length_um=max(1.0, 0.6 * radius),
        shift=random.uniform(0.0, 50.0),
    )
    cut = _cut("crack", particle, [sheet], earlier, min(_MESH_UM, opening_um / 3.0))
    if cut.empty:
        return particle
    x, y, z = (centre + np.asarray(particle.centre_um)).tolist()
    crack = Crack(kind, (x, y, z), (float(normal[0]), float(normal[1]), float(normal[2])), opening_um, cut.volume_um3)
    nature = particle.nature and replace(particle.nature, cracks=(*particle.nature.cracks, crack))
    return replace(particle, cuts=(*particle.cuts, cut), nature=nature)


def _cut(kind: CutKind, particle: Particle, sheets: list[Sheet], earlier: list[Particle], mesh_um: float) -> Cut:
    """What the sheets take from the particle, beside its voids, channels and what belongs to neighbours."""
    others = [placed(other, inside=False) for other in earlier]
    others += [Placed(v.table, v.centre_um, inside=False) for v in particle.voids if v.table is not None]
    reach = particle.envelope.radius_max_um
    box = (-reach, reach, -reach, reach, -reach, reach)
    edges, starts, first = trace(placed(particle), others, sheets, box, mesh_um)
    return Cut(kind, edges, starts, first, particle.table.shape[0])


def _across(direction: object) -> tuple[float, float, float]:
    """A unit vector across a direction."""
    n = np.asarray(direction, float)
    other = np.eye(3)[int(np.argmin(np.abs(n)))]
    across = np.cross(n, other)
    across /= np.linalg.norm(across)
    return float(across[0]), float(across[1]), float(across[2])
