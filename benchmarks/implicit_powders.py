"""Powders of bodies that no closed form of `convex_bodies` describes: thin, rough, necked, porous; made apart from it.

`python -m benchmarks.implicit_powders [SEEDS]`: a body is a function that is negative within; 4 x 4 x 4 points a voxel
tell shares and true volumes, a mesh on these points its area. Volumes of 128 voxels of 0.5 um: `clean` (SNR 20, blur
0.6 voxels) and `lab` (SNR 9, blur and correlation of noise 0.9 voxels, arcs of rings of 5 % and streaks of 8 % of the
contrast). For each kind: bodies true and found, how many are in several parts, medians of the errors and shares held
by the stated 95 % intervals of volume, area, sphericity and dead volume (points), and what is doubted.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float64]
Implicit = Callable[[Floats], Floats]
VOXEL_UM, SIDE, MU_PER_UM, _FINE, _PAD_UM = 0.5, 128, 0.05, 4, 1.0
_COLUMNS = {"V": "volume_um3", "S": "surface_area_um2", "psi": "sphericity", "dead": "dead_volume_percent"}


@dataclass(frozen=True)
class Body:
    """envelope: of points (..., 3) = (x, y, z) about its middle; reach: of all of it; voids: what is empty within."""

    envelope: Implicit
    reach: float
    voids: tuple[Implicit, ...] = ()


def _any_way(random: np.random.Generator) -> Floats:
    way = random.standard_normal(3)
    return way / np.linalg.norm(way)


def _ball(radius: float, middle: Floats | float = 0.0) -> Implicit:
    return lambda p: np.sqrt(((p - middle) ** 2).sum(-1)) - radius


def rod(radius: float, random: np.random.Generator) -> Body:
    """Four times as long as thick, with flat or round ends."""
    way, thick, flat = _any_way(random), radius / 4, random.uniform() < 0.5

    def envelope(p: Floats) -> Floats:
        along = abs(p @ way)
        across = np.sqrt(np.maximum((p * p).sum(-1) - along**2, 0))
        if flat:
            return np.maximum(across - thick, along - radius)
        return np.hypot(across, np.maximum(along - radius + thick, 0)) - thick

    return Body(envelope, math.hypot(radius, thick))


def plate(radius: float, random: np.random.Generator) -> Body:
    """A disc four times as wide as thick."""
    way = _any_way(random)
    return Body(
        lambda p: np.maximum(
            np.sqrt(np.maximum((p * p).sum(-1) - (p @ way) ** 2, 0)) - radius, abs(p @ way) - radius / 4
        ),
        math.hypot(radius, radius / 4),
    )


def shard(radius: float, random: np.random.Generator) -> Body:
    """What 14 planes in any direction and a cube leave."""
    ways = np.vstack([*(_any_way(random) for _ in range(14)), np.eye(3), -np.eye(3)])
    away = np.append(random.uniform(0.62, 0.85, 14), random.uniform(0.8, 0.95, 6)) * radius
    return Body(lambda p: (p @ ways.T - away).max(-1), 1.65 * radius)


def rough(radius: float, random: np.random.Generator) -> Body:
    """A ball whose surface a random field moves by 0.35 um, over 1.2 um."""
    side, points = 2 * (radius + 1.5), 48
    k = 2 * math.pi * np.fft.fftfreq(points, side / points)
    bell = np.exp(-(k[:, None, None] ** 2 + k[:, None] ** 2 + k**2) * 1.2**2 / 4)
    field = np.fft.ifftn(np.fft.fftn(random.standard_normal((points,) * 3)) * bell).real
    field *= 0.35 / field.std()

    def envelope(p: Floats) -> Floats:
        at = np.moveaxis((p / side + 0.5) * points, -1, 0)
        return _ball(radius)(p) - ndimage.map_coordinates(field, at, order=3, mode="grid-wrap")

    return Body(envelope, radius + 1.4)


def voided(radius: float, random: np.random.Generator, wall: tuple[float, float] = (1.0, 3.0)) -> Body:
    """A ball with a round void behind a wall of 1 to 3 um."""
    hole = random.uniform(0.85, max(0.9, 0.4 * radius))
    middle = _any_way(random) * max(radius - hole - random.uniform(*wall), 0)
    return Body(_ball(radius), radius, (_ball(hole, middle),))


def lidded(radius: float, random: np.random.Generator) -> Body:
    """The wall is 0.1 to 0.7 um."""
    return voided(radius, random, (0.1, 0.7))


def bottle(radius: float, random: np.random.Generator) -> Body:
    """A round pore with a mouth of 0.2 to 0.6 of its width: open, and no dead volume."""
    hole, way = random.uniform(0.9, 0.35 * radius), _any_way(random)
    mouth, depth = random.uniform(0.2, 0.6) * hole, radius - hole - 0.6

    def envelope(p: Floats) -> Floats:
        along = p @ way
        tube = np.maximum(np.sqrt(np.maximum((p * p).sum(-1) - along**2, 0)) - mouth, depth - along)
        return np.maximum(_ball(radius)(p), -np.minimum(_ball(hole, way * depth)(p), tube))

    return Body(envelope, radius)


KINDS: dict[str, tuple[Callable[[float, np.random.Generator], Body], int, float, float]] = {
    "rods": (rod, 22, 4, 8),
    "plates": (plate, 22, 4, 7.5),
    "shards": (shard, 28, 3, 6),
    "small shards": (shard, 60, 1.6, 3),
    "rough": (rough, 20, 3, 6),
    "voided": (voided, 25, 3, 6),
    "lidded": (lidded, 25, 3, 6),
    "bottles": (bottle, 25, 3, 6),
}


def specimen(kind: str, random: np.random.Generator) -> list[tuple[Body, Floats]]:
    """Bodies 1.2 um and more apart, with their middles in um."""
    make, count, least, most = KINDS[kind]
    placed: list[tuple[Body, Floats]] = []
    for body in sorted((make(r, random) for r in random.uniform(least, most, count)), key=lambda one: -one.reach):
        room = 28.0 - body.reach
        for _ in range(3000):
            out, turn = room * math.sqrt(random.uniform()), random.uniform(0, 2 * math.pi)
            at = np.array([out * math.cos(turn), out * math.sin(turn), random.uniform(-room, room)])
            if all(np.linalg.norm(at - other) > body.reach + one.reach + 1.2 for one, other in placed):
                placed.append((body, at))
                break
    return placed


def rendered(bodies: Sequence[tuple[Body, Floats]]) -> tuple[Floats, NDArray[np.int32], list[dict[str, float]]]:
    """Shares (z, y, x), the number of the body of each voxel, and the truth by the names of `_COLUMNS`."""
    from skimage.measure import marching_cubes, mesh_surface_area

    grey, labels, truths, step = np.zeros((SIDE,) * 3), np.zeros((SIDE,) * 3, np.int32), [], VOXEL_UM / _FINE
    for number, (body, middle) in enumerate(bodies, 1):
        low = np.floor((middle - body.reach - _PAD_UM) / VOXEL_UM + SIDE / 2).astype(int)
        high = np.ceil((middle + body.reach + _PAD_UM) / VOXEL_UM + SIDE / 2).astype(int)
        x, y, z = (
            (np.arange(a * _FINE, b * _FINE) + 0.5) * step - SIDE / 2 * VOXEL_UM - m
            for a, b, m in zip(low, high, middle, strict=True)
        )
        points = np.stack(np.meshgrid(z, y, x, indexing="ij")[::-1], -1)
        value = body.envelope(points)
        own, empty = value < 0, np.zeros(value.shape, bool)
        for void in body.voids:
            empty |= void(points) < 0
        volume = np.count_nonzero(own) * step**3
        area = float(mesh_surface_area(*marching_cubes(value, 0, spacing=(step,) * 3)[:2]))
        psi = math.pi ** (1 / 3) * (6 * volume) ** (2 / 3) / area
        truths.append({"V": volume, "S": area, "psi": psi, "dead": 100 * float(np.mean(empty[own]))})
        box = tuple(slice(a, b) for a, b in zip(low[::-1], high[::-1], strict=True))
        n = [side // _FINE for side in value.shape]
        full, part = (one.reshape(n[0], _FINE, n[1], _FINE, n[2], _FINE).mean((1, 3, 5)) for one in (own, own & ~empty))
        grey[box] += part
        labels[box][full > 0.5] = number
    return grey, labels, truths


def seen(shares: Floats, lab: bool, random: np.random.Generator) -> NDArray[np.float32]:
    """As a volume in 1/um."""
    blur, together, snr = (0.9, 0.9, 9) if lab else (0.6, 0.6, 20)
    noise = ndimage.gaussian_filter(random.standard_normal(shares.shape), together)
    grey = ndimage.gaussian_filter(shares, blur) + noise / noise.std() / snr
    z, y, x = (axis - SIDE / 2 for axis in np.ogrid[:SIDE, :SIDE, :SIDE])
    for _ in range(8 if lab else 0):
        ring = np.exp(-0.5 * ((np.hypot(y, x) - random.uniform(4, 60)) / 0.7) ** 2)
        grey += 0.05 * random.normal() * ring * (abs(z - random.uniform(-64, 64)) < 15)
    for _ in range(30 if lab else 0):
        streak = np.exp(-0.5 * ((y - random.uniform(-64, 64) - random.uniform(-0.2, 0.2) * x) / 1.5) ** 2)
        grey += 0.08 * random.normal() * streak * (abs(z - random.uniform(-64, 64)) < 2.5)
    return np.asarray(MU_PER_UM * grey, np.float32)


def told(kind: str, lab: bool, seeds: int) -> str:
    """A line of the table."""
    import xrm_control as xrm

    errors: dict[str, list[tuple[float, bool]]] = {name: [] for name in _COLUMNS}
    true = found = parted = 0
    doubts: list[str] = []
    for seed in range(1, seeds + 1):
        random = np.random.default_rng([seed, lab, *kind.encode()])
        shares, labels, truths = rendered(specimen(kind, random))
        try:
            result = xrm.analyze(seen(shares, lab, random), voxel_size_um=VOXEL_UM)
        except xrm.XrmError as error:
            doubts.append(f"refused: {error.what}")
            continue
        doubts += [one.split(":")[0] for one in result.results.doubts]
        true, found = true + len(truths), found + len(result.particle_rows)
        rows = {int(row["particle_id"]): row for row in result.particle_rows}
        for number, truth in enumerate(truths, 1):
            counts = np.bincount(np.asarray(result.labels)[labels == number], minlength=2)
            counts[0] = 0
            several = np.count_nonzero(counts > 0.15 * np.count_nonzero(labels == number)) > 1
            parted += several
            row = rows.get(int(np.argmax(counts)))
            if several or row is None or row["touches_boundary"]:
                continue
            for name, value in truth.items():
                error, u = float(row[_COLUMNS[name]]) - value, float(row[f"{_COLUMNS[name]}_u"])
                if name != "dead" or value or row[_COLUMNS[name]]:
                    errors[name].append(
                        (error if name in ("dead", "psi") else 100 * error / value, abs(error) < 1.96 * u)
                    )
    cells = [
        f"{np.median([error for error, _ in those]):+.2g}; {np.mean([held for _, held in those]):.0%}" if those else ""
        for those in errors.values()
    ]
    said = "; ".join(f"{one} ({doubts.count(one)})" for one in dict.fromkeys(doubts))
    return f"{kind}, {'lab' if lab else 'clean'} | {true} / {found} | {parted} | {' | '.join(cells)} | {said}"


if __name__ == "__main__":
    print("kind | true / found | in parts | V, % | S, % | sphericity | dead volume, points | doubted (volumes)")
    for name in KINDS:
        for as_in_lab in (False, True):
            print(told(name, as_in_lab, int(sys.argv[1]) if len(sys.argv) > 1 else 2), flush=True)
