"""Voids behind walls that the threshold does not see."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from xrm_control.analysis.lids import too_many_lids
from xrm_control.contracts.tables import Particle
from xrm_control.contracts.trust import CheckResult
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.processing.trust.slices import slices_through
from xrm_control.reporting.figures.drawing import Drawing


class LidsCheck(TrustCheck):
    """A void behind a wall thinner than the blur and a pore with a mouth as narrow look alike."""

    kind: Literal["lids"] = "lids"
    source: ClassVar[str] = (
        "a plane wall below 1.35 standard deviations of the blur does not reach half of the contrast, one of 0.64 a "
        "quarter; balls in closed form: tests/analysis/test_matter.py"
    )

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        quality = evidence.quality
        if quality.lidded_particles is None or quality.whole_particles is None:
            return self.nothing("the core that measured does not look for pits behind faint walls")
        numbers = {
            "whole particles with a pit behind a faint wall": float(quality.lidded_particles),
            "of whole particles": float(quality.whole_particles),
        }
        doubt = too_many_lids(quality)
        if doubt is None:
            return self.passed("few pits are closed by walls that the threshold does not see", numbers)
        return self.doubt(*doubt, numbers)

    def picture(self, evidence: RegionEvidence) -> Drawing | None:
        """See `TrustCheck.picture`: slices through the particle with the most void of those with an ambiguous one."""
        rows = evidence.particles
        if rows is None or not rows.has(Particle.void_count_ambiguous):
            return None
        void = np.where(rows.numbers(Particle.void_count_ambiguous) > 0, rows.numbers(Particle.void_volume_um3), 0)
        if not len(void) or not void.max() > 0:
            return None
        return slices_through(evidence, (int(rows.ids(Particle.particle_id)[int(np.argmax(void))]),))
