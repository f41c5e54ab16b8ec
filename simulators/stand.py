"""How camera and rotation axis stand against the stage: what somebody finds who does not believe the drawing.

Magnitudes, for whoever sets them: a detector put back by hand stands within 1 to 3 degrees, and the pixel of a zone
plate's magnification is known to 1 or 2 % (SerialEM's manual asks for a new stage calibration for the same reasons);
mirrors and transposed read-out follow from the number of mirrors, and from the driver of the camera.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class CameraStand:
    """The camera against the stage; lengths of pictures are those of the stated pixel.

    rotation_deg: a picture's column axis runs at that angle from stage x towards stage y (downwards); scale_x, scale_y:
    true size of a pixel on the sample over the stated one; mirrored: columns run from right to left; transposed: rows
    are columns, before any mirror. axis_tilt_deg: the rotation axis, from stage y towards stage -x, in the plane of
    the picture.
    """

    rotation_deg: float = 0.0
    scale_x: float = 1.0
    scale_y: float = 1.0
    mirrored: bool = False
    transposed: bool = False
    axis_tilt_deg: float = 0.0

    @property
    def straight(self) -> bool:
        """Whether nothing is out of the way."""
        return self == CameraStand()

    def matrix(self) -> NDArray[np.float64]:
        """(2, 2): from a place in the picture (right, down of its middle) to one on the stage (x, y), um to um."""
        order = np.array([[0.0, 1.0], [1.0, 0.0]]) if self.transposed else np.eye(2)
        mirror = np.diag((-1.0 if self.mirrored else 1.0, 1.0))
        return turn(self.rotation_deg) @ np.diag((self.scale_x, self.scale_y)) @ mirror @ order

    def to_axis(self) -> NDArray[np.float64]:
        """(2, 2): from a place on the stage (x, y) to one across and along the rotation axis."""
        return turn(-self.axis_tilt_deg)

    def truth(self) -> dict[str, Any]:
        """JSON-able: the settings, and `matrix` as the stage sees the picture."""
        return {
            "rotation_deg": self.rotation_deg,
            "scale_x": self.scale_x,
            "scale_y": self.scale_y,
            "mirrored": self.mirrored,
            "transposed": self.transposed,
            "picture_to_stage": self.matrix().tolist(),
        }


def turn(degrees: float) -> NDArray[np.float64]:
    """(2, 2): turns (x, y) by an angle from x towards y."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, -s], [s, c]])


def resampled(
    straight: Callable[[int, int], NDArray[Any]],
    matrix: NDArray[np.float64],
    shape: tuple[int, int],
    step_um: tuple[float, float],
) -> NDArray[np.float32]:
    """A picture (rows, columns) as it is seen through a matrix, from one that stands straight about the same middle.

    straight(rows, columns): the latter, in the same steps (down, right), as large as it is asked for; matrix (2, 2):
    from (right, down) in the picture wanted to (right, down) in the straight one, um to um. Linear in between.
    """
    from scipy.ndimage import affine_transform

    half_um = 0.5 * np.array([shape[1] * step_um[1], shape[0] * step_um[0]])
    reach_um = np.abs(matrix) @ half_um
    # An even number of steps more on each side keeps the middle where it is, between the steps or on one.
    more = [max(0, math.ceil((reach_um[1 - k] - half_um[1 - k]) / step_um[k])) + 2 for k in (0, 1)]
    rows, columns = (size + 2 * extra for size, extra in zip(shape, more, strict=True))
    image = straight(rows, columns)
    step = np.array(step_um)
    # Rows first, and counted in steps.
    to_rows = matrix[::-1, ::-1] * step[None, :] / step[:, None]
    middle_in, middle_out = (np.array([r - 1, c - 1]) / 2 for r, c in ((rows, columns), shape))
    offset: Any = middle_in - to_rows @ middle_out
    seen = affine_transform(image, to_rows, offset, output_shape=shape, order=1, mode="nearest")
    return np.asarray(seen, dtype=np.float32)
