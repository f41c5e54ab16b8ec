"""Values that are watched while a run acquires: the recipe's `conditions` part, and when one of them is violated.

Any value that the instrument offers may be named. What cannot be believed (too old, INVALID, not connected) counts as
outside its limits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from xrm_control.core.diagnostics import Diagnostic
from xrm_control.core.model import Spec
from xrm_control.core.states import Level
from xrm_control.devices.protocols import Observation

DISK_FREE = "disk_free_gb"
"""Offered with every instrument: what is free where the run is written."""
_MONTH_MIN = 31 * 24 * 60.0


class Condition(Spec):
    """A value that must lie within its limits while frames are exposed."""

    value: str = Field(min_length=1, max_length=128, description="as the instrument names it; with EPICS also any PV")
    low: float | None = Field(default=None, description="the lowest that is in order")
    high: float | None = Field(default=None, description="the highest that is in order")
    equals: str | None = Field(default=None, description="the text that is in order, in place of limits")
    grace_s: float = Field(default=0.0, ge=0, le=86_400, description="so long it may be out of order")
    action: Literal["hold", "skip", "stop", "next_sample", "alert"] = Field(
        default="hold", description="what is done about it; alert: it is told, and nothing else"
    )
    back_for_s: float = Field(default=30.0, ge=0, le=86_400, description="it is over when in order for so long")
    patience_min: float = Field(default=240.0, gt=0, le=_MONTH_MIN, description="hold: at most so long")
    then: Literal["stop", "skip", "next_sample"] = Field(default="stop", description="hold: what follows after that")
    max_age_s: float | None = Field(
        default=None, gt=0, le=_MONTH_MIN * 60, description="a value that was not posted for longer is not believed"
    )

    @property
    def limit(self) -> str:
        """What is in order, for people."""
        if self.equals is not None:
            return self.equals
        low, high = ("" if one is None else f"{one:g}" for one in (self.low, self.high))
        if self.low is None:
            return f"at most {high}"
        return f"at least {low}" if self.high is None else f"{low} to {high}"

    def wrong(self, seen: Observation) -> str:
        """Why an observation is out of order, as its value in words; "" where it is in order."""
        if seen.problem:
            return seen.problem
        if self.max_age_s is not None and seen.age_s > self.max_age_s:
            return f"{seen.value}, {seen.age_s:.0f} s old"
        if self.equals is not None:
            return "" if str(seen.value) == self.equals else str(seen.value)
        try:
            number = float(seen.value) if seen.value is not None else math.nan
        except ValueError:
            return f"{seen.value}, no number"
        low, high = self.low, self.high
        if math.isnan(number) or (low is not None and number < low) or (high is not None and number > high):
            return f"{number:g}"
        return ""


def diagnose_conditions(conditions: tuple[Condition, ...], offered: Mapping[str, str] | None) -> Iterator[Diagnostic]:
    """What cannot be watched, or never be in order. offered: what the instrument names; None: any name may be one."""
    for number, one in enumerate(conditions):
        where = f"conditions[{number}]"
        known = None if offered is None else (*offered, DISK_FREE)
        if known is not None and one.value not in known:
            yield Diagnostic(
                (f"{where}.value",),
                "the instrument offers no such value",
                one.value,
                ", ".join(known),
                "name one",
            )
        limits = one.low is not None or one.high is not None
        if limits == (one.equals is not None):
            what = "says twice what is in order" if limits else "says nothing of what is in order"
            yield Diagnostic((f"{where}.value",), what, one.value, None, "give low, high or both; for a text equals")
        if one.low is not None and one.high is not None and one.low >= one.high:
            yield Diagnostic(
                (f"{where}.low", f"{where}.high"), "no value is within these limits", f"{one.low:g} to {one.high:g}",
                "low below high", "exchange them?",
            )  # fmt: skip
        silent = [name for name in ("patience_min", "then") if name in one.model_fields_set and one.action != "hold"]
        for name in silent:
            yield Diagnostic(
                (f"{where}.{name}",),
                f"{name} goes with `action: hold`",
                one.action,
                None,
                f"leave {name} out",
            )
        if one.action == "hold" and one.back_for_s > 60 * one.patience_min:
            yield Diagnostic(
                (f"{where}.back_for_s", f"{where}.patience_min"),
                "the patience is over before the value can have been in order for long enough",
                f"{one.back_for_s:g} s",
                f"patience_min, {one.patience_min:g} min",
                "seconds, not minutes?",
                Level.ERROR,
            )


@dataclass(frozen=True)
class Violation:
    """From when to when a condition was violated (end_s infinite: it still is), and its value at the begin in words."""

    begin_s: float
    end_s: float
    value: str


class ConditionWatch:
    """One condition in time: fed with observations in their order, it knows when it was violated."""

    def __init__(self, condition: Condition) -> None:
        self.condition = condition
        self.fed_s = -math.inf
        self._wrong = ""
        self._since_s: float | None = None
        self._right_s: float | None = None
        self._spans: list[Violation] = []
        self.shown = "not read yet"

    @property
    def violated(self) -> bool:
        """Whether it is, as far as it has been fed."""
        return bool(self._spans) and math.isinf(self._spans[-1].end_s)

    @property
    def last(self) -> Violation | None:
        """The newest violation; None before the first."""
        return self._spans[-1] if self._spans else None

    def feed(self, seen: Observation) -> None:
        """What was seen at `seen.t_s`; until then it was as it had been seen before."""
        self._advance(seen.t_s)
        wrong = self.condition.wrong(seen)
        self.shown = wrong or (f"{seen.value:g}" if isinstance(seen.value, float) else str(seen.value))
        if wrong:
            self._wrong = wrong
            self._right_s = None
            if self._since_s is None:
                self._since_s = seen.t_s
        else:
            self._since_s = None
            if self.violated and self._right_s is None:
                self._right_s = seen.t_s
        self._advance(seen.t_s)

    def during(self, begin_s: float, end_s: float) -> Violation | None:
        """The violation that overlaps a span of time."""
        return next((one for one in self._spans if one.begin_s <= end_s and one.end_s >= begin_s), None)

    def _advance(self, t_s: float) -> None:
        self.fed_s = max(self.fed_s, t_s)
        condition = self.condition
        if not self.violated and self._since_s is not None and t_s - self._since_s >= condition.grace_s:
            self._spans.append(Violation(self._since_s + condition.grace_s, math.inf, self._wrong))
        if self.violated and self._right_s is not None and t_s - self._right_s >= condition.back_for_s:
            last = self._spans.pop()
            self._spans.append(Violation(last.begin_s, self._right_s + condition.back_for_s, last.value))
            self._right_s = None
