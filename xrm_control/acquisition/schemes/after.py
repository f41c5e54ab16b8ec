"""After the last projection."""

from __future__ import annotations

from typing import Literal

from xrm_control.acquisition.references import ReferenceScheme


class After(ReferenceScheme):
    """After the last projection."""

    kind: Literal["after"] = "after"

    def after(self, projections: int) -> tuple[int, ...]:
        """See `ReferenceScheme.after`."""
        return (projections,)
