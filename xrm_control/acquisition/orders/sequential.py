"""One sweep from the first angle to the last: the least motion."""

from __future__ import annotations

from typing import Literal

from xrm_control.acquisition.order import ProjectionOrder


class Sequential(ProjectionOrder):
    """One sweep from the first angle to the last."""

    kind: Literal["sequential"] = "sequential"

    def order(self, projections: int) -> tuple[int, ...]:
        """See `ProjectionOrder.order`."""
        return tuple(range(projections))
