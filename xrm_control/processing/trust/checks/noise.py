"""The noise of the views, beside what photon statistics and the camera's gain predict."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from xrm_control.contracts.trust import CheckResult
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.processing.trust.neighbouring_views import expected_counts
from xrm_control.processing.trust.photon_noise import photon_noise
from xrm_control.reporting.figures.drawing import Chart, Drawing, Series

_OFF, _SIGMAS, _LEFT, _GAIN_OFF = 0.1, 3.0, 0.5, 0.15
_VIEW_LEAST, _VIEW_MOST = 0.5, 2.0


class NoiseCheck(TrustCheck):
    """Too little: views were smoothed, averaged or repeated. Too much: something is in them that no model has."""

    kind: Literal["noise"] = "noise"
    of_views: ClassVar[bool] = True
    source: ClassVar[str] = (
        "variance over that of photons and camera, of the flats: 0.96 to 1.03 in sound simulated scans, 0.99 in a real "
        "one of a tooth; each view twice 0.4; uncertainties of sizes go with its root"
    )

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        found = evidence.once(photon_noise)
        if isinstance(found, str):
            return self.nothing(found)
        known = found.of_views[np.isfinite(found.of_views)]
        lowest, highest = (float(known.min()), float(known.max())) if known.size else (1.0, 1.0)
        # What steep edges add, of which some is left where the views are smoothest.
        off = float(np.hypot(_OFF, _SIGMAS * found.u))
        least, most = 1 - off, 1 + off + _LEFT * max(found.everywhere - found.overall, 0.0)
        numbers: dict[str, float | tuple[float, str]] = {
            "variance of the views over that of photons and camera": (
                found.overall,
                f"within {least:.2f} to {most:.2f}",
            ),
            "with steep edges": found.everywhere,
            "lowest, of a view": (lowest, f"at least {_VIEW_LEAST:g}"),
            "highest, of a view": (highest, f"at most {_VIEW_MOST:g}"),
            "flats, neighbouring pixels over single ones": found.flats,
        }
        stated = evidence.counts_per_photon
        if stated:
            numbers["gain by the flats over the camera's"] = (found.gain_counts / stated, f"within {_GAIN_OFF:g} of 1")
        percent = f"{100 * found.overall:.0f} % of what photons and camera make"
        if found.overall < least or lowest < _VIEW_LEAST:
            where = "" if found.overall < least else self._view(evidence, found.views, found.of_views, lowest)
            return self.doubt(
                f"noise: the variance of the views is {percent}{where}",
                "views were smoothed, averaged or stored twice: hand over frames as the camera gave them",
                numbers,
            )
        if found.overall > most or highest > _VIEW_MOST:
            where = "" if found.overall > most else self._view(evidence, found.views, found.of_views, highest)
            return self.doubt(
                f"noise: the variance of the views is {percent}{where}",
                "exposure or gain differ from the flats', or something flickers: look at source and camera; stated "
                "uncertainties are too small",
                numbers,
            )
        if stated and abs(found.gain_counts / stated - 1) > _GAIN_OFF:
            return self.doubt(
                f"noise: a photon makes {found.gain_counts:.3g} counts by the flats, {stated:.3g} by the camera",
                "the camera's gain or binning is another one, or the beam flickers: write down the variance of flats "
                "over their mean as counts_per_photon",
                numbers,
            )
        return self.passed(f"the variance of the views is {percent}", numbers)

    def tells_more(self, evidence: RegionEvidence) -> bool:
        """See `TrustCheck.tells_more`: part of each region's certificate."""
        return True

    def picture(self, evidence: RegionEvidence) -> Drawing | None:
        """See `TrustCheck.picture`."""
        found = evidence.once(photon_noise)
        if isinstance(found, str) or evidence.references is None:
            return None
        beam = float(np.median(evidence.references.beams))
        at = found.levels * beam
        expected = np.sqrt(found.flats * expected_counts(evidence.references, at))
        measured = expected * np.sqrt(found.of_levels)
        return Chart(
            "Noise of the views",
            "counts of a pixel",
            "standard deviation (counts)",
            (
                Series(at, expected, "photons and camera", "line", muted=True),
                Series(at, measured, "views", odd=abs(found.overall - 1) > _OFF),
            ),
        )

    def _view(self, evidence: RegionEvidence, views: np.ndarray, of_views: np.ndarray, worst: float) -> str:
        view = int(views[int(np.nanargmin(np.abs(of_views - worst)))])
        return f", of view {view} ({evidence.theta_deg[view]:.1f} degrees) {100 * worst:.0f} %"
