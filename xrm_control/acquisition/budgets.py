"""How much a run may spend on what goes wrong, in all: the recipe's `policies.budget` part, and what is left of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from pydantic import Field

from xrm_control.core.model import Spec

_MONTH_MIN = 31 * 24 * 60.0


class Budget(Spec):
    """Bounds over the whole run, however often it is gone on with; none: unbounded."""

    retries: int | None = Field(default=None, ge=0, le=1_000_000, description="frames and moves tried again, in all")
    held_min: float | None = Field(default=None, ge=0, le=_MONTH_MIN, description="minutes spent waiting, in all")
    beam_min: float | None = Field(
        default=None, gt=0, le=_MONTH_MIN, description="minutes of exposures of one region, those taken again included"
    )
    dose_gy: float | None = Field(
        default=None, gt=0, le=1e15, description="surface dose of one region, as planned, exposures again included"
    )
    then: Literal["stop", "next_sample"] = Field(
        default="stop", description="what follows when retries or minutes are spent; beam or dose cost their region"
    )


@dataclass(frozen=True)
class Spent:
    """What has been spent. exposed_s: of the region being scanned, seconds of its projections, kept or not."""

    retries: int = 0
    held_s: float = 0.0
    exposed_s: float = 0.0

    def retried(self) -> Spent:
        """Once more."""
        return replace(self, retries=self.retries + 1)

    def held(self, seconds: float) -> Spent:
        """So much longer."""
        return replace(self, held_s=self.held_s + seconds)


@dataclass(frozen=True)
class Overdrawn:
    """Which budget is spent: what, its value and limit as text; of_region: it is the region's, not the run's."""

    what: str
    value: str
    limit: str
    of_region: bool = False


def overdrawn(budget: Budget, spent: Spent, gy_per_s: float) -> Overdrawn | None:
    """The first budget that is spent; gy_per_s: surface dose of a second in the beam."""
    if budget.retries is not None and spent.retries > budget.retries:
        return Overdrawn("retries", str(spent.retries), str(budget.retries))
    if budget.held_min is not None and spent.held_s > 60 * budget.held_min:
        return Overdrawn("held minutes", f"{spent.held_s / 60:.1f}", f"{budget.held_min:g}")
    if budget.beam_min is not None and spent.exposed_s > 60 * budget.beam_min:
        return Overdrawn("minutes in the beam", f"{spent.exposed_s / 60:.2f}", f"{budget.beam_min:g}", of_region=True)
    if budget.dose_gy is not None and spent.exposed_s * gy_per_s > budget.dose_gy:
        return Overdrawn("dose", f"{spent.exposed_s * gy_per_s:.3g} Gy", f"{budget.dose_gy:g} Gy", of_region=True)
    return None
