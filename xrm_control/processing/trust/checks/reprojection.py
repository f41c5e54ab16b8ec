"""What the volume, projected again, does not explain of the views."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from xrm_control.contracts.trust import CheckResult
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.processing.trust.residual import residual
from xrm_control.reporting.figures.drawing import Chart, Drawing, Limit, Panel, Panels, Series

_WHOLE, _VIEW, _ROWS = 0.16, 0.3, 0.28
_WHOLE_SAID, _VIEW_SAID, _ROWS_SAID = "whole", "view", "rows"


class ReprojectionCheck(TrustCheck):
    """Line integrals that no volume can have: missing and altered views, parts of frames that are not the sample's.

    Where views lie is the matter of `motion`. An axis off its place hides over half a turn: the volume goes with it.
    """

    kind: Literal["reprojection"] = "reprojection"
    of_views: ClassVar[bool] = True
    of_places: ClassVar[bool] = True
    source: ClassVar[str] = (
        "share of the structure that is left over: 0.04 in a real scan of a tooth, 0.05 to 0.11 in sound simulated "
        "ones, in a view up to 0.16, in a band of rows up to 0.20; 0.19 where a sixth of the views is missing, 0.3 "
        "where parts of two are black"
    )

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        found = evidence.once(residual)
        if isinstance(found, str):
            return self.nothing(found)
        view, band = int(np.argmax(found.of_views)), int(np.argmax(found.of_rows))
        numbers = {
            "share that is left over": (found.whole, f"at most {_WHOLE:g}"),
            "in the worst view": (float(found.of_views[view]), f"at most {_VIEW:g}"),
            "in the worst band of rows": (float(found.of_rows[band]), f"at most {_ROWS:g}"),
        }
        if found.normalised is not None:
            numbers["residual over noise"] = (found.normalised, "")
        percent = f"{100 * found.whole:.0f} % of the views' structure"
        where = f"view {found.views[view]} ({evidence.theta_deg[found.views[view]]:.1f} degrees)"
        # Said is what is farthest beyond its limit.
        beyond = {
            _WHOLE_SAID: found.whole / _WHOLE,
            _VIEW_SAID: float(found.of_views[view]) / _VIEW,
            _ROWS_SAID: float(found.of_rows[band]) / _ROWS,
        }
        most = max(beyond, key=lambda name: beyond[name])
        if beyond[most] > 1 and most == _WHOLE_SAID:
            return self.doubt(
                f"reprojection: the volume leaves {percent} unexplained (limit {100 * _WHOLE:.0f} %), most in {where}",
                "views are missing or altered: see angles, frames and motion; take the region again",
                numbers,
            )
        if beyond[most] > 1 and most == _VIEW_SAID:
            return self.doubt(
                f"reprojection: the volume leaves {100 * found.of_views[view]:.0f} % of {where} unexplained (limit "
                f"{100 * _VIEW:.0f} %)",
                "look at that view; reconstruct without it, or take the region again",
                numbers,
            )
        if beyond[most] > 1:
            return self.doubt(
                f"reprojection: around row {found.rows[band]} the volume leaves {100 * found.of_rows[band]:.0f} % "
                f"unexplained (limit {100 * _ROWS:.0f} %)",
                "something moved there, or the camera fails in these rows: look at the views, take the region again",
                numbers,
            )
        return self.passed(f"the volume explains the views but for {percent}", numbers)

    def tells_more(self, evidence: RegionEvidence) -> bool:
        """See `TrustCheck.tells_more`: part of each region's certificate."""
        return True

    def picture(self, evidence: RegionEvidence) -> Drawing | None:
        """See `TrustCheck.picture`."""
        found = evidence.once(residual)
        if isinstance(found, str):
            return None
        if found.of_rows.max() > _ROWS:
            name = "residual" if found.normalised is None else "residual over noise"
            return Panels((Panel(f"{name}, mean of the views", found.image),))
        theta = evidence.theta_deg[found.views]
        return Chart(
            "What the volume leaves over of the views",
            "angle (degrees)",
            "share of the structure",
            (Series(theta, found.of_views),),
            (Limit(_VIEW, "limit, one view"), Limit(_WHOLE, "limit, all")),
        )
