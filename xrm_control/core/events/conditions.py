"""What is watched, what it means when it is out of order, and what a policy has made of a failure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xrm_control.core.events.instrument import InstrumentEvent
from xrm_control.core.events.run import RunEvent
from xrm_control.core.states import Level


@dataclass(frozen=True)
class ConditionViolated(InstrumentEvent):
    """A watched value is outside its limits for longer than its grace, or cannot be believed.

    value: as read, or why it cannot be believed; limit: what the recipe asks for; action: what is done; since_s: the
    instrument time from which on it was so.
    """

    kind: ClassVar[str] = "condition.violated"
    level: ClassVar[Level] = Level.WARNING

    condition: str
    value: str
    limit: str
    action: str
    since_s: float

    @property
    def text(self) -> str:
        return f"{self.condition} is {self.value}, wanted {self.limit}: {self.action}"


@dataclass(frozen=True)
class ConditionEnded(InstrumentEvent):
    """A watched value is back within its limits for as long as the recipe asks for. lasted_s: since it was violated."""

    kind: ClassVar[str] = "condition.ended"
    level: ClassVar[Level] = Level.WARNING

    condition: str
    value: str
    limit: str
    lasted_s: float

    @property
    def text(self) -> str:
        return f"{self.condition} is {self.value} again, wanted {self.limit}, after {self.lasted_s:.0f} s"


@dataclass(frozen=True)
class PolicyApplied(RunEvent):
    """A failure stayed, or a budget is spent, and the recipe says what follows. where: region, frame or stage."""

    kind: ClassVar[str] = "policy.applied"
    level: ClassVar[Level] = Level.WARNING

    failure: str
    then: str
    where: str
    problem: str

    @property
    def text(self) -> str:
        return f"{self.failure} at {self.where}, so {self.then}: {self.problem}"


@dataclass(frozen=True)
class BudgetSpent(RunEvent):
    """What a run, or a region of it, may spend on what goes wrong is spent."""

    kind: ClassVar[str] = "budget.spent"
    level: ClassVar[Level] = Level.WARNING

    budget: str
    value: str
    limit: str
    then: str

    @property
    def text(self) -> str:
        return f"budget of {self.budget} is spent ({self.value}, limit {self.limit}): {self.then}"
