"""What fraction of the light reaches each pixel: the specimen seen from the poses that an exposure ran through."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simulators.optics import DETECTOR_PX, PIXEL_UM, detect, sampling_grid
from simulators.passing import Passing
from simulators.render import Grid
from simulators.specimen import Specimen
from simulators.stand import resampled

PLAIN = Passing()
_STILL_UM = 0.02
_MOST_POSES = 16


@dataclass(frozen=True)
class View:
    """The sample point (x, y, z) on the rotation axis, the angle, and where the detector sees that point, in um."""

    x_um: float
    y_um: float
    z_um: float
    theta_deg: float
    lateral_um: float = 0.0
    vertical_um: float = 0.0

    def distance_um(self, other: View) -> float:
        """An upper bound of how far the picture moves in the field from one view to another."""
        turn_um = math.radians(abs(self.theta_deg - other.theta_deg)) * 0.5 * DETECTOR_PX * PIXEL_UM
        return turn_um + math.dist(
            (self.x_um, self.y_um, self.z_um, self.lateral_um, self.vertical_um),
            (other.x_um, other.y_um, other.z_um, other.lateral_um, other.vertical_um),
        )


def transmission(
    specimen: Specimen,
    view: View,
    binning: int,
    blur_fwhm_um: float,
    picture_to_axis: NDArray[np.float64] | None = None,
    passing: Passing = PLAIN,
) -> NDArray[np.float64]:
    """Transmission (size, size) of a specimen at rest: mean over sub-pixels of exp(-line integral), blurred.

    picture_to_axis (2, 2): from (right, down) in the picture to (across, along) the rotation axis; None: the same.
    passing: what becomes of the beam.
    """
    grid = sampling_grid(binning)
    if picture_to_axis is None:
        passed = _passed(specimen, view, grid, passing)
    else:
        passed = resampled(
            lambda rows, columns: _passed(specimen, view, _sized(grid, rows, columns), passing),
            picture_to_axis,
            (grid.rows, grid.columns),
            (grid.row_um, grid.column_um),
        )
    return detect(passed, grid, DETECTOR_PX // binning, blur_fwhm_um).astype(np.float64)


def _passed(specimen: Specimen, view: View, grid: Grid, passing: Passing) -> NDArray[np.float32]:
    """What is left of the beam on the sub-pixels of a grid."""
    shifted = replace(
        grid,
        first_column_um=grid.first_column_um - view.lateral_um,
        first_row_edge_um=grid.first_row_edge_um - view.vertical_um,
    )
    integral = specimen.attenuation((view.x_um, view.y_um, view.z_um), view.theta_deg, shifted)
    return passing.passed(integral, shifted)


def _sized(grid: Grid, rows: int, columns: int) -> Grid:
    """The same grid about the same middle with other numbers of rows and columns."""
    return replace(
        grid,
        rows=rows,
        columns=columns,
        first_column_um=grid.first_column_um - 0.5 * (columns - grid.columns) * grid.column_um,
        first_row_edge_um=grid.first_row_edge_um - 0.5 * (rows - grid.rows) * grid.row_um,
    )


def mean_transmission(
    specimen: Specimen,
    view_at: Callable[[float], View],
    begin_s: float,
    end_s: float,
    binning: int,
    blur_fwhm_um: float,
    picture_to_axis: NDArray[np.float64] | None = None,
    passing: Passing = PLAIN,
) -> NDArray[np.float64]:
    """Transmission averaged from begin_s to end_s; a picture that moves is rendered at several of its poses."""
    views = [view_at(float(t_s)) for t_s in np.linspace(begin_s, end_s, 9)]
    moved_um = max(view.distance_um(views[4]) for view in views)
    poses = 1
    if moved_um > _STILL_UM:
        poses = min(_MOST_POSES, 2 + math.ceil(moved_um / (0.25 * PIXEL_UM * binning)))
    times_s = begin_s + (np.arange(poses) + 0.5) / poses * (end_s - begin_s)
    frames = [
        transmission(specimen, view_at(float(t_s)), binning, blur_fwhm_um, picture_to_axis, passing) for t_s in times_s
    ]
    return np.mean(frames, axis=0)
