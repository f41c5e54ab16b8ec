"""Particles too large for the field."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from xrm_control.contracts.trust import CheckResult
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.reporting.figures.drawing import Chart, Drawing, Limit, Series

_LARGE, _SHARE = 0.5, 0.10


class CoarseTailCheck(TrustCheck):
    """What is never whole in the field is in no statistics, whatever its weight."""

    kind: Literal["coarse_tail"] = "coarse_tail"
    source: ClassVar[str] = (
        "Miles and Lantuejoul: half the field is whole in one case of four at most; 10 % of the volume moves Dv50 by "
        "more than its interval"
    )

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        if evidence.mosaic is None or not evidence.mosaic.diameters_um:
            return self.nothing("no particles of a mosaic on record")
        d_um = np.array(evidence.mosaic.diameters_um)
        large = d_um > _LARGE * evidence.field_um
        share = float((d_um[large] ** 3).sum() / (d_um**3).sum())
        numbers = {
            "largest particle of the mosaic, um": float(d_um.max()),
            f"share of volume in particles above {_LARGE * evidence.field_um:.0f} um": (share, f"at most {_SHARE:g}"),
        }
        if share <= _SHARE:
            return self.passed(f"the mosaic's particles fit a field of {evidence.field_um:.0f} um", numbers)
        return self.doubt(
            f"coarse tail: {share:.0%} of the mosaic's volume is in {int(large.sum())} particles above "
            f"{_LARGE * evidence.field_um:.0f} um, up to {d_um.max():.0f} um, for a field of "
            f"{evidence.field_um:.0f} um",
            "Dv50 and what follows from it hold for the smaller ones alone: use a larger field, or the mosaic's sizes",
            numbers,
        )

    def picture(self, evidence: RegionEvidence) -> Drawing | None:
        """See `TrustCheck.picture`."""

        if evidence.mosaic is None or not evidence.mosaic.diameters_um:
            return None
        d_um = np.sort(evidence.mosaic.diameters_um)
        share = np.cumsum(d_um**3) / np.sum(d_um**3)
        return Chart(
            "Volume of the mosaic's particles",
            "diameter (µm)",
            "share in smaller ones",
            (Series(d_um, share, style="line"), Series(d_um, share)),
            (Limit(1 - _SHARE),),
            (Limit(_LARGE * evidence.field_um, "half the field"),),
        )
