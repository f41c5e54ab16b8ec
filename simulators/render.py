"""Line integrals of a specimen on a detector grid: exact chords of polygons, row by row.

The bodies that are in view are chosen here; their chords are added up in `simulators.chords`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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
    from simulators.chords import LANES

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
    from simulators.chords import accumulate  # numba, for which a recipe that is only checked must not wait

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
    accumulate(
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
