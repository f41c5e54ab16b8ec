"""How deep voxels lie within a body."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.threshold import BoolVolume, FloatVolume


def depth_of(inside: BoolVolume | NDArray[np.bool_], *, black_border: bool = False) -> FloatVolume:
    """Distance, in voxels, of each voxel of `inside` (z, y, x) from the next one that is not; 0 outside.

    black_border: whether what lies beyond the box counts as outside. The exact Euclidean transform of
    Felzenszwalb & Huttenlocher (2012), by the library `edt`.
    """
    from edt import edt

    # The same distances from bytes as from booleans, in a quarter to a half of the time.
    return edt(np.ascontiguousarray(inside).view(np.uint8), black_border=black_border)


def squared_depth_of(inside: BoolVolume) -> NDArray[np.intp]:
    """Squares of `depth_of`: whole numbers; beyond all voxels' distances where nothing is outside."""
    from edt import edtsq

    squared = edtsq(np.ascontiguousarray(inside).view(np.uint8))
    return np.minimum(squared, float(sum(size**2 for size in inside.shape))).astype(np.intp)
