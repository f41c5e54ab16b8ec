"""The verdict on a lot: whether the powder keeps to the recipe's specification, at the error rates that it declares."""

from __future__ import annotations

from enum import StrEnum

from xrm_control.contracts.document import Figure, Interval, Record


class LotDecision(StrEnum):
    """inconclusive: neither is shown at the declared error rates, or the numbers are in doubt."""

    ACCEPT = "accept"
    REJECT = "reject"
    INCONCLUSIVE = "inconclusive"


class LotLine(Record):
    """One line of the specification. limits: in words; guard: one-sided bounds, the lower one at alpha (shared among
    the lines) and the upper one at beta of an upper limit, and the other way round of a lower one; outside of them lies
    a limit that decides. more_regions: how many more of like kind would decide, None where none would, or none need.
    scope: of what the value is, "" where that needs no word.
    """

    quantity: str
    limits: str
    value: Figure = None
    guard: Interval | None = None
    decision: LotDecision
    reason: str
    alpha: float
    beta: float
    more_regions: int | None = None
    scope: str = ""

    @property
    def text(self) -> str:
        """In a line."""
        value = "not measured" if self.value is None else f"{self.value:.4g}"
        told = f" ({self.scope})" if self.scope else ""
        between = ""
        if self.guard is not None and None not in self.guard:
            between = f" [{self.guard[0]:.4g}, {self.guard[1]:.4g}]"
        return f"{self.quantity} {value}{between}, {self.limits}: {self.decision.upper()}: {self.reason}{told}"


class LotVerdict(Record):
    """decision: accept where every line is, reject where one is, inconclusive otherwise; doubts: why the numbers as a
    whole decide nothing."""

    decision: LotDecision
    lines: tuple[LotLine, ...]
    doubts: tuple[str, ...] = ()
    regions: int

    @property
    def more_regions(self) -> int | None:
        """How many more decide every line that more regions can decide; None where none can."""
        return max((line.more_regions for line in self.lines if line.more_regions is not None), default=None)


def together(lines: tuple[LotLine, ...], doubts: tuple[str, ...]) -> LotDecision:
    """The decision on the lot."""
    told = {line.decision for line in lines}
    if doubts or not lines:
        return LotDecision.INCONCLUSIVE
    if LotDecision.REJECT in told:
        return LotDecision.REJECT
    return LotDecision.ACCEPT if told == {LotDecision.ACCEPT} else LotDecision.INCONCLUSIVE
