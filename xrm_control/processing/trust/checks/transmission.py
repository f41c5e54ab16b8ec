"""More light behind the sample than before it."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from xrm_control.contracts.trust import CheckResult
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.evidence import BRIGHT_EXCESS, BRIGHT_SIGMAS, RegionEvidence
from xrm_control.reporting.figures.drawing import Chart, Drawing, Limit, Series, histogram

_DOUBT, _REDO = 1e-3, 0.05  # share of pixels
_LONE = 0.7  # of them stand alone


class TransmissionCheck(TrustCheck):
    """No sample amplifies: pixels brighter than the flats mean that flats and projections do not fit."""

    kind: Literal["transmission"] = "transmission"
    of_views: ClassVar[bool] = True
    source: ClassVar[str] = "Beer and Lambert: transmission is at most 1; noise from the references, drift 2 %"

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        looks = evidence.looks
        share, worst = float(looks.bright.mean()), int(np.argmax(looks.bright))
        numbers = {
            "share of pixels brighter than the beam": (share, f"at most {_DOUBT:g}"),
            "share in the worst view": float(looks.bright[worst]),
            "brightest hundredth, transmission": float(np.quantile(looks.images, 0.99)),
        }
        limit = f"1 + {BRIGHT_EXCESS:g} + {BRIGHT_SIGMAS:g} sigma"
        if share <= _DOUBT:
            return self.passed(f"transmission stays below {limit}", numbers)
        reason = f"transmission above 1 in {100 * share:.2g} % of the pixels (limit {limit}; {100 * _DOUBT:g} %)"
        lone = float(looks.lone.mean())
        if lone > _LONE * share:
            return self.doubt(
                f"bright pixels here and there: {100 * share:.2g} % of the pixels are brighter than the beam (limit "
                f"{limit}; {100 * _DOUBT:g} %), nearly all alone: hits in the camera (zingers), or noisy pixels",
                "shorter exposures, several a view; zinger_sigmas takes off more of them",
                numbers,
            )
        remedy = "the flats were taken in powder, in another beam or with another exposure: see where they are taken"
        return (self.redo if share > _REDO else self.doubt)(reason, remedy, numbers)

    def picture(self, evidence: RegionEvidence) -> Drawing | None:
        """See `TrustCheck.picture`."""

        values, counts = histogram(evidence.looks.images)
        return Chart(
            "Transmission of all views",
            "transmission",
            "pixels",
            (Series(values, np.maximum(counts, 0.8), style="bars"),),
            upright=(Limit(1.0, "the beam"), Limit(1 + BRIGHT_EXCESS)),
            log=True,
        )
