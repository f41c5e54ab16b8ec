"""The specimen: a strip of tape with bodies on it, what a beam sees of it, and the truth about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simulators.materials import Material
from simulators.render import BodyStore, Grid, path_length
from simulators.tape import Tape

if TYPE_CHECKING:
    from simulators.cuts import Cut, CutStore
    from simulators.measure import Measures
    from simulators.nature import Nature


@dataclass(frozen=True)
class Sphere:
    """A perfect sphere for tests; centre in the stage frame and diameter, in um."""

    x_um: float
    y_um: float
    z_um: float
    diameter_um: float


@dataclass(frozen=True)
class SpecimenConfig:
    """What is under the microscope.

    preset: a powder of `simulators.powders`, `spheres` (those listed, nothing else) or `empty`; tape: with or without
    the strip; mu_per_um replaces the material's attenuation coefficient; particle_count None means the preset's own
    density; adhesive_um: thickness of the glue on the strip. difficulty: of the powder, 0 ideal, 1 as real ones, up to
    2 worse. layers: how many times what lies in one layer, up to 12. graphite_weight_percent, binder_weight_percent: of
    all that lies on the tape.
    """

    preset: str = "nmc811"
    tape: bool = True
    spheres: tuple[Sphere, ...] = ()
    mu_per_um: float | None = None
    strip_width_um: float = 320.0
    strip_height_um: float = 580.0
    particle_count: int | None = None
    adhesive_um: float = 0.0
    difficulty: float = 0.0
    layers: int = 1
    graphite_weight_percent: float = 0.0
    binder_weight_percent: float = 0.0

    @property
    def has_companions(self) -> bool:
        """Whether anything light lies among the particles."""
        return self.graphite_weight_percent > 0.0 or self.binder_weight_percent > 0.0


@dataclass(frozen=True)
class Void:
    """A cavity, or an open pit (then part of the particle's table); centre in the stage frame, um.

    neck: channel to the surface, counted in volume and surface. centroid_um: where that is not the table's centre.
    """

    centre_um: tuple[float, float, float]
    table: NDArray[np.float32] | None
    volume_um3: float
    surface_area_um2: float
    reach_um: float
    neck: Cut | None = None
    centroid_um: tuple[float, float, float] | None = None

    @property
    def open(self) -> bool:
        """Whether it opens to the surface."""
        return self.table is None or self.neck is not None

    @property
    def equivalent_diameter_um(self) -> float:
        """Diameter of the sphere of the same volume."""
        return float((6.0 * self.volume_um3 / np.pi) ** (1.0 / 3.0))


@dataclass(frozen=True)
class Particle:
    """One particle: its table about centre_um (stage frame), the measures of its envelope without pits, its voids.

    cuts: what its table has too much. nature: what only a real powder has to tell. relative_mu: over the powder's.
    """

    centre_um: tuple[float, float, float]
    table: NDArray[np.float32]
    envelope: Measures
    voids: tuple[Void, ...] = ()
    cuts: tuple[Cut, ...] = ()
    nature: Nature | None = None
    relative_mu: float = 1.0


class Specimen:
    """Particles, what is light among them (companions), and tape, ready to be looked through."""

    def __init__(
        self,
        particles: list[Particle],
        tape: Tape | None,
        material: Material,
        mu_per_um: float,
        adhesive: Tape | None = None,
        companions: Sequence[Particle] = (),
    ) -> None:
        self.particles = particles
        self.companions = tuple(companions)
        self.bodies = [*particles, *companions]
        self.tape = tape
        self.adhesive = adhesive
        self.material = material
        self.mu_per_um = mu_per_um
        closed = [void for particle in particles for void in particle.voids if void.table is not None]
        self._hosts = [n for n, p in enumerate(particles) for void in p.voids if void.table is not None]
        bodies = self.bodies
        tables = [p.table for p in bodies] + [void.table for void in closed if void.table is not None]
        self._cuts = self._cut_store()
        self._bodies = BodyStore.of(
            tables,
            np.array([p.centre_um for p in bodies] + [v.centre_um for v in closed]),
            np.array([p.envelope.radius_max_um for p in bodies] + [v.reach_um for v in closed]),
            np.array([1.0] * len(bodies) + [-1.0] * len(closed)),
        )

    def with_moved(self, moved_um: Mapping[int, NDArray[np.float64]]) -> Specimen:
        """The same with some particles (numbers from 1) elsewhere, voids and all, by (x, y, z)."""
        other = copy(self)
        centre_um = self._bodies.centre_um.copy()
        hosts = [*range(len(self.bodies)), *self._hosts]
        for body, host in enumerate(hosts):
            # What is grown together moves as the first of it that moves.
            nature = self.bodies[host].nature
            moving = [n for n in (nature.group if nature else (host,)) if n + 1 in moved_um]
            if moving:
                centre_um[body] += moved_um[moving[0] + 1]
        other._bodies = replace(self._bodies, centre_um=centre_um)
        return other

    def path_length(self, centre_um: tuple[float, float, float], theta_deg: float, grid: Grid) -> NDArray[np.float32]:
        """Chord lengths through the particles alone, in um; arguments as in `render.path_length`."""
        alone = np.repeat((1.0, 0.0), (len(self.particles), len(self.companions)))
        return self._weighted(alone, centre_um, theta_deg, grid)

    def attenuation(self, centre_um: tuple[float, float, float], theta_deg: float, grid: Grid) -> NDArray[np.float32]:
        """Line integrals of the attenuation coefficient (no unit), shape (rows, columns)."""
        relative = np.array([body.relative_mu for body in self.bodies])
        integral = self._weighted(relative, centre_um, theta_deg, grid)
        integral *= np.float32(self.mu_per_um)
        for layer in (self.tape, self.adhesive):
            if layer:
                integral += np.float32(layer.mu_per_um) * layer.path_length(centre_um, theta_deg, grid)
        return integral

    def _weighted(
        self, weight: NDArray[np.float64], centre_um: tuple[float, float, float], theta_deg: float, grid: Grid
    ) -> NDArray[np.float32]:
        """Chord lengths, those of each body times its weight."""
        bodies = self._bodies
        if np.any(weight != 1.0):
            bodies = replace(bodies, sign=bodies.sign * weight[[*range(len(self.bodies)), *self._hosts]])
        found = path_length(bodies, centre_um, theta_deg, grid)
        if self._cuts is not None:
            from simulators.cuts import take_away

            take_away(found, self._cuts, bodies, weight, centre_um, theta_deg, grid)
        return found

    def _cut_store(self) -> CutStore | None:
        """What is missing from the particles; None where nothing is."""
        cuts = [(n, cut) for n, p in enumerate(self.bodies) for cut in p.cuts]
        cuts += [(n, v.neck) for n, p in enumerate(self.particles) for v in p.voids if v.neck is not None]
        if not cuts:
            return None
        from simulators.cuts import CutStore

        return CutStore.of(cuts)

    def truth(self) -> dict[str, Any]:
        """Material, tape, particles and voids as JSON-able values (lengths in um, stage frame).

        volume_um3 of a particle is its envelope: solid plus all voids; solid_volume_um3 is what attenuates.
        """
        particles: list[dict[str, Any]] = []
        voids: list[dict[str, Any]] = []
        for number, particle in enumerate(self.particles, start=1):
            own = [self._void(void, len(voids) + n, number) for n, void in enumerate(particle.voids, start=1)]
            voids += own
            particles.append(_particle(particle, number, own))
        if any(particle.nature for particle in self.particles):
            from simulators.nature import told

            told(self, particles, voids)
        m, tape = self.material, self.tape
        light: dict[str, Any] = {}
        if self.companions:
            from simulators.companions import told as told_of_companions

            light["companions"] = told_of_companions(self.companions, self.mu_per_um)
        return {
            "material": {
                "formula": m.formula,
                "density_g_cm3": m.density_g_cm3,
                "energy_kev": m.energy_kev,
                "mu_per_um": self.mu_per_um,
            },
            "tape": None
            if tape is None
            else {
                "width_um": tape.width_um,
                "height_um": tape.height_um,
                "thickness_um": tape.thickness_um,
                "surface_z_um": 0.0,
                "mu_per_um": tape.mu_per_um,
            },
            "particles": particles,
            "voids": voids,
            **light,
        }

    @staticmethod
    def _void(void: Void, number: int, particle_number: int) -> dict[str, Any]:
        x, y, z = void.centroid_um or void.centre_um
        return {
            "id": number,
            "particle_id": particle_number,
            "x_um": x,
            "y_um": y,
            "z_um": z,
            "volume_um3": void.volume_um3,
            "surface_area_um2": void.surface_area_um2,
            "equivalent_diameter_um": void.equivalent_diameter_um,
            "open": void.open,
        }


def _particle(particle: Particle, number: int, voids: list[dict[str, Any]]) -> dict[str, Any]:
    e = particle.envelope
    x, y, z = (float(c + d) for c, d in zip(particle.centre_um, e.centroid_um, strict=True))
    return {
        "id": number,
        "x_um": x,
        "y_um": y,
        "z_um": z,
        "volume_um3": e.volume_um3,
        "solid_volume_um3": e.volume_um3 - sum(void["volume_um3"] for void in voids),
        "surface_area_um2": e.surface_area_um2,
        "equivalent_diameter_um": e.equivalent_diameter_um,
        "radius_min_um": e.radius_min_um,
        "radius_max_um": e.radius_max_um,
        "void_ids": [void["id"] for void in voids],
    }
