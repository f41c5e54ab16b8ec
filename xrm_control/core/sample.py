"""The sample as the operator describes it: material and the strip that carries it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from xrm_control.core.attenuation import attenuation_per_cm
from xrm_control.core.diagnostics import Diagnostic
from xrm_control.core.errors import RecipeError
from xrm_control.core.formula import MAX_LENGTH
from xrm_control.core.model import Spec
from xrm_control.core.states import Level

# Line integrals through a large and a usual particle: below the one noise hides it, beyond the other no light is left.
_LARGE_UM, _USUAL_UM = 40.0, 10.0
_FAINT, _OPAQUE = 0.02, 6.0


class SampleSpec(Spec):
    """One layer of powder on a strip of tape."""

    name: str = Field(
        default="powder",
        min_length=1,
        max_length=80,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description="one line of text, without control characters",
    )
    formula: str = Field(
        default="LiNi0.8Mn0.1Co0.1O2", max_length=MAX_LENGTH, description="chemical formula of the particles"
    )
    density_g_cm3: Annotated[float, Field(gt=0, le=25)] = 4.78
    strip_width_um: Annotated[float, Field(gt=0, le=20_000)] = Field(
        default=320.0, description="width of the tape (stage x)"
    )
    strip_thickness_um: Annotated[float, Field(gt=0, le=2_000)] = Field(
        default=80.0, description="tape and powder together, measured symmetrically about stage z = 0"
    )

    def diagnose(self, mu_per_um: float, energy_kev: float) -> Iterator[Diagnostic]:
        """Whether particles of so much attenuation can be seen, and seen through."""
        for size_um, least, most, what in (
            (_LARGE_UM, _FAINT, math.inf, f"particles would hardly show: even {_LARGE_UM:g} um absorb"),
            (_USUAL_UM, 0.0, _OPAQUE, f"particles would be opaque: {_USUAL_UM:g} um absorb"),
        ):
            if not least <= mu_per_um * size_um <= most:
                yield Diagnostic(
                    ("sample.formula", "sample.density_g_cm3"),
                    f"{what} {100 * -math.expm1(-mu_per_um * size_um):.3g} % at {energy_kev:g} keV",
                    f"{self.formula}, {self.density_g_cm3:g} g/cm^3: {mu_per_um:.3g} 1/um",
                    f"{_FAINT / _LARGE_UM:.2g} to {_OPAQUE / _USUAL_UM:.2g} 1/um",
                    "make sure of formula and density; the paper's NMC has 0.046 1/um at 5.4 keV",
                    Level.WARNING,
                )

    def mu_per_um(self, energy_kev: float) -> float:
        """Linear attenuation of the particles in 1/um from tabulated data (xraydb, Elam tables).

        Raises RecipeError for what is no chemical formula.
        """
        try:
            return attenuation_per_cm(self.formula, energy_kev * 1e3, self.density_g_cm3) * 1e-4
        except ValueError as error:
            raise RecipeError(
                f"not a chemical formula: {error}",
                where="sample.formula",
                value=f"'{self.formula}'",
                remedy="write it as LiNi0.8Mn0.1Co0.1O2",
            ) from error
