"""The table of states: complete, reachable, and with one way into each end."""

from __future__ import annotations

import pytest
from transitions import MachineError

from xrm_control.core.states import ENDS, WAITING, WORKING, RunState
from xrm_control.session.states import RETURNS, TRANSITIONS, RunStates, diagram

ONE_ROI = ["align", "reference", "scan", "check"]
NIGHT = ["connect", "home", "map", "pick", *ONE_ROI, *ONE_ROI, "finish", "complete"]


def walk(*triggers: str) -> list[RunState]:
    seen: list[RunState] = []
    states = RunStates(lambda state, _: seen.append(state))
    for trigger in triggers:
        states.go(trigger)
    return seen


def test_a_night_of_two_regions() -> None:
    before, roi = list(WORKING[:4]), list(WORKING[4:])
    assert walk(*NIGHT) == [*before, *roi, *roi, RunState.FINISHING, RunState.DONE]


def test_every_state_can_be_reached_from_idle() -> None:
    reached, last = {RunState.IDLE}, 0
    while len(reached) != last:
        last = len(reached)
        reached |= {target for _, sources, target in (*TRANSITIONS, *RETURNS) if reached & set(sources)}
    assert reached == set(RunState)


@pytest.mark.parametrize(
    ("end", "before"),
    [
        (RunState.DONE, RunState.FINISHING),
        (RunState.ABORTED, RunState.ABORTING),
        (RunState.FAILED, RunState.FAILING),
    ],
)
def test_an_end_is_entered_only_through_its_safe_state(end: RunState, before: RunState) -> None:
    table = (*TRANSITIONS, *RETURNS)
    assert [sources for _, sources, target in table if target is end] == [(before,)]
    assert not [target for _, sources, target in table if end in sources]


@pytest.mark.parametrize("state", WORKING)
@pytest.mark.parametrize(
    ("enter", "leave", "between"), [("hold", "release", RunState.HELD), ("pause", "continue", RunState.PAUSED)]
)
def test_holding_and_pausing_return_to_where_they_came_from(
    state: RunState, enter: str, leave: str, between: RunState
) -> None:
    way = NIGHT[: 1 + walk(*NIGHT).index(state)]
    assert walk(*way, f"{enter}_{state}", f"{leave}_{state}")[-3:] == [state, between, state]


@pytest.mark.parametrize("trigger", ["scan", "complete", "pick", "release_scanning"])
def test_illegal_triggers_are_refused(trigger: str) -> None:
    with pytest.raises(MachineError):
        walk(trigger)


def test_every_working_state_can_be_aborted_and_can_fail() -> None:
    for trigger in ("abort", "fail"):
        sources = {state for name, states, _ in TRANSITIONS if name == trigger for state in states}
        assert sources >= {*WORKING, *WAITING, RunState.FINISHING}


def test_the_diagram_names_every_state() -> None:
    text = diagram()
    assert "stateDiagram" in text
    assert all(state in text for state in (*RunState, *ENDS))
