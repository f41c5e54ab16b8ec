"""The table of states: complete, reachable, and with one way into each end."""

from __future__ import annotations

import pytest
from transitions import MachineError

from xrm_control.session.states import ENDS, STATES, TRANSITIONS, WORKING, RunStates, diagram

ONE_ROI = ["align", "reference", "scan", "check"]
NIGHT = ["connect", "home", "map", "pick", *ONE_ROI, *ONE_ROI, "finish", "complete"]


def walk(*triggers: str) -> list[str]:
    seen: list[str] = []
    states = RunStates(seen.append)
    for trigger in triggers:
        states.go(trigger)
    return seen


def test_a_night_of_two_regions() -> None:
    roi = ["aligning", "referencing", "scanning", "checking"]
    assert walk(*NIGHT) == ["connecting", "homing", "mosaicking", "picking", *roi, *roi, "finishing", "done"]


def test_every_state_can_be_reached_from_idle() -> None:
    reached, last = {"idle"}, 0
    ways = [
        *((sources if isinstance(sources, list) else [sources], target) for _, sources, target in TRANSITIONS),
        (list(WORKING), "paused"),
        (list(WORKING), "held"),
    ]
    while len(reached) != last:
        last = len(reached)
        reached |= {target for sources, target in ways if reached & set(sources)}
    assert reached == set(STATES)


@pytest.mark.parametrize(("end", "before"), [("done", "finishing"), ("aborted", "aborting"), ("failed", "failing")])
def test_an_end_is_entered_only_through_its_safe_state(end: str, before: str) -> None:
    sources = [source for _, source, target in TRANSITIONS if target == end]
    assert sources == [before]
    assert not [
        target for _, source, target in TRANSITIONS if end in (source if isinstance(source, list) else [source])
    ]


@pytest.mark.parametrize("state", WORKING)
@pytest.mark.parametrize(("enter", "leave", "between"), [("hold", "release", "held"), ("pause", "continue", "paused")])
def test_holding_and_pausing_return_to_where_they_came_from(state: str, enter: str, leave: str, between: str) -> None:
    way = NIGHT[: 1 + [None, *walk(*NIGHT)].index(state) - 1] if state in walk(*NIGHT) else NIGHT
    assert walk(*way, f"{enter}_{state}", f"{leave}_{state}")[-2:] == [between, state]


@pytest.mark.parametrize("trigger", ["scan", "complete", "pick", "release_scanning"])
def test_illegal_triggers_are_refused(trigger: str) -> None:
    with pytest.raises(MachineError):
        walk(trigger)


def test_every_working_state_can_be_aborted_and_can_fail() -> None:
    for trigger in ("abort", "fail"):
        sources = {s for name, source, _ in TRANSITIONS if name == trigger for s in source}
        assert sources >= {*WORKING, "held", "paused", "finishing"}


def test_the_diagram_names_every_state() -> None:
    text = diagram()
    assert "stateDiagram" in text
    assert all(state in text for state in (*STATES, *ENDS))
