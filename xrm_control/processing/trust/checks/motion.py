"""Views that do not show the sample where the volume has it."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from xrm_control.contracts.tables import Particle
from xrm_control.contracts.trust import CheckResult
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.comparing import moves
from xrm_control.processing.trust.evidence import RegionEvidence

_RMS_PX, _STEP_PX = 0.25, 1.0
_PARTICLE_PX, _SIGMAS = 0.75, 6.0
_LEAST_VIEWS = 8


class MotionCheck(TrustCheck):
    """Jitter and drift of the stage, and a sample that creeps."""

    kind: Literal["motion"] = "motion"
    source: ClassVar[str] = (
        "0.25 pixel rms adds as much blur as a tenth of a pixel's own; a step of one pixel doubles edges"
    )

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        found = moves(evidence)
        if found is None:
            return self.nothing("no volume over all rows of the detector")
        sound = np.isfinite(found.u) & (found.u < 1.0)
        if sound.sum() < _LEAST_VIEWS:
            return self.nothing("too little contrast in the views")
        theta = np.radians(evidence.theta_deg[found.views[sound]])
        # A constant, a sine and a cosine are where the sample stands, and no motion.
        right = _without(found.right[sound], np.stack([np.ones_like(theta), np.sin(theta), np.cos(theta)], axis=1))
        down = found.down[sound] - np.median(found.down[sound])
        u = float(np.median(found.u[sound]))
        rms = float(np.sqrt(np.mean(right**2 + down**2)))
        worst = int(np.argmax(right**2 + down**2))
        most = float(np.hypot(right[worst], down[worst]))
        rms_limit, step_limit = float(np.hypot(_RMS_PX, 3 * u)), float(np.hypot(_STEP_PX, 5 * u))
        view = int(found.views[sound][worst])
        numbers = {
            "displacement of views, rms, px": (rms, f"at most {rms_limit:.2f}"),
            "largest displacement, px": (most, f"at most {step_limit:.2f}"),
            "sideways, rms, px": float(np.sqrt(np.mean(right**2))),
            "along the axis, rms, px": float(np.sqrt(np.mean(down**2))),
            "standard error of one, px": u,
        }
        moved = self._movers(evidence, found.views, found.particles)
        numbers["particles that moved meanwhile"] = (float(len(moved)), "0")
        if rms <= rms_limit and most <= step_limit and moved:
            particle, by = moved[0]
            return self.doubt(
                f"motion: {len(moved)} particles moved during the scan, particle {particle} by {by:.1f} px",
                "sizes and voids of these particles do not hold: fix the powder, and take the region again",
                numbers,
            )
        if rms <= rms_limit and most <= step_limit:
            return self.passed(f"views lie within {rms:.2f} px of the volume's projections", numbers)
        return self.doubt(
            f"motion: views lie {rms:.2f} px rms from the volume's projections, view {view} "
            f"({evidence.theta_deg[view]:.1f} degrees) {most:.1f} px (limits {rms_limit:.2f} and {step_limit:.1f})",
            "let the stage settle and warm up (scan order: interlaced shows drift), or apply measured shifts",
            numbers,
        )

    def _movers(self, evidence: RegionEvidence, views: np.ndarray, particles: np.ndarray) -> list[tuple[int, float]]:
        """Number and displacement in pixels, from the first to the second half of the time, of particles that moved."""
        if evidence.whole is None or not particles.size:
            return []
        time_s = np.asarray(evidence.scan.time_s, float)[views]
        early = time_s < np.median(time_s)
        ids, moved = evidence.whole.ids(Particle.particle_id), list[tuple[int, float]]()
        for number, of in zip(ids, particles, strict=True):
            seen = np.isfinite(of[:, 0])
            first, last = of[seen & early], of[seen & ~early]
            if min(len(first), len(last)) < _LEAST_VIEWS // 2:
                continue
            step = np.median(last, axis=0) - np.median(first, axis=0)
            error = 1.25 * np.hypot(*(1.4826 * np.median(np.abs(h - np.median(h, axis=0)), axis=0).max() / len(h) ** 0.5
                                      for h in (first, last)))  # fmt: skip
            if (by := float(np.hypot(*step))) > max(_PARTICLE_PX, _SIGMAS * error):
                moved.append((number, by))
        return sorted(moved, key=lambda one: -one[1])


def _without(values: np.ndarray, basis: np.ndarray) -> np.ndarray:
    return values - basis @ np.linalg.lstsq(basis, values, rcond=None)[0]
