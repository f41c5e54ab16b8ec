"""Tiles that do not belong where they are said to lie: one picture taken twice, or one of another place.

A stage that stayed where it was, or slipped and reads back what was asked, shows in what a tile shows: the same as
another one that lies elsewhere, or something that goes on into none of its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.mosaic.seams import seam
from xrm_control.mosaic.standing import line_at_seam, most_alike
from xrm_control.mosaic.tiles import Tile

Floats = NDArray[np.floating]

_COARSE, _WIDE = 4, 6.0
"""Pixels of a block, and blocks over which the light is even."""

_SAME, _LEAST_CONTRAST = 0.85, 0.02
"""Likeness of two pictures of one place, of which powder at another has at most 0.5; and the contrast, in optical depth
of blocks, below which nothing is recognised.
"""

_LEAST_SEAMS, _GOES_ON, _LOST, _LOST_FARTHER = 6, 0.5, 0.35, 0.45
"""Seams of a mosaic that tells, how alike they are together, and how alike those of a tile of another place at
most, where it is looked for nearby and farther away.
"""

_GOES_ON_THERE = 0.6
"""Likeness of one seam that speaks for its tile, where it is looked for farther away: lines that have nothing in common
reach 0.57 at their best shift of some pixels.
"""

_NEARBY_PX, _LEAST_DEPTH = 2.0, 0.09
"""Standard deviation along both sides of a seam, in optical depth, below which there is nothing that could go on: a cap
that just reaches one side is not seen on the other.
"""


def same_pictures(tiles: Sequence[Tile], centres_px: Floats) -> list[tuple[int, int]]:
    """Pairs of tiles that show the same, and are said to lie apart."""
    from scipy import ndimage

    rows, columns = (size // _COARSE for size in tiles[0].image.shape)
    if len(tiles) < 2 or min(rows, columns) < 4:
        return []
    blocks = np.stack([_coarse(tile.image, rows, columns) for tile in tiles])
    if len(tiles) >= _LEAST_SEAMS:
        # What all have in common is the camera's.
        blocks = blocks - np.median(blocks, axis=0)
    blocks = blocks - np.stack([ndimage.gaussian_filter(one, _WIDE) for one in blocks])
    flat = blocks.reshape(len(tiles), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    spread = flat.std(axis=1)
    likeness = flat @ flat.T / flat.shape[1] / np.maximum(np.outer(spread, spread), 1e-12)
    shows = spread > _LEAST_CONTRAST
    apart = np.abs(centres_px[:, None] - centres_px[None]).max(axis=2) > 2 * _COARSE
    first, second = np.nonzero(np.triu((likeness > _SAME) & apart & np.outer(shows, shows), 1))
    return list(zip(first.tolist(), second.tolist(), strict=True))


def strangers(tiles: Sequence[Tile], centres_px: Floats, reach_px: float) -> list[int]:
    """Tiles that go on into none of their neighbours, in a mosaic whose others do.

    reach_px: how far one tile may lie from its place against the next.
    """
    seams: list[_Seam] = []
    for i in range(len(tiles)):
        for j in range(i + 1, len(tiles)):
            sides = seam(tiles[i].image, tiles[j].image, centres_px[j] - centres_px[i])
            if sides is None:
                continue
            near, far = line_at_seam(sides[0]), line_at_seam(sides[1])
            alike, _ = most_alike(near, far, sides[2], int(np.ceil(reach_px)))
            seams.append(_Seam((i, j), alike, float(near.var() + far.var()), float(min(near.std(), far.std()))))
    nearby = reach_px <= _NEARBY_PX
    found: list[int] = []
    while len(seams) >= _LEAST_SEAMS and _together(seams) > _GOES_ON:
        own = {k: [one for one in seams if k in one.tiles and one.shows > _LEAST_DEPTH] for k in range(len(tiles))}
        telling = {k: _together(some) for k, some in own.items() if len(some) >= 2}
        worst = min(telling, key=telling.__getitem__, default=-1)
        if worst < 0 or telling[worst] > (_LOST if nearby else _LOST_FARTHER):
            break
        if not nearby and max(one.alike for one in own[worst]) > _GOES_ON_THERE:
            break
        found.append(worst)
        seams = [one for one in seams if worst not in one.tiles]
    return sorted(found)


@dataclass(frozen=True)
class _Seam:
    """tiles: which meet; alike: their sides; variance: of both, optical depth squared; shows: deviation along the
    fainter side.
    """

    tiles: tuple[int, int]
    alike: float
    variance: float
    shows: float


def _together(seams: Sequence[_Seam]) -> float:
    """How alike the sides of some seams are: one that shows little tells little."""
    shown = sum(one.variance for one in seams)
    return sum(one.alike * one.variance for one in seams) / max(shown, 1e-12)


def misplaced(tiles: Sequence[Tile], centres_px: Floats, reach_px: float) -> str:
    """Why the mosaic is not what lies under the beam; "" where nothing speaks for that."""
    same = same_pictures(tiles, centres_px)
    if same:
        i, j = same[0]
        more = f", and {len(same) - 1} more pairs" if len(same) > 1 else ""
        return (
            f"tiles {_name(tiles[i])} and {_name(tiles[j])} show the same{more}: the stage did not move, or a picture "
            "was handed out twice; take the mosaic again"
        )
    lost = strangers(tiles, centres_px, reach_px)
    if lost:
        names = ", ".join(_name(tiles[k]) for k in lost[:3])
        return (
            f"what tile {names} shows goes on in none of its neighbours, while the others' does: it was not taken "
            "where it is said to lie; take the mosaic again"
        )
    return ""


def _name(tile: Tile) -> str:
    return f"row {tile.row}, column {tile.column}"


def _coarse(image: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float64]:
    """Optical depth in blocks; the median where nothing was seen."""
    light = np.asarray(image[: rows * _COARSE, : columns * _COARSE], np.float64)
    light = light.reshape(rows, _COARSE, columns, _COARSE)
    seen = np.isfinite(light)
    count = seen.sum(axis=(1, 3))
    mean = np.divide(
        np.where(seen, light, 0.0).sum(axis=(1, 3)), count, out=np.full((rows, columns), np.nan), where=count > 0
    )
    depth = -np.log(np.clip(mean, 1e-2, None))
    return np.where(np.isfinite(depth), depth, np.nanmedian(depth) if np.isfinite(depth).any() else 0.0)
