"""A sample that drifts sideways while it is scanned."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from xrm_control.contracts.trust import CheckResult
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.comparing import tracks
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.reporting.figures.drawing import Chart, Drawing, Series

_LIMIT_PX, _ERRORS = 1.8, 5.0
_LEAST_VIEWS, _LEAST_SPAN_DEG = 24, 150.0
# Of the scan: fewer draw streaks along which the particles' outlines lie askew.
_LEAST_TAKEN = 90
_FLOOR_PX = 0.05
_ROUNDS, _SIGMAS = 3, 4.0


class DriftCheck(TrustCheck):
    """What is left of the particles' ways when circles about the axis are taken off, in proportion to time.

    A steady drift over half a turn is nearly a particle that lies elsewhere: 3 px leave 0.1 px rms in the views. So how
    well it can be told depends on the scan, and the limit with it: a drift of 3 px is not always seen, one of 5 px is.
    """

    kind: Literal["drift"] = "drift"
    source: ClassVar[str] = (
        "1.8 px and five standard errors of this scan's own fit: 1.0 px rms and at most 2.6 px, with errors of 0.4 to "
        "0.6 px, in 21 sound scans; 1.9 to 4.6 px with a drift of 3 px"
    )

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        found = tracks(evidence)
        if found is None:
            return self.nothing("no particles over all rows of the detector")
        theta = evidence.theta_deg[found.views]
        time = np.asarray(evidence.scan.time_s, float)[found.views]
        ok = np.isfinite(found.u) & np.isfinite(time)
        if (
            len(evidence.theta_deg) < _LEAST_TAKEN
            or ok.sum() < _LEAST_VIEWS
            or np.ptp(theta) < _LEAST_SPAN_DEG
            or not np.ptp(time[ok]) > 0
        ):
            return self.nothing("too few views with times")
        size = evidence.looks.bin
        drift_px, error_px = _drift(theta[ok], time[ok], found.right[ok], found.u[ok] / size, size)
        limit = math.hypot(_LIMIT_PX * size, _ERRORS * error_px)
        numbers = {
            "drift sideways over the scan, px": (drift_px, f"within {limit:.2g}"),
            "its standard error, px": error_px,
        }
        if abs(drift_px) <= limit:
            return self.passed(f"no drift beyond {limit:.2g} px", numbers)
        return self.doubt(
            f"drift: the sample moves {abs(drift_px):.1f} px sideways during the scan (limit {limit:.2g})",
            "let stage and sample warm up and settle; take the region again",
            numbers,
        )

    def picture(self, evidence: RegionEvidence) -> Drawing | None:
        """See `TrustCheck.picture`."""

        found = tracks(evidence)
        if found is None:
            return None
        time = np.asarray(evidence.scan.time_s, float)[found.views]
        ok = np.isfinite(found.u) & np.isfinite(time)
        angle = np.radians(evidence.theta_deg[found.views[ok]])
        since = (time[ok] - time[ok].min()) / max(float(np.ptp(time[ok])), 1e-9) - 0.5
        size = evidence.looks.bin
        drift_px, _ = _drift(np.degrees(angle), time[ok], found.right[ok], found.u[ok] / size, size)
        circles = np.column_stack([np.cos(angle), np.sin(angle), np.ones_like(angle)])
        rest = found.right[ok] - drift_px * since
        left = found.right[ok] - circles @ np.asarray(np.linalg.lstsq(circles, rest, rcond=None)[0], np.float64)
        minutes = (time[ok] - time[ok].min()) / 60
        series = Series(minutes, left, "particles"), Series(minutes, drift_px * since, "drift", style="line", odd=True)
        return Chart("Way sideways, less circles", "time (min)", "to the right (px)", series)


def _drift(
    theta_deg: NDArray[np.float64],
    time_s: NDArray[np.float64],
    right_px: NDArray[np.float64],
    u: NDArray[np.float64],
    size: int,
) -> tuple[float, float]:
    """In pixels from the first view to the last, and its standard error, by least squares, without views that
    deviate.
    """
    angle = np.radians(theta_deg)
    since = (time_s - time_s.min()) / np.ptp(time_s) - 0.5
    x = np.column_stack([np.cos(angle), np.sin(angle), since, np.ones_like(angle)])
    y, weight = right_px / size, 1 / np.hypot(u, _FLOOR_PX)
    found = np.zeros(4)
    for _ in range(_ROUNDS):
        found = np.linalg.lstsq(x * weight[:, None], y * weight, rcond=None)[0]
        left = np.abs(y - x @ found)
        keep = left < _SIGMAS * 1.4826 * np.median(left) + 2 * _FLOOR_PX
        x, y, weight = x[keep], y[keep], weight[keep]
    a, left = x * weight[:, None], (y - x @ found) * weight
    covariance = np.linalg.pinv(a.T @ a) * (left @ left) / max(1, len(y) - len(found))
    return float(found[2]) * size, math.sqrt(float(covariance[2, 2])) * size
