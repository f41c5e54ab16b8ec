"""Line integrals of a specimen on a detector grid: exact chords of polygons, row by row.

For every slab of every body in view the outline is turned by theta; each edge that crosses the centre of a column adds
its signed depth there, and the sum over the outline is the chord. Rows take the slab by exact fractional coverage.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from simulators.shapes import SLAB_UM

LANES = 16


@dataclass(frozen=True)
class Grid:
    """Columns (point-sampled) and rows (averaged), in um: centre of column 0, upper edge of row 0."""

    columns: int
    rows: int
    column_um: float
    row_um: float
    first_column_um: float
    first_row_edge_um: float


@dataclass(frozen=True)
class BodyStore:
    """All tables of a specimen, end to end: centre (n, 3), reach about it, sign +1 (matter) or -1 (void)."""

    tables: NDArray[np.float32]
    offset: NDArray[np.int64]
    slabs: NDArray[np.int64]
    vertices: NDArray[np.int64]
    centre_um: NDArray[np.float64]
    reach_um: NDArray[np.float64]
    sign: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        tables: list[NDArray[np.float32]],
        centre_um: NDArray[np.float64],
        reach_um: NDArray[np.float64],
        sign: NDArray[np.float64],
    ) -> BodyStore:
        """Lay the tables of the bodies end to end."""
        blocks = [_blocks(table) for table in tables]
        sizes = np.array([0, *(block.size for block in blocks)], np.int64)
        return cls(
            np.concatenate(blocks) if blocks else np.zeros(1, np.float32),
            np.cumsum(sizes)[:-1],
            np.array([table.shape[0] for table in tables], np.int64),
            np.array([table.shape[1] for table in tables], np.int64),
            np.asarray(centre_um, np.float64).reshape(-1, 3),
            np.asarray(reach_um, np.float64),
            np.asarray(sign, np.float64),
        )


def _blocks(table: NDArray[np.float32]) -> NDArray[np.float32]:
    """A table (slabs, M) as blocks of LANES slabs, vertex by vertex: (blocks, M, LANES), flat, padded with zeros."""
    slabs, vertices = table.shape
    blocks = -(-slabs // LANES)
    padded = np.zeros((blocks * LANES, vertices), np.float32)
    padded[:slabs] = table
    return np.ascontiguousarray(padded.reshape(blocks, LANES, vertices).transpose(0, 2, 1)).ravel()


def path_length(
    bodies: BodyStore, centre_um: tuple[float, float, float], theta_deg: float, grid: Grid
) -> NDArray[np.float32]:
    """Chord lengths through the bodies, in um, shape (rows, columns).

    centre_um is the sample point (x, y, z) seen at lateral 0 and row coordinate 0; theta turns the sample about y, so
    that a point (x, z) from it is seen at x cos(theta) + z sin(theta).
    """
    theta = np.deg2rad(theta_deg)
    out = np.zeros((grid.rows, grid.columns), np.float32)
    relative = bodies.centre_um - np.asarray(centre_um)
    lateral = relative[:, 0] * np.cos(theta) + relative[:, 2] * np.sin(theta)
    right = grid.first_column_um + grid.columns * grid.column_um
    bottom = grid.first_row_edge_um + grid.rows * grid.row_um
    seen = (
        (lateral + bodies.reach_um > grid.first_column_um - grid.column_um)
        & (lateral - bodies.reach_um < right)
        & (relative[:, 1] + bodies.reach_um > grid.first_row_edge_um)
        & (relative[:, 1] - bodies.reach_um < bottom)
    )
    _accumulate(
        out,
        np.flatnonzero(seen),
        bodies.tables,
        bodies.offset,
        bodies.slabs,
        bodies.vertices,
        (lateral - grid.first_column_um) / grid.column_um,
        (relative[:, 1] - grid.first_row_edge_um) / grid.row_um,
        bodies.sign,
        float(theta),
        grid.column_um,
        grid.row_um,
    )
    return out


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _accumulate(  # type: ignore[no-untyped-def]
    out, chosen, tables, offset, slabs, vertices, lateral, row, sign, theta, column_um, row_um
):
    rows, columns = out.shape
    lines = np.zeros((LANES, columns + 16), np.float32)  # the odd stride keeps the lanes apart in the cache
    widest = 8
    for body in chosen:
        widest = max(widest, vertices[body])
    across, along = np.empty(widest, np.float32), np.empty(widest, np.float32)
    position, depth = np.empty((widest, LANES), np.float32), np.empty((widest, LANES), np.float32)
    column = np.empty((widest, LANES), np.int32)
    thickness = SLAB_UM / row_um
    for body in chosen:
        m = vertices[body]
        for k in range(m):
            angle = 2.0 * np.pi * k / m - theta
            across[k] = np.cos(angle) / column_um
            along[k] = np.sin(angle)
        for start in range(0, slabs[body], LANES):
            lanes = min(LANES, slabs[body] - start)
            block_top = row[body] + (start - 0.5 * slabs[body]) * thickness
            if block_top + lanes * thickness <= 0.0 or block_top >= rows:
                continue
            begin = offset[body] + start * m
            outlines = tables[begin : begin + m * LANES].reshape(m, LANES)
            first, last = _turn(outlines, across, along, np.float32(lateral[body]), columns, position, depth, column)
            _add_edges(position, depth, column, m, lanes, lines)
            for lane in range(lanes):
                top = block_top + lane * thickness
                bottom = top + thickness
                line = lines[lane]
                for r in range(max(0, int(top)), min(rows, int(np.ceil(bottom)))):
                    weight = np.float32(sign[body] * (min(bottom, r + 1.0) - max(top, float(r))))
                    target = out[r]
                    for i in range(first, last):
                        target[i] += weight * line[i]
                line[first:last] = np.float32(0.0)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _turn(outlines, across, along, middle, columns, position, depth, column):  # type: ignore[no-untyped-def]
    """Vertices to columns and depths; column is the first one at or right of a vertex, kept in [0, columns].

    Returns the range of columns that the outlines touch.
    """
    vertices, lanes = outlines.shape
    zero, end = np.float32(0.0), np.float32(columns)
    first, last = np.int32(columns), np.int32(0)
    for k in range(vertices):
        a, b = across[k], along[k]
        rho, x, d, c = outlines[k], position[k], depth[k], column[k]
        for lane in range(lanes):
            at = middle + rho[lane] * a
            x[lane] = at
            d[lane] = rho[lane] * b
            right = np.ceil(at)
            right = right if right > zero else zero
            c[lane] = np.int32(right if right < end else end)
        for lane in range(lanes):
            first, last = min(first, c[lane]), max(last, c[lane])
    return first, last


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _add_edges(position, depth, column, vertices, lanes, lines):  # type: ignore[no-untyped-def]
    """Add each edge's signed depth to the columns whose centres it crosses.

    An outline runs from right to left along the far side, where depth counts positive, and back along the near side.
    Neighbouring slabs cross nearly the same columns: with the slabs innermost, the branches are foreseeable.
    """
    for k in range(vertices):
        n = k + 1 if k + 1 < vertices else 0
        x0, d0, c0 = position[k], depth[k], column[k]
        x1, d1, c1 = position[n], depth[n], column[n]
        for lane in range(lanes):
            a, b = c0[lane], c1[lane]
            if a == b:
                continue
            line = lines[lane]
            way = np.float32(1.0) if a > b else np.float32(-1.0)
            low, high = min(a, b), max(a, b)
            slope = (d1[lane] - d0[lane]) / (x1[lane] - x0[lane])
            line[np.uint32(low)] += way * (d0[lane] + slope * (np.float32(low) - x0[lane]))
            for i in range(low + 1, high):
                line[np.uint32(i)] += way * (d0[lane] + slope * (np.float32(i) - x0[lane]))
