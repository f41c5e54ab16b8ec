"""The strip of tape that carries the powder: a box, whose shadow is known in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.render import Grid

_THIN_UM = 1e-4


@dataclass(frozen=True)
class Tape:
    """A box centred on x = y = 0, lengths in um. depth_um: of its upper surface below z = 0, where particles rest."""

    width_um: float
    height_um: float
    thickness_um: float
    mu_per_um: float
    depth_um: float = 0.0

    def path_length(self, centre_um: tuple[float, float, float], theta_deg: float, grid: Grid) -> NDArray[np.float32]:
        """Chord lengths, in um, averaged over each pixel of the grid; arguments as in `render.path_length`."""
        theta = math.radians(theta_deg)
        wide = max(self.width_um * abs(math.cos(theta)), _THIN_UM)
        narrow = max(self.thickness_um * abs(math.sin(theta)), _THIN_UM)
        middle_z = -(centre_um[2] + self.depth_um + 0.5 * self.thickness_um)
        middle = -centre_um[0] * math.cos(theta) + middle_z * math.sin(theta)
        edges = grid.first_column_um + grid.column_um * (np.arange(grid.columns + 1) - 0.5) - middle
        # the shadow of a turned box is a trapezoid, two boxes folded: its running integral has four parabolic pieces
        outer, inner = 0.5 * (wide + narrow), 0.5 * (wide - narrow)
        area = _ramp(edges + outer) - _ramp(edges + inner) - _ramp(edges - inner) + _ramp(edges - outer)
        chord = np.diff(area) * (self.width_um * self.thickness_um / (wide * narrow * grid.column_um))
        rows = grid.first_row_edge_um + grid.row_um * np.arange(grid.rows + 1) + centre_um[1]
        covered = np.diff(np.clip(rows, -0.5 * self.height_um, 0.5 * self.height_um)) / grid.row_um
        return np.outer(covered, chord).astype(np.float32)


def _ramp(x: NDArray[np.floating]) -> NDArray[np.floating]:
    return 0.5 * np.maximum(x, 0.0) ** 2
