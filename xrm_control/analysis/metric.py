"""The family of metrics: what is measured on one particle. A member is one file in `metrics/`."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from xrm_control.analysis.crop import ParticleCrop
from xrm_control.analysis.measured import Measured
from xrm_control.contracts.column import Column, uncertainty
from xrm_control.core.errors import AnalysisError
from xrm_control.core.family import Family
from xrm_control.core.model import Spec

METRICS = Family("xrm_control.analysis.metrics", group="xrm_control.metrics")


class Metric(Spec):
    """Base of the family. Members are measured in order of `kind`; no two may give the same column.

    columns: what it gives, each with unit and meaning; a column whose `statistics` is not "none" is in the population's
    statistics and in the report as well.
    """

    columns: ClassVar[tuple[Column, ...]] = ()

    @abstractmethod
    def measure(self, particle: ParticleCrop) -> dict[str, float]:
        """Cells of particles.csv for one particle, by the names of `columns`."""

    def measured(self, particle: ParticleCrop) -> dict[str, float]:
        """`measure`, held against `columns`. Raises AnalysisError for a cell too many or too few."""
        cells = self.measure(particle)
        declared = {column.name for column in self.columns}
        for name in sorted(declared ^ set(cells)):
            trouble = "does not give a column that it declares" if name in declared else "gives a column undeclared"
            raise AnalysisError(f"the metric {trouble}", where=f"metric {type(self).__name__}", value=name)
        return cells


def with_u(column: Column, measured: Measured) -> dict[str, float]:
    """A value and its standard uncertainty as the cells of two columns."""
    return {column.name: measured.value, uncertainty(column).name: measured.u}


def columns_with_u(*columns: Column) -> tuple[Column, ...]:
    """Each column, and the one of its standard uncertainty."""
    return tuple(one for column in columns for one in (column, uncertainty(column)))
