"""How far views lie from what a volume, and what their neighbours, lead one to expect of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BLOCK_ROWS = 4
_EDGE_ROWS = 2
# A view from two neighbours on each side: cubic, so that what turns evenly leaves nothing.
_NEAR, _FAR = 4 / 6, -1 / 6


@dataclass(frozen=True)
class Steps:
    """Of n views, in columns to the right and rows downwards: px (n, 2), and one sigma of each, u_px (n, 2)."""

    px: NDArray[np.float64]
    u_px: NDArray[np.float64]


def registered(expected: NDArray[np.float32], less_recorded: NDArray[np.float32], columns: tuple[int, int]) -> Steps:
    """Least-squares shifts (Lucas and Kanade 1981) that take `expected` (n, rows, columns) to what was recorded.

    less_recorded: expected minus recorded, of the same shape; columns: first and end of those that count. The errors
    are from how much blocks of rows disagree: matter that the volume does not hold is no white noise.
    """
    rows = expected.shape[1] - 2 * _EDGE_ROWS
    rows -= rows % _BLOCK_ROWS
    inner = np.s_[:, _EDGE_ROWS : _EDGE_ROWS + rows, columns[0] : columns[1]]
    right = ((expected[:, :, 2:] - expected[:, :, :-2]) / 2)[:, inner[1], columns[0] - 1 : columns[1] - 1]
    down = ((expected[:, 2:] - expected[:, :-2]) / 2)[:, _EDGE_ROWS - 1 : _EDGE_ROWS - 1 + rows, inner[2]]
    off = less_recorded[inner]
    blocks = (len(off), rows // _BLOCK_ROWS, -1)
    right, down, off = (np.asarray(image.reshape(blocks), np.float32) for image in (right, down, off))

    def sums(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(np.einsum("nbp,nbp->nb", one, other), np.float64)

    rr, rd, dd = (sums(*pair) for pair in ((right, right), (right, down), (down, down)))
    normal = np.stack([rr, rd, rd, dd], axis=-1).reshape(*rr.shape, 2, 2)
    pulls = np.stack([sums(right, off), sums(down, off)], axis=-1)
    inverse = np.linalg.pinv(normal.sum(axis=1))
    step = np.einsum("njk,nk->nj", inverse, pulls.sum(axis=1))
    left = pulls - np.einsum("nbjk,nk->nbj", normal, step)
    spread = np.einsum("njk,nbk->nbj", inverse, left)
    return Steps(step, np.sqrt((spread**2).sum(axis=1)))


def profiles_registered(profiles: NDArray[np.float32], alike: NDArray[np.bool_]) -> Steps:
    """How far down rows' sums (n, rows) of the views that are `alike` (n,) lie from their mean; px and u_px (n, 1), of
    the others with an endless error. What a view sees whole sums to the same in each row.
    """
    count = len(profiles)
    px, u_px = np.zeros((count, 1)), np.full((count, 1), np.inf)
    those = profiles[alike].astype(np.float64)
    rows = (those.shape[1] - 2) // _BLOCK_ROWS * _BLOCK_ROWS
    mean = those.mean(axis=0)
    slope = ((mean[2:] - mean[:-2]) / 2)[:rows]
    steepness = float(slope @ slope)
    if not steepness > 0:
        return Steps(px, u_px)
    off = (mean - those)[:, 1 : 1 + rows]
    step = off @ slope / steepness
    left = (off - step[:, None] * slope) * slope
    pulls = left.reshape(len(left), -1, _BLOCK_ROWS).sum(axis=2)
    px[alike, 0], u_px[alike, 0] = step, np.sqrt((pulls**2).sum(axis=1)) / steepness
    return Steps(px, u_px)


def from_neighbours(
    views: NDArray[np.float32], before: NDArray[np.float32], after: NDArray[np.float32]
) -> NDArray[np.float32]:
    """What each of the views (n, rows, columns) should be by those around it; before, after (2, rows, columns): what
    comes before the first and after the last.
    """
    row = np.concatenate([before, views, after])
    return np.asarray(_NEAR * (row[1:-3] + row[3:-1]) + _FAR * (row[:-4] + row[4:]), np.float32)


def neighbour_matrix(count: int, turned: float | None) -> NDArray[np.float64]:
    """(n, n + 4): what of the shifts of n views, and of the two beyond either end, `from_neighbours` takes off. turned:
    whether these are the views from the other end, mirrored: a shift is then seen with this sign.
    """
    padded = np.zeros((count + 4, count))
    padded[2:-2] = np.eye(count)
    if turned is not None:
        # The first and the last view show the same from both sides.
        for place, view in ((0, count - 3), (1, count - 2), (count + 2, 1), (count + 3, 2)):
            padded[place, view] = turned
    return np.eye(count) - _NEAR * (padded[1:-3] + padded[3:-1]) - _FAR * (padded[:-4] + padded[4:])
