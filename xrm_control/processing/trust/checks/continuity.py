"""Views that do not follow from their neighbours."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from xrm_control.contracts.tables import Particle
from xrm_control.contracts.trust import CheckResult
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.processing.trust.movers import movers
from xrm_control.processing.trust.neighbours import Differences, differences, foretold
from xrm_control.reporting.figures.drawing import Chart, Drawing, Limit, Panel, Panels, Series

_JUMP, _STILL, _LOCAL = 1.8, 0.5, 4.5
_ELSEWHERE = 1.5
_SHOWN_PX = 24
_NEAR_PX = 24.0  # half blocks, half of a large particle, and how far one moves
_NEAR_DEG = 10.0  # as well as a hop is placed among the views


class ContinuityCheck(TrustCheck):
    """A slip of stage or sample, a particle that has moved, a stage that stood still, a frame in another's place.

    The volume hides them: each part of the views agrees with its own part of the volume.
    """

    kind: Literal["continuity"] = "continuity"
    of_views: ClassVar[bool] = True
    of_places: ClassVar[bool] = True
    source: ClassVar[str] = (
        "change between neighbours over that of the pairs around: 0.79 to 1.47 in sound scans, in one place up to "
        "3.1; a slip of 2 px 2 to 12, a particle that moves 4 px 5 to 60, a view twice 0 to 0.2"
    )

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        found = differences(evidence)
        if isinstance(found, str):
            return self.nothing(found)
        jump, local = int(np.argmax(found.change)), int(np.argmax(np.nan_to_num(found.local)))
        alike = np.where(found.even, found.change, 1.0)
        still = [
            int(pair)
            for pair in np.flatnonzero(alike < _STILL)
            if alike[pair] < _STILL * min(foretold(evidence, found, int(pair)), 1.0)
        ]
        numbers = {
            "largest change between neighbours": (float(found.change[jump]), f"at most {_JUMP:g}"),
            "smallest": (float(alike.min()), f"at least {_STILL:g}"),
            "largest in one place": (float(np.nan_to_num(found.local)[local]), f"at most {_LOCAL:g}"),
        }
        if still:
            return self.doubt(
                f"the same again: {_named(evidence, found, still[0])}"
                + (f" and {len(still) - 1} more pairs" if len(still) > 1 else "")
                + f" differ less than views do that are {_step(evidence, found):.2g} degrees apart",
                "the stage stood still, a frame was stored twice, or views were stretched to a contrast of their own: "
                "look at both, and take the region again",
                numbers,
            )
        moved = _local_jumps(found)
        if found.change[jump] > _JUMP and jump not in moved:
            jumps = int(np.count_nonzero(found.change > _JUMP))
            return self.doubt(
                f"slip: {_named(evidence, found, jump)} differ {found.change[jump]:.1f} times as much as pairs around"
                + (f" (so do {jumps - 1} more)" if jumps > 1 else ""),
                "stage or sample has slipped there, or stood still before, or one view shows something else: look at "
                "both, and take the region again",
                numbers,
            )
        explained = {pair: _mover(evidence, found, pair) for pair in moved}
        for pair in moved:
            if explained[pair] is not None:
                continue
            row, column = found.places[pair]
            return self.doubt(
                f"something moved: between {_named(evidence, found, pair)} around row {row}, column {column} changes "
                f"{found.local[pair]:.1f} times as much as before and after",
                "a particle has moved: leave those there out, fix the powder better, take the region again",
                numbers,
            )
        if moved:
            names = ", ".join(str(number) for number in dict.fromkeys(explained.values()))
            return self.passed(
                f"each view follows from its neighbours where nothing moved; particle {names} did", numbers
            )
        return self.passed("each view follows from its neighbours", numbers)

    def picture(self, evidence: RegionEvidence) -> Drawing | None:
        """See `TrustCheck.picture`."""

        found = differences(evidence)
        if isinstance(found, str):
            return None
        moved = [pair for pair in _local_jumps(found) if _mover(evidence, found, pair) is None]
        alike = np.where(found.even, found.change, 1.0)
        if alike.min() >= _STILL and moved:
            return _two_views(evidence, found, moved[0])
        middles = evidence.theta_deg[found.views].mean(axis=1)
        odd = (found.change > _JUMP) | (alike < _STILL)
        change = Series(middles, found.change), Series(middles[odd], found.change[odd], odd=True)
        return Chart(
            "Change from view to view", "angle (degrees)", "change / usual", change, (Limit(_JUMP), Limit(_STILL))
        )


def _local_jumps(found: Differences) -> list[int]:
    """Pairs between which one place changes, the largest change first."""
    local = np.nan_to_num(found.local)
    odd = np.flatnonzero((local > _LOCAL) & (found.elsewhere < _ELSEWHERE))
    return [int(pair) for pair in odd[np.argsort(-local[odd])]]


def _mover(evidence: RegionEvidence, found: Differences, pair: int) -> int | None:
    """The particle that was left out, lay in this place of these views, and hopped about then; None where that explains
    nothing."""
    known, rows = evidence.once(movers), evidence.particles
    if isinstance(known, str) or rows is None or not evidence.own_tables:
        return None
    theta = np.radians(evidence.theta_deg[found.views[pair]].mean())
    ids = rows.ids(Particle.particle_id)
    x, y, z = (
        rows.numbers(column) / evidence.scan.pixel_size_um for column in (Particle.x_um, Particle.y_um, Particle.z_um)
    )
    right = evidence.axis_px + x * np.cos(theta) - y * np.sin(theta)
    down = (evidence.scan.projections.shape[1] - 1) / 2 + z
    row, column = found.places[pair]
    for one in known.those:
        if one.way in ("drift", "settle") or abs(one.theta_deg - float(np.degrees(theta))) > _NEAR_DEG:
            continue
        place = ids.index(one.particle)
        if max(abs(right[place] - column), abs(down[place] - row)) < _NEAR_PX * evidence.looks.bin:
            return one.particle
    return None


def _named(evidence: RegionEvidence, found: Differences, pair: int) -> str:
    one, other = found.views[pair]
    return f"views {one} and {other} ({evidence.theta_deg[one]:.1f} and {evidence.theta_deg[other]:.1f} degrees)"


def _two_views(evidence: RegionEvidence, found: Differences, pair: int) -> Panels:
    """Where something has moved: what changes there between two views, and between the two before."""
    size, (row, column) = evidence.looks.bin, found.places[pair]
    at = {int(view): place for place, view in enumerate(evidence.looks.views)}
    rows, columns = evidence.looks.images.shape[1:]
    low, left = max(row // size - _SHOWN_PX, 0), max(column // size - _SHOWN_PX, 0)
    here = np.s_[low : min(row // size + _SHOWN_PX, rows), left : min(column // size + _SHOWN_PX, columns)]
    changes = {
        f"change, view {one} to {other}": (evidence.banded[at[int(other)]] - evidence.banded[at[int(one)]])[here]
        for one, other in (found.views[max(pair - 1, 0)], found.views[pair])
    }
    most = float(np.percentile(np.abs(list(changes.values())[-1]), 99.5))
    return Panels(tuple(Panel(name, change, window=(-most, most)) for name, change in changes.items()))


def _step(evidence: RegionEvidence, found: Differences) -> float:
    return float(np.median(np.diff(np.sort(evidence.theta_deg[found.views[:, 0]]))))
