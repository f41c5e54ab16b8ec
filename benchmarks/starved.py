"""Beds that few photons pass: how many sound particles are called voided, and which voids are found?

`python -m benchmarks.starved [SEEDS [CASE [QUANTA]]]`: spheres in closed form, every third with a spherical void, in
one or more layers on a strip that reaches beyond the field, so that edge-on views are nearly dark; counted photon by
photon; made apart from the simulator. Reconstructed and measured as a file is. Of whole particles of 6 um and more:
share of the sound ones that are called voided, with the voids held against the noise of the solid and without, share of
the voids found by size, the limit that the result states, and from which size on nine of ten of the voids that the
analysis puts into the volume by itself are found. Then the share of the rays that were averaged, and of the sound
particles what is measured against the true spheres: volume (median of the deviations, and their standard deviation),
surface area and sphericity, and mu; and the noise of the solid, of mu. QUANTA: on how many a ray is to stand at least,
instead of 8; 0: nothing is averaged.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

PIXEL_UM, COLUMNS, ROWS, VIEWS = 0.512, 128, 112, 141
THETA = np.linspace(-90.0, 90.0, VIEWS)
MU_PER_UM = 0.0458
_FINE = 2
_BLUR_PX = 0.45
SIZES_UM = (1.4, 1.7, 2.0, 2.5, 4.0)


@dataclass(frozen=True)
class Bed:
    """bodies: how many spheres lie on the strip; layer_um: its depth; photons: of the open beam, a pixel a view; glue:
    attenuation of tape and glue face-on."""

    name: str
    bodies: int
    layer_um: float
    photons: float = 1000.0
    glue: float = 0.06


CASES = (
    Bed("one layer", 400, 16),
    Bed("one layer, glue", 400, 16, glue=0.30),
    Bed("one layer, glue, few photons", 400, 16, 400, 0.30),
    Bed("two layers, glue", 900, 32, 1000, 0.30),
    Bed("three layers, glue", 1400, 48, 1000, 0.30),
    Bed("four layers, glue", 1900, 64, 2000, 0.30),
)


@dataclass(frozen=True)
class Outcome:
    """sound, false, false_before: particles; voids: (true diameter, found); limit_um, pod_90_um: as stated; dark: share
    of pixels below 2 %; averaged: of rays; shapes (n, 5): of sound particles, measured over true volume, area,
    sphericity, mu, and noise over mu."""

    transmission: float
    dark: float
    averaged: float
    shapes: NDArray[np.float64]
    sound: int
    false: int
    false_before: int
    voids: tuple[tuple[float, bool], ...]
    limit_um: float
    pod_90_um: float
    doubts: tuple[str, ...]


def bed_of(case: Bed, seed: int) -> NDArray[np.float64]:
    """(n, 8): x across, y along the beam at 0 degrees, z along the axis, radius of the sphere; the same of its void."""
    random = np.random.default_rng([seed, case.bodies])
    found = np.empty((0, 4))
    for _ in range(40 * case.bodies):
        if len(found) == case.bodies:
            break
        radius = float(np.clip(random.lognormal(np.log(4.0), 0.25), 2.5, 7.0))
        depth = max(case.layer_um / 2 - radius, 0.0)
        one = np.array([random.uniform(-150, 150), random.uniform(-depth, depth), random.uniform(-40, 40), radius])
        if not len(found) or bool((np.linalg.norm(found[:, :3] - one[:3], axis=1) > found[:, 3] + radius + 0.3).all()):
            found = np.vstack([found, one])
    voids = np.zeros_like(found)
    for number in range(0, len(found), 3):
        radius = float(random.uniform(0.7, 2.0))
        free = found[number, 3] - radius - 1.0
        if free > 0:
            way = random.standard_normal(3)
            voids[number, :3] = found[number, :3] + way / np.linalg.norm(way) * free * random.uniform() ** (1 / 3)
            voids[number, 3] = radius
    return np.hstack([found, voids])


def views_of(case: Bed, bed: NDArray[np.float64], seed: int) -> NDArray[np.float32]:
    """Transmissions (views, rows, columns)."""
    from scipy import ndimage

    random = np.random.default_rng([seed, 7])
    u = ((np.arange(COLUMNS * _FINE) + 0.5) / _FINE - COLUMNS / 2) * PIXEL_UM
    v = ((np.arange(ROWS * _FINE) + 0.5) / _FINE - ROWS / 2) * PIXEL_UM
    views = np.empty((VIEWS, ROWS, COLUMNS), np.float32)
    for view, theta in enumerate(np.radians(THETA)):
        glue = case.glue * min(1 / max(abs(np.cos(theta)), 1e-9), 320 / 40)
        depth = np.full((len(v), len(u)), glue)
        for body, sign in ((bed[:, :4], 1.0), (bed[:, 4:], -1.0)):
            across = body[:, 0] * np.cos(theta) - body[:, 1] * np.sin(theta)
            for place, height, radius in zip(across, body[:, 2], body[:, 3], strict=True):
                columns = slice(*np.searchsorted(u, (place - radius, place + radius)))
                rows = slice(*np.searchsorted(v, (height - radius, height + radius)))
                squared = radius**2 - (u[columns] - place) ** 2 - (v[rows, None] - height) ** 2
                depth[rows, columns] += sign * 2 * MU_PER_UM * np.sqrt(np.maximum(squared, 0))
        seen = ndimage.gaussian_filter(np.exp(-depth), _BLUR_PX * _FINE)
        seen = seen.reshape(ROWS, _FINE, COLUMNS, _FINE).mean(axis=(1, 3))
        views[view] = random.poisson(seen * case.photons)
    return views


def measured(views: NDArray[np.float32], photons: float, seed: int, quanta: float | None) -> tuple[Any, Any, Any]:
    """The analysis of the scan with its voids held against noise, the one without, and the reconstruction."""
    import xrm_control as xrm
    from xrm_control.analysis import void_significance

    settings = {} if quanta is None else {"preprocess.faint_quanta": quanta}
    flats = np.random.default_rng([seed, 8]).poisson(photons, (10, ROWS, COLUMNS)).astype(np.float32)
    made = xrm.reconstruct(views, theta_deg=THETA, flats=flats, pixel_size_um=PIXEL_UM, overrides=settings)
    with_test = xrm.analyze(made.volume, voxel_size_um=PIXEL_UM)
    least = void_significance.LEAST_SIGNIFICANCE
    try:
        void_significance.LEAST_SIGNIFICANCE = -np.inf
        without = xrm.analyze(made.volume, voxel_size_um=PIXEL_UM)
    finally:
        void_significance.LEAST_SIGNIFICANCE = least
    return with_test, without, made


def run(case: Bed, seed: int, quanta: float | None = None) -> Outcome:
    """One scan of one bed."""
    bed = bed_of(case, seed)
    views = views_of(case, bed, seed)
    with_test, without, made = measured(views, case.photons, seed, quanta)
    field = np.hypot(bed[:, 0], bed[:, 1]) + bed[:, 3] < COLUMNS / 2 * PIXEL_UM - 1
    field &= (np.abs(bed[:, 2]) + bed[:, 3] < ROWS / 2 * PIXEL_UM - 1) & (bed[:, 3] >= 3)
    hollow = bed[:, 7] > 0
    called = [_voided(bed[field & ~hollow], found) for found in (with_test, without)]
    fates = []
    for place, radius in zip(bed[field & hollow, 4:7], bed[field & hollow, 7], strict=True):
        distances = [np.linalg.norm(_place(row) - place) for row in with_test.void_rows]
        fates.append((2 * float(radius), bool(distances) and min(distances) < max(radius, 0.6)))
    mean = float(views.mean()) / case.photons
    dark = float((views < 0.02 * case.photons).mean())
    stated = with_test.results.quality["volume"]
    limits = (stated.void_detection_limit_um or np.nan, stated.void_pod_90_um or np.nan)
    sound = bed[field & ~hollow]
    return Outcome(
        mean,
        dark,
        made.quality.get("averaged_fraction", 0.0),
        _shapes(sound, with_test, made.volume),
        len(sound),
        called[0],
        called[1],
        tuple(fates),
        *limits,
        made.doubts,
    )


def _shapes(sound: NDArray[np.float64], found: Any, volume: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of the particles that are found where the true ones are: see `Outcome.shapes`."""
    places = np.array([_place(row) for row in found.particle_rows])
    grids = [(np.arange(n) - (n - 1) / 2) * PIXEL_UM for n in volume.shape]
    shapes = []
    for x, y, z, radius in sound[:, :4]:
        distances = np.linalg.norm(places - (x, y, z), axis=1)
        row = found.particle_rows[int(distances.argmin())]
        if distances.min() > 1:
            continue
        box = tuple(
            slice(*np.searchsorted(grid, (at - radius, at + radius))) for grid, at in zip(grids, (z, y, x), strict=True)
        )
        across = np.ix_(*(grid[part] - at for grid, part, at in zip(grids, box, (z, y, x), strict=True)))
        inside = volume[box][sum(one**2 for one in across) < (radius - 1.2) ** 2]
        shapes.append(
            (
                row["volume_um3"] / (4 / 3 * np.pi * radius**3),
                row["surface_area_um2"] / (4 * np.pi * radius**2),
                row["sphericity"],
                row["mean_attenuation_per_um"] / MU_PER_UM,
                inside.std() / MU_PER_UM,
            )
        )
    return np.array(shapes)


def _place(row: Any) -> NDArray[np.float64]:
    return np.array([row["x_um"], row["y_um"], row["z_um"]])


def _voided(bodies: NDArray[np.float64], found: Any) -> int:
    voids = [_place(row) for row in found.void_rows]
    return sum(any(np.linalg.norm(void - body[:3]) < body[3] for void in voids) for body in bodies)


def main(arguments: Sequence[str]) -> None:
    """Print a line for each bed."""
    seeds = int(arguments[0]) if arguments else 3
    classes = list(itertools.pairwise(SIZES_UM))
    sizes = " | ".join(f"{low:g} to {high:g} um" for low, high in classes)
    quanta = float(arguments[2]) if len(arguments) > 2 else None
    print(
        f"bed | mean transmission | below 2 % | sound | false | before | {sizes} | limit um | 90 % from um | doubted"
        " | averaged | V | spread of V | area | sphericity | mu | noise of the solid"
    )
    for case in CASES:
        if len(arguments) > 1 and case.name != arguments[1]:
            continue
        runs = [run(case, seed, quanta) for seed in range(seeds)]
        sound = sum(one.sound for one in runs)
        shares = []
        for low, high in classes:
            fates = [found for one in runs for size, found in one.voids if low <= size < high]
            shares.append(f"{sum(fates)} of {len(fates)}")
        volume, area, sphericity, mu, noise = np.median(np.vstack([one.shapes for one in runs]), axis=0) - (
            1,
            1,
            0,
            1,
            0,
        )
        figures = (
            f"{np.mean([one.transmission for one in runs]):.2f}",
            f"{100 * np.mean([one.dark for one in runs]):.1f} %",
            f"{sound}",
            f"{100 * sum(one.false for one in runs) / max(sound, 1):.1f} %",
            f"{100 * sum(one.false_before for one in runs) / max(sound, 1):.1f} %",
            *shares,
            f"{np.median([one.limit_um for one in runs]):.2f}",
            f"{np.median([one.pod_90_um for one in runs]):.2f}",
            f"{sum(bool(one.doubts) for one in runs)} of {seeds}",
            f"{100 * np.mean([one.averaged for one in runs]):.1f} %",
            f"{100 * volume:+.1f} %",
            f"{100 * np.std(np.vstack([one.shapes for one in runs])[:, 0]):.1f} %",
            f"{100 * area:+.1f} %",
            f"{sphericity:.3f}",
            f"{100 * mu:+.1f} %",
            f"{noise:.3f}",
        )
        print(" | ".join((case.name, *figures)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
