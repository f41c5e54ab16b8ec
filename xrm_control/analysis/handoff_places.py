"""A core's tables beside the volume that it was given: bodies that lie where no matter is, or are larger or smaller
than what lies there.

All rows may fit each other and the volume's box, and be mirrored, counted from a corner, in voxels, or half as large.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.handoff_bodies import Body, OddRow
from xrm_control.analysis.handoff_matter import Matter, Points
from xrm_control.analysis.handoff_sizes import Odd, Room
from xrm_control.contracts.tables import Particle

_FEWEST = 3  # bodies: of fewer a place is chance
_GAIN, _CLEAR = 0.2, 4.0  # of the share of matter; standard errors
_SOUND = 0.7  # share of matter in balls of the bodies' sizes at their places
_DRAWS, _RELATED = 60, 1.5  # bodies elsewhere in the volume; standard deviations
_INNERMOST, _PLACED = 0.3, 0.85  # of the radius; share of matter there
_ALONE, _ALONE_GREY, _MOST_ALONE = 0.25, 0.15, 0.35  # share of matter, of the contrast; of the rows
_MOST_FAULTS = 5
_COARSE = 96  # voxels along each side, to find a shift
_MU, _MU_VOXELS, _INNER = 0.3, 3.0, 0.6  # relative; radius of bodies that tell it; of the radius

_AXES = "xyz"


@dataclass(frozen=True)
class Placing:
    """Another reading of the centres: what it is in words, and the centres (n, 3) in um."""

    words: str
    centres_um: Points


def odd_places(bodies: Sequence[Body], matter: Matter, room: Room) -> Iterator[OddRow]:
    """What is wrong with where bodies lie: with all of them if another reading of the centres fits far better, or none
    has to do with the volume; else with single rows."""
    if len(bodies) < _FEWEST:
        return
    centres = np.array([one.place_um for one in bodies])
    radii = np.array([one.radius_um for one in bodies])
    told = matter.shares(centres, radii)
    # Whatever their sizes.
    if float(matter.shares(centres, radii, high=_INNERMOST).mean()) > _PLACED:
        yield from _alone(bodies, centres, radii, told, matter)
        return
    better = _better(centres, radii, told, matter, room)
    if better is not None:
        placing, shares = better
        what = (
            f"{placing.words}: then {np.mean(shares > 0.5):.0%} of the bodies lie in matter, as stated "
            f"{np.mean(told > 0.5):.0%}"
        )
        limit = f"bodies of which {float(shares.mean()):.0%} is matter; as stated {float(told.mean()):.0%}"
        yield OddRow(None, Odd(what, _columns(centres, placing), limit))
        return
    chance, scatter = _elsewhere(centres, radii, matter, room)
    if told.mean() < min(_SOUND, chance + _RELATED * scatter) and not told.mean() < chance - 2 * scatter:
        what = (
            f"places have nothing to do with the volume: {float(told.mean()):.0%} of the stated bodies is matter, and "
            f"{chance:.0%} of such bodies anywhere in it: another volume, another origin, or columns in another order"
        )
        yield OddRow(None, Odd(what, Particle.x_um.name, f"at least {chance + _RELATED * scatter:.0%}"))
        return
    yield from _alone(bodies, centres, radii, told, matter)


def odd_attenuation(bodies: Sequence[Body], matter: Matter) -> Iterator[OddRow]:
    """A column of attenuations that is not the volume's at these places."""
    name = Particle.mean_attenuation_per_um.name
    large = [one for one in bodies if name in one.cells and one.radius_um > _MU_VOXELS * matter.voxel_um]
    if len(large) < _FEWEST:
        return
    centres, radii = np.array([one.place_um for one in large]), np.array([one.radius_um for one in large])
    seen = matter.greys(centres, radii, _INNER)
    told = np.array([one.cells[name] for one in large])
    ratio = float(np.median(told / np.maximum(seen, 0.1 * matter.contrast)))
    if not 1 - _MU <= ratio <= 1 / (1 - _MU):
        what = f"attenuations are {ratio:.3g} times the volume's at these places (median): in another unit?"
        yield OddRow(None, Odd(what, name, f"{float(np.median(seen)):.3g} 1/um, to {_MU:.0%}"))


def _better(centres: Points, radii: Points, told: Points, matter: Matter, room: Room) -> tuple[Placing, Points] | None:
    """The reading that puts most into matter, if clearly more than what is stated does."""
    if float(told.mean()) > 1 - _GAIN:
        return None
    found = [(placing, matter.shares(placing.centres_um, radii)) for placing in _readings(centres, matter, room)]
    if max(float(shares.mean()) for _, shares in found) < _SOUND:
        moved = _shifted(centres, matter)
        found.append((moved, matter.shares(moved.centres_um, radii)))
    placing, shares = max(found, key=lambda one: round(float(one[1].mean()), 2))
    gain = shares - told
    error = float(np.std(gain, ddof=1)) / math.sqrt(len(gain))
    clear = float(gain.mean()) > max(_GAIN, _CLEAR * error) or bool((gain > 2 * _GAIN).all())
    return (placing, shares) if clear and float(shares.mean()) > 0.5 else None


def _readings(centres: Points, matter: Matter, room: Room) -> Iterator[Placing]:
    """Simple ones first: of readings that do as well the first is told."""
    for order in sorted(itertools.permutations(range(3)), key=lambda one: sum(n != m for n, m in enumerate(one))):
        for signs in itertools.product((1, -1), repeat=3):
            if order != (0, 1, 2) or signs != (1, 1, 1):
                yield Placing(_turned(order, signs), centres[:, list(order)] * np.array(signs))
    half = np.array(matter.solid.shape[::-1]) / 2 * matter.voxel_um
    voxel = room.voxel_um
    for words, read in (
        ("places seem to be counted from a corner", centres - half),
        ("places seem to be counted from a corner twice", centres + half),
        ("places seem to be in voxels", centres * voxel),
        ("places seem to be in voxels, from a corner", centres * voxel - half),
        ("places seem to be multiplied with the voxel twice", centres / voxel),
        ("places seem to be multiplied with the voxel twice, from a corner", centres / voxel - half),
        ("places seem to be halved", centres * 2),
        ("places seem to be doubled", centres / 2),
    ):
        yield Placing(words, read)
        yield Placing(f"{words}, and in the order z, y, x", read[:, ::-1])
    # Of one axis alone: slices counted from the first, rows from the top.
    for axis, sign in itertools.product(range(3), (-1, 1)):
        moved = np.zeros(3)
        moved[axis] = sign * half[axis]
        yield Placing(f"{_AXES[axis]} seems to be counted from the volume's edge", centres + moved)


def _turned(order: tuple[int, ...], signs: tuple[int, ...]) -> str:
    moved = [_AXES[n] for n in range(3) if order[n] != n]
    mirrored = [_AXES[n] for n in range(3) if signs[n] < 0]
    said: list[str] = []
    if moved:
        said.append(f"{moved[0]} and {moved[1]} exchanged" if len(moved) == 2 else "x, y and z in another order")
    if mirrored:
        said.append(f"{' and '.join(mirrored)} mirrored")
    return f"{' and '.join(said)}, as it seems"


def _shifted(centres: Points, matter: Matter) -> Placing:
    """All of them moved by what brings most into matter."""
    from scipy import fft

    step = max(1, -(-max(matter.solid.shape) // _COARSE))
    solid, voxel_um = matter.solid[::step, ::step, ::step], matter.voxel_um * step
    shape = solid.shape
    grid = np.rint(centres / voxel_um + (np.array(shape[::-1]) - 1) / 2).astype(int)
    kept = ((grid >= 0) & (grid < shape[::-1])).all(axis=1)
    points = np.zeros(shape, np.float32)
    np.add.at(points, tuple(grid[kept][:, ::-1].T), 1.0)
    size = [2 * n for n in shape]
    spectrum = np.conj(np.asarray(fft.rfftn(points, size))) * np.asarray(fft.rfftn(solid.astype(np.float32), size))
    likeness = np.asarray(fft.irfftn(spectrum, size))
    most = np.unravel_index(int(np.argmax(likeness)), likeness.shape)
    # The middle of all shifts that do as well: a body has room.
    best = np.argwhere(likeness > likeness[most] - 0.5)
    signed = np.where(best > np.array(shape), best - np.array(size), best)
    near = signed[np.abs(signed - signed[0]).max(axis=1) < 12]
    moved = near.mean(axis=0)[::-1] * voxel_um
    by = ", ".join(f"{axis} {move:+.3g}" for axis, move in zip(_AXES, moved, strict=True))
    return Placing(f"the origin seems to lie elsewhere, by {by} um", centres + moved)


def _columns(centres: Points, placing: Placing) -> str:
    """The first column that the other reading changes."""
    changed = np.abs(placing.centres_um - centres).max(axis=0)
    return f"{_AXES[int(np.argmax(changed > 1e-9))]}_um"


def _elsewhere(centres: Points, radii: Points, matter: Matter, room: Room) -> tuple[float, float]:
    """Mean and scatter of the share of matter in all bodies together, put elsewhere: each where there is room."""
    random = np.random.default_rng(len(centres))
    half = np.array(matter.solid.shape[::-1]) / 2 * matter.voxel_um
    free = np.maximum(half[None] - radii[:, None], 0.0)
    # As they lie: as wide along each axis.
    spread = np.minimum(free, np.abs(centres).max(axis=0)[None] + 1e-9)
    drawn = [float(matter.shares(random.uniform(-1, 1, centres.shape) * spread, radii).mean()) for _ in range(_DRAWS)]
    return float(np.mean(drawn)), float(np.std(drawn))


def _alone(bodies: Sequence[Body], centres: Points, radii: Points, told: Points, matter: Matter) -> Iterator[OddRow]:
    """Single rows at places without matter, among others that are right."""
    grey = (matter.greys(centres, radii, 0.9) - matter.ground) / matter.contrast
    odd: NDArray[np.bool_] = (told < _ALONE) & (grey < _ALONE_GREY) & np.array([one.compact for one in bodies])
    if np.count_nonzero(odd) > _MOST_ALONE * len(bodies):
        return
    for n in np.flatnonzero(odd)[:_MOST_FAULTS]:
        what = f"lies where no matter is: {told[n]:.0%} of the body is matter, of others {np.median(told):.0%}"
        yield OddRow(bodies[n].row, Odd(what, Particle.x_um.name, f"at least {_ALONE:.0%}"))
