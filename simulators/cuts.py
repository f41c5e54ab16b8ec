"""What is missing from a particle: its overlap with a neighbour, cracks, channels; told and rendered edge by edge.

A cut is a stack of regions in the slabs of its particle's own table, each a set of directed edges with the region on
their left; they need no order, since the chord of a line is the signed sum over the edges that it crosses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numba
import numpy as np
from numpy.typing import NDArray

from simulators.render import BodyStore, Grid
from simulators.shapes import SLAB_UM

CutKind = Literal["overlap", "crack", "channel"]


@dataclass(frozen=True)
class Cut:
    """edges (n, 4): x, z, x, z from the particle's centre, um; starts (slabs + 1): where those of a slab begin.

    first: the slab of the particle's table that is the first; slabs_of_host: how many that has; other: number (from 0)
    of the particle that an overlap belongs to.
    """

    kind: CutKind
    edges: NDArray[np.float32]
    starts: NDArray[np.int64]
    first: int
    slabs_of_host: int
    other: int = -1

    @property
    def empty(self) -> bool:
        """Nothing is cut away."""
        return len(self.edges) == 0

    def moments(self) -> tuple[float, tuple[float, float, float]]:
        """Volume in um3 and its first moments about the particle's centre."""
        x0, z0, x1, z1 = self.edges.astype(np.float64).T
        twice = x0 * z1 - x1 * z0
        slab = np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts)) + self.first
        y = (slab - 0.5 * (self.slabs_of_host - 1)) * SLAB_UM
        x, z = (x0 + x1) / 3.0, (z0 + z1) / 3.0
        half = 0.5 * SLAB_UM * twice
        return float(half.sum()), (float((half * x).sum()), float((half * y).sum()), float((half * z).sum()))

    @property
    def volume_um3(self) -> float:
        """How much is missing."""
        return self.moments()[0]

    @property
    def centroid_um(self) -> tuple[float, float, float]:
        """From the particle's centre."""
        volume, (x, y, z) = self.moments()
        return x / volume, y / volume, z / volume


@dataclass(frozen=True)
class CutStore:
    """All cuts of a specimen, end to end; `body`: number of the particle of each, among the bodies of a store."""

    edges: NDArray[np.float32]
    starts: NDArray[np.int64]
    slabs: NDArray[np.int64]
    first_slab: NDArray[np.float64]
    body: NDArray[np.int64]

    @classmethod
    def of(cls, cuts: list[tuple[int, Cut]]) -> CutStore:
        """From (particle's number from 0, cut)."""
        own = [cut for _, cut in cuts]
        before = np.cumsum([0, *(len(cut.edges) for cut in own)])
        edges = np.concatenate([cut.edges for cut in own]) if own else np.zeros((0, 4), np.float32)
        starts = [cut.starts[:-1] + begin for cut, begin in zip(own, before, strict=False)]
        return cls(
            np.ascontiguousarray(edges.T),
            np.concatenate([*starts, before[-1:]]).astype(np.int64),
            np.array([len(cut.starts) - 1 for cut in own], np.int64),
            np.array([cut.first - 0.5 * cut.slabs_of_host for cut in own], np.float64),
            np.array([body for body, _ in cuts], np.int64),
        )


def take_away(
    out: NDArray[np.float32],
    cuts: CutStore,
    bodies: BodyStore,
    weight: NDArray[np.float64],
    centre_um: tuple[float, float, float],
    theta_deg: float,
    grid: Grid,
) -> None:
    """Take weight (of each body) * chord length through its cuts from out; the rest as in `render.path_length`."""
    theta = np.deg2rad(theta_deg)
    relative = bodies.centre_um[cuts.body] - np.asarray(centre_um)
    lateral = relative[:, 0] * np.cos(theta) + relative[:, 2] * np.sin(theta)
    reach_um = bodies.reach_um[cuts.body]
    right = grid.first_column_um + grid.columns * grid.column_um
    bottom = grid.first_row_edge_um + grid.rows * grid.row_um
    seen = (
        (lateral + reach_um > grid.first_column_um - grid.column_um)
        & (lateral - reach_um < right)
        & (relative[:, 1] + reach_um > grid.first_row_edge_um)
        & (relative[:, 1] - reach_um < bottom)
    )
    _take_away(
        out,
        np.flatnonzero(seen),
        cuts.edges,
        cuts.starts,
        np.cumsum(np.array([0, *cuts.slabs]))[:-1],
        cuts.slabs,
        (lateral - grid.first_column_um) / grid.column_um,
        (relative[:, 1] - grid.first_row_edge_um + cuts.first_slab * SLAB_UM) / grid.row_um,
        weight[cuts.body],
        float(theta),
        grid.column_um,
        SLAB_UM / grid.row_um,
    )


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _take_away(  # type: ignore[no-untyped-def]
    out, chosen, edges, starts, slab_of, slabs, lateral, top_row, weight, theta, column_um, thickness
):
    rows, columns = out.shape
    line = np.zeros(columns + 1, np.float32)
    c, s = np.float32(np.cos(theta)), np.float32(np.sin(theta))
    scale = np.float32(1.0 / column_um)
    for cut in chosen:
        middle = np.float32(lateral[cut])
        for n in range(slabs[cut]):
            begin, end = starts[slab_of[cut] + n], starts[slab_of[cut] + n + 1]
            top = top_row[cut] + n * thickness
            bottom = top + thickness
            if begin == end or bottom <= 0.0 or top >= rows:
                continue
            first, last = _chords(edges, begin, end, middle, c, s, scale, columns, line)
            for r in range(max(0, int(top)), min(rows, int(np.ceil(bottom)))):
                share = np.float32(weight[cut] * (min(bottom, r + 1.0) - max(top, float(r))))
                for i in range(first, last):
                    out[r, i] -= share * line[i]
            line[first:last] = np.float32(0.0)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _chords(edges, begin, end, middle, c, s, scale, columns, line):  # type: ignore[no-untyped-def]
    """Add the chords of a slab's region to a line of columns; returns the range of columns touched."""
    first, last = columns, 0
    one, tiny = np.float32(1.0), np.float32(1e-7)
    for e in range(begin, end):
        x0, z0, x1, z1 = edges[0, e], edges[1, e], edges[2, e], edges[3, e]
        a, b = middle + (x0 * c + z0 * s) * scale, middle + (x1 * c + z1 * s) * scale
        left, right = min(a, b), max(a, b)
        low = np.int64(min(max(np.ceil(left), np.float32(0.0)), np.float32(columns)))
        high = np.int64(min(max(np.ceil(right), np.float32(0.0)), np.float32(columns)))
        if low == high:
            continue
        d0, d1 = z0 * c - x0 * s, z1 * c - x1 * s
        run = b - a
        slope = (d1 - d0) / (run if abs(run) > tiny else tiny)
        way = one if a > b else -one
        for i in range(low, high):
            line[i] += way * (d0 + slope * (np.float32(i) - a))
        first, last = min(first, low), max(last, high)
    return min(first, last), last
