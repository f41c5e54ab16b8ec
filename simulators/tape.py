"""The strip of tape that carries the powder: a box, whose shadow is known in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.render import Grid


@dataclass(frozen=True)
class Tape:
    """A box centred on x = y = 0, with its upper surface, on which particles rest, at z = 0; lengths in um."""

    width_um: float
    height_um: float
    thickness_um: float
    mu_per_um: float

    def path_length(self, centre_um: tuple[float, float, float], theta_deg: float, grid: Grid) -> NDArray[np.float32]:
        """Chord lengths, in um, shape (rows, columns); arguments as in `render.path_length`."""
        theta = math.radians(theta_deg)
        sine, cosine = math.sin(theta), math.cos(theta)
        lateral = grid.first_column_um + grid.column_um * np.arange(grid.columns, dtype=np.float64)
        # the ray (x, z) = lateral (cos, sin) + depth (-sin, cos), cut by the box's two pairs of faces
        x_enter, x_leave = _between(
            lateral * cosine, -sine, -0.5 * self.width_um - centre_um[0], 0.5 * self.width_um - centre_um[0]
        )
        z_enter, z_leave = _between(lateral * sine, cosine, -self.thickness_um - centre_um[2], -centre_um[2])
        chord = np.maximum(0.0, np.minimum(x_leave, z_leave) - np.maximum(x_enter, z_enter))
        edges = grid.first_row_edge_um + grid.row_um * np.arange(grid.rows + 1)
        inside = np.clip(edges + centre_um[1], -0.5 * self.height_um, 0.5 * self.height_um)
        return np.outer(np.diff(inside) / grid.row_um, chord).astype(np.float32)


def _between(
    start: NDArray[np.float64], direction: float, low: float, high: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The depths at which start + depth * direction enters and leaves [low, high]."""
    if abs(direction) < 1e-12:
        inside = (start >= low) & (start <= high)
        return np.where(inside, -np.inf, np.inf), np.where(inside, np.inf, -np.inf)
    a, b = (low - start) / direction, (high - start) / direction
    return np.minimum(a, b), np.maximum(a, b)
