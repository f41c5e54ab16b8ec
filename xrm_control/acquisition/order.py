"""In which order the projections of a scan are taken."""

from __future__ import annotations

from abc import abstractmethod

from xrm_control.core.family import Family
from xrm_control.core.model import Spec

ORDERS = Family("xrm_control.acquisition.orders", group="xrm_control.orders")


class ProjectionOrder(Spec):
    """A strategy that orders the projections 0 .. n-1 (by angle) in time."""

    @abstractmethod
    def order(self, projections: int) -> tuple[int, ...]:
        """A permutation of ``range(projections)``."""
