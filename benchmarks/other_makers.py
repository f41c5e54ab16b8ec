"""Specimens of another maker through the doors for files: is each number right, refused, or doubted?

`python -m benchmarks.other_makers [volume|scan [KIND[,KIND ...] [SEED]]]`: convex bodies in closed form
(`convex_bodies`), made apart from the simulator. `volume`: rendered by 27 points a voxel, blurred by 0.8 voxels, with
correlated noise of a twelfth of the contrast. `scan`: 141 views of 128 x 128 pixels as a Data Exchange file, light
averaged over four rays a pixel, blurred by 0.6 pixels, counted photon by photon. For each kind: particles true and
found, and over those that were matched the median error and the share held by the stated 95 % interval of diameter,
volume, area, sphericity and dead volume; then what is doubted. `wrong`: less than 80 % held of one of them, or counts
that differ by more than a tenth, and no doubt.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.convex_bodies import (
    Floats,
    Polyhedron,
    Solid,
    any_turn,
    ball,
    bounds,
    box,
    ellipsoid,
    lengths_within,
    octahedron,
    rod,
    shares,
    volume_of,
    within,
    without,
)

PIXEL_UM, SIDE, VIEWS, MU_PER_UM = 0.5, 128, 141, 0.05
THETA = np.linspace(-90.0, 90.0, VIEWS)
_PHOTONS, _FINE, _BLUR_PX, _BLUR_VOXELS, _SNR = 3000, 2, 0.6, 0.8, 12.0
_LEAST_UM, _WHOLE_UM = 2.0, 31.0
_LEAST_HELD, _COUNTS = 0.8, 0.1
_COLUMNS = {
    "d": "equivalent_diameter_um",
    "V": "volume_um3",
    "S": "surface_area_um2",
    "psi": "sphericity",
    "dead": "dead_volume_percent",
}


@dataclass(frozen=True)
class Particle:
    """One body. voids: what is empty and closed; others: matter within by its attenuation above the body's (1/um), or
    below: cracks are of -mu; area_um2: None where it is not known in closed form."""

    hull: Solid
    mu: float = MU_PER_UM
    voids: tuple[Solid, ...] = ()
    others: tuple[tuple[Solid, float], ...] = ()
    area_um2: float | None = None

    def parts(self) -> Iterator[tuple[Solid, float]]:
        """Solids with what each adds to the attenuation."""
        yield self.hull, self.mu
        yield from ((void, -self.mu) for void in self.voids)
        yield from self.others

    def true(self) -> dict[str, float]:
        """By the names of `_COLUMNS`."""
        volume = volume_of(self.hull)
        found = {"d": (6 * volume / math.pi) ** (1 / 3), "V": volume}
        found["dead"] = 100 * sum(volume_of(void, 60) for void in self.voids) / volume
        if self.area_um2 is not None:
            found |= {"S": self.area_um2, "psi": math.pi ** (1 / 3) * (6 * volume) ** (2 / 3) / self.area_um2}
        return found


Maker = Callable[[Floats, float, np.random.Generator], Particle]


def sphere(middle: Floats, radius: float, random: np.random.Generator, mu: float = MU_PER_UM) -> Particle:
    """Sound."""
    return Particle(ball(middle, radius), mu, area_um2=4 * math.pi * radius**2)


def _inside(middle: Floats, radius: float, hole: float, wall: float, random: np.random.Generator) -> Solid:
    """A ball of radius `hole` behind at least `wall`."""
    way = random.standard_normal(3)
    return ball(middle + way / np.linalg.norm(way) * random.uniform(0, radius - hole - wall), hole)


def voided(middle: Floats, radius: float, random: np.random.Generator) -> Particle:
    """Six of ten with a void behind 1 um and more."""
    one = sphere(middle, radius, random)
    if random.uniform() > 0.6:
        return one
    return Particle(
        one.hull,
        voids=(_inside(middle, radius, random.uniform(1.0, 0.45 * radius), 1.0, random),),
        area_um2=one.area_um2,
    )


def filled(middle: Floats, radius: float, random: np.random.Generator) -> Particle:
    """What would be a void is filled with matter of 0.6 of the attenuation."""
    one = voided(middle, radius, random)
    return Particle(one.hull, others=tuple((void, -0.4 * MU_PER_UM) for void in one.voids), area_um2=one.area_um2)


def at_the_wall(middle: Floats, radius: float, random: np.random.Generator) -> Particle:
    """A bubble behind 0.2 um."""
    hole, way = random.uniform(1.2, 0.4 * radius), random.standard_normal(3)
    void = ball(middle + way / np.linalg.norm(way) * (radius - hole - 0.2), hole)
    return Particle(ball(middle, radius), voids=(void,), area_um2=4 * math.pi * radius**2)


def foam(middle: Floats, radius: float, random: np.random.Generator) -> Particle:
    """Some forty voids of 1 to 1.8 um."""
    placed: list[tuple[Floats, float]] = []
    for _ in range(3000):
        way, hole = random.standard_normal(3), float(random.uniform(0.5, 0.9))
        place = way * (radius - 1.3) * random.uniform() ** (1 / 3) / np.linalg.norm(way)
        if len(placed) < 40 and all(np.linalg.norm(place - other) > hole + size + 0.3 for other, size in placed):
            placed.append((place, hole))
    return Particle(ball(middle, radius), voids=tuple(ball(middle + place, hole) for place, hole in placed))


def cube(middle: Floats, radius: float, random: np.random.Generator) -> Particle:
    """With corners at the radius."""
    half = radius / math.sqrt(3)
    return Particle(box(middle, (half, half, half), any_turn(random)), area_um2=24 * half**2)


def octahedral(middle: Floats, radius: float, random: np.random.Generator) -> Particle:
    """With corners at the radius."""
    return Particle(octahedron(middle, radius, any_turn(random)), area_um2=4 * math.sqrt(3) * radius**2)


def long(middle: Floats, radius: float, random: np.random.Generator) -> Particle:
    """A rod, five to one and thicker."""
    thick = max(radius / 5, 1.2)
    area = 2 * math.pi * thick * (thick + 2 * 0.97 * radius)
    return Particle(rod(middle, thick, 0.97 * radius, any_turn(random)), area_um2=area)


def oblong(middle: Floats, radius: float, random: np.random.Generator) -> Particle:
    """An ellipsoid of 1 to 1/2 to 1/3."""
    return Particle(ellipsoid(middle, (radius, radius / 2, radius / 3), any_turn(random)))


def cup(middle: Floats, radius: float, random: np.random.Generator) -> Particle:
    """With a wide pit."""
    way = random.standard_normal(3)
    return Particle(
        without(ball(middle, radius), ball(middle + 0.9 * radius * way / np.linalg.norm(way), 0.6 * radius))
    )


def cracked(middle: Floats, radius: float, random: np.random.Generator) -> Particle:
    """Six of ten parted by a crack of 0.6 um."""
    if random.uniform() > 0.6:
        return sphere(middle, radius, random)
    way = any_turn(random)[:, 0]
    gap = Polyhedron(middle + 0.2 * radius * way, np.stack([way, -way]), np.full(2, 0.3), 3 * radius)
    crack = within(ball(middle, radius), ((1, (gap,)),))
    return Particle(ball(middle, radius), others=((crack, -MU_PER_UM),), area_um2=4 * math.pi * radius**2)


def shelled(core: float, shell_mu: float, core_mu: float) -> Maker:
    """A core of this share of the radius in a shell of another attenuation (1/um)."""

    def make(middle: Floats, radius: float, random: np.random.Generator) -> Particle:
        inner = ((ball(middle, core * radius), core_mu - shell_mu),)
        return Particle(ball(middle, radius), shell_mu, others=inner, area_um2=4 * math.pi * radius**2)

    return make


def graded(middle: Floats, radius: float, random: np.random.Generator) -> Particle:
    """From 0.4 to 1 of the attenuation, from rim to core."""
    steps = tuple((ball(middle, share * radius), 0.1 * MU_PER_UM) for share in np.linspace(0.4, 0.95, 6))
    return Particle(ball(middle, radius), 0.4 * MU_PER_UM, others=steps, area_um2=4 * math.pi * radius**2)


def included(middle: Floats, radius: float, random: np.random.Generator) -> Particle:
    """Six of ten with something bright within."""
    if random.uniform() > 0.6:
        return sphere(middle, radius, random)
    bright = _inside(middle, 0.6 * radius, random.uniform(0.6, 1.2), 0.0, random)
    return Particle(ball(middle, radius), others=((bright, 3 * MU_PER_UM),), area_um2=4 * math.pi * radius**2)


def two_matters(share: float) -> Maker:
    """Half of them of this share of the attenuation."""
    return lambda middle, radius, random: sphere(
        middle, radius, random, MU_PER_UM * (share if random.uniform() < 0.5 else 1.0)
    )


def thin_shells(middle: Floats, radius: float, random: np.random.Generator) -> Particle:
    """Four of ten are shells of 0.4 um."""
    one = sphere(middle, radius, random)
    hollow = (ball(middle, radius - 0.4),) if random.uniform() < 0.4 else ()
    return Particle(one.hull, voids=hollow, area_um2=one.area_um2)


def contaminated(middle: Floats, radius: float, random: np.random.Generator) -> Particle:
    """The first ones, which are the largest, of five times the attenuation."""
    return sphere(middle, radius, random, MU_PER_UM * (5 if radius > 5.5 else 1))


@dataclass(frozen=True)
class Kind:
    """So many bodies within these radii (um)."""

    make: Maker
    bodies: int = 25
    radii_um: tuple[float, float] = (3.0, 6.0)


KINDS = {
    "spheres": Kind(sphere, 30, (2.0, 5.0)),
    "spheres with voids": Kind(voided, 30),
    "ellipsoids": Kind(oblong, radii_um=(4.0, 8.0)),
    "rods": Kind(long, 20, (5.0, 9.0)),
    "cubes": Kind(cube),
    "octahedra": Kind(octahedral, radii_um=(3.5, 7.0)),
    "cups": Kind(cup, 20, (4.0, 7.0)),
    "through cracks": Kind(cracked, 20, (4.0, 7.0)),
    "bubbles at the wall": Kind(at_the_wall, radii_um=(3.5, 6.0)),
    "foam": Kind(foam, 14, (4.0, 7.0)),
    "filled voids": Kind(filled, 28, (4.0, 7.0)),
    "shell of 0.5 mu": Kind(shelled(0.6, 0.5 * MU_PER_UM, MU_PER_UM), radii_um=(3.5, 6.5)),
    "shell of 0.3 mu": Kind(shelled(0.7, 0.3 * MU_PER_UM, MU_PER_UM), radii_um=(3.5, 6.5)),
    "core of 0.6 mu": Kind(shelled(0.6, MU_PER_UM, 0.6 * MU_PER_UM), radii_um=(3.5, 6.5)),
    "graded": Kind(graded, radii_um=(3.5, 6.5)),
    "bright inclusions": Kind(included, radii_um=(3.0, 6.5)),
    "half of 0.6 mu": Kind(two_matters(0.6), 30),
    "half of 0.4 mu": Kind(two_matters(0.4), 30),
    "half of 0.2 mu": Kind(two_matters(0.2), 30),
    "a few of 5 mu": Kind(contaminated),
    "thin shells among others": Kind(thin_shells, 22),
}


def specimen(kind: Kind, random: np.random.Generator) -> list[Particle]:
    """Bodies that do not touch, in the field."""
    placed: list[tuple[Floats, float]] = []
    for radius in np.sort(random.uniform(*kind.radii_um, kind.bodies))[::-1]:
        for _ in range(4000):
            distance, turn = (28.0 - radius) * math.sqrt(random.uniform()), random.uniform(0, 2 * math.pi)
            place = np.array(
                [distance * math.cos(turn), distance * math.sin(turn), random.uniform(radius - 28, 28 - radius)]
            )
            if all(np.linalg.norm(place - other) > radius + size + 1.2 for other, size in placed):
                placed.append((place, float(radius)))
                break
    return [kind.make(place, radius, random) for place, radius in placed]


def rendered(bodies: Sequence[Particle], random: np.random.Generator) -> NDArray[np.float32]:
    """A volume (z, y, x) in 1/um."""
    from scipy.ndimage import gaussian_filter

    volume = np.zeros((SIDE, SIDE, SIDE))
    for solid, mu in (part for body in bodies for part in body.parts()):
        where, part = shares(solid, (SIDE, SIDE, SIDE), PIXEL_UM)
        volume[where] += mu * part
    noise = gaussian_filter(random.standard_normal(volume.shape), 0.6)
    blurred = gaussian_filter(volume, _BLUR_VOXELS)
    return np.asarray(blurred + MU_PER_UM / _SNR * noise / noise.std(), np.float32)


def scanned(bodies: Sequence[Particle], random: np.random.Generator, path: Path, photons: float = _PHOTONS) -> Path:
    """A Data Exchange file; photons: of the open beam, a pixel and view."""
    import h5py
    from scipy.ndimage import gaussian_filter

    u = (np.arange(SIDE * _FINE) - (SIDE * _FINE - 1) / 2) * PIXEL_UM / _FINE
    parts = [(solid, mu, *bounds(solid)) for body in bodies for solid, mu in body.parts()]
    light = np.empty((VIEWS, SIDE, SIDE))
    for view, theta in enumerate(np.radians(THETA)):
        across, way = np.array([np.cos(theta), np.sin(theta), 0]), np.array([-np.sin(theta), np.cos(theta), 0])
        depth = np.zeros((len(u), len(u)))
        for solid, mu, low, high in parts:
            place, reach = float((low + high) / 2 @ across), float(np.linalg.norm((high - low)[:2])) / 2
            columns, rows = (
                slice(*np.searchsorted(u, ends)) for ends in ((place - reach, place + reach), (low[2], high[2]))
            )
            v, w = np.meshgrid(u[rows], u[columns], indexing="ij")
            points = w.ravel()[:, None] * across + v.ravel()[:, None] * np.array([0, 0, 1.0])
            depth[rows, columns] += mu * lengths_within(solid, points, way).reshape(v.shape)
        light[view] = np.exp(-depth).reshape(SIDE, _FINE, SIDE, _FINE).mean(axis=(1, 3))
    bell = np.cos(np.linspace(-1, 1, SIDE))
    beam = photons * (1 + 0.1 * bell * bell[:, None])
    with h5py.File(path, "w") as file:
        file["exchange/data"] = (
            random.poisson(gaussian_filter(light, (0, _BLUR_PX, _BLUR_PX)) * beam).astype(np.uint16) + 100
        )
        file["exchange/data_white"] = random.poisson(np.broadcast_to(beam, (20, SIDE, SIDE))).astype(np.uint16) + 100
        file["exchange/data_dark"] = np.full((10, SIDE, SIDE), 100, np.uint16) + random.poisson(
            1, (10, SIDE, SIDE)
        ).astype(np.uint16)
        file["exchange/theta"] = THETA
        file["exchange/theta"].attrs["units"] = "deg"
    return path


def told(bodies: Sequence[Particle], found: Any, mirror: int) -> str:
    """A line of the table. mirror: -1 where y runs the other way."""
    true = [(body, body.true()) for body in bodies]
    whole = [row for row in found.particle_rows if not row["touches_boundary"]]
    errors: dict[str, list[tuple[float, float]]] = {name: [] for name in _COLUMNS}
    free, matched = list(whole), 0
    for body, truth in true:
        low, high = bounds(body.hull)
        middle = (low + high) / 2
        distances = [
            np.linalg.norm([row["x_um"] - middle[0], mirror * row["y_um"] - middle[1], row["z_um"] - middle[2]])
            for row in free
        ]
        if not distances or min(distances) > 0.35 * truth["d"]:
            continue
        row, matched = free.pop(int(np.argmin(distances))), matched + 1
        for name, value in truth.items():
            column = _COLUMNS[name]
            if name == "dead" and not value and not row[column]:
                continue
            error, u = row[column] - value, row[f"{column}_u"] or math.nan
            errors[name].append((100 * error / (100 if name == "dead" else value), abs(error) / u if u else math.inf))
    cells, held = [], []
    for name, those in errors.items():
        if not those:
            cells.append("")
            continue
        share = float(np.mean([ratio < 1.96 for _, ratio in those]))
        held.append(share)
        cells.append(f"{np.median([error for error, _ in those]):+.1f}{'' if name == 'dead' else ' %'}; {share:.0%}")
    doubts = [one.split(":")[0] for one in found.results.doubts]
    counted = sum(truth["d"] >= _LEAST_UM for _, truth in true)
    wrong = not doubts and (min(held, default=1.0) < _LEAST_HELD or abs(len(whole) - counted) > _COUNTS * counted)
    return " | ".join(
        (f"{counted} / {len(whole)} / {matched}", *cells, "; ".join(doubts) or ("WRONG" if wrong else ""))
    )


def run(door: str, kind: str, seed: int) -> str:
    """One kind through one door."""
    import xrm_control as xrm

    random = np.random.default_rng([seed, *kind.encode()])
    bodies = specimen(KINDS[kind], random)
    try:
        if door == "volume":
            return told(bodies, xrm.analyze(rendered(bodies, random), voxel_size_um=PIXEL_UM), 1)
        with tempfile.TemporaryDirectory() as folder:
            path = scanned(bodies, random, Path(folder) / "scan.h5")
            return told(bodies, xrm.analyze(xrm.reconstruct(path, pixel_size_um=PIXEL_UM)), -1)
    except xrm.XrmError as error:
        return f"refused: {error.what}"


def main(arguments: Sequence[str]) -> None:
    """Print a line for each kind."""
    door = arguments[0] if arguments else "volume"
    kinds = arguments[1].split(",") if len(arguments) > 1 and arguments[1] != "all" else list(KINDS)
    seed = int(arguments[2]) if len(arguments) > 2 else 1
    print("kind | true / found / matched | " + " | ".join(_COLUMNS) + " | doubted")
    for kind in kinds:
        print(f"{kind} | {run(door, kind, seed)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
