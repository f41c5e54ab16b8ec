"""Mosaics of spheres whose transmission is known in closed form (chord of a sphere, 6 x 6 points in a pixel)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xrm_control.roi.mosaic_map import MosaicMap

MU = 0.0458
PIXEL_UM = 0.512


def mosaic_of(
    spheres: Sequence[tuple[float, float, float]],
    width_um: float,
    height_um: float,
    *,
    pixel_um: float = PIXEL_UM,
    noise: float = 0.0,
    seed: int = 0,
    tape: float = 0.14,
) -> MosaicMap:
    """spheres: x, y, diameter in um, origin in the middle of the mosaic; noise: relative, in the open beam."""
    rows, columns = round(height_um / pixel_um), round(width_um / pixel_um)
    x0, y0 = -(columns - 1) / 2 * pixel_um, -(rows - 1) / 2 * pixel_um
    chord = np.zeros((rows, columns))
    points = (np.arange(6) + 0.5) / 6 - 0.5
    for x, y, d in spheres:
        c = [int(np.clip((x + s * d / 2 - x0) / pixel_um + s * 2, 0, columns)) for s in (-1, 1)]
        r = [int(np.clip((y + s * d / 2 - y0) / pixel_um + s * 2, 0, rows)) for s in (-1, 1)]
        px = x0 + np.arange(c[0], c[1])[None, :] * pixel_um - x
        py = y0 + np.arange(r[0], r[1])[:, None] * pixel_um - y
        part = np.zeros((r[1] - r[0], c[1] - c[0]))
        for dx in points * pixel_um:
            for dy in points * pixel_um:
                part += 2 * np.sqrt(np.maximum(d * d / 4 - (px + dx) ** 2 - (py + dy) ** 2, 0)) / 36
        chord[r[0] : r[1], c[0] : c[1]] += part
    image = np.exp(-MU * chord - tape)
    if noise:
        photons = noise**-2
        image = np.random.default_rng(seed).poisson(image * photons) / photons
    return MosaicMap(image.astype(np.float32), pixel_um, x0, y0)


def powder(
    width_um: float, height_um: float, count: int, seed: int, *, median_um: float = 9.0
) -> list[tuple[float, float, float]]:
    """Spheres resting on a plane without overlap in space: two touch where their centres are sqrt(d1 d2) apart."""
    random = np.random.default_rng(seed)
    diameters = np.sort(np.clip(random.lognormal(np.log(median_um), 0.45, count), 5, 30))[::-1]
    placed: list[tuple[float, float, float]] = []
    for d in diameters:
        for _ in range(500):
            x = random.uniform(-width_um / 2, width_um / 2)
            y = random.uniform(-height_um / 2, height_um / 2)
            if all((x - a) ** 2 + (y - b) ** 2 >= 1.02 * d * e for a, b, e in placed):
                placed.append((x, y, float(d)))
                break
    return placed
