"""Before the first projection."""

from __future__ import annotations

from typing import Literal

from xrm_control.acquisition.references import ReferenceScheme


class Before(ReferenceScheme):
    """Before the first projection."""

    kind: Literal["before"] = "before"

    def after(self, projections: int) -> tuple[int, ...]:
        """See `ReferenceScheme.after`."""
        return (0,)
