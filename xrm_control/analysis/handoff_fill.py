"""Sizes of a core's tables beside the matter that lies there: halved, doubled, in voxels, or of another row.

Matter that stands alone tells a size whatever its form. In a dense bed the layer around each body tells whether it goes
on beyond what is stated, or ends before.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.handoff_bodies import Body, OddRow
from xrm_control.analysis.handoff_matter import Matter, Points
from xrm_control.analysis.handoff_sizes import Odd, Room
from xrm_control.contracts.tables import Particle

_FEWEST, _CLEAR = 3, 4.0
_OFF = 0.2  # of diameters, the median
_ROW = 3.0  # times the volume, either way, of a single row
_ROW_OF_SCATTER, _MOST_ROWS, _MOST_FAULTS = 4.0, 0.35, 5
_MIXED = 0.45  # natural logarithm of diameters: half of the rows are further off
_LEAST_VOXELS = 100
_OUTER, _LAYER = (0.75, 0.95), (1.1, 1.3)  # of the radius
_GOES_ON, _ENDS_BEFORE, _WITHIN = 0.85, 0.3, 0.8  # share of matter
_AROUND, _ALL_AROUND = (1.1, 1.7), 0.97
_OUTER_HALF, _NONE = (0.65, 0.95), 0.2
_TOUCHES, _ALL_OF = 0.6, 1.3  # of a cross-section; of the volume that is told: no neighbour is in it

_VOLUME = Particle.volume_um3.name


@dataclass(frozen=True)
class Standing:
    """Matter that stands alone with the bodies in it. ratio: diameter of what is stated over that of what is there."""

    bodies: tuple[Body, ...]
    volume_um3: float
    face_voxels: int

    @property
    def ratio(self) -> float:
        """Above 1: told larger than it is."""
        return (sum(one.cells[_VOLUME] for one in self.bodies) / self.volume_um3) ** (1 / 3)


def odd_sizes(bodies: Sequence[Body], matter: Matter, room: Room) -> Iterator[OddRow]:
    """What is wrong with sizes: of all rows, or of single ones."""
    standing = _standing(bodies, matter)
    whole = [one for one in standing if not one.face_voxels]
    rows: list[OddRow] = []
    ratios = np.array([one.ratio for one in whole])
    if len(whole) >= _FEWEST:
        logs = np.log(ratios)
        middle, error = float(np.median(logs)), float(np.std(logs, ddof=1)) / math.sqrt(len(logs))
        scatter = float(np.median(np.abs(logs - middle)))
        if scatter > _MIXED / 2 and len(whole) >= 2 * _FEWEST and _mixed(whole):
            what = (
                f"sizes do not go with places: half of {len(whole)} bodies that stand alone are more than "
                f"{np.expm1(scatter):.0%} larger or smaller than the matter there: columns in another order"
            )
            yield OddRow(None, Odd(what, _VOLUME, f"within {np.expm1(_MIXED / 2):.0%}"))
            return
        if abs(middle) > max(math.log1p(_OFF), _CLEAR * min(error, scatter * 1.5)):
            ratio = math.exp(middle)
            what = (
                f"bodies that stand alone are told to be {ratio:.3g} times as large across as the matter there "
                f"(median of {len(whole)}){_reading(ratio, room.voxel_um)}"
            )
            yield OddRow(None, Odd(what, _VOLUME, f"within {_OFF:.0%}"))
            return
        rows = list(_rows(whole, logs - middle, max(scatter, 0.02)))
        yield from rows
    else:
        yield from _layers(bodies, matter, room)
    told = {found.row for found in rows}
    yield from (found for found in _surrounded(bodies, matter) if found.row not in told)
    yield from _cut(standing, matter)


def without_row(bodies: Sequence[Body], matter: Matter) -> tuple[str, ...]:
    """Said of matter that stands alone, away from the volume's ends, and is as large as what is told and more."""
    pieces, sizes, faces = _pieces(matter)
    told = {int(one) for one in _pieces_at(bodies, pieces, matter)} if bodies else set()
    voxel_um3 = matter.voxel_um**3
    few = len(bodies) < _FEWEST
    least = _LEAST_VOXELS if few else max(_LEAST_VOXELS, _median_volume(bodies) / voxel_um3)
    left = [n for n in range(1, len(sizes)) if n not in told and not int(faces[n]) and int(sizes[n]) >= least]
    if not left:
        return ()
    largest = max(float(sizes[n]) for n in left) * voxel_um3
    among = f"{_LEAST_VOXELS} voxels" if few else f"the median of {len(bodies)} rows"
    return (
        f"{len(left)} bodies of matter in the volume have no row, though they stand alone and are as large as {among}: "
        f"the largest fills {largest:.4g} um3",
    )


def _median_volume(bodies: Sequence[Body]) -> float:
    return float(np.median([one.cells[_VOLUME] for one in bodies]))


def _reading(ratio: float, voxel_um: float) -> str:
    """What such a factor looks like."""
    for factor, words in (
        (0.5, "radii for diameters"),
        (2.0, "diameters for radii"),
        (1 / voxel_um, "sizes in voxels"),
        (voxel_um, "sizes multiplied with the voxel twice"),
    ):
        if abs(math.log(ratio / factor)) < 0.12:
            return f": {words}?"
    return ""


def _standing(bodies: Sequence[Body], matter: Matter) -> list[Standing]:
    """Pieces of matter, each with the bodies whose centres lie in it."""
    pieces, sizes, faces = _pieces(matter)
    at = _pieces_at(bodies, pieces, matter)
    found: list[Standing] = []
    for number in np.unique(at[at > 0]):
        if sizes[number] >= _LEAST_VOXELS:
            own = tuple(bodies[n] for n in np.flatnonzero(at == number).tolist())
            found.append(Standing(own, float(sizes[number]) * matter.voxel_um**3, int(faces[number])))
    return found


def _pieces(matter: Matter) -> tuple[NDArray[np.integer], NDArray[np.intp], NDArray[np.intp]]:
    """Numbers of pieces (z, y, x) of matter, from 1; their voxels; and the most of them on one face of the volume."""
    import cc3d

    pieces = np.asarray(cc3d.connected_components(matter.solid, connectivity=6))
    sizes = np.bincount(pieces.ravel())
    faces = np.zeros(len(sizes), np.intp)
    for axis in range(3):
        for end in (0, -1):
            faces = np.maximum(faces, np.bincount(np.take(pieces, end, axis=axis).ravel(), minlength=len(sizes)))
    return pieces, sizes, faces


def _pieces_at(bodies: Sequence[Body], pieces: NDArray[np.integer], matter: Matter) -> NDArray[np.intp]:
    """The piece (n,) at each centre; 0: none."""
    middle = (np.array(pieces.shape[::-1]) - 1) / 2
    place = np.rint(np.array([one.place_um for one in bodies]) / matter.voxel_um + middle).astype(int)
    inside = ((place >= 0) & (place < pieces.shape[::-1])).all(axis=1)
    kept = np.where(np.reshape(inside, (-1, 1)), place, 0)
    x, y, z = kept[:, 0], kept[:, 1], kept[:, 2]
    return np.where(inside, pieces[z, y, x], 0).astype(np.intp)


def _mixed(whole: Sequence[Standing]) -> bool:
    """Whether the sizes that are told go with the others no better than by chance."""
    from scipy.stats import spearmanr

    told = [sum(one.cells[_VOLUME] for one in piece.bodies) for piece in whole]
    return float(np.asarray(spearmanr(told, [piece.volume_um3 for piece in whole]))[0]) < 0.5


def _rows(whole: Sequence[Standing], off: Points, scatter: float) -> Iterator[OddRow]:
    """Single bodies that stand alone and are told far larger than what is there."""
    # Of what is told smaller a neighbour may have no row; `_surrounded` looks at those.
    odd = np.flatnonzero(off > max(math.log(_ROW) / 3, _ROW_OF_SCATTER * scatter))
    odd = [n for n in odd if len(whole[n].bodies) == 1]
    if len(odd) > _MOST_ROWS * len(whole):
        return
    for n in odd[:_MOST_FAULTS]:
        there = whole[n].volume_um3
        what = f"the matter at its place, which stands alone, fills {there:.4g} um3"
        yield OddRow(whole[n].bodies[0].row, Odd(what, _VOLUME, f"at most {there * _ROW:.4g}"))


def _layers(bodies: Sequence[Body], matter: Matter, room: Room) -> Iterator[OddRow]:
    """In a bed of bodies that touch: whether matter goes on around them, or ends before they do."""
    chosen = [one for one in bodies if one.compact or Particle.sphericity.name not in one.cells]
    chosen = [one for one in chosen if one.radius_um > 2 * matter.voxel_um]
    if len(chosen) < 2 * _FEWEST:
        return
    centres, radii = np.array([one.place_um for one in chosen]), np.array([one.radius_um for one in chosen])
    inner = matter.shares(centres, radii, 0.0, 0.4)
    beyond, outer = matter.shares(centres, radii, *_LAYER), matter.shares(centres, radii, *_OUTER)
    known = inner > _WITHIN
    if np.count_nonzero(known) < 2 * _FEWEST:
        return
    if np.median(beyond[known]) > _GOES_ON:
        what = (
            f"matter goes on around the bodies: just outside of them {np.median(beyond[known]):.0%} is matter (median):"
            " radii for diameters, or sizes in voxels?"
        )
        yield OddRow(None, Odd(what, _VOLUME, f"at most {_GOES_ON:.0%}"))
    elif np.median(outer[known]) < _ENDS_BEFORE:
        what = (
            f"matter ends before the bodies do: of their outer layers {np.median(outer[known]):.0%} is matter (median):"
            " diameters for radii, or sizes in voxels?"
        )
        yield OddRow(None, Odd(what, _VOLUME, f"at least {_ENDS_BEFORE:.0%}"))


def _surrounded(bodies: Sequence[Body], matter: Matter) -> Iterator[OddRow]:
    """Single compact bodies that matter goes on around on all sides, or whose outer half is none."""
    chosen = [one for one in bodies if one.compact and one.radius_um > 2 * matter.voxel_um]
    if len(chosen) < _FEWEST:
        return
    centres, radii = np.array([one.place_um for one in chosen]), np.array([one.radius_um for one in chosen])
    inner = matter.shares(centres, radii, 0.0, 0.4)
    beyond, outer = matter.shares(centres, radii, *_AROUND), matter.shares(centres, radii, *_OUTER_HALF)
    odd = np.flatnonzero((inner > _WITHIN) & ((beyond > _ALL_AROUND) | (outer < _NONE)))
    if len(odd) > _MOST_ROWS * len(chosen):
        return
    for n in odd[:_MOST_FAULTS]:
        share, where = (beyond[n], "beyond it") if beyond[n] > _ALL_AROUND else (outer[n], "in its outer half")
        what = f"is of another size than the matter at its place: {where} {share:.0%} is matter"
        limit = f"at most {_ALL_AROUND:.0%} beyond it, at least {_NONE:.0%} in its outer half"
        yield OddRow(chosen[n].row, Odd(what, _VOLUME, limit))


def _cut(standing: Sequence[Standing], matter: Matter) -> Iterator[OddRow]:
    """Bodies told to be whole that the volume's end cuts."""
    found = 0
    for piece in standing:
        (one, *others) = piece.bodies
        section = math.pi * (one.radius_um / matter.voxel_um) ** 2
        told_whole = one.cells.get(Particle.touches_boundary.name) == 0
        alone = not others and piece.volume_um3 < _ALL_OF * one.cells[_VOLUME]
        if alone and told_whole and piece.face_voxels > _TOUCHES * section and found < _MOST_FAULTS:
            found += 1
            what = f"is told to be whole, and the volume's end cuts it over {piece.face_voxels} voxels"
            yield OddRow(one.row, Odd(what, Particle.touches_boundary.name, "1"))
