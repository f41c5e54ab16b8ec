"""The family of metrics: what is measured on one particle. A member is one file in `metrics/`."""

from __future__ import annotations

from abc import abstractmethod

from xrm_control.analysis.crop import Measured, ParticleCrop
from xrm_control.core.family import Family
from xrm_control.core.model import Spec

METRICS = Family("xrm_control.analysis.metrics", group="xrm_control.metrics")


class Metric(Spec):
    """Base of the family. Members are measured in order of `kind`; no two may give the same column."""

    @abstractmethod
    def measure(self, particle: ParticleCrop) -> dict[str, float]:
        """Columns of particles.csv for one particle; uncertainties in columns that end in `_u`."""


def column(name: str, measured: Measured) -> dict[str, float]:
    """A value and its uncertainty as two columns."""
    return {name: measured.value, f"{name}_u": measured.u}
