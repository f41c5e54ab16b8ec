"""The scenes of `benchmarks.powders` as the simulator renders them, and flaws of the tape drawn by another hand.

Each body keeps its place and its axes and becomes one of the simulator's: rough on the scale of primary particles, its
surface a table of slabs, seen through a lens whose scintillator spreads some of the light. What is asked of the finder
on smooth bodies is so asked again on bodies that no closed form describes. The flaws share no form with those of
`benchmarks.powders`: bubbles of any outline with a flat floor, folds that begin and end, fibres of uneven thickness,
grains of dirt.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.powders import MU_PER_UM, PHOTONS, PIXEL_UM, TAPE, Body, Layer, Scene
from simulators.materials import material
from simulators.measure import measure
from simulators.render import Grid
from simulators.shapes import ShapeSpec, shape_table
from simulators.specimen import Particle, Specimen, Void
from simulators.stray import spread
from xrm_control.roi.mosaic_map import MosaicMap

_FINE, _BLUR_UM = 3, 0.25
_ROUGH_UM, _CELL_UM = 0.5, 0.75
_SPREAD, _SPREAD_UM, _STRAY = 0.02, 10.0, 0.005
"""Light that the scintillator carries away and how far, and that lies evenly over all: `simulators.realism`'s lab."""

Points = NDArray[np.floating]


def rough_mosaic(scene: Scene, seed: int) -> tuple[MosaicMap, tuple[Body, ...]]:
    """What is seen of the scene's bodies made rough, with its layers; and these, each told by its volume and middle."""
    random = np.random.default_rng([seed, 4])
    made = [_particle(body, random) for body in scene.bodies]
    columns, rows = (round(side / PIXEL_UM) for side in scene.size_um)
    step = PIXEL_UM / _FINE
    x, y = ((np.arange(n * _FINE) - (n * _FINE - 1) / 2) * step for n in (columns, rows))
    depth = np.full((rows * _FINE, columns * _FINE), TAPE)
    if made:
        specimen = Specimen(made, None, material("nmc811"), MU_PER_UM)
        grid = Grid(columns * _FINE, rows * _FINE, step, step, float(x[0]), float(y[0]) - step / 2)
        depth += specimen.attenuation((0.0, 0.0, 0.0), 0.0, grid)
    for layer in scene.layers:
        depth += layer(x[None, :], y[:, None], random)
    light = np.exp(-depth).reshape(rows, _FINE, columns, _FINE).mean(axis=(1, 3))
    light = ndimage.gaussian_filter(light, _BLUR_UM / PIXEL_UM)
    light = spread(light, PIXEL_UM, _SPREAD, _SPREAD_UM) * (1 - _STRAY) + _STRAY
    image = random.poisson(light * PHOTONS) / PHOTONS
    left, top = (-(n - 1) / 2 * PIXEL_UM for n in (columns, rows))
    return MosaicMap(image.astype(np.float32), PIXEL_UM, left, top), tuple(_told(one) for one in made)


def _particle(body: Body, random: np.random.Generator) -> Particle:
    """The same ellipsoid or shell with a rough surface, outside and inside."""
    a, t = math.radians(body.azimuth_deg), math.radians(body.tilt_deg)
    turn = np.array([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]])
    lean = np.array([[math.cos(t), 0, -math.sin(t)], [0, 1, 0], [math.sin(t), 0, math.cos(t)]])
    radius_um = body.diameter_um / 2
    long, short, high = (semi / radius_um for semi in body.semi_um)
    drawn = np.concatenate(((turn @ lean).ravel(), random.standard_normal(4)))
    rough_um = _ROUGH_UM * min(1.0, 2 * min(body.semi_um) / 5.0)
    spec = ShapeSpec(
        radius_um, roughness_um=rough_um, cell_um=_CELL_UM, random=drawn, semi=(long, short, high)
    )  # fmt: skip
    table = shape_table(spec)
    centre_um = (body.x_um, body.y_um, body.semi_um[2])
    voids: tuple[Void, ...] = ()
    if body.hollow:
        inner = shape_table(spec.scaled(body.hollow))
        m = measure(inner)
        voids = (Void(centre_um, inner, m.volume_um3, m.surface_area_um2, m.radius_max_um),)
    return Particle(centre_um, table, measure(table), voids)


def _told(particle: Particle) -> Body:
    x_um, y_um = (particle.centre_um[k] + particle.envelope.centroid_um[k] for k in (0, 1))
    radius_um = particle.envelope.equivalent_diameter_um / 2
    return Body(float(x_um), float(y_um), (radius_um, radius_um, radius_um))


def odd_bubbles(count: int, depth: float = 0.1) -> Layer:
    """Air beneath the tape: any outline, a flat floor, a meniscus of uneven height about it."""

    def layer(x_um: Points, y_um: Points, random: np.random.Generator) -> Points:
        total = np.zeros(np.broadcast_shapes(x_um.shape, y_um.shape))
        for _ in range(count):
            x, y = (random.uniform(-0.5, 0.5) * np.ptp(at) for at in (x_um, y_um))
            radius, shelf = random.uniform(5, 22), random.uniform(1.0, 3.0)
            turns, parts = random.uniform(0, 2 * np.pi, 4), random.normal(0, 0.12, 4) / np.arange(1, 5)
            angle = np.arctan2(y_um - y, x_um - x)
            outline = 1.0 + sum(
                p * np.cos((k + 2) * angle + t) for k, (p, t) in enumerate(zip(parts, turns, strict=True))
            )
            beyond = np.hypot(x_um - x, y_um - y) - radius * outline
            total -= depth / (1 + np.exp(np.clip(4 * beyond / shelf, -50, 50)))
            uneven = 0.5 + 0.3 * np.cos(random.integers(1, 4) * angle + turns[0])
            total += depth * uneven * np.exp(-0.5 * ((beyond - shelf / 2) / (0.6 * shelf)) ** 2)
        return total

    return layer


def folds(count: int, depth: float = 0.15) -> Layer:
    """Folds of the tape: arcs that begin and end, steep on one side, their height uneven along them."""

    def layer(x_um: Points, y_um: Points, random: np.random.Generator) -> Points:
        total = np.zeros(np.broadcast_shapes(x_um.shape, y_um.shape))
        for _ in range(count):
            radius, length = random.uniform(60, 400), random.uniform(50, 160)
            towards = random.uniform(0, 2 * np.pi)
            x, y = (random.uniform(-0.45, 0.45) * np.ptp(at) for at in (x_um, y_um))
            dx, dy = x_um - x + radius * np.cos(towards), y_um - y + radius * np.sin(towards)
            across = np.hypot(dx, dy) - radius
            off = (np.arctan2(dy, dx) - towards + np.pi) % (2 * np.pi) - np.pi
            along = off * radius
            width = random.uniform(1.2, 3.0)
            side = np.where(across > 0, width, 1.8 * width)
            ends = 1 / (1 + np.exp(np.clip((np.abs(along) - length / 2) / 3.0, -50, 50)))
            uneven = 1 + 0.25 * np.sin(along / random.uniform(12, 30) + random.uniform(0, 6))
            total += depth * uneven * ends * np.exp(-0.5 * (across / side) ** 2)
        return total

    return layer


def fibres(count: int, depth: float = 0.09) -> Layer:
    """Fibres: round in cut, bent like a spring, thinner and thicker along their way."""

    def layer(x_um: Points, y_um: Points, random: np.random.Generator) -> Points:
        total = np.zeros(np.broadcast_shapes(x_um.shape, y_um.shape))
        reach = 0.6 * max(np.ptp(x_um), np.ptp(y_um))
        for _ in range(count):
            angle, aside = random.uniform(0, np.pi), random.uniform(-0.35, 0.35) * np.ptp(x_um)
            along = x_um * np.cos(angle) + y_um * np.sin(angle)
            across = -x_um * np.sin(angle) + y_um * np.cos(angle) - aside
            sway, step = random.uniform(2, 10), random.uniform(15, 60)
            middle = sway * np.sin(along / step + random.uniform(0, 6))
            slope = sway / step * np.cos(along / step)
            half = random.uniform(1.0, 2.5) * (1 + 0.2 * np.sin(along / random.uniform(7, 20)))
            cut = np.clip(1 - ((across - middle) / np.sqrt(1 + slope**2) / half) ** 2, 0, None)
            total += depth * np.sqrt(cut) * (np.abs(along) < reach)
        return total

    return layer
