"""Rays that hardly any photon passes."""

from __future__ import annotations

from typing import ClassVar, Literal

from xrm_control.contracts.trust import CheckResult
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.evidence import STARVED_QUANTA, RegionEvidence
from xrm_control.reporting.figures.drawing import Chart, Drawing, Limit, Series

_LIMIT, _REDO = 0.01, 0.10


class StarvedCheck(TrustCheck):
    """The logarithm of a few quanta is biased, and streaks between dense particles look like voids."""

    kind: Literal["starved_rays"] = "starved_rays"
    of_views: ClassVar[bool] = True
    source: ClassVar[str] = (
        "with N quanta E[ln N] is low by 1/(2N), 6 % of one line integral at 8; 1 %: a streak a slice at 100 columns"
    )

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        looks = evidence.looks
        share = float(looks.starved.mean())
        numbers = {
            f"share of rays below {STARVED_QUANTA:g} quanta": (share, f"at most {_LIMIT:g}"),
            "share in the worst view": float(looks.starved.max()),
            "mean transmission": float(looks.images.mean()),
        }
        averaged, width_px = evidence.quality.averaged_fraction, evidence.quality.averaged_width_px
        if averaged and width_px:
            numbers |= {
                "share of rays averaged with their neighbours": averaged,
                "width of that average, um": width_px * evidence.scan.pixel_size_um,
            }
        if share <= _LIMIT:
            return self.passed(f"{100 * share:.2g} % of the rays are starved of photons", numbers)
        return (self.redo if share > _REDO else self.doubt)(
            f"dense bed: fewer than {STARVED_QUANTA:g} photons pass {100 * share:.2g} % of the rays (limit "
            f"{100 * _LIMIT:g} %), so sound particles may look voided",
            "expose for longer, choose a thinner region or a narrower strip; do not trust voids here",
            numbers,
        )

    def picture(self, evidence: RegionEvidence) -> Drawing | None:
        """See `TrustCheck.picture`."""

        looks = evidence.looks
        share = Series(evidence.theta_deg[looks.views], 100 * looks.starved)
        return Chart(
            f"Rays that fewer than {STARVED_QUANTA:g} photons pass",
            "angle (degrees)",
            "share of the rays (%)",
            (share,),
            (Limit(100 * _LIMIT, "limit of the mean"),),
        )
