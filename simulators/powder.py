"""Makes specimens: powders of `simulators.powders`, listed spheres, or nothing but tape."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from simulators.materials import material
from simulators.measure import measure, mouth_area
from simulators.placement import place
from simulators.populations import VoidPopulation
from simulators.powders import Powder, known, powder
from simulators.seeding import generator
from simulators.shapes import Pit, ShapeSpec, shape_table
from simulators.specimen import Particle, Specimen, SpecimenConfig, Sphere, Void
from simulators.tape import Tape

TAPE_THICKNESS_UM = 25.0
SILICONE_MU_PER_UM = 88e-4  # at 5.4 keV
WALL_UM = 0.4
MOST_LAYERS = 12
MOST_LIGHT_PERCENT = 90
SMALLEST_VOID_RADIUS_UM = 0.25


_OTHERS = ("spheres", "empty")


@lru_cache(maxsize=4)
def make_specimen(config: SpecimenConfig, seed: int) -> Specimen:
    """The specimen of a configuration and seed, the same every time; ValueError for what cannot be made.

    It is only ever looked at, so microscopes share it.
    """
    if config.preset not in known() and config.preset not in _OTHERS:
        raise ValueError(f"unknown preset {config.preset!r}; known: {', '.join((*known(), *_OTHERS))}")
    if not 0.0 <= config.difficulty <= 2.0:
        raise ValueError(f"difficulty must be from 0 to 2, not {config.difficulty}")
    light = config.graphite_weight_percent + config.binder_weight_percent
    if not 1 <= config.layers <= MOST_LAYERS:
        raise ValueError(f"layers must be from 1 to {MOST_LAYERS}, not {config.layers}")
    if min(config.graphite_weight_percent, config.binder_weight_percent) < 0 or light > MOST_LIGHT_PERCENT:
        raise ValueError(f"graphite and binder must be from 0 to {MOST_LIGHT_PERCENT} % together, not {light}")
    if config.spheres and config.preset != "spheres":
        raise ValueError(f"spheres are for the preset 'spheres', not for {config.preset!r}")
    preset = powder(config.preset) if config.preset in known() else None
    substance = material(preset.material if preset else "nmc811")
    tape = adhesive = None
    if config.tape:
        width_um, height_um, glue_um = config.strip_width_um, config.strip_height_um, config.adhesive_um
        tape = Tape(width_um, height_um, TAPE_THICKNESS_UM, material("kapton").mu_per_um, glue_um)
        if glue_um:
            adhesive = Tape(width_um, height_um, glue_um, SILICONE_MU_PER_UM)
    particles = _powder(preset, config, seed) if preset else [_sphere(sphere) for sphere in config.spheres]
    mu_per_um = substance.mu_per_um if config.mu_per_um is None else config.mu_per_um
    among: list[Particle] = []
    if config.has_companions:
        from simulators.companions import companions

        among = companions(particles, substance, config, seed)
    return Specimen(particles, tape, substance, mu_per_um, adhesive, among)


def _sphere(sphere: Sphere) -> Particle:
    if sphere.diameter_um <= 0.0:
        raise ValueError(f"the diameter of a sphere must be positive, not {sphere.diameter_um} um")
    table = shape_table(ShapeSpec(0.5 * sphere.diameter_um))
    return Particle((sphere.x_um, sphere.y_um, sphere.z_um), table, measure(table))


def _powder(preset: Powder, config: SpecimenConfig, seed: int) -> list[Particle]:
    area_um2 = config.strip_width_um * config.strip_height_um
    count = config.particle_count
    if count is None:
        count = round(config.layers * area_um2 / preset.area_per_particle_um2)
    if config.difficulty or not preset.ideal or config.layers > 1 or config.has_companions:
        from simulators.real_powder import real_powder

        return real_powder(preset, config, seed, count)
    sizes_um = preset.sizes.sample(count, generator(seed, f"{config.preset} sizes"))
    purpose = f"{config.preset} shape"
    specs = [_particle_shape(size_um, generator(seed, purpose, n)) for n, size_um in enumerate(sizes_um)]
    tables = [shape_table(spec) for spec in specs]
    measures = [measure(table) for table in tables]
    centres = place(
        np.array([m.radius_max_um for m in measures]),
        np.array([-m.lowest_z_um for m in measures]),
        config.strip_width_um,
        config.strip_height_um,
        generator(seed, f"{config.preset} placement"),
    )
    particles = [
        Particle((float(c[0]), float(c[1]), float(c[2])), table, m)
        for c, table, m in zip(centres, tables, measures, strict=True)
    ]
    if preset.voids:
        particles = _with_voids(particles, specs, preset.voids, seed)
    return [p for p in particles if not math.isnan(p.centre_um[0])]


def _particle_shape(diameter_um: float, random: np.random.Generator) -> ShapeSpec:
    """Slightly non-spherical, rough on the scale of primary particles whatever the size."""
    elongation, skew = random.uniform(0.0, 0.04), random.uniform(-0.015, 0.015)
    return ShapeSpec(0.5 * diameter_um, elongation, skew, 0.5, 0.75, random.standard_normal(13))


def void_shape(diameter_um: float, random: np.random.Generator) -> ShapeSpec:
    """Of a void, irregular: strong low harmonics and bumps about half its size."""
    radius_um = 0.5 * diameter_um
    elongation, skew = random.uniform(0.1, 0.3), random.uniform(-0.12, 0.12)
    return ShapeSpec(radius_um, elongation, skew, 0.3 * radius_um, 0.7 * radius_um, random.standard_normal(13))


def _with_voids(particles: list[Particle], specs: list[ShapeSpec], voids: VoidPopulation, seed: int) -> list[Particle]:
    diameters_um = np.array([p.envelope.equivalent_diameter_um for p in particles])
    random = generator(seed, "voids")
    counts = voids.counts(diameters_um, random)
    hosts = np.repeat(np.arange(len(particles)), counts)
    sizes_um = voids.diameters(diameters_um[hosts], random)
    single = np.flatnonzero(counts == 1)
    opened = set(random.permutation(single)[: round(voids.open_fraction * np.count_nonzero(counts))].tolist())
    filled = list(particles)
    for host in np.unique(hosts).tolist():
        own_um = sizes_um[hosts == host]
        own_random = generator(seed, "void shape", host)
        if host in opened:
            filled[host] = _with_pit(particles[host], specs[host], float(own_um[0]), own_random)
        else:
            filled[host] = _with_closed(particles[host], own_um, own_random)
    return filled


def _with_closed(host: Particle, sizes_um: NDArray[np.float64], random: np.random.Generator) -> Particle:
    """Put cavities inside, apart from each other and WALL_UM (less in tiny particles) below the surface.

    What is too large shrinks.
    """
    made: list[Void] = []
    for size_um in sorted(sizes_um.tolist(), reverse=True):
        shape = void_shape(size_um, random)
        void = _fit(host, shape, made, random)
        while void is None and shape.radius_um > SMALLEST_VOID_RADIUS_UM:
            shape = replace(shape, radius_um=0.9 * shape.radius_um, roughness_um=0.9 * shape.roughness_um)
            void = _fit(host, shape, made, random)
        if void is not None:
            made.append(void)
    return replace(host, voids=tuple(made))


def _fit(host: Particle, shape: ShapeSpec, others: list[Void], random: np.random.Generator) -> Void | None:
    table = shape_table(shape)
    inner = measure(table)
    wall_um = min(WALL_UM, 0.2 * host.envelope.radius_min_um)
    room_um = host.envelope.radius_min_um - wall_um - inner.radius_max_um
    if room_um <= 0.0:
        return None
    for _ in range(100):
        direction = random.standard_normal(3)
        offset = direction / np.linalg.norm(direction) * room_um * random.uniform() ** (1.0 / 3.0)
        x, y, z = (float(c) for c in np.asarray(host.centre_um) + offset)
        if all(math.dist((x, y, z), v.centre_um) > inner.radius_max_um + v.reach_um + wall_um for v in others):
            return Void((x, y, z), table, inner.volume_um3, inner.surface_area_um2, inner.radius_max_um)
    return None


def _with_pit(host: Particle, spec: ShapeSpec, size_um: float, random: np.random.Generator) -> Particle:
    """Open a cone from near the centre to the surface, near the equator so that every slab sees its whole width."""
    azimuth, sine = random.uniform(0.0, 2.0 * math.pi), random.uniform(-0.2, 0.2)
    cosine = math.sqrt(1.0 - sine**2)
    direction = (cosine * math.cos(azimuth), sine, cosine * math.sin(azimuth))
    mouth_um = min(0.3 * size_um + random.uniform(0.0, 0.1), 0.3 * spec.radius_um)
    pit = Pit(direction, mouth_um / spec.radius_um, 0.2 * spec.radius_um)
    table = shape_table(replace(spec, pit=pit))
    pitted = measure(table)
    volume_um3 = host.envelope.volume_um3 - pitted.volume_um3
    mouth_um2 = mouth_area(host.table, table)
    # pit wall = what the pit added to the surface + the mouth it took away; the void is closed by its mouth
    surface_um2 = pitted.surface_area_um2 - host.envelope.surface_area_um2 + 2.0 * mouth_um2
    # centroid of the pit from the first moments of envelope and pitted body
    moment = host.envelope.volume_um3 * np.asarray(host.envelope.centroid_um)
    moment = moment - pitted.volume_um3 * np.asarray(pitted.centroid_um)
    x, y, z = (float(c) for c in np.asarray(host.centre_um) + moment / volume_um3)
    void = Void((x, y, z), None, volume_um3, surface_um2, mouth_um)
    return replace(host, table=table, voids=(void,))
