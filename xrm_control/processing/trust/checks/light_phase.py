"""Bodies lighter than the particles, which the threshold leaves out."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from xrm_control.analysis.light_phase import CLEAR_OF_SPREAD, LIGHT, OTHER_MATTER, may_be_particles
from xrm_control.contracts.trust import CheckResult
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.reporting.figures.drawing import Drawing, Panel, Panels


class LightPhaseCheck(TrustCheck):
    """Binder and carbon are no particles; particles of lighter matter are, and are not counted."""

    kind: Literal["light_phase"] = "light_phase"
    source: ClassVar[str] = (
        f"clear of the ground by {CLEAR_OF_SPREAD:g} of its spread, and of streaks; balls in closed form of 0.08 to "
        "0.4 of the contrast are found: tests/analysis/test_light_phase.py; "
        f"from {OTHER_MATTER:g} on they may be particles"
    )

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        quality = evidence.quality
        if quality.light_bodies is None or quality.light_seen_from is None or quality.light_seen_from_large is None:
            return self.nothing("the core that measured does not look for what is lighter than particles")
        numbers = {
            "light bodies": float(quality.light_bodies),
            "seen from this share of the contrast on": quality.light_seen_from,
            "large ones from": quality.light_seen_from_large,
        }
        if quality.light_volume_um3 is not None and quality.light_volume_um3_u is not None:
            numbers["their volume, um3"] = quality.light_volume_um3
            numbers["its standard uncertainty, um3"] = quality.light_volume_um3_u
        if quality.light_per_um is not None:
            numbers["their attenuation over the ground, 1/um"] = quality.light_per_um
        doubt = may_be_particles(quality)
        if doubt is not None:
            return self.doubt(*doubt, numbers)
        said = f"{quality.light_bodies} light bodies, told by themselves" if quality.light_bodies else "none seen"
        return self.passed(
            f"{said}; such as have less than {quality.light_seen_from_large:.0%} of the contrast would not be", numbers
        )

    def picture(self, evidence: RegionEvidence) -> Drawing | None:
        """See `TrustCheck.picture`: the slice across each axis with most of them."""
        if evidence.phases is None or not isinstance(evidence.volume, np.ndarray):
            return None
        light = np.asarray(evidence.phases) == LIGHT
        if not light.any():
            return None
        panels: list[Panel] = []
        for axis, plane in enumerate(("xy", "xz", "yz")):
            others = tuple(one for one in range(3) if one != axis)
            at = int(np.argmax(light.sum(axis=others)))
            shown = np.asarray(evidence.volume.take(at, axis))
            panels.append(Panel(f"{plane}, slice {at}", shown, light.take(at, axis).astype(np.uint8)))
        return Panels(tuple(panels))
