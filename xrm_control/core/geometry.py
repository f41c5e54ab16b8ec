"""The two frames of reference, and the geometry between them.

Stage frame (mosaic, ROIs, stage axes, simulator): right-handed, in um, as the operator sees it at theta = 0.
x to the right (detector column), y downwards (detector row; the rotation axis is parallel to y), z along the beam.
A stage position (x, y, z) is the sample point that lies on the rotation axis, in the middle of the field of view.

Lab frame: the stage frame turned by theta about y. A sample point at (x, z) from the axis is seen at the lateral
position ``x cos(theta) + z sin(theta)``.

Volume frame (arrays in Z, Y, X order; particles.csv): slices perpendicular to the rotation axis, origin at the
centre of the volume. x_volume = x, y_volume = -z, z_volume = y: a pure rotation of the stage frame.
Pixel centres carry the coordinate: the middle of N pixels is (N - 1) / 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

MOST_UM = 1_000_000.0

Coordinate = Annotated[float, Field(ge=-MOST_UM, le=MOST_UM)]
"""A stage position in a document, in um: within a metre; the stage's own limits are another matter."""


@dataclass(frozen=True)
class Pose:
    """A stage position: x, y, z in um, theta in degrees."""

    x_um: float
    y_um: float
    z_um: float
    theta_deg: float


def stage_to_volume(points_um: NDArray[np.floating], centre: Pose) -> NDArray[np.float64]:
    """Stage points (n, 3) as x, y, z in um -> volume points (n, 3) as x, y, z in um, for a scan centred at `centre`."""
    points = np.asarray(points_um, float).reshape(-1, 3) - (centre.x_um, centre.y_um, centre.z_um)
    return np.column_stack((points[:, 0], -points[:, 2], points[:, 1]))


def volume_to_stage(points_um: NDArray[np.floating], centre: Pose) -> NDArray[np.float64]:
    """Inverse of `stage_to_volume`: volume points (n, 3) as x, y, z in um -> stage points (n, 3) in um."""
    points = np.asarray(points_um, float).reshape(-1, 3)
    turned = np.column_stack((points[:, 0], points[:, 2], -points[:, 1]))
    return turned + np.array([centre.x_um, centre.y_um, centre.z_um])


def lateral_um(x_um: float, z_um: float, theta_deg: float) -> float:
    """Where a sample point at (x, z) from the rotation axis is seen, in um from the axis's image."""
    theta = math.radians(theta_deg)
    return x_um * math.cos(theta) + z_um * math.sin(theta)


def seen_beside(centre: Pose, theta_deg: float, right_um: float) -> Pose:
    """The stage position at which the sample point `centre` is seen `right_um` right of the axis's image, at theta.

    The point's way about the axis is so taken back by x and z: it turns about an axis that is imaged there.
    """
    theta = math.radians(theta_deg)
    return Pose(
        centre.x_um - right_um * math.cos(theta), centre.y_um, centre.z_um - right_um * math.sin(theta), theta_deg
    )


def projected_half_width_um(width_um: float, thickness_um: float, theta_deg: float) -> float:
    """Half the width of the shadow of a box `width_um` (x) by `thickness_um` (z) turned by theta, in um."""
    theta = math.radians(theta_deg)
    return (width_um * abs(math.cos(theta)) + thickness_um * abs(math.sin(theta))) / 2
