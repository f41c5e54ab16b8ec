"""Particles that the mosaic promised against those that were found."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np

from xrm_control.contracts.tables import Particle
from xrm_control.contracts.trust import CheckResult
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.reporting.figures.drawing import Chart, Drawing, Series

_FACTOR, _SIGMAS = 2.0, 3.0


class ExpectedCheck(TrustCheck):
    """The mosaic misses small particles and those behind others; it does not miss half of them, or invent as many."""

    kind: Literal["expected_particles"] = "expected_particles"
    source: ClassVar[str] = "counts: a factor of two between two ways to count, and three sigma of Poisson's law"

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        if evidence.roi is None or evidence.whole is None or evidence.particles is None:
            return self.nothing("no mosaic to compare with")
        if evidence.spec.rows is not None:
            return self.nothing("only some rows are reconstructed")
        # Of a volume that is wider than the window, what lies in the window.
        within = np.abs(evidence.whole.numbers(Particle.x_um)) <= evidence.roi.width_um / 2
        inside = np.abs(evidence.particles.numbers(Particle.x_um)) <= evidence.roi.width_um / 2
        expected, found, every = evidence.roi.expected_particles, int(within.sum()), int(inside.sum())
        chance = _SIGMAS * math.sqrt(max(expected, 1))
        least, most = expected / _FACTOR - chance, expected * _FACTOR + chance + _FACTOR
        numbers = {
            "expected from the mosaic": float(expected),
            "whole particles found": (float(found), f"{max(0.0, least):.0f} to {most:.0f}"),
            "found, cut ones too": float(every),
        }
        if least <= every and found <= most:
            return self.passed(f"{found} whole particles, {expected} expected from the mosaic", numbers)
        few = every < least
        return self.doubt(
            f"{every if few else found} particles found for {expected} that the mosaic promised",
            "the stage was elsewhere, or the sample has moved: compare preview.png with mosaic.png" if few else
            "noise or artefacts taken for particles: look at the slices, the flats and the threshold",
            numbers,
        )  # fmt: skip

    def picture(self, evidence: RegionEvidence) -> Drawing | None:
        """See `TrustCheck.picture`."""

        if evidence.roi is None or evidence.whole is None or evidence.particles is None:
            return None
        counts = evidence.roi.expected_particles, len(evidence.whole), len(evidence.particles)
        names = "promised by the mosaic", "whole", "cut ones too"
        bars = tuple(
            Series([at], [count], f"{name}: {count}", style="bars", odd=at == 0)
            for at, (count, name) in enumerate(zip(counts, names, strict=True))
        )
        return Chart("Particles", "", "count", bars)
