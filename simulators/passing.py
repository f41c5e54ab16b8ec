"""What is left of the beam behind the specimen, on a fine grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.render import Grid

# Cr K-beta (5.947 keV) is stopped that much less than K-alpha (5.4 keV), far from edges: the energies' ratio to -2.9.
_KBETA_RATIO = 0.756
# Decrement of the refractive index over mu, in um, of NMC at 5.4 keV: 3.3e-5 from its electron density, 458 per cm.
_DELTA_OVER_MU_UM = 7.1e-4


@dataclass(frozen=True)
class Passing:
    """kbeta_share: of the open beam, in a line that matter stops less; defocus_um: of the plane that is imaged."""

    kbeta_share: float = 0.0
    defocus_um: float = 0.0

    def passed(self, integral: NDArray[np.float32], grid: Grid) -> NDArray[np.float32]:
        """The intensity (rows, columns) over the open beam's; `integral` of the attenuation is overwritten.

        Out of focus, the phase of one material shows as I = T - defocus delta / mu Laplace T (Paganin and others, J.
        Microsc. 206, 33, 2002).
        """
        np.negative(integral, out=integral)
        through = self.kbeta_share * np.exp(_KBETA_RATIO * integral) if self.kbeta_share else None
        passed = np.exp(integral, out=integral)
        if through is not None:
            passed *= np.float32(1.0 - self.kbeta_share)
            passed += through
        if self.defocus_um:
            passed = self._fringed(passed, grid)
        return passed

    def _fringed(self, passed: NDArray[np.float32], grid: Grid) -> NDArray[np.float32]:
        from scipy.ndimage import correlate1d

        second = (1.0, -2.0, 1.0)
        laplace = correlate1d(passed, second, axis=0, mode="nearest") / grid.row_um**2
        laplace += correlate1d(passed, second, axis=1, mode="nearest") / grid.column_um**2
        return np.maximum(passed - np.float32(self.defocus_um * _DELTA_OVER_MU_UM) * laplace, 0.0)
