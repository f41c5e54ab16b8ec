"""Conjugate gradients on the least-squares problem (CGLS)."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from xrm_control.reconstruction.gram import Gram
from xrm_control.reconstruction.iterative import IterativeReconstructor
from xrm_control.reconstruction.least_squares import conjugate_gradients


class Cgls(IterativeReconstructor):
    """Reaches in some ten steps what SIRT does in a hundred; knows no bounds, for which see `sirt` and `tv`."""

    astra_name: ClassVar[Literal["SIRT", "CGLS"]] = "CGLS"

    kind: Literal["cgls"] = "cgls"

    def _solve(
        self, gram: Gram, target: NDArray[np.float32], tolerance: NDArray[np.floating], threads: int
    ) -> NDArray[np.float32]:
        return conjugate_gradients(gram, target, self.iterations, tolerance, threads)
