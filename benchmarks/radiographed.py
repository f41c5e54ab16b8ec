"""Strips of particles of which each void is known, with what a mosaic's radiographs show of them.

Two makers: the simulator, and smooth ellipsoids of closed form with spherical voids (`benchmarks.powders`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.powders import MU_PER_UM, PIXEL_UM, Body, Layer, Scene, apart, sizes
from benchmarks.selection import void_probability
from simulators.powder import make_specimen
from simulators.render import Grid as Sampling
from simulators.specimen import Specimen, SpecimenConfig
from xrm_control.roi.bodies import Bodies, blur_of, number_above, settle, shadow
from xrm_control.roi.mosaic_map import MosaicMap
from xrm_control.roi.particles2d import SMALLEST_UM, Particle2D, count_particles
from xrm_control.roi.resting import Resting
from xrm_control.roi.thickness import thickness_map
from xrm_control.roi.void_scores import void_scores

Floats = NDArray[np.float64]
Points = NDArray[np.floating]

SIZE_UM, LEAST_VOID_UM = (327.68, 524.288), 2.0
_PHOTONS, _BLUR_UM, _FINE = 1000.0, 0.064, 4
_LAW = 400_000


@dataclass(frozen=True)
class Strip:
    """Of m true particles: places (m, 3) and diameters in um, the largest void of each (0: none); what a mosaic shows
    of them; doubt: why that cannot be counted, for which the program would state nothing.
    """

    at_um: Floats
    d_um: Floats
    void_um: Floats
    seen: tuple[Particle2D, ...]
    doubt: str = ""

    @property
    def voided(self) -> NDArray[np.bool_]:
        return self.void_um >= LEAST_VOID_UM


def simulated(difficulty: float, seed: int, *, searched: bool = False) -> Strip:
    """The simulator's nmc622; searched: its particles are found, and not only fitted."""
    specimen = make_specimen(SpecimenConfig("nmc622", difficulty=difficulty), seed)
    truth = specimen.truth()
    at_um = np.array([[p[f"{axis}_um"] for axis in "xyz"] for p in truth["particles"]])
    d_um = np.array([p["equivalent_diameter_um"] for p in truth["particles"]])
    void_um = np.zeros(len(d_um))
    for void in truth["voids"]:
        host = void["particle_id"] - 1
        void_um[host] = max(void_um[host], void["equivalent_diameter_um"])
    mosaic = radiograph(specimen, seed)
    if searched:
        seen, count = count_particles(mosaic, specimen.mu_per_um)
        return Strip(at_um, d_um, void_um, seen, count.doubt)
    return Strip(at_um, d_um, void_um, fitted(mosaic, specimen.mu_per_um, at_um, d_um))


def radiograph(specimen: Specimen, seed: int) -> MosaicMap:
    """The mosaic, without rotation."""
    columns, rows = (round(side / PIXEL_UM) for side in SIZE_UM)
    fine_um = PIXEL_UM / _FINE
    left, top = (-side / 2 for side in SIZE_UM)
    grid = Sampling(columns * _FINE, rows, fine_um, PIXEL_UM, left + fine_um / 2, top)
    passed = np.exp(-specimen.attenuation((0.0, 0.0, 0.0), 0.0, grid)).reshape(rows, columns, _FINE).mean(axis=2)
    passed = ndimage.gaussian_filter(passed, _BLUR_UM / PIXEL_UM)
    image = np.random.default_rng(seed).poisson(passed * _PHOTONS) / _PHOTONS
    return MosaicMap(image.astype(np.float32), PIXEL_UM, left + PIXEL_UM / 2, top + PIXEL_UM / 2)


def other_maker(seed: int) -> Strip:
    """Smooth ellipsoids of closed form with spherical voids, independent draws of a law (`benchmarks.powders`)."""
    random = np.random.default_rng(seed)
    count = round(6.3e-3 * SIZE_UM[0] * SIZE_UM[1])
    drawn = [_ellipsoid(float(d), random) for d in sizes(random, count)]
    bodies = apart(random, SIZE_UM, drawn, resting=True)
    d_um = np.array([body.diameter_um for body in bodies])
    void_um = _voids(d_um, random)
    at_um = np.array([(body.x_um, body.y_um, body.semi_um[2]) for body in bodies])
    room = np.maximum(d_um / 2 - void_um / 2 - 0.6, 0.0) * random.random(len(d_um)) ** (1 / 3)
    aside = random.standard_normal((len(d_um), 3))
    places = at_um + aside / np.linalg.norm(aside, axis=1)[:, None] * room[:, None]
    mosaic = Scene(bodies, SIZE_UM, (_holes(places, void_um),)).mosaic(seed)
    return Strip(at_um, d_um, void_um, fitted(mosaic, MU_PER_UM, at_um, d_um))


def _ellipsoid(d_um: float, random: np.random.Generator) -> Body:
    stretch, flat = np.exp(random.normal(0, 0.03, 2))
    radius = d_um / 2
    return Body(0, 0, (radius * stretch, radius / stretch * flat, radius / flat), random.uniform(0, 180))


def _voids(d_um: Floats, random: np.random.Generator) -> Floats:
    """Diameter of the void of each particle, 0 for none."""
    void_um = np.minimum(random.lognormal(math.log(2.6), 0.3, len(d_um)), 0.5 * d_um)
    return np.where(random.random(len(d_um)) < void_probability(d_um), void_um, 0.0)


def _holes(places_um: Floats, void_um: Floats) -> Layer:
    def layer(x_um: Points, y_um: Points, random: np.random.Generator) -> Points:
        del random
        x, y = np.ravel(x_um), np.ravel(y_um)
        total = np.zeros((len(y), len(x)))
        for (at_x, at_y, _z), d in zip(places_um.tolist(), void_um.tolist(), strict=True):
            if d > 0:
                c, r = (slice(*np.searchsorted(one, (at - d / 2, at + d / 2))) for one, at in ((x, at_x), (y, at_y)))
                square = (d / 2) ** 2 - (x[None, c] - at_x) ** 2 - (y[r, None] - at_y) ** 2
                total[r, c] -= MU_PER_UM * 2 * np.sqrt(np.maximum(square, 0))
        return total

    return layer


def fitted(mosaic: MosaicMap, mu_per_um: float, at_um: Floats, d_um: Floats) -> tuple[Particle2D, ...]:
    """Bodies fitted from their true places, and scored, as `count_particles` does after its search."""
    pixel = mosaic.pixel_size_um
    found = thickness_map(mosaic.image.astype(float), pixel, mu_per_um)
    chords = found.thickness_um / pixel
    spread = 0.05 * ndimage.maximum_filter(ndimage.gaussian_filter(chords, 1.0), size=5)
    weight = 1 / (found.variance_um2 / pixel**2 + 0.25 + spread**2)
    places = (at_um[:, :2] - (mosaic.x0_um, mosaic.y0_um)) / pixel
    shown = (places >= 0).all(axis=1) & (places <= np.array(chords.shape[::-1]) - 1).all(axis=1) & (d_um >= SMALLEST_UM)
    bodies = Bodies.spheres(places[shown, 0], places[shown, 1], d_um[shown] / 2 / pixel)
    left, resting = chords - shadow(bodies, chords.shape, 0.5), Resting(chords.shape)
    for choose in (True, True, False):
        bodies = settle(left, weight, bodies, 0.5, rounds=2, resting=resting, choose=choose)
    left = chords - shadow(bodies, chords.shape, blur_of(chords, weight, bodies))
    above = number_above(bodies, chords.shape)
    scores = void_scores(left, found.variance_um2 / pixel**2, above, bodies, pixel)
    half = (np.array(chords.shape[::-1]) - 1) / 2
    seen: list[Particle2D] = []
    for p, d, chord, radius, score in zip(
        bodies.table, bodies.diameter.tolist(), bodies.chord.tolist(), bodies.radius, scores.tolist(), strict=True
    ):
        cut = bool((np.abs(p[:2] - half) + radius > half).any())
        x, y = mosaic.x0_um + p[0] * pixel, mosaic.y0_um + p[1] * pixel
        judged = None if cut or not math.isfinite(score) else score
        seen.append(Particle2D(float(x), float(y), d * pixel, chord * pixel, cut, judged))
    return tuple(seen)


def law() -> float:
    """The share of voided particles of the other maker's powder."""
    random = np.random.default_rng(0)
    return float((_voids(np.asarray(sizes(random, _LAW), np.float64), random) >= LEAST_VOID_UM).mean())
