"""A sample that drifts sideways while it is scanned."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from xrm_control.contracts.trust import CheckResult
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.comparing import tracks
from xrm_control.processing.trust.evidence import RegionEvidence

_LIMIT_PX = 1.8
_LEAST_VIEWS, _LEAST_SPAN_DEG = 24, 150.0
_FLOOR_PX = 0.05
_ROUNDS, _SIGMAS = 3, 4.0


class DriftCheck(TrustCheck):
    """What is left of the particles' ways when circles about the axis are taken off, in proportion to time.

    A steady drift over half a turn is nearly a particle that lies elsewhere: 3 px leave 0.1 px rms in the views.
    """

    kind: Literal["drift"] = "drift"
    source: ClassVar[str] = "0.7 px rms and at most 1.5 px in 14 sound scans; 1.9 to 4.6 px with a drift of 3 px"

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        found = tracks(evidence)
        if found is None:
            return self.nothing("no particles over all rows of the detector")
        theta = evidence.theta_deg[found.views]
        time = np.asarray(evidence.scan.time_s, float)[found.views]
        ok = np.isfinite(found.u) & np.isfinite(time)
        if ok.sum() < _LEAST_VIEWS or np.ptp(theta) < _LEAST_SPAN_DEG or not np.ptp(time[ok]) > 0:
            return self.nothing("too few views with times")
        drift_px = _drift(theta[ok], time[ok], found.right[ok], found.u[ok] / evidence.looks.bin, evidence.looks.bin)
        numbers = {"drift sideways over the scan, px": (drift_px, f"within {_LIMIT_PX:g}")}
        if abs(drift_px) <= _LIMIT_PX * evidence.looks.bin:
            return self.passed(f"no drift beyond {_LIMIT_PX * evidence.looks.bin:g} px", numbers)
        return self.doubt(
            f"drift: the sample moves {abs(drift_px):.1f} px sideways during the scan (limit "
            f"{_LIMIT_PX * evidence.looks.bin:g})",
            "let stage and sample warm up and settle; take the region again",
            numbers,
        )


def _drift(
    theta_deg: NDArray[np.float64],
    time_s: NDArray[np.float64],
    right_px: NDArray[np.float64],
    u: NDArray[np.float64],
    size: int,
) -> float:
    """In pixels from the first view to the last, by least squares, without views that deviate."""
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
    return float(found[2]) * size
