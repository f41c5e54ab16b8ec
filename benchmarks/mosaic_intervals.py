"""Whether what is stated of each particle of a mosaic holds: `python -m benchmarks.mosaic_intervals [SEEDS [CASE]]`.

Mosaics of known truth, the cases of `benchmarks.finding` (chords in closed form) on 130 x 160 um, and powders of the
simulator (rough particles with voids). Told is how often the 95 % interval of each quantity holds the truth, of matched
particles that are not cut: those counted with certainty, and the others; how many of the certain ones are none; where a
place is said to be countable; and whether the stated number of particles holds.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks import finding
from benchmarks.powders import MU_PER_UM, Body, Scene
from benchmarks.timing import Row
from simulators.powder import make_specimen
from simulators.render import Grid
from simulators.specimen import SpecimenConfig
from xrm_control.core.clock import stopwatch
from xrm_control.roi.count import Count
from xrm_control.roi.mosaic_map import MosaicMap
from xrm_control.roi.particles2d import SMALLEST_UM, Particle2D, count_particles

SIZE_UM = (130.0, 160.0)
PRESETS = ("nmc811", "nmc622")
_PIXEL_UM, _PHOTONS, _BORDER_UM, _Z = 0.512, 1000.0, 8.0, 1.96
QUANTITIES = ("x", "y", "diameter", "long axis", "short axis", "thickness")


@dataclass(frozen=True)
class Seen:
    """One mosaic: true bodies, those found, how they are matched (found, true), what is said of the whole, seconds."""

    true: tuple[Body, ...]
    found: tuple[Particle2D, ...]
    pairs: tuple[tuple[int, int], ...]
    count: Count
    size_um: tuple[float, float]
    seconds: float


def axes_um(body: Body) -> tuple[float, float, float]:
    """Long and short axis of a body's shadow, and its longest chord along the beam."""
    a, t = math.radians(body.azimuth_deg), math.radians(body.tilt_deg)
    turn = np.array([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]])
    lean = np.array([[math.cos(t), 0, -math.sin(t)], [0, 1, 0], [math.sin(t), 0, math.cos(t)]])
    shape = turn @ lean @ np.diag(np.array(body.semi_um) ** 2) @ (turn @ lean).T
    short, long = np.sqrt(np.linalg.eigvalsh(shape[:2, :2]))
    return 2 * float(long), 2 * float(short), 2 / math.sqrt(float(np.linalg.inv(shape)[2, 2]))


def seen(name: str, seed: int) -> Seen:
    """One mosaic of a case of `benchmarks.finding`, or of a preset of the simulator."""
    if name in PRESETS:
        mosaic, true, mu_per_um, size_um = _simulated(name, seed)
    else:
        scene = case(name, seed)
        mosaic, true, mu_per_um, size_um = scene.mosaic(seed), scene.bodies, MU_PER_UM, scene.size_um
    passed_s = stopwatch()
    found, count = count_particles(mosaic, mu_per_um)
    return Seen(true, found, tuple(finding.pairs(found, true)), count, size_um, passed_s())


def case(name: str, seed: int) -> Scene:
    """The scene of a case, on SIZE_UM."""
    before = finding.SIZE_UM
    try:
        finding.SIZE_UM = SIZE_UM
        return finding.CASES[name](np.random.default_rng(seed))
    finally:
        finding.SIZE_UM = before


def _simulated(preset: str, seed: int) -> tuple[MosaicMap, tuple[Body, ...], float, tuple[float, float]]:
    """A strip of the simulator, as the beam meets it; a rough particle is told by its volume and its middle."""
    specimen = make_specimen(SpecimenConfig(preset=preset, strip_height_um=SIZE_UM[1]), seed)
    columns, rows = (round(side / _PIXEL_UM) for side in SIZE_UM)
    left, top = (-(n - 1) / 2 * _PIXEL_UM for n in (columns, rows))
    fine = 3
    step = _PIXEL_UM / fine
    grid = Grid(columns * fine, rows * fine, step, step, left - step, top - _PIXEL_UM / 2)
    depth = specimen.attenuation((0, 0, 0), 0.0, grid)
    light = np.exp(-depth).reshape(rows, fine, columns, fine).mean(axis=(1, 3))
    image = np.random.default_rng(seed).poisson(_PHOTONS * light) / _PHOTONS
    bodies: list[Body] = []
    for particle in specimen.particles:
        radius = particle.envelope.equivalent_diameter_um / 2
        x, y, _ = particle.centre_um
        if abs(x) < SIZE_UM[0] / 2 + radius and abs(y) < SIZE_UM[1] / 2 + radius:
            bodies.append(Body(float(x), float(y), (radius, radius, radius)))
    return MosaicMap(image.astype(np.float32), _PIXEL_UM, left, top), tuple(bodies), specimen.mu_per_um, SIZE_UM


def z_scores(one: Seen, *, certain: bool) -> NDArray[np.float64]:
    """(n, 6): error over its stated uncertainty of each of QUANTITIES, of matched particles that are not cut."""
    rows: list[list[float]] = []
    for i, j in one.pairs:
        particle, body = one.found[i], one.true[j]
        fit = particle.fit
        if fit is None or particle.touches_edge or fit.certain != certain:
            continue
        long_um, short_um, chord_um = axes_um(body)
        rows.append([
            (particle.x_um - body.x_um) / fit.x_u_um,
            (particle.y_um - body.y_um) / fit.y_u_um,
            (particle.equivalent_diameter_um - body.diameter_um) / fit.diameter_u_um,
            (fit.long_um - long_um) / fit.long_u_um,
            (fit.short_um - short_um) / fit.short_u_um,
            (particle.peak_thickness_um - chord_um) / fit.peak_thickness_u_um,
        ])  # fmt: skip
    return np.array(rows).reshape(-1, len(QUANTITIES))


def false_certainties(one: Seen) -> tuple[int, int]:
    """Of the particles counted with certainty: those that are none, and how many there are."""
    matched = {i for i, _ in one.pairs}
    half = [side / 2 - _BORDER_UM for side in one.size_um]
    certain = [
        i for i, p in enumerate(one.found)
        if p.fit is not None and p.fit.certain and abs(p.x_um) < half[0] and abs(p.y_um) < half[1]
    ]  # fmt: skip
    return sum(i not in matched for i in certain), len(certain)


def true_count(one: Seen) -> int:
    """Particles with their middle in the view, of at least the smallest diameter."""
    half = [side / 2 for side in one.size_um]
    return sum(abs(b.x_um) < half[0] and abs(b.y_um) < half[1] and b.diameter_um >= SMALLEST_UM for b in one.true)


def row(name: str, seeds: Sequence[int]) -> Row:
    """One line of the table."""
    done = [seen(name, seed) for seed in seeds]
    simulated = name in PRESETS
    figures: dict[str, str] = {}
    for title, certain in (("certain", True), ("others", False)):
        z = np.concatenate([z_scores(one, certain=certain) for one in done])
        held = 100 * (np.abs(z) < _Z).mean(axis=0) if len(z) else np.full(len(QUANTITIES), np.nan)
        told = held[:3] if simulated else held
        figures[title] = f"{len(z)}: " + " ".join(f"{value:.0f}" for value in told)
    wrong, certain_ones = np.sum([false_certainties(one) for one in done], axis=0)
    figures["false"] = f"{wrong} of {certain_ones}"
    figures["uncountable %"] = f"{100 * np.mean([one.count.places.uncountable_share for one in done]):.0f}"
    stated = [(one.count.between, true_count(one)) for one in done]
    held = [ends[0] <= true <= ends[1] for ends, true in stated if ends is not None]
    figures["number"] = f"{sum(held)} of {len(held)} stated, {sum(bool(one.count.doubt) for one in done)} doubted"
    return Row(name, f"{len(done)} seeds", float(np.mean([one.seconds for one in done])), figures=figures)


if __name__ == "__main__":
    asked = tuple(sys.argv[2:]) or ("one", "touch", "dense", "prolate", "flakes", "hollow", "layers", "nmc")
    print("held, %, of:", ", ".join(QUANTITIES))
    for name in (name for name in (*finding.CASES, *PRESETS) if name.startswith(asked)):
        one = row(name, range(10, 10 + (int(sys.argv[1]) if len(sys.argv) > 1 else 4)))
        print(f"{one.what:17s} {one.seconds or 0:4.1f} s  {one.told}", flush=True)
