"""The rotation axis found again from halves of the scan."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from xrm_control.contracts.trust import CheckResult
from xrm_control.core.errors import DataError
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.reconstruction.preprocess import transmission
from xrm_control.reconstruction.rotation_axis import find_rotation_axis, views_for_axis

_LIMIT_PX, _SIGMAS = 0.5, 4.0
_LEAST_ROWS = 16


class AxisHalvesCheck(TrustCheck):
    """Upper and lower rows, and where there are several pairs, each half of them: a tilt or a drift parts them."""

    kind: Literal["axis_halves"] = "axis_halves"
    source: ClassVar[str] = "half a pixel of axis opens every point to a pixel's arc; 4 standard errors of the halves"

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        theta = evidence.theta_deg
        try:
            views = views_for_axis(theta)
        except DataError:
            return self.nothing("no two views half a turn apart")
        seen = transmission(evidence.scan, evidence.spec.preprocess, views=views, references=evidence.references)
        rows = seen.values.shape[1]
        if rows < _LEAST_ROWS:
            return self.nothing("too few rows")
        stated = evidence.quality.rotation_axis_uncertainty_px or 0.0
        try:
            upper, lower = (
                find_rotation_axis(seen.values[:, part], theta[views])
                for part in (slice(None, rows // 2), slice(rows // 2, None))
            )
        except DataError as error:
            return self.doubt(f"no axis in half of the rows: {error.what}", "look at the views at 0 and 180 degrees")
        off = lower.column_px - upper.column_px
        error_px = math.hypot(upper.uncertainty_px, lower.uncertainty_px)
        whole = (upper.column_px + lower.column_px) / 2
        from_stated = whole - evidence.axis_px
        limit = math.hypot(_LIMIT_PX, _SIGMAS * error_px)
        numbers = {
            "upper rows, column": upper.column_px,
            "lower rows, column": lower.column_px,
            "disagreement, px": (abs(off), f"at most {limit:.2f}"),
            "from the axis that was used, px": (from_stated, f"within {limit:.2f}"),
            "stated uncertainty, px": stated,
        }
        if max(abs(off), abs(from_stated)) <= limit:
            return self.passed(f"both halves agree within {abs(off):.2f} px", numbers)
        if abs(off) > limit:
            return self.doubt(
                f"axis disagrees by {abs(off):.1f} px between halves (stated {stated:.2g}; limit {limit:.2f})",
                "the detector is tilted against the axis, or the sample moved: see motion, and level the camera",
                numbers,
            )
        return self.doubt(
            f"axis used is {abs(from_stated):.1f} px from where the opposite views have it (limit {limit:.2f})",
            "reconstruction.rotation_axis: auto, or look at the views at 0 and 180 degrees",
            numbers,
        )
