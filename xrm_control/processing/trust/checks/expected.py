"""Particles that the mosaic promised against those that were found."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from xrm_control.contracts.rois import RoiRecord
from xrm_control.contracts.rows import Rows
from xrm_control.contracts.tables import Particle
from xrm_control.contracts.trust import CheckResult
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.reporting.figures.drawing import Chart, Drawing, Limit, Series
from xrm_control.roi.particles2d import SMALLEST_UM

EXPECTED, FOUND = "expected from the mosaic", "whole particles found in the window less its margin"

_SIGMAS, _FINDER = 3.0, 0.05
_RIM_UM = 1.0
"""By so much a particle may lie elsewhere, or be larger, than the mosaic shows."""


class ExpectedCheck(TrustCheck):
    """Both count what lies wholly in the window less its margin, and is not too small for the mosaic."""

    kind: Literal["expected_particles"] = "expected_particles"
    source: ClassVar[str] = (
        "counts: what lies within 1 um of the margin's rim, and three sigma of one particle more and 5 % that the "
        "finder misses or makes up (`python -m benchmarks.finding`)"
    )

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        if evidence.roi is None or evidence.whole is None:
            return self.nothing("no mosaic to compare with")
        if evidence.spec.rows is not None:
            return self.nothing("only some rows are reconstructed")
        if evidence.mosaic is not None and evidence.mosaic.count_doubt:
            return self.nothing(f"the particles of the mosaic cannot be counted: {evidence.mosaic.count_doubt}")
        room_um = room(evidence.whole, evidence.roi, evidence.margin_um)
        expected, found = evidence.roi.expected_particles, int((room_um >= 0).sum())
        rim = int((np.abs(room_um) <= _RIM_UM).sum())
        allowed = rim + _SIGMAS * math.sqrt(1 + _FINDER * expected)
        least, most = max(0.0, expected - allowed), expected + allowed
        numbers = {
            EXPECTED: float(expected),
            FOUND: (float(found), f"{math.ceil(least)} to {math.floor(most)}"),
            "of which within 1 um of its rim, or as near outside": float(rim),
            "whole particles found in all": float(len(evidence.whole)),
        }
        if least <= found <= most:
            return self.passed(f"{found} whole particles in the window, {expected} expected from the mosaic", numbers)
        return self.doubt(
            f"{found} whole particles in the window for {expected} that the mosaic promised",
            "the mosaic showed what is no particle, the stage was elsewhere, or the sample has moved: compare "
            "preview.png with mosaic.png" if found < least else
            "the mosaic missed particles, or noise and artefacts were taken for some: look at mosaic.png, the slices "
            "and the threshold",
            numbers,
        )  # fmt: skip

    def picture(self, evidence: RegionEvidence) -> Drawing | None:
        """See `TrustCheck.picture`."""
        if evidence.roi is None or evidence.whole is None:
            return None
        x, z = (evidence.whole.numbers(column) for column in (Particle.x_um, Particle.z_um))
        inside = room(evidence.whole, evidence.roi, evidence.margin_um) >= 0
        right, down = (side / 2 - evidence.margin_um for side in (evidence.roi.width_um, evidence.roi.height_um))
        return Chart(
            f"{inside.sum()} whole particles in the window, {evidence.roi.expected_particles} promised",
            "x (µm)",
            "z (µm)",
            (Series(x[inside], z[inside], "in the window"), Series(x[~inside], z[~inside], "beyond", odd=True)),
            (Limit(-down), Limit(down, "margin")),
            (Limit(-right), Limit(right)),
        )


def room(particles: Rows, roi: RoiRecord, margin_um: float) -> NDArray[np.float64]:
    """How far each particle (n,) stays within the window less its margin as the sample turns, um; negative where it
    does not wholly, and minus infinity where it is too small for the mosaic.
    """
    radius = particles.numbers(Particle.equivalent_diameter_um) / 2
    from_axis = np.hypot(particles.numbers(Particle.x_um), particles.numbers(Particle.y_um))
    across = roi.width_um / 2 - margin_um - from_axis - radius
    along = roi.height_um / 2 - margin_um - np.abs(particles.numbers(Particle.z_um)) - radius
    return np.where(2 * radius >= SMALLEST_UM, np.minimum(across, along), -np.inf)
