"""The family of metrics: what is measured on one particle. A member is one file in `metrics/`."""

from __future__ import annotations

import math
from abc import abstractmethod
from numbers import Real
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
        """Cells of particles.csv for one particle, by the names of `columns`; NaN: empty."""

    def measured(self, particle: ParticleCrop) -> dict[str, float]:
        """`measure`, held against `columns`.

        Raises AnalysisError for a cell too many or too few or with no number in it, and for whatever a metric of
        another package raises.
        """
        try:
            cells = self.measure(particle)
        except Exception as error:
            if METRICS.is_own(type(self)):
                raise
            raise self._trouble("fails", f"{type(error).__name__}: {error}") from error
        declared = {column.name for column in self.columns}
        for name in sorted(declared ^ set(cells)):
            trouble = "does not give a column that it declares" if name in declared else "gives a column undeclared"
            raise self._trouble(trouble, name)
        for name, value in cells.items():
            # Integers and floats of numpy are numbers, too.
            if not isinstance(value, Real) or math.isinf(value):
                raise self._trouble("gives what is no number", f"{name} = {value!r}")
        return cells

    @classmethod
    def __pydantic_init_subclass__(cls, **_: object) -> None:
        """Raises TypeError for `columns` that are none, where the metric is defined."""
        if not isinstance(cls.columns, tuple) or not all(isinstance(one, Column) for one in cls.columns):
            raise TypeError(f"{cls.__name__}.columns must be a tuple of xrm_control.contracts.column.Column")

    def _trouble(self, what: str, value: str) -> AnalysisError:
        remedy = "mend it, or leave it out of analysis.metrics"
        return AnalysisError(f"the metric {what}", where=f"metric {type(self).__name__}", value=value, remedy=remedy)


def with_u(column: Column, measured: Measured) -> dict[str, float]:
    """A value and its standard uncertainty as the cells of two columns."""
    return {column.name: measured.value, uncertainty(column).name: measured.u}


def columns_with_u(*columns: Column) -> tuple[Column, ...]:
    """Each column, and the one of its standard uncertainty."""
    return tuple(one for column in columns for one in (column, uncertainty(column)))
