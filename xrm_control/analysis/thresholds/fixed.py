"""A threshold given by the operator."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xrm_control.analysis.threshold import Modes, Threshold


class Fixed(Threshold):
    """One level in 1/um for every volume."""

    kind: Literal["fixed"] = "fixed"
    level_per_um: float = Field(gt=0)

    def level(self, values: NDArray[np.float32], modes: Modes) -> float:
        return self.level_per_um
