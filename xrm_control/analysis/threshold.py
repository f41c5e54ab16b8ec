"""The family of thresholds: where particle ends and background begins, in one volume.

A member is one file in `thresholds/`: a Spec with a `kind` and the method `level`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.diagnostics import Diagnostic
from xrm_control.core.family import Family
from xrm_control.core.model import Spec

THRESHOLDS = Family("xrm_control.analysis.thresholds", group="xrm_control.thresholds")

FloatVolume = NDArray[np.float32]
BoolVolume = NDArray[np.bool_]


@dataclass(frozen=True)
class Modes:
    """The fitted modes of particle interiors and of the background of the powder layer, and its noise, in 1/um."""

    particle_per_um: float
    background_per_um: float
    noise_per_um: float

    @property
    def contrast_per_um(self) -> float:
        """Particle minus background, in 1/um."""
        return self.particle_per_um - self.background_per_um


class Threshold(Spec):
    """Base of the family."""

    @property
    def local(self) -> bool:
        """Whether each particle's own levels may move the threshold of that particle."""
        return False

    def diagnose(self, mu_per_um: float) -> Iterator[Diagnostic]:
        """What can be said before there is a volume; mu_per_um: tabulated attenuation of the particles."""
        yield from ()

    @abstractmethod
    def level(self, values: NDArray[np.float32], modes: Modes) -> float:
        """The threshold in 1/um.

        values: all voxels (n,) in 1/um inside the reconstructed cylinder; modes: their fitted levels.
        """
