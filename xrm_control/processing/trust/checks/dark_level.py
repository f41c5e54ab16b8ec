"""The level of no light, as the darks have it and as the noise has it."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from xrm_control.contracts.trust import CheckResult
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.dark_level import DarkLevel, dark_level
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.reporting.figures.drawing import Chart, Drawing, Limit, Series

_OFF, _SIGMAS = 0.01, 3.5  # of the beam; standard uncertainties
_STEP_DEG = 1.5  # edge-on a layer is dark in a view or two: of wider steps the level is known the less


class DarkLevelCheck(TrustCheck):
    """A dark of another setting, temperature or exposure, none, or one taken off twice, lowers or raises mu unseen."""

    kind: Literal["dark_level"] = "dark_level"
    of_views: ClassVar[bool] = True
    source: ClassVar[str] = (
        "the variance of photons is in proportion to their number; balls counted by another maker and nineteen regions "
        "of five simulated powders: within 0.8 % of the beam, or three standard errors"
    )

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        found = evidence.once(dark_level)
        if isinstance(found, str):
            return self.nothing(found)
        off, u = found.too_high_counts / found.beam_counts, found.u_counts / found.beam_counts
        step_deg = float(np.median(np.abs(np.diff(evidence.theta_deg))))
        limit = _OFF * max(step_deg / _STEP_DEG, 1.0) + _SIGMAS * u
        highest = limit + found.unsure_counts / found.beam_counts
        numbers = {
            "dark level above that of no light, of the beam": (off, f"within {-limit:.3f} to {highest:.3f}"),
            "standard uncertainty": u,
            "mu is off by": found.mu_off,
            "standard uncertainty of that": found.u_mu,
        }
        if -limit <= off <= highest:
            return self.passed(f"by the noise the dark level is right within {100 * limit:.2g} % of the beam", numbers)
        high = off > 0
        return self.doubt(
            f"darks: by the noise the level of no light lies {abs(found.too_high_counts):.0f} counts "
            f"{'below' if high else 'above'} what was taken off, {100 * abs(off):.2g} % of the beam (limit "
            f"{100 * (highest if high else limit):.2g} %): attenuations are about {100 * abs(found.mu_off):.2g} % too "
            f"{'high' if high else 'low'}",
            "take darks with the views' exposure, binning and temperature, without light, and take them off once",
            numbers,
        )

    def picture(self, evidence: RegionEvidence) -> Drawing | None:
        """See `TrustCheck.picture`."""
        found = evidence.once(dark_level)
        return None if isinstance(found, str) else _chart(found)


def _chart(found: DarkLevel) -> Chart:
    start = -found.too_high_counts
    ends = np.array([start, float(found.counts.max())])
    return Chart(
        "Variance of the views over their counts",
        "counts of a pixel above the dark that was taken off",
        "variance (counts squared)",
        (
            Series(ends, found.gain_counts * (ends - start), "photons, from no light on", "line", muted=True),
            Series(found.counts, found.variances, "views", odd=True),
        ),
        upright=(Limit(start, "no light, by the noise"),),
    )
