"""Otsu's threshold of the whole volume, for comparison: it sits below the mid-point when background prevails."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.levels import otsu_level
from xrm_control.analysis.threshold import Modes, Threshold


class Otsu(Threshold):
    """Otsu (1979), 256 bins between the extreme ten-thousandths."""

    kind: Literal["otsu"] = "otsu"

    def level(self, values: NDArray[np.float32], modes: Modes) -> float:
        return otsu_level(values)
