"""Measured attenuation against the tabulated one of the formula that is stated."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from xrm_control.contracts.tables import Particle
from xrm_control.contracts.trust import CheckResult
from xrm_control.processing.trust.check import TrustCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.reporting.figures.drawing import Chart, Drawing, Limit, Series

_LIMIT = 0.06
_LEAST_PARTICLES = 3


class AttenuationCheck(TrustCheck):
    """Another material, light that is no beam, harder radiation beside the line, or a wrong scale."""

    kind: Literal["attenuation"] = "attenuation"
    source: ClassVar[str] = (
        "6 %: by so much the tables of Elam and of Chantler differ; three standard errors, and two of stray light"
    )

    def look(self, evidence: RegionEvidence) -> CheckResult:
        """See `TrustCheck.look`."""
        if evidence.whole is None or len(evidence.whole) < _LEAST_PARTICLES:
            return self.nothing(f"fewer than {_LEAST_PARTICLES} whole particles")
        measured = evidence.whole.numbers(Particle.mean_attenuation_per_um)
        volume = evidence.whole.numbers(Particle.volume_um3)
        known = np.isfinite(measured) & np.isfinite(volume)
        if not known.any():
            return self.nothing("attenuation was not measured")
        # The large ones have an interior that blur does not reach.
        order = np.argsort(measured[known])
        shares = np.cumsum(volume[known][order]) / volume[known].sum()
        mu = float(measured[known][order][np.searchsorted(shares, 0.5)])
        error = float(np.std(measured[known])) / np.sqrt(known.sum())
        table = evidence.sample.mu_per_um(evidence.energy_kev)
        left = evidence.left_of_stray or 0.0
        off, allowed = mu / table - 1, _LIMIT + 3 * error / table + 2 * left
        numbers = {
            "measured, 1/um": mu,
            "tabulated, 1/um": table,
            "deviation": (off, f"within {allowed:.3f}"),
        }
        numbers |= {"of which stray light leaves uncertain": 2 * left} if left else {}
        what = (
            f"mu is {mu:.4f} 1/um, {100 * abs(off):.0f} % {'above' if off > 0 else 'below'} the tabulated {table:.4f}"
        )
        if abs(off) <= allowed:
            return self.passed(f"mu {mu:.4f} 1/um agrees with the tabulated {table:.4f}", numbers)
        return self.doubt(
            f"{what} of {evidence.sample.formula} at {evidence.energy_kev:g} keV (limit {100 * allowed:.0f} %)",
            "another material or density than stated (sample.formula), or stray light" if off < 0 else
            "another material or density than stated (sample.formula), or flats that do not fit",
            numbers,
        )  # fmt: skip

    def picture(self, evidence: RegionEvidence) -> Drawing | None:
        """See `TrustCheck.picture`."""

        if evidence.whole is None:
            return None
        mu = evidence.whole.numbers(Particle.mean_attenuation_per_um)
        d_um = evidence.whole.numbers(Particle.equivalent_diameter_um)

        table = evidence.sample.mu_per_um(evidence.energy_kev)
        return Chart(
            "Attenuation of the whole particles",
            "diameter (µm)",
            "mu (1/µm)",
            (Series(d_um, mu, "measured"),),
            (Limit(table, f"tabulated, {evidence.sample.formula}"),),
        )
