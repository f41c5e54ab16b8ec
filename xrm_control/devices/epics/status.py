"""What a PV's value means, and what is written to bring something about: the words of a PV map for both."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from xrm_control.core.model import Spec


def _expandable(name: str) -> str:
    """Only $(P) is known. Raises ValueError for another macro: no server has such a name."""
    if re.search(r"\$[({]", name.replace("$(P)", "")):
        raise ValueError(f"only $(P), the map's prefix, can stand in a name: {name}")
    return name


PvName = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\s]+$"), AfterValidator(_expandable)]
Text = Annotated[str, Field(max_length=39)]


class Status(Spec):
    """A PV and what means yes: values (numbers, or an enum's texts or their places), or a range of numbers.

    An enum (bi, bo, mbbi, mbbo) is matched by its text and by its number, whatever the map says. NaN, an array, and
    a value that the IOC calls INVALID never mean yes.
    """

    pv: PvName
    good: tuple[int | float | Text, ...] = Field(default=(), description="the values that mean yes")
    above: float | None = Field(default=None, description="a number above this means yes")
    below: float | None = Field(default=None, description="a number below this means yes")
    range: tuple[float, float] | None = Field(default=None, description="[low, high]: both ends mean yes")

    @model_validator(mode="after")
    def _says_one_thing(self) -> Status:
        said = [
            name
            for name, there in (
                ("good", bool(self.good)),
                ("above/below", self.above is not None or self.below is not None),
                ("range", self.range is not None),
            )
            if there
        ]
        if not said:
            raise ValueError("says nothing: give good (a list of values), above, below, or range ([low, high])")
        if len(said) > 1:
            raise ValueError(f"says more than one thing ({', '.join(said)}): give one of them")
        if self.above is not None and self.below is not None and self.above >= self.below:
            raise ValueError("nothing lies above and below at once: above must be the smaller number")
        if self.range is not None and self.range[0] > self.range[1]:
            raise ValueError("range must be [low, high], low not above high")
        return self

    def is_good(self, value: Any, choices: Sequence[str] = ()) -> bool:
        """Whether `value` means yes; `choices` are the texts of an enum in order, when the PV is one."""
        return self.says(value, choices) is True

    def says(self, value: Any, choices: Sequence[str] = ()) -> bool | None:
        """True: yes; False: no; None: nothing at all, as NaN, an array, or a state of an enum that has no text."""
        number = _number(value, choices)
        if self.good:
            # Texts may be padded.
            if isinstance(value, str) and (value in self.good or value.strip() in self.good):
                return True
            if number is not None and any(
                math.isclose(number, item, rel_tol=1e-6) for item in self.good if isinstance(item, int | float)
            ):
                return True
            told = value in choices if choices else number is not None or isinstance(value, str)
            return False if told else None
        if number is None:
            return None
        if self.range is not None:
            return self.range[0] <= number <= self.range[1]
        return (self.above is None or number > self.above) and (self.below is None or number < self.below)

    def never(self, kind: str, choices: Sequence[str] = ()) -> str:
        """Why no value of a PV of this kind (number, choice, text, bytes) ever means yes; empty when some do."""
        if kind == "choice":
            texts = set(choices)
            good = any(
                item in texts if isinstance(item, str) else float(item).is_integer() and 0 <= item < len(choices)
                for item in self.good
            )
            if self.good and not good:
                return f"its choices are {', '.join(map(repr, choices))}; good is {_shown(self.good)}"
        elif kind == "text":
            if not any(isinstance(item, str) for item in self.good):
                return "it holds text, which is neither a number nor in a range"
        elif self.good and all(isinstance(item, str) for item in self.good):
            return f"it holds numbers; good is {_shown(self.good)}"
        return ""

    def wanted(self) -> str:
        """What means yes, for messages."""
        if self.good:
            return " or ".join(map(str, self.good))
        if self.range is not None:
            return f"{self.range[0]:g} to {self.range[1]:g}"
        low = [] if self.above is None else [f"above {self.above:g}"]
        return " and ".join([*low, *([] if self.below is None else [f"below {self.below:g}"])])


class Command(Spec):
    """A write that does something. A pulse writes `rest` after `pulse_s`; most records go back by themselves."""

    pv: PvName
    value: int | float | Text
    pulse_s: float = Field(default=0.0, ge=0, le=10, description="above 0: write `rest` after this time")
    rest: int | float | Text = 0

    def never(self, kind: str, choices: Sequence[str] = ()) -> str:
        """Why a PV of this kind (see `Status.never`) can never take what is written; empty when it can."""
        for value in (self.value, self.rest) if self.pulse_s > 0 else (self.value,):
            if kind == "choice":
                place = float(value) if not isinstance(value, str) else _whole(value)
                known = place is not None and place.is_integer() and 0 <= place < len(choices)
                if value not in choices and not known:
                    return f"its choices are {', '.join(map(repr, choices))}; written would be {value!r}"
            elif kind == "number" and isinstance(value, str) and not _is_number(value):
                return f"it holds numbers; written would be {value!r}"
        return ""


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _number(value: Any, choices: Sequence[str]) -> float | None:
    """The value as a number; an enum's is the place of its text (a place without a text is its own)."""
    if isinstance(value, str) and choices:
        return float(choices.index(value)) if value in choices else _whole(value)
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    return None


def _whole(text: str) -> float | None:
    return float(text) if text.isdecimal() else None


def _shown(values: Sequence[object]) -> str:
    return "[" + ", ".join(map(repr, values)) + "]"
