"""Particles of more than one material."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from xrm_control.contracts.column import uncertainty
from xrm_control.contracts.tables import Particle
from xrm_control.contracts.trust import CheckResult
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.reporting.figures.drawing import Chart, Drawing, Limit, Series

_DEVIATION, _SIGMAS, _SHARE = 0.10, 5.0, 0.10
_LEAST_PARTICLES, _LEAST_VOXELS = 4, 10.0


class MuSpreadCheck(TrustCheck):
    """One threshold is half-way for one material: the others' surfaces lie elsewhere."""

    kind: Literal["mu_spread"] = "mu_spread"
    source: ClassVar[str] = (
        "a threshold 10 % off moves an edge of blur sigma by 0.13 sigma, 2 % of a diameter of 10 um at 0.5 um; 5 sigma"
    )

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        if evidence.whole is None:
            return self.nothing("nothing was measured")
        mu = evidence.whole.numbers(Particle.mean_attenuation_per_um)
        u = np.nan_to_num(evidence.whole.numbers(uncertainty(Particle.mean_attenuation_per_um)))
        large = evidence.whole.numbers(Particle.equivalent_diameter_um) >= _LEAST_VOXELS * evidence.scan.pixel_size_um
        known = np.isfinite(mu) & large
        if known.sum() < _LEAST_PARTICLES:
            return self.nothing(f"fewer than {_LEAST_PARTICLES} particles with an interior")
        mu, u = mu[known], u[known]
        middle = float(np.median(mu))
        odd = np.abs(mu - middle) > np.maximum(_DEVIATION * middle, _SIGMAS * u)
        numbers = {
            "median, 1/um": middle,
            "relative spread": float(np.std(mu) / middle),
            "particles of another attenuation": (float(odd.sum()), f"at most {_SHARE:.0%} of {len(mu)}"),
        }
        if odd.sum() <= max(1.0, _SHARE * len(mu)):
            return self.passed("particles attenuate alike", numbers)
        low, high = float(mu[odd].min()), float(mu[odd].max())
        return self.doubt(
            f"spread of mu: {int(odd.sum())} of {len(mu)} particles differ from the median {middle:.4f} 1/um by more "
            f"than {100 * _DEVIATION:g} % ({low:.4f} to {high:.4f})",
            "more than one material: sizes of the odd ones are off; give each its threshold (analysis.threshold)",
            numbers,
        )

    def picture(self, evidence: RegionEvidence) -> Drawing | None:
        """See `TrustCheck.picture`."""

        if evidence.whole is None:
            return None
        mu = evidence.whole.numbers(Particle.mean_attenuation_per_um)
        d_um = evidence.whole.numbers(Particle.equivalent_diameter_um)

        large = np.isfinite(mu) & (d_um >= _LEAST_VOXELS * evidence.scan.pixel_size_um)
        middle = float(np.median(mu[large]))
        limits = (
            Limit((1 - _DEVIATION) * middle, f"{100 * _DEVIATION:g} % from the median"),
            Limit((1 + _DEVIATION) * middle),
        )
        return Chart(
            "Attenuation of the whole particles",
            "diameter (µm)",
            "mu (1/µm)",
            (Series(d_um[large], mu[large]),),
            limits,
        )
