"""Particles that touch others by necks about as wide as those of bodies that are grown together."""

from __future__ import annotations

from typing import ClassVar, Literal

from xrm_control.analysis.necks import too_many_unsure
from xrm_control.contracts.tables import Particle
from xrm_control.contracts.trust import CheckResult
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.processing.trust.slices import slices_through
from xrm_control.reporting.figures.drawing import Drawing


class NecksCheck(TrustCheck):
    """What may be one is counted as two, and what may be two as one."""

    kind: Literal["necks"] = "necks"
    source: ClassVar[str] = (
        "a neck of a quarter of the smaller one's section parts touching from grown together; drawn pairs of balls "
        "of 4 and 7 voxels with necks to a quarter and from 0.6 of the radius on are told: tests/analysis/test_necks.py"
    )

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        quality = evidence.quality
        if quality.unsure_necks is None or quality.whole_particles is None:
            return self.nothing("the core that measured does not look at necks")
        numbers = {
            "whole particles that may be one with another, or two": float(quality.unsure_necks),
            "of whole particles": float(quality.whole_particles),
            "made of bodies that are grown together": float(quality.fused_particles or 0),
        }
        doubt = too_many_unsure(quality)
        if doubt is None:
            return self.passed("necks tell which bodies touch and which are grown together", numbers)
        return self.doubt(*doubt, numbers)

    def picture(self, evidence: RegionEvidence) -> Drawing | None:
        """See `TrustCheck.picture`: slices through an unsure particle with the widest neck."""
        rows = evidence.particles
        if rows is None or not rows.has(Particle.neck_kind):
            return None
        unsure = [
            (ratio, number)
            for number, kind, ratio in zip(
                rows.ids(Particle.particle_id),
                rows.texts(Particle.neck_kind),
                rows.numbers(Particle.neck_ratio).tolist(),
                strict=True,
            )
            if kind == "unsure"
        ]
        return slices_through(evidence, (int(max(unsure)[1]),)) if unsure else None
