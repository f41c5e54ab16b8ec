"""Particles that moved while the scan was taken."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from xrm_control.contracts.trust import CheckResult
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.processing.trust.movers import LEAST_PX, LEAST_STRENGTH, Mover, Movers, movers
from xrm_control.reporting.figures.drawing import Chart, Drawing, Limit, Series

_MOST_SHARE, _FEW = 0.1, 2
_NAMED = 4


class MoversCheck(TrustCheck):
    """Each whole particle's place in the views: what moved is named, and left out of the statistics.

    A few that are left out spoil nothing else; many of them mean that the powder does not hold.
    """

    kind: Literal["movers"] = "movers"
    source: ClassVar[str] = (
        "still ellipsoids in closed form seem to move with a strength of up to 8, hops of 1 um have 13 and more: "
        "benchmarks/movers.py"
    )

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        found = evidence.once(movers)
        if isinstance(found, str):
            return self.nothing(found)
        those = found.those
        most = max(_FEW, int(_MOST_SHARE * found.looked_at))
        numbers = {
            "particles that moved": (float(len(those)), f"at most {most} of {found.looked_at}"),
            "strength of the largest move of the others": (
                found.strongest,
                f"at most {LEAST_STRENGTH:g}, or below {LEAST_PX:g} px",
            ),
        }
        for one in those[:_NAMED]:
            numbers[f"particle {one.particle}, um"] = (one.by_um, "")
        if not those:
            return self.passed(f"none of {found.looked_at} whole particles moved", numbers)
        names = "; ".join(said(one) for one in those[:_NAMED])
        names += f"; and {len(those) - _NAMED} more" if len(those) > _NAMED else ""
        count = f"{len(those)} of {found.looked_at} whole particles moved"
        if not evidence.own_tables:
            return self.doubt(f"{count}: {names}", "leave them out: the core that measured has not", numbers)
        count = f"{count} and {'is' if len(those) == 1 else 'are'} left out: {names}"
        if len(those) <= most:
            return self.passed(count, numbers)
        return self.doubt(
            f"{count} (limit {most})", "the powder does not hold: fix it better, and take the region again", numbers
        )

    def tells_more(self, evidence: RegionEvidence) -> bool:
        """See `TrustCheck.tells_more`."""
        found = evidence.once(movers)
        return not isinstance(found, str) and bool(found.those)

    def picture(self, evidence: RegionEvidence) -> Drawing | None:
        """See `TrustCheck.picture`: where the particle that moved most surely lay in each view."""
        found = evidence.once(movers)
        return None if isinstance(found, str) or not found.those else _track(found)


def said(one: Mover) -> str:
    """Which particle, how far, and when."""
    far = f"{one.by_um:.2g} um" if np.isnan(one.u_um) else f"{one.by_um:.2g} +- {max(one.u_um, 0.01):.1g} um"
    far = f"particle {one.particle} by {'at least ' if one.at_least else ''}{far}"
    if one.way in ("drift", "settle"):
        return f"{far}, little by little"
    return f"{far} before the last view" if one.from_view < 0 else f"{far} at {one.theta_deg:.0f} degrees"


def _track(found: Movers) -> Chart:
    one = found.those[0]
    place = int(np.flatnonzero(found.shifts.ids == one.particle)[0])
    theta, views = found.shifts.theta_deg, found.shifts.views
    u = found.shifts.u[place].max(axis=1)
    seen = np.isfinite(u) & (views >= 0)
    series = [
        Series(theta[seen], found.shifts.right[place, seen], "to the right"),
        Series(theta[seen], found.shifts.down[place, seen], "down", muted=True),
        Series(theta[seen], one.right_px[seen], "as it moved", "line"),
        Series(theta[seen], one.down_px[seen], "", "line"),
    ]
    repeated = np.isfinite(u) & (views < 0)
    if repeated.any():
        both = np.concatenate([found.shifts.right[place, repeated], found.shifts.down[place, repeated]])
        series.append(Series(np.repeat(theta[repeated], 2), both, "in the repeated view", odd=True))
    upright = (Limit(one.theta_deg, "hop"),) if one.way in ("hop", "gone") else ()
    return Chart(
        f"Particle {one.particle}, off its place",
        "angle (degrees)",
        "pixels",
        tuple(series),
        upright=upright,
    )
