"""What fraction of the light reaches each pixel: the specimen seen from the poses that an exposure ran through."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simulators.optics import DETECTOR_PX, PIXEL_UM, detect, sampling_grid
from simulators.specimen import Specimen

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


def transmission(specimen: Specimen, view: View, binning: int, blur_fwhm_um: float) -> NDArray[np.float64]:
    """Transmission (size, size) of a specimen at rest: mean over sub-pixels of exp(-line integral), blurred."""
    grid = sampling_grid(binning)
    shifted = replace(
        grid,
        first_column_um=grid.first_column_um - view.lateral_um,
        first_row_edge_um=grid.first_row_edge_um - view.vertical_um,
    )
    integral = specimen.attenuation((view.x_um, view.y_um, view.z_um), view.theta_deg, shifted)
    np.negative(integral, out=integral)
    return detect(np.exp(integral, out=integral), grid, DETECTOR_PX // binning, blur_fwhm_um).astype(np.float64)


def mean_transmission(
    specimen: Specimen,
    view_at: Callable[[float], View],
    begin_s: float,
    end_s: float,
    binning: int,
    blur_fwhm_um: float,
) -> NDArray[np.float64]:
    """Transmission averaged from begin_s to end_s; a picture that moves is rendered at several of its poses."""
    views = [view_at(float(t_s)) for t_s in np.linspace(begin_s, end_s, 9)]
    moved_um = max(view.distance_um(views[4]) for view in views)
    poses = 1
    if moved_um > _STILL_UM:
        poses = min(_MOST_POSES, 2 + math.ceil(moved_um / (0.25 * PIXEL_UM * binning)))
    times_s = begin_s + (np.arange(poses) + 0.5) / poses * (end_s - begin_s)
    frames = [transmission(specimen, view_at(float(t_s)), binning, blur_fwhm_um) for t_s in times_s]
    return np.mean(frames, axis=0)
