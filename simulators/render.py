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


@dataclass(frozen=True)
class Grid:
    """Columns (point-sampled) and rows (averaged) in um: coordinates of the centre of column 0 and the edge of row 0."""

    columns: int
    rows: int
    column_um: float
    row_um: float
    first_column_um: float
    first_row_edge_um: float


@dataclass(frozen=True)
class BodyStore:
    """All tables of a specimen, end to end: centre (n, 3) in um, sign +1 (matter) or -1 (void), reach about the centre."""

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
        sizes = np.array([0, *(table.size for table in tables)], np.int64)
        return cls(
            np.concatenate([table.ravel() for table in tables]) if tables else np.zeros(1, np.float32),
            np.cumsum(sizes)[:-1],
            np.array([table.shape[0] for table in tables], np.int64),
            np.array([table.shape[1] for table in tables], np.int64),
            np.asarray(centre_um, np.float64).reshape(-1, 3),
            np.asarray(reach_um, np.float64),
            np.asarray(sign, np.float64),
        )


def path_length(bodies: BodyStore, centre_um: tuple[float, float, float], theta_deg: float, grid: Grid) -> NDArray[np.float32]:
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


@numba.njit(cache=True, nogil=True, boundscheck=False, error_model="numpy")
def _accumulate(out, chosen, tables, offset, slabs, vertices, lateral, row, sign, theta, column_um, row_um):  # type: ignore[no-untyped-def]
    rows, columns = out.shape
    line = np.zeros(columns, np.float32)
    widest = 1
    for body in chosen:
        widest = max(widest, vertices[body])
    across, along = np.empty(widest, np.float32), np.empty(widest, np.float32)
    position, depth = np.empty(widest + 1, np.float32), np.empty(widest + 1, np.float32)
    column = np.empty(widest + 1, np.int32)
    thick = SLAB_UM / row_um
    for body in chosen:
        m = vertices[body]
        for k in range(m):
            angle = 2.0 * np.pi * k / m - theta
            across[k] = np.cos(angle) / column_um
            along[k] = np.sin(angle)
        middle = np.float32(lateral[body])
        for j in range(slabs[body]):
            top = row[body] + (j - 0.5 * slabs[body]) * thick
            bottom = top + thick
            if bottom <= 0.0 or top >= rows:
                continue
            start = offset[body] + j * m
            for k in range(m):
                rho = tables[start + k]
                position[k] = middle + rho * across[k]
                depth[k] = rho * along[k]
            for k in range(m):
                column[k] = np.int32(np.ceil(position[k]))
            position[m], depth[m], column[m] = position[0], depth[0], column[0]
            first, last = columns, 0
            for k in range(m):
                a, b = column[k], column[k + 1]
                if a == b:
                    continue
                slope = (depth[k + 1] - depth[k]) / (position[k + 1] - position[k])
                x0, d0 = position[k], depth[k]
                if a < b:  # moving right along the near side
                    a, b = max(a, 0), min(b, columns)
                    for i in range(a, b):
                        line[i] -= d0 + slope * (np.float32(i) - x0)
                    first, last = min(first, a), max(last, b)
                else:
                    a, b = max(b, 0), min(a, columns)
                    for i in range(a, b):
                        line[i] += d0 + slope * (np.float32(i) - x0)
                    first, last = min(first, a), max(last, b)
            for r in range(max(0, int(top)), min(rows, int(np.ceil(bottom)))):
                weight = np.float32(sign[body] * (min(bottom, r + 1.0) - max(top, float(r))))
                for i in range(first, last):
                    out[r, i] += weight * line[i]
            for i in range(first, last):
                line[i] = 0.0
