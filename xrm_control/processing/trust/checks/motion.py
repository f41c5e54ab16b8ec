"""Views that do not show the sample where the volume has it."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from xrm_control.contracts.trust import CheckResult
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.comparing import moves
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.reporting.figures.drawing import Chart, Drawing, Limit, Series

_RMS_PX, _STEP_PX = 0.2, 1.0
# Of what is left where views were put right: beyond, volumes lose what this correction is for.
_LEFT_PX = 0.35
_LEAST_VIEWS = 8


class MotionCheck(TrustCheck):
    """Jitter of the stage, and a sample that sinks.

    A slip sideways in mid-scan hides: each half of the views agrees with its own half of the volume. Where views were
    put right, what is left counts: in those that are compared, and by its uncertainty in those along the strip.
    """

    kind: Literal["motion"] = "motion"
    of_views: ClassVar[bool] = True
    of_places: ClassVar[bool] = True
    source: ClassVar[str] = (
        "jitter of 0.3 pixel costs an eighth of the voided share; a step of a pixel doubles edges; put right to 0.2 "
        "pixel, volumes are within 1 %"
    )

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        found = moves(evidence)
        if found is None:
            return self.nothing("no volume over all rows of the detector")
        sound = np.isfinite(found.u) & (found.u < 1.0)
        if sound.sum() < _LEAST_VIEWS:
            return self.nothing("too little contrast in the views")
        # Where the sample stands, and any motion in circles, is in the volume too.
        right = found.right[sound]
        down = found.down[sound]
        u = float(np.median(found.u[sound]))
        rms = float(np.sqrt(np.mean(right**2 + down**2)))
        worst = int(np.argmax(right**2 + down**2))
        most = float(np.hypot(right[worst], down[worst]))
        rms_limit, step_limit = float(np.hypot(_RMS_PX, 3 * u)), float(np.hypot(_STEP_PX, 5 * u))
        view = int(found.views[sound][worst])
        numbers = {
            "displacement of views, rms, px": (rms, f"at most {rms_limit:.2f}"),
            "largest displacement, px": (most, f"at most {step_limit:.2f}"),
            "sideways, rms, px": float(np.sqrt(np.mean(right**2))),
            "along the axis, rms, px": float(np.sqrt(np.mean(down**2))),
            "standard error of one, px": u,
        }
        corrected = evidence.quality.view_shifts_px
        left = evidence.quality.view_motion_left_px
        if corrected and left is not None:
            before = float(evidence.quality.view_motion_px or 0.0)
            numbers |= {"put right, rms, px": before, "left by its uncertainty, px": (left, f"at most {_LEFT_PX:g}")}
            if left > _LEFT_PX:
                return self.doubt(
                    f"motion: views lay {before:.2f} px rms beside where they should, and could be put right to "
                    f"{left:.2f} px only (limit {_LEFT_PX:g})",
                    "let the stage settle and warm up, or mend its run-out; take the region again",
                    numbers,
                )
            if rms <= rms_limit and most <= step_limit:
                return self.passed(f"views were put right by {before:.2f} px rms, {left:.2f} px is left", numbers)
        if rms <= rms_limit and most <= step_limit:
            return self.passed(f"views lie within {rms:.2f} px of the volume's projections", numbers)
        return self.doubt(
            f"motion: views lie {rms:.2f} px rms from the volume's projections, view {view} "
            f"({evidence.theta_deg[view]:.1f} degrees) {most:.1f} px (limits {rms_limit:.2f} and {step_limit:.1f})",
            "let the stage settle and warm up (scan order: interlaced shows drift), or apply measured shifts",
            numbers,
        )

    def tells_more(self, evidence: RegionEvidence) -> bool:
        """See `TrustCheck.tells_more`: what was put right is worth a look."""
        return bool(evidence.quality.view_shifts_px)

    def picture(self, evidence: RegionEvidence) -> Drawing | None:
        """See `TrustCheck.picture`."""

        found = moves(evidence)
        if found is None:
            return None
        sound = np.isfinite(found.u) & (found.u < 1.0)
        theta = evidence.theta_deg[found.views[sound]]
        if evidence.quality.view_shifts_px:
            before = np.hypot(*np.array(evidence.quality.view_shifts_px).T)
            left = np.hypot(found.right[sound], found.down[sound])
            taken = Series(evidence.theta_deg, before, "as taken"), Series(theta, left, "put right", odd=True)
            return Chart(
                "How far views lie off",
                "angle (degrees)",
                "distance (px)",
                taken,
                (Limit(_STEP_PX),),
            )
        series = Series(theta, found.right[sound], "to the right"), Series(theta, found.down[sound], "down", odd=True)
        return Chart(
            "Views against the volume's projections",
            "angle (degrees)",
            "displacement (px)",
            series,
            (Limit(_STEP_PX), Limit(-_STEP_PX)),
        )
