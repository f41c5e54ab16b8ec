"""Views, flats and darks judged against each other."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from xrm_control.contracts.trust import CheckResult
from xrm_control.core.errors import DataError
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.reconstruction.intensities import NOTHING_LEFT_OUT, judge
from xrm_control.reporting.figures.drawing import Chart, Drawing, Series


class FramesCheck(TrustCheck):
    """As files of other instruments are judged before they are used."""

    kind: Literal["frames"] = "frames"
    source: ClassVar[str] = "each frame against its neighbours and the others of its kind (docs/how-to/files.md)"

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        try:
            out = judge(evidence.scan)
        except DataError as error:
            return self.redo(f"{error.what}: {error.value}", error.remedy or "take the region again")
        used = len(out.views) + len(out.flats) + len(out.darks)
        numbers = {
            "views that do not fit": float(len(out.views)),
            "flats that do not fit": float(len(out.flats)),
            "darks that do not fit": float(len(out.darks)),
        }
        if not out.notes:
            return self.passed("views, flats and darks fit together", numbers)
        said = "; ".join(note.replace(" left out", "") for note in out.notes)
        remedy = (
            "they are in the volume: reconstruct without them, or take the region again"
            if used
            else ("look at the references and at the views")
        )
        return self.doubt(said, remedy, numbers)

    def picture(self, evidence: RegionEvidence) -> Drawing | None:
        """See `TrustCheck.picture`."""

        scan = evidence.scan
        try:
            out = judge(scan)
        except DataError:
            out = NOTHING_LEFT_OUT
        series: list[Series] = []
        first = 0
        for name, frames, odd in (
            ("views", scan.projections, out.views),
            ("flats", scan.flats, out.flats),
            ("darks", scan.darks, out.darks),
        ):
            levels = np.array([float(np.mean(frames[at : at + 1])) for at in range(len(frames))])
            numbers = first + np.arange(len(levels))
            first += len(levels)
            series.append(Series(numbers, levels, style="line" if name == "views" else "points"))
            some = list(odd)
            if some:
                series.append(Series(numbers[some], levels[some], f"{name} that do not fit", odd=True))
        return Chart("Level of each frame", "views by angle, flats, darks", "mean (counts)", tuple(series))
