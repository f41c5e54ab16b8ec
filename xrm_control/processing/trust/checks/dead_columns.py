"""Columns of the detector that do not follow their neighbours."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from xrm_control.contracts.trust import CheckResult
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.reconstruction.filters import median_of_neighbours
from xrm_control.reporting.figures.drawing import Chart, Drawing, Limit, Series

_LIMIT, _SIGMAS, _BAD = 0.03, 8.0, 0.5
_VIEWS, _NEIGHBOURS = 24, 9


class DeadColumnsCheck(TrustCheck):
    """A column that is bridged, stuck or of another gain draws rings, and rings cut particles."""

    kind: Literal["dead_columns"] = "dead_columns"
    of_views: ClassVar[bool] = True
    source: ClassVar[str] = "3 % of transmission at the axis reads as a void of one pixel in 10 um of NMC; 8 sigma"

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        looks = evidence.looks
        off = self._deviations(evidence)
        usual = 1.4826 * float(np.median(np.abs(off)))
        stripes = np.flatnonzero(np.abs(off) > max(_LIMIT, _SIGMAS * usual)) * looks.bin
        bridged = np.empty(0, np.int64)
        if evidence.references is not None:
            bridged = np.flatnonzero(evidence.references.bad.mean(axis=0) > _BAD)
        odd = np.union1d(stripes, bridged)
        numbers = {
            "dead columns, bridged": (float(len(bridged)), "0"),
            "columns that deviate": (float(len(stripes)), "0"),
            "largest deviation from the neighbours": (float(np.abs(off).max()), f"at most {_LIMIT:g}"),
        }
        if not len(odd):
            return self.passed("no column stands out", numbers)
        named = ", ".join(str(column) for column in odd[:8]) + (" ..." if len(odd) > 8 else "")
        return self.doubt(
            f"dead columns: {len(odd)} of the detector ({named}) do not follow their neighbours; rings there may cut "
            "particles or look like voids",
            "reconstruction.preprocess.ring_window_px: 21, and have the camera looked at",
            numbers,
        )

    def picture(self, evidence: RegionEvidence) -> Drawing | None:
        """See `TrustCheck.picture`."""

        off = self._deviations(evidence)
        columns = np.arange(len(off)) * evidence.looks.bin
        usual = 1.4826 * float(np.median(np.abs(off)))
        limit = max(_LIMIT, _SIGMAS * usual)
        odd = np.abs(off) > limit
        if evidence.references is not None:
            bad = np.flatnonzero(evidence.references.bad.mean(axis=0) > _BAD) // evidence.looks.bin
            odd[bad[bad < len(odd)]] = True
        series = (
            Series(columns, off, style="line"),
            Series(columns[odd], off[odd], "do not follow, or bridged", odd=True),
        )
        return Chart(
            "Columns against their neighbours",
            "column of the detector",
            "deviation",
            series,
            (Limit(limit), Limit(-limit)),
        )

    def _deviations(self, evidence: RegionEvidence) -> NDArray[np.float64]:
        """(c,): of each column from the median of those around, relative, in the middle of many rows and views."""
        looks = evidence.looks
        # A column of the camera is off in every row of every view; an edge of a particle in few of them.
        chosen = np.unique(np.linspace(0, len(looks.images) - 1, _VIEWS).round().astype(int))
        lines = looks.images[chosen].reshape(-1, looks.images.shape[2])
        return np.median(lines / np.maximum(median_of_neighbours(lines, _NEIGHBOURS), 1e-3), axis=0) - 1
