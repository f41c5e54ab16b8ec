"""What lies among the particles and hardly attenuates: flakes of graphite, clots of binder on the particles."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from simulators.bed import pile
from simulators.groups import Body, Group
from simulators.habits import shape_of
from simulators.materials import Material, material
from simulators.measure import measure
from simulators.nature import Nature
from simulators.populations import LogNormal
from simulators.powders.base import Habit, Powder
from simulators.seeding import generator
from simulators.shapes import shape_table
from simulators.specimen import Particle, SpecimenConfig
from simulators.wounds import joined

_MOST = 20000
_SUNK = (0.05, 0.4)
_LEAST_LEFT = 0.2


@dataclass(frozen=True)
class Companion:
    """A light substance: its material, sizes, habit; clinging: on the surface of particles, else beside them."""

    material: str
    sizes: LogNormal
    habit: Habit
    clinging: bool


GRAPHITE = Companion("graphite", LogNormal(6.0, 0.45, 2.0, 20.0), "plate", clinging=False)
BINDER = Companion("binder", LogNormal(2.4, 0.4, 0.8, 6.0), "fragment", clinging=True)


def companions(particles: list[Particle], heavy: Material, config: SpecimenConfig, seed: int) -> list[Particle]:
    """Bodies that make the configured share of all weight, with what they would have in common with others taken away;
    their attenuation relative to that of the powder. Where there is no room, fewer.
    """
    shares = {GRAPHITE: config.graphite_weight_percent, BINDER: config.binder_weight_percent}
    heavy_share = 100.0 - sum(shares.values())
    solid_um3 = sum(p.envelope.volume_um3 - sum(v.volume_um3 for v in p.voids) for p in particles)
    mu_per_um = heavy.mu_per_um if config.mu_per_um is None else config.mu_per_um
    found: list[Particle] = []
    for kind, share in shares.items():
        own = material(kind.material)
        wanted_um3 = solid_um3 * heavy.density_g_cm3 / own.density_g_cm3 * share / heavy_share
        bodies = _bodies(kind, own.mu_per_um / mu_per_um, generator(seed, f"{config.preset} {kind.material}"))
        lay = _clung if kind.clinging else _fallen
        draw = generator(seed, f"{config.preset} {kind.material} places")
        found += lay(bodies, wanted_um3, [*particles, *found], config, draw)
    return found


def told(bodies: Sequence[Particle], mu_per_um: float) -> list[dict[str, Any]]:
    """Of the light bodies as JSON-able values: lengths in um, stage frame."""
    records: list[dict[str, Any]] = []
    for number, body in enumerate(bodies, start=1):
        e = body.envelope
        x, y, z = (float(c + d) for c, d in zip(body.centre_um, e.centroid_um, strict=True))
        records.append(
            {
                "id": number,
                "material": body.nature.habit if body.nature else "",
                "x_um": x,
                "y_um": y,
                "z_um": z,
                "volume_um3": e.volume_um3,
                "equivalent_diameter_um": e.equivalent_diameter_um,
                "mu_per_um": mu_per_um * body.relative_mu,
            }
        )
    return records


def _bodies(kind: Companion, relative_mu: float, random: np.random.Generator) -> Iterator[Particle]:
    """One after the other, none of them laid yet."""
    shapeless = Powder(kind.material, kind.sizes, math.inf)
    for _ in range(_MOST):
        size_um = float(kind.sizes.sample(1, random, stratified=False)[0])
        table = shape_table(shape_of(kind.habit, shapeless, 0.0, size_um, random))
        yield Particle(
            (0.0, 0.0, 0.0), table, measure(table), nature=Nature(kind.material, ()), relative_mu=relative_mu
        )


def _enough(laid_um3: float, more_um3: float, wanted_um3: float) -> bool:
    """Whether another body would lead farther from what is wanted."""
    return laid_um3 + 0.5 * more_um3 > wanted_um3


def _fallen(
    bodies: Iterator[Particle],
    wanted_um3: float,
    around: list[Particle],
    config: SpecimenConfig,
    random: np.random.Generator,
) -> list[Particle]:
    """From above onto what lies there, touching by enclosing spheres."""
    made: list[Particle] = []
    laid_um3 = 0.0
    for body in bodies:
        if _enough(laid_um3, body.envelope.volume_um3, wanted_um3):
            break
        made.append(body)
        laid_um3 += body.envelope.volume_um3
    groups = [Group([Body(n, p.table, p.envelope)], [(0.0, 0.0, 0.0)]) for n, p in enumerate(made)]
    below = np.array([(*p.centre_um, p.envelope.radius_max_um) for p in around]).reshape(-1, 4)
    places = pile(groups, config.strip_width_um, config.strip_height_um, random, below)
    return [replace(p, centre_um=place) for p, place in zip(made, places, strict=True) if place is not None]


def _clung(
    bodies: Iterator[Particle],
    wanted_um3: float,
    around: list[Particle],
    config: SpecimenConfig,
    random: np.random.Generator,
) -> list[Particle]:
    """Each on a particle of its own choice, sunk into it, without what would be inside of that or of others."""
    centres = np.full((len(around) + _MOST, 3), np.inf)
    reach_um = np.zeros(len(centres))
    for n, one in enumerate(around):
        centres[n], reach_um[n] = one.centre_um, one.envelope.radius_max_um
    there = list(around)
    found: list[Particle] = []
    # A surface takes as much as it is large.
    weights = reach_um[: len(around)] ** 2 / (reach_um**2).sum()
    laid_um3 = 0.0
    for body in bodies if around else ():
        host = around[int(random.choice(len(around), p=weights))]
        group = Group([Body(0, host.table, host.envelope)], [(0.0, 0.0, 0.0)])
        own = body.envelope
        if _enough(laid_um3, own.volume_um3, wanted_um3):
            break
        sunk_um = random.uniform(*_SUNK) * own.equivalent_diameter_um
        if not group.attach(Body(1, body.table, own), 0, sunk_um, random):
            continue
        x, y, z = (float(a + b) for a, b in zip(host.centre_um, group.places_um[1], strict=True))
        # Nothing hangs into the tape, or over its edges.
        if z + own.lowest_z_um < 0.0 or abs(x) > 0.5 * config.strip_width_um or abs(y) > 0.5 * config.strip_height_um:
            continue
        near = np.flatnonzero(((centres - (x, y, z)) ** 2).sum(axis=1) < (reach_um + own.radius_max_um) ** 2).tolist()
        laid = joined(replace(body, centre_um=(x, y, z)), [(n, there[n]) for n in near])
        if laid.envelope.volume_um3 > _LEAST_LEFT * own.volume_um3:
            found.append(replace(laid, nature=body.nature))
            centres[len(there)], reach_um[len(there)] = laid.centre_um, own.radius_max_um
            there.append(laid)
            laid_um3 += laid.envelope.volume_um3
    return found
