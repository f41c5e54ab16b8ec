"""The sample as the operator describes it: material and the strip that carries it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from xrm_control.core.attenuation import attenuation_per_cm
from xrm_control.core.errors import RecipeError
from xrm_control.core.model import Spec


class SampleSpec(Spec):
    """One layer of powder on a strip of tape."""

    name: str = Field(default="powder", min_length=1, max_length=80)
    formula: str = Field(default="LiNi0.8Mn0.1Co0.1O2", description="chemical formula of the particles")
    density_g_cm3: Annotated[float, Field(gt=0, le=25)] = 4.78
    strip_width_um: Annotated[float, Field(gt=0, le=20_000)] = Field(
        default=320.0, description="width of the tape (stage x)"
    )
    strip_thickness_um: Annotated[float, Field(gt=0, le=2_000)] = Field(
        default=80.0, description="tape and powder together, measured symmetrically about stage z = 0"
    )

    def mu_per_um(self, energy_kev: float) -> float:
        """Linear attenuation of the particles in 1/um from tabulated data (xraydb, Elam tables)."""
        try:
            return attenuation_per_cm(self.formula, energy_kev * 1e3, self.density_g_cm3) * 1e-4
        except ValueError as error:
            raise RecipeError(
                f"not a chemical formula: {error}",
                where="sample.formula",
                value=self.formula,
                remedy="write it as LiNi0.8Mn0.1Co0.1O2",
            ) from error
