"""Several coarse sweeps that fill each other's gaps: a scan cut short still covers all angles."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from xrm_control.acquisition.order import ProjectionOrder


class Interlaced(ProjectionOrder):
    """`sweeps` sweeps over all angles, forth and back, each shifted by one projection."""

    kind: Literal["interlaced"] = "interlaced"
    sweeps: int = Field(default=4, ge=2, le=64)

    def order(self, projections: int) -> tuple[int, ...]:
        """See `ProjectionOrder.order`."""
        found: list[int] = []
        for sweep in range(self.sweeps):
            part = range(sweep, projections, self.sweeps)
            found += part if sweep % 2 == 0 else reversed(part)
        return tuple(found)
