"""What a lot must keep to, line by line in the recipe; and what each name of a quantity means.

A name is one of the population's statistics in results.json: `sphericity.mean` (the mean where no statistic is said),
`equivalent_diameter_um.d90`, `voided_share`. D and Dv are short for the diameters by number and by volume: `D50_um`,
`Dv50_um` (ISO 9276-2).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, model_validator

from xrm_control.contracts.column import Column
from xrm_control.contracts.population import Distribution, VolumeWeighted
from xrm_control.contracts.tables import Particle, quantities
from xrm_control.core.diagnostics import Diagnostic
from xrm_control.core.model import Spec
from xrm_control.core.states import Level

_INTERVAL = "_interval"
_SHARES = ("voided_share", "voided_fraction")
_BY_SIZE = re.compile(r"D(v?)(\d\d)_um")


class SpecificationLine(Spec):
    """One line: a quantity and its limits. A lot at a limit is refused in `alpha` of cases when it is just good, and
    accepted in `beta` of cases when it is just bad; alpha is shared among the lines.
    """

    quantity: str = Field(min_length=1, max_length=120, description="a name of the population's statistics")
    at_most: float | None = Field(default=None, description="upper limit, in the quantity's own unit")
    at_least: float | None = Field(default=None, description="lower limit")
    between: tuple[float, float] | None = Field(default=None, description="lower and upper limit")
    alpha: float = Field(default=0.05, gt=0, le=0.3, description="how often a lot that keeps to it may be rejected")
    beta: float = Field(default=0.05, gt=0, le=0.3, description="how often one that does not may be accepted")

    @model_validator(mode="after")
    def _one_kind_of_limit(self) -> Self:
        if (self.between is None) == (self.at_most is None and self.at_least is None):
            raise ValueError("give at_most, at_least, or between: [lower, upper]")
        return self

    @property
    def limits(self) -> tuple[float, float]:
        """Lower and upper one, infinite where there is none."""
        if self.between is not None:
            return self.between
        return (
            -math.inf if self.at_least is None else self.at_least,
            math.inf if self.at_most is None else self.at_most,
        )

    @property
    def words(self) -> str:
        """As the limits are said: `at most 0.2`."""
        low, high = self.limits
        if math.isinf(low):
            return f"at most {high:g}"
        return f"at least {low:g}" if math.isinf(high) else f"{low:g} to {high:g}"

    @property
    def where(self) -> str:
        """The key that the limits are given by."""
        return "between" if self.between is not None else "at_least" if self.at_most is None else "at_most"


@dataclass(frozen=True)
class Quantity:
    """What a name means: `statistic` of a column, of the particles or of their volume; share: of voided particles."""

    kind: Literal["share", "number", "volume"]
    column: Column
    statistic: str

    @property
    def in_shares(self) -> bool:
        """Whether it lies between 0 and 1."""
        return self.kind == "share"


def statistics() -> tuple[str, ...]:
    """Those of a column that results.json states with an interval."""
    stated = (name.removesuffix(_INTERVAL) for name in Distribution.model_fields if name.endswith(_INTERVAL))
    return (*stated, "d50")


def quantity_of(name: str, columns: Sequence[Column]) -> Quantity | None:
    """What a name means where these are the columns; None for one that means nothing."""
    if name in _SHARES:
        return Quantity("share", Particle.void_count, "mean")
    known = {column.name: column for column in quantities(tuple(columns))}
    if short := _BY_SIZE.fullmatch(name):
        name = f"{'volume_weighted_diameter_um' if short[1] else Particle.equivalent_diameter_um.name}.d{short[2]}"
    head, _, statistic = name.partition(".")
    statistic = statistic or "mean"
    if head == "volume_weighted_diameter_um":
        told = f"{statistic}{_INTERVAL}" in VolumeWeighted.model_fields
        return Quantity("volume", Particle.equivalent_diameter_um, statistic) if told else None
    if head not in known or statistic not in statistics():
        return None
    return Quantity("number", known[head], statistic)


def diagnose_specification(lines: Sequence[SpecificationLine], columns: Sequence[Column]) -> Iterator[Diagnostic]:
    """Of a recipe's specification: names that mean nothing, and limits that no lot, or every lot, can keep to."""
    names = [column.name for column in quantities(tuple(columns))]
    for number, line in enumerate(lines):
        field = f"specification.{number}"
        quantity = quantity_of(line.quantity, columns)
        if quantity is None:
            yield Diagnostic(
                (f"{field}.quantity",),
                "no such quantity of the population",
                line.quantity,
                f"voided_share, D50_um, Dv50_um, or NAME.STATISTIC: of {', '.join(names)}; {', '.join(statistics())}",
                "give one of these names; docs/metrology.md tells what they are",
            )
            continue
        yield from _limits(line, quantity, field)
    told = [line.quantity for line in lines]
    for name in sorted({name for name in told if told.count(name) > 1}):
        yield Diagnostic(
            (f"specification.{len(told) - 1 - told[::-1].index(name)}.quantity",),
            "two lines of the specification limit one quantity",
            name,
            "one line a quantity",
            "give both limits in one line: between: [lower, upper]",
        )


def _limits(line: SpecificationLine, quantity: Quantity, field: str) -> Iterator[Diagnostic]:
    low, high = line.limits
    at = (f"{field}.{line.where}",)
    if not low < high:
        yield Diagnostic(
            at, "no lot can lie between these limits", line.words, "a lower limit below the upper one", "swap them"
        )
    if quantity.in_shares and not all(0 < end < 1 for end in (low, high) if math.isfinite(end)):
        yield Diagnostic(
            at,
            "a share lies between 0 and 1: this limit decides nothing, or can never be shown to be kept",
            line.words,
            "above 0 and below 1",
            "give a share, 0.2 for 20 %",
        )
    signed = quantity.column.name.startswith("roughness")
    if not quantity.in_shares and not signed and math.isfinite(high) and high <= 0:
        yield Diagnostic(
            at, "the quantity is never below 0", line.words, "an upper limit above 0", "give it in the quantity's unit"
        )
    if quantity.column.unit == "%" and max(end for end in (low, high) if math.isfinite(end)) > 100:
        yield Diagnostic(at, "more than 100 %", line.words, "at most 100 %", "give the limit in per cent", Level.ERROR)
