"""Conditions: in time by hand, refused where they can never hold, and over whole runs with the instrument's trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.conftest import write_recipe
from xrm_control import app
from xrm_control.acquisition.conditions import Condition, ConditionWatch
from xrm_control.core.errors import RecipeError
from xrm_control.devices.protocols import Observation

INVALID = Observation(None, 0.0, problem="the IOC itself calls the value INVALID")

# What is seen, from one second to the next; grace and back_for in s; from when to when that is a violation.
SEEN: list[tuple[list[float | None], float, float, list[tuple[float, float]]]] = [
    ([5, 5, 5, 5], 0, 0, []),
    ([5, 20, 5, 5], 0, 0, [(1, 2)]),
    ([5, 20, 5, 5, 5, 5], 0, 3, [(1, 5)]),
    ([5, 20, 5, 20, 5, 5, 5, 5], 0, 3, [(1, 7)]),
    ([5, 20, 20, 5, 5], 2, 0, [(3, 3)]),
    ([5, 20, 5, 20, 5], 2, 0, []),
    ([5, 20, 20, 20, 20, 5], 2, 1, [(3, float("inf"))]),
    ([None, None, 5, 5], 0, 0, [(0, 2)]),
    ([5, 5, None], 0, 0, [(2, float("inf"))]),
]


@pytest.mark.parametrize(("values", "grace_s", "back_for_s", "violated"), SEEN)
def test_from_when_to_when_it_is_violated(
    values: list[float | None], grace_s: float, back_for_s: float, violated: list[tuple[float, float]]
) -> None:
    watch = ConditionWatch(Condition(value="t", low=0, high=10, grace_s=grace_s, back_for_s=back_for_s))
    spans: dict[float, float] = {}
    for second, value in enumerate(values):
        watch.feed(Observation(value, float(second), problem="" if value is not None else "it does not answer"))
        if watch.last is not None:
            spans[watch.last.begin_s] = watch.last.end_s
    assert list(spans.items()) == violated


WRONG = [
    ({"low": 1, "high": 2}, Observation(1.5, 0), ""),
    ({"low": 1, "high": 2}, Observation(0.5, 0), "0.5"),
    ({"low": 1, "high": 2}, Observation(2.5, 0), "2.5"),
    ({"low": 1}, Observation(1e9, 0), ""),
    ({"high": 1}, Observation(float("nan"), 0), "nan"),
    ({"low": 1}, Observation("OPEN", 0), "OPEN, no number"),
    ({"equals": "OPEN"}, Observation("OPEN", 0), ""),
    ({"equals": "OPEN"}, Observation("CLOSED", 0), "CLOSED"),
    ({"low": 1, "max_age_s": 10}, Observation(1.5, 0, age_s=9), ""),
    ({"low": 1, "max_age_s": 10}, Observation(1.5, 0, age_s=11), "1.5, 11 s old"),
    ({"low": 1}, INVALID, "the IOC itself calls the value INVALID"),
]


@pytest.mark.parametrize(("limits", "seen", "wrong"), WRONG)
def test_what_is_out_of_order_or_not_believed(limits: dict, seen: Observation, wrong: str) -> None:
    assert Condition(value="t", **limits).wrong(seen) == wrong


REFUSED = [
    ("{value: fluks, low: 1}", "conditions.0..value: the instrument offers no such value .*flux, ring_current"),
    ("{value: flux}", "conditions.0..value: says nothing of what is in order"),
    ("{value: flux, low: 1, equals: 'ON'}", "conditions.0..value: says twice"),
    ("{value: flux, low: 2, high: 1}", "conditions.0..low: no value is within .*2 to 1"),
    ("{value: flux, low: 1, action: alert, patience_min: 3}", "conditions.0..patience_min: .*goes with `action: hold`"),
    ("{value: flux, low: 1, back_for_s: 100, patience_min: 1}", "conditions.0..back_for_s: the patience is over"),
    ("{value: flux, low: 1, action: ask}", "conditions.0..action"),
]


@pytest.mark.parametrize(("said", "told"), REFUSED)
def test_a_condition_that_cannot_be_watched_is_refused_with_its_line(tmp_path: Path, said: str, told: str) -> None:
    path = write_recipe(tmp_path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, "conditions:", f"- {said}"]))
    with pytest.raises(RecipeError, match=told) as refused:
        app.check(app.load(path))
    assert f"short.yaml:{len(lines) + 2}" in str(refused.value)
