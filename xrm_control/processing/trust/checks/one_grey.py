"""Particles that are not of one grey each: a graded density, a shell, another phase within."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from xrm_control.analysis.field import find_field
from xrm_control.analysis.matter_doubts import EDGE, LEAST_PARTICLES, VARIES, GreyWithin, grey_within, not_one_grey
from xrm_control.contracts.tables import Particle
from xrm_control.contracts.trust import CheckResult
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.reporting.figures.drawing import Chart, Drawing, Limit, Series

_MOST_SAMPLING_PX = 4.5  # pi D / N: of views farther apart streaks are a tenth of the contrast


class OneGreyCheck(TrustCheck):
    """Half-way between two levels is the surface of a body of one level."""

    kind: Literal["one_grey"] = "one_grey"
    source: ClassVar[str] = (
        "an edge that is a blurred step, and an interior that varies as noise does: measured, python -m "
        "benchmarks.other_makers"
    )

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        views = len(np.unique(np.round(evidence.theta_deg % 180.0, 3)))
        if np.pi * evidence.scan.projections.shape[2] > _MOST_SAMPLING_PX * views:
            return self.nothing("too few views: their streaks lie beside the particles")
        found = self._found(evidence)
        if len(found) < LEAST_PARTICLES:
            return self.nothing(f"fewer than {LEAST_PARTICLES} particles with an interior")
        numbers = {
            f"{what}, median": float(np.median([getattr(one, name) for one in found]))
            for name, what in (
                ("varies", "variation within beyond noise, of the contrast"),
                ("beside", "grey two voxels outside, of the contrast"),
                ("lacking", "lack of grey two voxels inside, of the contrast"),
            )
        }
        said = not_one_grey(found)
        if not said:
            return self.passed("particles are of one grey each, with edges as sharp as the blur", numbers)
        reason, _, remedy = said[0].partition(" -> ")
        return self.doubt(reason, remedy, numbers)

    def picture(self, evidence: RegionEvidence) -> Drawing | None:
        """See `TrustCheck.picture`."""
        found = self._found(evidence)
        numbers = np.arange(1, len(found) + 1, dtype=float)
        series = tuple(
            Series(numbers, np.array([getattr(one, name) for one in found]), what)
            for name, what in (("varies", "varies within"), ("beside", "outside"), ("lacking", "lacking inside"))
        )
        limits = (Limit(VARIES, "within"), Limit(EDGE, "outside, lacking"))
        return Chart("Grey of the particles", "particle looked at", "of the contrast", series, limits)

    def _found(self, evidence: RegionEvidence) -> tuple[GreyWithin, ...]:
        volume, labels, phases, rows = evidence.volume, evidence.labels, evidence.phases, evidence.particles
        if not isinstance(volume, np.ndarray) or labels is None or phases is None or rows is None:
            return ()
        kinds, ids = rows.texts(Particle.crack_kind), rows.ids(Particle.particle_id)
        open_cracks = {int(one) for one, kind in zip(ids, kinds, strict=True) if kind in ("edge", "through")}
        inside = find_field(volume).inside
        return grey_within(volume, labels, phases, inside, evidence.quality, evidence.scan.pixel_size_um, open_cracks)
