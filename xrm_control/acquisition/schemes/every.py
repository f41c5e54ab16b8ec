"""Before the first, after the last, and after every N projections between."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from xrm_control.acquisition.references import ReferenceScheme


class Every(ReferenceScheme):
    """Before the first, after the last, and after every `interval` projections between."""

    kind: Literal["every"] = "every"
    interval: int = Field(default=50, ge=1, description="projections between two sets")

    def after(self, projections: int) -> tuple[int, ...]:
        """See `ReferenceScheme.after`."""
        return (*range(0, projections, self.interval), projections)
