"""A threshold given by the operator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xrm_control.analysis.threshold import Modes, Threshold
from xrm_control.core.diagnostics import Diagnostic
from xrm_control.core.states import Level

# Of the tabulated attenuation, whose tables agree to 6 %; noise does the rest.
_HIGHEST = 1.3


class Fixed(Threshold):
    """One level in 1/um for every volume."""

    kind: Literal["fixed"] = "fixed"
    level_per_um: float = Field(gt=0, le=1_000_000)

    def diagnose(self, mu_per_um: float) -> Iterator[Diagnostic]:
        """See `Threshold.diagnose`."""
        share = self.level_per_um / mu_per_um
        if 0.1 <= share <= 0.9:
            return
        yield Diagnostic(
            ("analysis.threshold.level_per_um", "sample.formula", "sample.density_g_cm3"),
            "no particle would be found: the threshold lies above what particles of this formula attenuate"
            if share > _HIGHEST
            else "the threshold lies near one of the two levels that it should lie between",
            f"{self.level_per_um:g} 1/um",
            f"between 0 and {mu_per_um:.3g} 1/um, tabulated for the formula",
            f"half-way is {mu_per_um / 2:.3g}; iso50 finds it in the volume",
            Level.ERROR if share > _HIGHEST else Level.WARNING,
        )

    def level(self, values: NDArray[np.float32], modes: Modes) -> float:
        return self.level_per_um
