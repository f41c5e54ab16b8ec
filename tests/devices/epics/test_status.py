"""What a status of a map means: values, texts and ranges, for every kind of PV; and what a map must not say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from xrm_control.devices.epics.shutter import Position, judge
from xrm_control.devices.epics.shutter_map import BladeMap, ShutterMap
from xrm_control.devices.epics.status import Status

PERMIT = ("Denied", "Granted")
# the status, the value, the choices of its enum, and what it says
SAYS: list[tuple[dict[str, Any], Any, tuple[str, ...], bool | None]] = [
    # An enum, by text and by number.
    ({"good": ["Granted"]}, "Granted", PERMIT, True),
    ({"good": [1]}, "Granted", PERMIT, True),
    ({"good": [1]}, "Denied", PERMIT, False),
    ({"good": [0]}, "Denied", PERMIT, True),
    ({"good": [1.0]}, "Granted", PERMIT, True),
    ({"good": ["Granted"]}, "Denied", PERMIT, False),
    ({"above": 0}, "Granted", PERMIT, True),
    ({"range": [1, 2]}, "Denied", PERMIT, False),
    # A state that has no text, as the registry delivers it.
    ({"good": [5]}, "5", PERMIT, True),
    ({"good": [1]}, "5", PERMIT, None),
    ({"good": ["Granted"]}, "5", PERMIT, None),
    # Texts that are numbers are texts first.
    ({"good": ["1"]}, "1", ("0", "1"), True),
    ({"good": [1]}, "1", ("1", "0"), False),
    # Numbers.
    ({"good": [1]}, 1, (), True),
    ({"good": [1]}, 1.0, (), True),
    ({"good": [0.1]}, float(np.float32(0.1)), (), True),
    ({"good": [1, 2, 3]}, 4, (), False),
    ({"good": [1]}, 1.5, (), False),
    ({"above": 100}, 102.3, (), True),
    ({"above": 100}, 100.0, (), False),
    ({"below": 0.5}, 0.2, (), True),
    ({"above": 0, "below": 5}, 5.0, (), False),
    ({"above": 0, "below": 5}, 4.9, (), True),
    ({"range": [2, 5]}, 5, (), True),
    ({"range": [2, 5]}, 5.01, (), False),
    # Text PVs.
    ({"good": ["Open"]}, "Open", (), True),
    ({"good": ["Open"]}, "Closed", (), False),
    ({"above": 1}, "5", (), None),
    # What is nothing means neither yes nor no.
    ({"good": [1]}, math.nan, (), None),
    ({"above": 0}, math.nan, (), None),
    ({"below": 0}, -math.inf, (), None),
    ({"range": [0, 1]}, math.inf, (), None),
    ({"good": [1]}, np.ones(3), (), None),
    ({"good": [1]}, None, (), None),
]


@pytest.mark.parametrize(("status", "value", "choices", "says"), SAYS)
def test_a_status_says_yes_no_or_nothing(
    status: dict[str, Any], value: Any, choices: tuple[str, ...], says: bool | None
) -> None:
    found = Status(pv="A:B", **status)
    assert found.says(value, choices) is says
    assert found.is_good(value, choices) is (says is True)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ({}, "says nothing"),
        ({"good": []}, "says nothing"),
        ({"good": [1], "above": 0}, "more than one thing"),
        ({"good": [1], "range": [0, 1]}, "more than one thing"),
        ({"above": 0, "range": [0, 1]}, "more than one thing"),
        ({"above": 5, "below": 1}, "above must be the smaller"),
        ({"range": [5, 1]}, "low not above high"),
        ({"above": math.nan}, "finite"),
        ({"godo": [1]}, "Extra inputs"),
    ],
)
def test_a_status_that_says_nothing_or_too_much_is_refused(status: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        Status(pv="A:B", **status)


# the status, the kind of PV and its choices, and a word of why no value will ever do; empty: some will
NEVER = [
    ({"good": ["Granted"]}, "choice", PERMIT, ""),
    ({"good": [1]}, "choice", PERMIT, ""),
    ({"good": ["Yes"]}, "choice", PERMIT, "'Denied', 'Granted'"),
    ({"good": [2]}, "choice", PERMIT, "choices"),
    ({"good": [0.5]}, "choice", PERMIT, "choices"),
    ({"above": 0}, "choice", PERMIT, ""),
    ({"good": ["Open"]}, "number", (), "numbers"),
    ({"good": ["Open", 1]}, "number", (), ""),
    ({"good": [1]}, "text", (), "text"),
    ({"above": 0}, "text", (), "text"),
    ({"good": ["Open"]}, "text", (), ""),
]


@pytest.mark.parametrize(("status", "kind", "choices", "word"), NEVER)
def test_a_status_that_can_never_be_met_is_known(
    status: dict[str, Any], kind: str, choices: tuple[str, ...], word: str
) -> None:
    found = Status(pv="A:B", **status).never(kind, choices)
    assert word in found
    assert bool(found) is bool(word)


O, C, B = Position.OPEN, Position.CLOSED, Position.BETWEEN  # noqa: E741


@pytest.mark.parametrize(
    ("open_", "closed", "position"),
    [
        ([True], [], O), ([False], [], C), ([None], [], B),
        ([True, True], [], O), ([True, False], [], B), ([False, False], [], C), ([True, None], [], B),
        ([False, None], [], B),
        ([], [True], C), ([], [False], O), ([], [None], B), ([], [True, False], B),
        ([True], [False], O), ([False], [True], C), ([False], [False], B), ([True], [True], B), ([True], [None], B),
    ],
)  # fmt: skip
def test_statuses_of_a_shutter_must_agree(open_: list[bool | None], closed: list[bool | None], position: Any) -> None:
    assert judge(open_, closed) is position


_OPEN, _CLOSE = {"pv": "A:Open", "value": 1}, {"pv": "A:Close", "value": 1}


@pytest.mark.parametrize(
    ("shutter", "text"),
    [
        ({}, "without_status: true"),
        ({"without_status": True, "is_open": {"pv": "A:S", "good": [1]}}, "take one of them away"),
        ({"close": _OPEN, "is_open": {"pv": "A:S", "good": [1]}}, "toggles"),
        ({"is_open": []}, "at least 1 item"),
        ({"upstream": [{"open": _OPEN, "close": _CLOSE}]}, "without_status: true"),
        ({"is_open": {"pv": "A:S", "good": [1]}, "closing": "backwards"}, "together"),
    ],
)
def test_a_shutter_that_cannot_be_known_is_refused(shutter: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        ShutterMap.model_validate({"open": _OPEN, "close": _CLOSE, **shutter})


def test_a_shutter_without_a_status_must_say_so() -> None:
    assert BladeMap.model_validate({"open": _OPEN, "close": _CLOSE, "without_status": True}).open_statuses == ()
