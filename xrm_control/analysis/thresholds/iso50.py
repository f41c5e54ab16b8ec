"""ISO-50: half way between the fitted modes, the level that blur of a plane edge does not move."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.threshold import Modes, Threshold


class Iso50(Threshold):
    """Mid-point of the particle and background modes; `per_particle` repeats it with each particle's own levels."""

    kind: Literal["iso50"] = "iso50"
    per_particle: bool = True

    @property
    def local(self) -> bool:
        return self.per_particle

    def level(self, values: NDArray[np.float32], modes: Modes) -> float:
        return modes.background_per_um + 0.5 * modes.contrast_per_um
