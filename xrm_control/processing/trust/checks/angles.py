"""Angles that are missing, and views that are too few."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from xrm_control.contracts.trust import CheckResult
from xrm_control.core.errors import DataError
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.reconstruction.preprocess import transmission
from xrm_control.reconstruction.reconstructor import angular_gaps
from xrm_control.reconstruction.rotation_axis import opposite_pairs
from xrm_control.reconstruction.tilt import likeness
from xrm_control.reporting.figures.drawing import Chart, Drawing, Series

_MISSING_DEG, _REDO_DEG = 3.0, 60.0
_FEW = 0.5
# Opposite views are as alike as a view and the next one, noise and all; 5 degrees off they are 0.9 times as much.
_AS_BESIDE, _BESIDE_DEG, _SAME_DEG, _LEAST_ROWS = 0.9, 2.0, 1e-3, 16


@dataclass(frozen=True)
class _Opposite:
    """Of which angles; how alike the views are, and what is the least."""

    text: str
    alike: float
    least: float


class AnglesCheck(TrustCheck):
    """Half a circle without gaps, in steps that show the smallest detail over the useful diameter."""

    kind: Literal["angles"] = "angles"
    of_views: ClassVar[bool] = True
    of_places: ClassVar[bool] = True
    source: ClassVar[str] = (
        "a wedge takes its share of every profile, about 0.5 % of mu a degree; Crowther: pi/2 x diameter / pixel "
        "views, half of which still show what is twice as large"
    )

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        theta = evidence.theta_deg
        gaps = angular_gaps(theta)
        missing = sum(gap.missing_deg for gap in gaps)
        wanted = math.pi / 2 * evidence.useful_diameter_um / evidence.scan.pixel_size_um
        views = len(np.unique(np.round(theta % 180.0, 3)))
        numbers = {
            "degrees of the half circle without views": (missing, f"at most {_MISSING_DEG:g}"),
            "views at different angles": (float(views), f"at least {_FEW * wanted:.0f}"),
        }
        opposite = self._opposite(evidence)
        if opposite is not None:
            numbers["likeness of opposite views"] = (opposite.alike, f"at least {opposite.least:.2f}")
            if opposite.alike < opposite.least:
                return self.redo(
                    f"angles do not fit the views: those at {opposite.text} are no mirror images (likeness "
                    f"{opposite.alike:.2f}, limit {opposite.least:.2f})",
                    "look at scale and slip of the rotation, and whether the sample moved; then take the region again",
                    numbers,
                )
        if missing > _MISSING_DEG:
            widest = max(gaps, key=lambda gap: gap.missing_deg)
            return (self.redo if missing > _REDO_DEG else self.doubt)(
                f"gaps: {missing:.0f} of 180 degrees have no view, the widest {widest.text}; edges along these "
                f"directions are lost, and about {missing / 180:.0%} of the contrast",
                "take the missing views, or reconstruct with tv",
                numbers,
            )
        if views < _FEW * wanted:
            return self.doubt(
                f"too few projections: {views} for a diameter of {evidence.useful_diameter_um:g} um, which wants "
                f"{wanted:.0f}",
                "scan.projections: auto, or a method for few views (tv)",
                numbers,
            )
        return self.passed(f"{views} views, no gap", numbers)

    def _opposite(self, evidence: RegionEvidence) -> _Opposite | None:
        """A view and its mirrored opposite, beside how much a view is like the next one; None without such a pair."""
        theta = evidence.theta_deg
        try:
            one, other = opposite_pairs(theta)[0]
        except DataError:
            return None
        distance = np.abs(theta - theta[one])
        distance[distance < _SAME_DEG] = np.inf
        beside = int(np.argmin(distance))
        if not distance[beside] <= _BESIDE_DEG or evidence.scan.projections.shape[1] < _LEAST_ROWS:
            return None
        views = np.array([one, other, beside])
        seen = transmission(evidence.scan, evidence.spec.preprocess, views=views, references=evidence.references)
        first, second, third = evidence.straight(seen.values)
        return _Opposite(
            f"{theta[one]:.1f} and {theta[other]:.1f} degrees",
            likeness(first[:, ::-1], second),
            _AS_BESIDE * likeness(first, third),
        )

    def picture(self, evidence: RegionEvidence) -> Drawing | None:
        """See `TrustCheck.picture`."""

        gaps = angular_gaps(evidence.theta_deg)
        views = np.sort(evidence.theta_deg % 180.0)
        spans = [(gap.from_deg, gap.to_deg) for gap in gaps]
        # One that goes on beyond 180 begins again at 0.
        spans += [(0.0, high - 180.0) for _, high in spans if high > 180.0]
        steps = Series(views[:-1], np.diff(views), "to the next view")
        return Chart(
            "Angles of the views, and gaps",
            "angle modulo 180 (degrees)",
            "step (degrees)",
            (steps,),
            spans=tuple((low, min(high, 180.0)) for low, high in spans),
        )
