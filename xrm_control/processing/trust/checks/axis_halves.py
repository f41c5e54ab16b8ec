"""The rotation axis found again from halves of the scan."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from xrm_control.contracts.trust import CheckResult
from xrm_control.core.errors import DataError
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.reconstruction.filters import moved
from xrm_control.reconstruction.preprocess import transmission
from xrm_control.reconstruction.rotation_axis import RotationAxis, find_rotation_axis, opposite_pairs, views_for_axis
from xrm_control.reporting.figures.drawing import Drawing, Panel, Panels

_LIMIT_PX, _SIGMAS = 0.5, 4.0
_LEAST_ROWS = 16
# What is left in views that were put right goes with the angle, and the error with it: it is not as if drawn anew.
_KNOWN_PX, _KNOWN_PX_MOVED = 2.0, 0.1
_LEAST_PAIRS, _SAME_DEG = 4, 1e-3


class AxisHalvesCheck(TrustCheck):
    """Upper and lower rows, and where there are several pairs, each half of them: a tilt or a drift parts them."""

    kind: Literal["axis_halves"] = "axis_halves"
    of_views: ClassVar[bool] = True
    of_places: ClassVar[bool] = True
    source: ClassVar[str] = "half a pixel of axis opens every point to a pixel's arc; 4 standard errors of the halves"

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        theta = evidence.theta_deg
        try:
            views = views_for_axis(theta)
        except DataError:
            return self.nothing("no two views half a turn apart")
        seen = transmission(evidence.scan, evidence.spec.preprocess, views=views, references=evidence.references)
        values = evidence.straight(seen.values)
        rows = values.shape[1]
        if rows < _LEAST_ROWS:
            return self.nothing("too few rows")
        stated = evidence.quality.rotation_axis_uncertainty_px or 0.0
        moved = bool(evidence.quality.view_shifts_px)
        known = _KNOWN_PX_MOVED if moved else _KNOWN_PX
        if stated > known:
            why, remedy = (
                ("views had to be put right", "let the stage settle, or mend its run-out; take the region again")
                if moved
                else ("opposite views show too little", "state reconstruction.rotation_axis, or take more in the field")
            )
            return self.doubt(
                f"axis is known to {stated:.2g} px only (limit {known:g}): {why}",
                remedy,
                {"stated uncertainty, px": (stated, f"at most {known:g}")},
            )
        try:
            halves = _halves(values, theta[views])
        except DataError as error:
            return self.doubt(f"no axis in half of the data: {error.what}", "look at the views at 0 and 180 degrees")
        upper, lower = halves[0].ends
        worst = max(halves, key=lambda one: abs(one.off_px) / one.limit_px)
        off, limit = abs(worst.off_px), worst.limit_px
        whole = (upper.column_px + lower.column_px) / 2
        from_stated = whole - evidence.axis_px
        numbers = {
            "upper rows, column": upper.column_px,
            "lower rows, column": lower.column_px,
            **{f"{one.name}, px apart": (abs(one.off_px), f"at most {one.limit_px:.2f}") for one in halves},
            "from the axis that was used, px": (from_stated, f"within {halves[0].limit_px:.2f}"),
            "stated uncertainty, px": stated,
        }
        if off > limit:
            return self.doubt(
                f"axis disagrees by {off:.1f} px between halves: {worst.name} (stated {stated:.2g}; limit {limit:.2f})",
                worst.remedy,
                numbers,
            )
        if abs(from_stated) <= halves[0].limit_px:
            return self.passed(f"both halves agree within {off:.2f} px", numbers)
        return self.doubt(
            f"axis used is {abs(from_stated):.1f} px from where the opposite views have it "
            f"(limit {halves[0].limit_px:.2f})",
            "reconstruction.rotation_axis: auto, or look at the views at 0 and 180 degrees",
            numbers,
        )

    def picture(self, evidence: RegionEvidence) -> Drawing | None:
        """See `TrustCheck.picture`."""

        theta = evidence.theta_deg
        try:
            pairs = opposite_pairs(theta)
        except DataError:
            return None
        one, other = pairs[0]
        views = np.array([one, other])
        seen = transmission(evidence.scan, evidence.spec.preprocess, views=views, references=evidence.references).values
        seen = evidence.straight(seen)
        first, second = (-np.log(np.maximum(image, 0.02)) for image in seen)
        from_axis = moved(first[:, ::-1], 0.0, 2 * evidence.axis_px - (first.shape[1] - 1))
        most = max(float(np.percentile(np.abs(second), 99)) / 2, 1e-6)
        return Panels(
            (
                Panel(f"-ln T at {theta[other]:.1f} degrees", second),
                Panel("less its mirrored opposite", second - from_axis, window=(-most, most)),
            )
        )


@dataclass(frozen=True)
class _Halves:
    """The axis of both halves of something, and what it means when they disagree."""

    name: str
    ends: tuple[RotationAxis, RotationAxis]
    remedy: str

    @property
    def off_px(self) -> float:
        return self.ends[1].column_px - self.ends[0].column_px

    @property
    def limit_px(self) -> float:
        """What moves the axis from pair to pair must not excuse itself: of the errors only what noise makes counts."""
        return math.hypot(_LIMIT_PX, _SIGMAS * math.hypot(*(end.noise_px for end in self.ends)))


def _halves(values: NDArray[np.float32], theta_deg: NDArray[np.floating]) -> list[_Halves]:
    """Of the rows; and where there are several pairs, of the pairs, in the order of their angles."""
    rows = values.shape[1] // 2
    upper, lower = (find_rotation_axis(part, theta_deg) for part in (values[:, :rows], values[:, rows:]))
    found = [
        _Halves(
            "upper and lower rows",
            (upper, lower),
            "the detector is tilted against the axis, or the sample moved: see motion, and level the camera",
        )
    ]
    pairs = sorted(opposite_pairs(theta_deg), key=lambda pair: theta_deg[pair[0]])
    if len(pairs) < _LEAST_PAIRS:
        return found
    chosen = (_views_of(some, theta_deg) for some in (pairs[: len(pairs) // 2], pairs[len(pairs) // 2 :]))
    early, late = (find_rotation_axis(values[views], theta_deg[views]) for views in chosen)
    return [
        *found,
        _Halves(
            "first and last pairs",
            (early, late),
            "the sample moved, or the axis did: see motion and drift, and take the scan again",
        ),
    ]


def _views_of(pairs: list[tuple[int, int]], theta_deg: NDArray[np.floating]) -> NDArray[np.int64]:
    """The views of some pairs, and the nearest to each, from which it is known how fast the picture turns."""
    wanted = {view for pair in pairs for view in pair}
    for view in tuple(wanted):
        distance = np.abs(theta_deg - theta_deg[view])
        distance[distance < _SAME_DEG] = np.inf
        wanted.add(int(np.argmin(distance)))
    return np.array(sorted(wanted))
