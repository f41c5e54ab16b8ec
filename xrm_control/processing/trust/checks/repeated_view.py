"""A view that was taken once more at the end of the scan."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from xrm_control.contracts.trust import CheckResult
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.processing.trust.repeating import Repetition, repetition
from xrm_control.reporting.figures.drawing import Drawing, Panel, Panels

_SHIFT_PX, _ERRORS = 1.0, 5.0


class RepeatedViewCheck(TrustCheck):
    """How far the sample has moved between a view and its repetition: drift, a slip, and the run-out of two moves."""

    kind: Literal["repeated_view"] = "repeated_view"
    source: ClassVar[str] = "a step of a pixel doubles edges; five standard errors of the shift between the two views"

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        found = evidence.once(repetition)
        if found is None:
            return self.nothing("no view was taken twice")
        off = float(np.hypot(found.right_px, found.down_px))
        error = float(np.hypot(found.u_right_px, found.u_down_px))
        limit = float(np.hypot(_SHIFT_PX, _ERRORS * error))
        numbers = {
            "to the right, px": found.right_px,
            "down, px": found.down_px,
            "standard error to the right, px": found.u_right_px,
            "standard error down, px": found.u_down_px,
            "minutes between": found.apart_s / 60,
            "distance, px": (off, f"within {limit:.2g} unless views were put right"),
        }
        what = f"the view at {found.theta_deg:.1f} degrees came back {off:.2f} px beside"
        if off <= limit or evidence.quality.view_shifts_px:
            return self.passed(what, numbers)
        return self.doubt(
            f"{what} after {found.apart_s / 60:.0f} minutes (limit {limit:.2g}): the sample has moved",
            "let stage and sample warm up and settle, or leave reconstruction.motion: auto; take the region again",
            numbers,
        )

    def picture(self, evidence: RegionEvidence) -> Drawing | None:
        """See `TrustCheck.picture`."""
        found = evidence.once(repetition)
        return None if found is None else _panels(found)


def _panels(found: Repetition) -> Panels:
    most = max(float(np.percentile(np.abs(found.change), 99.5)), 1e-6)
    return Panels(
        (
            Panel(f"-ln T at {found.theta_deg:.1f} degrees", found.first),
            Panel("its repetition less it", found.change, window=(-most, most)),
        )
    )
