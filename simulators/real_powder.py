"""Powders with what real ones have: neighbours that touch, satellites, cracks, shells, pores that open, coarse tails.

Each feature is drawn for its own purpose, so that one does not move the others.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from simulators.bed import pile
from simulators.groups import Body, Group, lay
from simulators.habits import shape_of
from simulators.layered import clearance_um, penetration_um
from simulators.measure import Measures, measure
from simulators.nature import CrackKind, Nature
from simulators.powders.base import Habit, Powder
from simulators.seeding import generator
from simulators.shapes import SLAB_UM, ShapeSpec, shape_table
from simulators.specimen import Particle, SpecimenConfig, Void
from simulators.wounds import cracked, joined, with_channel

_MOST = 0.9
_CRACKS: tuple[tuple[CrackKind, float], ...] = (("inner", 0.35), ("edge", 0.35), ("through", 0.3))
_LEAST_CRACKED_UM = 3.0
_SATELLITE = (0.2, 0.4)
_THIN_UM = (0.1, 0.3)
_WALL_UM = 0.4


def real_powder(powder: Powder, config: SpecimenConfig, seed: int, count: int) -> list[Particle]:
    """The particles of a powder at the configuration's difficulty, those that found room; numbers as in the list."""
    maker = _Maker(powder, config, seed)
    bodies, specs, habits = maker.bodies(count)
    groups = maker.with_satellites(maker.groups(bodies))
    spread = pile if config.layers > 1 else lay
    places = spread(groups, config.strip_width_um, config.strip_height_um, maker.draw("placement"))
    laid = [(group, place) for group, place in zip(groups, places, strict=True) if place is not None]
    particles = maker.joined(laid, habits)
    order = [body.number for group, _ in laid for body in group.bodies]
    return maker.wounded(particles, [specs.get(number) for number in order])


class _Maker:
    """One powder in the making; what is drawn depends on its purpose alone."""

    def __init__(self, powder: Powder, config: SpecimenConfig, seed: int) -> None:
        self.powder, self.defects, self.difficulty = powder, powder.defects, config.difficulty
        self.name, self.seed = config.preset, seed

    def draw(self, purpose: str, *numbers: int) -> np.random.Generator:
        """For one purpose."""
        return generator(self.seed, f"{self.name} real {purpose}", *numbers)

    def share(self, at_one: float) -> float:
        """A share at this difficulty."""
        return min(_MOST, at_one * self.difficulty)

    def bodies(self, count: int) -> tuple[list[Body], dict[int, ShapeSpec], dict[int, str]]:
        """Particles of their own sizes and habits, with their shapes by number."""
        sizes_um = self._sizes(count)
        choose = self.draw("habits")
        names: list[Habit] = [name for name, _ in self.powder.habits]
        shares = np.array([share for _, share in self.powder.habits])
        habits = choose.choice(len(names), size=count, p=shares / shares.sum())
        broken = choose.random(count) < self.share(self.defects.fragments)
        bodies: list[Body] = []
        specs: dict[int, ShapeSpec] = {}
        known: dict[int, str] = {}
        for n in range(count):
            habit: Habit = "fragment" if broken[n] else names[int(habits[n])]
            spec = shape_of(habit, self.powder, self.difficulty, float(sizes_um[n]), self.draw("shape", n))
            table = shape_table(spec)
            bodies.append(Body(n, table, measure(table)))
            specs[n], known[n] = spec, habit
        return bodies, specs, known

    def _sizes(self, count: int) -> NDArray[np.float64]:
        """Independent draws, with a coarse tail; ideally one from each of equally likely classes."""
        random, sizes = self.draw("sizes"), self.powder.sizes
        if self.difficulty == 0.0:
            return sizes.sample(count, random)
        found = sizes.sample(count, random, stratified=False)
        coarse = random.random(count) < self.share(self.defects.coarse)
        largest = np.log((sizes.largest_um, max(sizes.largest_um, self.defects.coarse_um)))
        return np.where(coarse, np.exp(random.uniform(*largest, size=count)), found)

    def groups(self, bodies: list[Body]) -> list[Group]:
        """Some grown onto each other, the rest alone; members of a group are drawn at random."""
        random = self.draw("groups")
        order = random.permutation(len(bodies)).tolist()
        joining = round(self.share(self.defects.grouped) * len(bodies))
        free = [bodies[n] for n in order[:joining]]
        groups = [Group([bodies[n]], [(0.0, 0.0, 0.0)]) for n in sorted(order[joining:])]
        more = max(self.defects.per_group - 2.0, 1e-6)
        while free:
            wanted = 2 + int(random.geometric(1.0 / (1.0 + more))) - 1
            first = free.pop()
            group = Group([first], [(0.0, 0.0, 0.0)])
            while free and len(group.bodies) < wanted:
                neck_um = random.choice([0.0, 1.0]) * random.uniform(0.02, self.defects.neck_um)
                body = free.pop()
                if not group.attach(body, int(random.integers(len(group.bodies))), max(1e-3, neck_um), random):
                    groups.append(Group([body], [(0.0, 0.0, 0.0)]))
            groups.append(group)
        return groups

    def with_satellites(self, groups: list[Group]) -> list[Group]:
        """Small ones sunk into the surface of some; they are numbered after all others."""
        random = self.draw("satellites")
        number = sum(len(group.bodies) for group in groups)
        for group in groups:
            for partner in range(len(group.bodies)):
                host = group.bodies[partner]
                carries = random.random() < self.share(self.defects.satellites)
                for _ in range(int(random.integers(1, 3)) if carries else 0):
                    size_um = random.uniform(*_SATELLITE) * host.measures.equivalent_diameter_um
                    spec = shape_of("sphere", self.powder, 0.0, size_um, random)
                    table = shape_table(spec)
                    body = Body(number, table, measure(table), host.number)
                    if group.attach(body, partner, random.uniform(0.05, 0.3) * size_um, random):
                        number += 1
        return groups

    def joined(self, laid: list[tuple[Group, tuple[float, float, float]]], habits: dict[int, str]) -> list[Particle]:
        """Particles at their places, each without what it shares with those before it."""
        random = self.draw("mu")
        found: list[Particle] = []
        for group, place in laid:
            begin = len(found)
            numbers = {body.number: begin + n for n, body in enumerate(group.bodies)}
            for body, at in zip(group.bodies, group.places_um, strict=True):
                host = None if body.host is None else numbers[body.host]
                nature = Nature(habits.get(body.number, "satellite"), tuple(numbers.values()), host)
                mu = math.exp(self.difficulty * self.defects.mu_spread * float(random.standard_normal()))
                x, y, z = (float(a + b) for a, b in zip(place, at, strict=True))
                particle = Particle((x, y, z), body.table, body.measures, nature=nature, relative_mu=mu)
                earlier = [(n, found[n]) for n in range(begin, len(found))]
                found.append(joined(particle, earlier))
        for number, particle in enumerate(found):
            if particle.nature is None:
                continue
            for contact in particle.nature.contacts:
                other = found[contact.other]
                if contact.other < number and other.nature is not None:
                    nature = replace(other.nature, contacts=(*other.nature.contacts, replace(contact, other=number)))
                    found[contact.other] = replace(other, nature=nature)
        return found

    def wounded(self, particles: list[Particle], specs: list[ShapeSpec | None]) -> list[Particle]:
        """With voids, shells, channels and cracks."""
        random = self.draw("wounds")
        fate = random.random((len(particles), 2))
        hollow = fate[:, 0] < self.share(self.defects.shells)
        found = self._with_voids(particles, specs, hollow)
        for number, particle in enumerate(found):
            own = self.draw("channel", number)
            for n in range(len(particle.voids)):
                if own.random() < self.share(self.defects.open_necks):
                    diameter_um = own.uniform(0.2, 0.6)
                    around = self._neighbours(found, number)
                    found[number] = with_channel(found[number], n, around, diameter_um, own)
        for number, particle in enumerate(found):
            large = particle.envelope.equivalent_diameter_um >= _LEAST_CRACKED_UM
            whole = not any(void.neck for void in particle.voids) and not (particle.nature and particle.nature.shell)
            if not (fate[number, 1] < self.share(self.defects.cracked) and large and whole):
                continue
            own = self.draw("crack", number)
            kind = _CRACKS[int(own.choice(len(_CRACKS), p=[share for _, share in _CRACKS]))][0]
            opening_um = min(own.uniform(0.2, 1.0), 0.15 * particle.envelope.equivalent_diameter_um)
            earlier = [p for n, p in self._around(found, number) if n < number]
            found[number] = cracked(particle, kind, opening_um, earlier, own)
        return found

    def _around(self, particles: list[Particle], number: int) -> list[tuple[int, Particle]]:
        nature = particles[number].nature
        return [(n, particles[n]) for n in (nature.group if nature else ()) if n != number]

    def _neighbours(self, particles: list[Particle], number: int) -> list[Particle]:
        return [particle for _, particle in self._around(particles, number)]

    def _with_voids(
        self, particles: list[Particle], specs: list[ShapeSpec | None], hollow: NDArray[np.bool_]
    ) -> list[Particle]:
        random = self.draw("voids")
        population = self.powder.voids
        if population is None and self.difficulty and self.defects.voids:
            share = min(_MOST, self.defects.voids.voided_fraction * self.difficulty)
            population = replace(self.defects.voids, voided_fraction=share)
        found = list(particles)
        own = [n for n, spec in enumerate(specs) if spec is not None]
        for n in own:
            spec = specs[n]
            if hollow[n] and spec is not None:
                found[n] = _hollow(found[n], spec, self.draw("shell", n))
        own = [n for n in own if not found[n].voids]
        if population is None or not own:
            return found
        diameters_um = np.array([particles[n].envelope.equivalent_diameter_um for n in own])
        counts = population.counts(diameters_um, random)
        hosts = np.repeat(np.arange(len(own)), counts)
        sizes_um = population.diameters(diameters_um[hosts], random)
        for host in np.unique(hosts).tolist():
            number = own[host]
            draw = self.draw("void shape", number)
            around = self._neighbours(particles, number)
            for size_um in sorted(sizes_um[hosts == host].tolist(), reverse=True):
                thin = draw.random() < self.share(self.defects.thin_walls)
                void = _cavity(found[number], size_um, around, draw, thin=thin)
                if void is not None:
                    found[number] = replace(found[number], voids=(*found[number].voids, void))
        return found


def _hollow(particle: Particle, spec: ShapeSpec, draw: np.random.Generator) -> Particle:
    """A shell: the same shape once more inside, a wall of 0.1 um and more between."""
    radius_um = particle.envelope.radius_min_um
    wall_um = math.exp(draw.uniform(math.log(0.1), math.log(max(0.12, 0.25 * radius_um))))
    factor = max(0.3, 1.0 - wall_um / radius_um)
    table = shape_table(spec.scaled(factor))
    while factor > 0.3 and clearance_um(particle.table, table, 0.0, 0, 0.0) < min(_THIN_UM):
        factor *= 0.98
        table = shape_table(spec.scaled(factor))
    inner = measure(table)
    void = _void(particle.centre_um, table, inner)
    nature = particle.nature and replace(particle.nature, shell=True)
    return replace(particle, voids=(void,), nature=nature)


def _void(centre_um: tuple[float, float, float], table: NDArray[np.float32], inner: Measures) -> Void:
    x, y, z = (float(a + b) for a, b in zip(centre_um, inner.centroid_um, strict=True))
    return Void(centre_um, table, inner.volume_um3, inner.surface_area_um2, inner.radius_max_um, centroid_um=(x, y, z))


def _cavity(
    host: Particle, size_um: float, neighbours: list[Particle], draw: np.random.Generator, *, thin: bool
) -> Void | None:
    """A void somewhere in the particle, apart from its others; close to the surface where the wall is to be thin."""
    from simulators.powder import void_shape

    shape = void_shape(size_um, draw)
    inner_limits = (0.5, 0.25)
    for _ in range(8):
        table = shape_table(shape)
        inner = measure(table)
        room_um = host.envelope.radius_min_um - _WALL_UM - inner.radius_max_um
        for _ in range(20 if room_um > 0.0 else 0):
            direction = draw.standard_normal(3)
            direction /= np.linalg.norm(direction)
            offset = direction * room_um * draw.uniform() ** (1.0 / 3.0)
            place = _in_slabs(offset)
            if thin:
                place = _pushed(host, table, place, direction, draw.uniform(*_THIN_UM))
            centre = tuple(float(a + b) for a, b in zip(host.centre_um, place, strict=True))
            x, y, z = centre
            apart = all(math.dist(centre, v.centre_um) > inner.radius_max_um + v.reach_um + 0.1 for v in host.voids)
            if apart and not any(_meets(table, (x, y, z), n) for n in neighbours):
                return _void((x, y, z), table, inner)
        shape = shape.scaled(0.85)
        if shape.radius_um < min(inner_limits):
            return None
    return None


def _in_slabs(offset: NDArray[np.float64]) -> tuple[float, float, float]:
    return float(offset[0]), round(float(offset[1]) / SLAB_UM) * SLAB_UM, float(offset[2])


def _meets(table: NDArray[np.float32], centre: tuple[float, float, float], other: Particle) -> bool:
    dx, dy, dz = np.subtract(other.centre_um, centre).tolist()
    return penetration_um(table, other.table, dx, round(dy / SLAB_UM), dz) > -0.1


def _pushed(
    host: Particle,
    table: NDArray[np.float32],
    place: tuple[float, float, float],
    direction: NDArray[np.float64],
    wall_um: float,
) -> tuple[float, float, float]:
    """As far outwards as the wall allows; where it is by then too thin, the place is the old one."""
    best = place
    for step in np.linspace(0.0, host.envelope.radius_max_um, 40).tolist():
        there = _in_slabs(np.asarray(place) + step * direction)
        if clearance_um(host.table, table, there[0], round(there[1] / SLAB_UM), there[2]) < wall_um:
            break
        best = there
    return best
