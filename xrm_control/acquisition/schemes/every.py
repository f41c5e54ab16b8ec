"""Before the first, after the last, and after every N projections between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from xrm_control.acquisition.references import ReferenceScheme
from xrm_control.core.diagnostics import Diagnostic
from xrm_control.core.states import Level


class Every(ReferenceScheme):
    """Before the first, after the last, and after every `interval` projections between."""

    kind: Literal["every"] = "every"
    interval: int = Field(default=50, ge=1, le=20_000, description="projections between two sets")

    def diagnose(self, projections: int) -> Iterator[Diagnostic]:
        """See `ReferenceScheme.diagnose`."""
        if self.interval >= projections:
            yield Diagnostic(
                ("scan.references.interval", "scan.projections"),
                "no references are taken during the scan: only before and after it",
                f"every {self.interval} projections",
                f"below {projections}, the projections of a scan",
                "lower the interval, or say kind: both",
                Level.WARNING,
            )

    def after(self, projections: int) -> tuple[int, ...]:
        """See `ReferenceScheme.after`."""
        return (*range(0, projections, self.interval), projections)
