"""Frames for nights that nobody looks at: a specimen of blobs, far cheaper than one that is rendered.

A frame is still the picture of its pose: it moves with x, y and z, changes with the angle, shows the beam beside the
strip, and is recognised by whoever looks again. It is no projection of a solid: blobs shift with the angle, by their
depth, and with nothing else, so its brightness does not depend on the angle. Nothing can be reconstructed from it.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from simulators.imaging import View
from simulators.seeding import generator
from simulators.stand import resampled

# Where blobs lie: across, down and along the beam, in um from the middle of a strip of 320 um.
_ACROSS_UM, _DOWN_UM, _DEPTH_UM = 150.0, 320.0, 10.0
_BLOBS = 1100
_SEEN_UM = 4.0  # standard deviations of a blob beyond which it is not seen


@lru_cache(maxsize=4)
def blobs(seed: int) -> NDArray[np.float64]:
    """(blobs, 5), sorted by y: x, y, z, standard deviation in um, and optical depth in the middle."""
    random = generator(seed, "sketch")
    low = (-_ACROSS_UM, -_DOWN_UM, -_DEPTH_UM, 1.5, 0.3)
    high = (_ACROSS_UM, _DOWN_UM, _DEPTH_UM, 3.5, 1.0)
    found = random.uniform(low, high, (_BLOBS, 5))
    return found[np.argsort(found[:, 1])]


def transmission(
    seed: int,
    view: View,
    shape: tuple[int, int],
    pixel_um: float,
    picture_to_axis: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Transmission (rows, columns) of the blobs as seen from a pose; `pixel_um` of the binned pixels.

    picture_to_axis: as in `simulators.imaging.transmission`.
    """
    if picture_to_axis is not None:
        return resampled(
            lambda rows, columns: transmission(seed, view, (rows, columns), pixel_um),
            picture_to_axis,
            shape,
            (pixel_um, pixel_um),
        ).astype(np.float64)
    across_um, half_um, reach_um = 0.5 * shape[1] * pixel_um, 0.5 * shape[0] * pixel_um, 3.5 * _SEEN_UM
    theta = math.radians(view.theta_deg)
    aside_um = abs(view.x_um * math.cos(theta) + view.z_um * math.sin(theta))
    if aside_um > _ACROSS_UM * abs(math.cos(theta)) + _DEPTH_UM * abs(math.sin(theta)) + across_um:
        # Beside the strip, as a solid one would stand at this angle.
        return np.ones(shape)
    known = blobs(seed)
    first, last = np.searchsorted(known[:, 1], (view.y_um - half_um - reach_um, view.y_um + half_um + reach_um))
    x, y, z, sigma, depth = known[first:last].T
    right = x - view.x_um + (z - view.z_um) * theta + view.lateral_um
    down = y - view.y_um + view.vertical_um
    seen = np.abs(right) < across_um + reach_um
    right, down, sigma, depth = (one[seen, None] for one in (right, down, sigma, depth))
    rows_um, columns_um = ((np.arange(size) - 0.5 * (size - 1)) * pixel_um for size in shape)
    columns = np.exp(-0.5 * ((columns_um - right) / sigma) ** 2).astype(np.float32)
    rows = (depth * np.exp(-0.5 * ((rows_um - down) / sigma) ** 2)).astype(np.float32)
    return np.exp(-(rows.T @ columns)).astype(np.float64)
