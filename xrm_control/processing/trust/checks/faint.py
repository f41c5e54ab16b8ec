"""Small particles that are fainter than particles of their size: noise made them, or they are other matter."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from xrm_control.analysis.faint import LEAST_FILLED, MOST_VOXELS, too_many_faint
from xrm_control.contracts.tables import Particle
from xrm_control.contracts.trust import CheckResult
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.reporting.figures.drawing import Chart, Drawing, Limit, Series


class FaintCheck(TrustCheck):
    """What hardly passes the threshold is counted as what passes it well."""

    kind: Literal["faint"] = "faint"
    source: ClassVar[str] = (
        f"mean grey at least {LEAST_FILLED:g} of that of a body of this form and blur: balls in closed form at SNR 7 "
        "and 15 have it, lighter ones and streaks of one voxel not: tests/analysis/test_faint.py; the limits were set "
        "on simulated runs"
    )

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        quality = evidence.quality
        if quality.faint_particles is None or quality.whole_particles is None:
            return self.nothing("the core that measured does not tell how faint its particles are")
        numbers = {
            "whole particles too faint for their size": float(quality.faint_particles),
            "of whole particles": float(quality.whole_particles),
        }
        if quality.faint_up_to_um is not None:
            numbers["largest of them, um"] = quality.faint_up_to_um
        doubt = too_many_faint(quality)
        if doubt is None:
            return self.passed("small particles are as dense as large ones", numbers)
        return self.doubt(*doubt, numbers)

    def picture(self, evidence: RegionEvidence) -> Drawing | None:
        """See `TrustCheck.picture`: the mean grey of the voxels of each whole particle."""
        volume, labels, rows, quality = evidence.volume, evidence.labels, evidence.particles, evidence.quality
        low, high = quality.background_mode_per_um, quality.particle_mode_per_um
        if volume is None or labels is None or rows is None or low is None or high is None:
            return None
        numbers = np.asarray(labels).ravel()
        counts = np.bincount(numbers)
        sums = np.bincount(numbers, np.asarray(volume, np.float32).ravel())
        whole = np.array(rows.ids(Particle.particle_id), int)[~np.array(rows.flags(Particle.touches_boundary), bool)]
        whole = whole[counts[whole] > 0]
        share = (sums[whole] / counts[whole] - low) / (high - low)
        diameter_um = (6 / np.pi * counts[whole]) ** (1 / 3) * evidence.scan.pixel_size_um
        small_um = (6 / np.pi * MOST_VOXELS) ** (1 / 3) * evidence.scan.pixel_size_um
        return Chart(
            f"Grey of the whole particles; looked at below {small_um:.1f} µm",
            "diameter (µm)",
            "mean over the ground, of the contrast",
            (Series(diameter_um, share),),
            (Limit(1.0, "the particles' grey"),),
        )
