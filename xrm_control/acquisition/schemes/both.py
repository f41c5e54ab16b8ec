"""Before the first and after the last projection."""

from __future__ import annotations

from typing import Literal

from xrm_control.acquisition.references import ReferenceScheme


class Both(ReferenceScheme):
    """Before the first and after the last projection."""

    kind: Literal["both"] = "both"

    def after(self, projections: int) -> tuple[int, ...]:
        """See `ReferenceScheme.after`."""
        return (0, projections)
