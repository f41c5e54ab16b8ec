"""What a run still takes, in closed form: what is left of the plan, and no less than its outstanding frames."""

from __future__ import annotations

import pytest

from xrm_control.core.events import AnyEvent, RunReplanned, RunResumed, StateEntered
from xrm_control.core.frame_id import FrameId
from xrm_control.core.progress import RunProgress
from xrm_control.core.states import FrameKind, RunState

# Ten frames in 100 s; eight are there before anything is heard, so that two, 20 s, are outstanding.
PLAN = RunReplanned(10, 100.0, t_s=0.0)
KEPT = [FrameId.numbered("roi-01", FrameKind.PROJECTION, number) for number in range(8)]


def state(entered: RunState, t_s: float) -> StateEntered:
    return StateEntered(entered, t_s=t_s)


def resumed(stood_s: float, t_s: float) -> RunResumed:
    return RunResumed("scanning", stood_s, 8, 0, 0, 0, t_s=t_s)


# what was heard, now, what remains
CASES: dict[str, tuple[list[AnyEvent], float, float]] = {
    "at once": ([], 0.0, 100.0),
    "as planned": ([], 30.0, 70.0),
    "behind its plan": ([], 95.0, 20.0),
    "far behind its plan": ([], 500.0, 20.0),
    "held for 20 s": ([state(RunState.HELD, 10.0), state(RunState.SCANNING, 30.0)], 50.0, 70.0),
    "held, and still so": ([state(RunState.HELD, 40.0)], 90.0, 60.0),
    "paused, and still so": ([state(RunState.PAUSED, 40.0)], 90.0, 60.0),
    "held twice": (
        [
            *(state(RunState.HELD, 10.0), state(RunState.SCANNING, 15.0)),
            *(state(RunState.PAUSED, 20.0), state(RunState.SCANNING, 30.0)),
        ],
        45.0,
        70.0,
    ),
    "from a hold into a pause": ([state(RunState.HELD, 10.0), state(RunState.PAUSED, 20.0)], 45.0, 90.0),
    "it stood for 15 s": ([resumed(25.0, 40.0)], 60.0, 55.0),
    "it stood, and is held": ([resumed(25.0, 40.0), state(RunState.HELD, 50.0)], 95.0, 65.0),
    "done": ([state(RunState.DONE, 50.0)], 50.0, 0.0),
    "aborted": ([state(RunState.ABORTED, 50.0)], 50.0, 0.0),
}


@pytest.mark.parametrize("name", CASES)
def test_what_remains(name: str) -> None:
    heard, now_s, expected_s = CASES[name]
    progress = RunProgress(KEPT)
    for event in (PLAN, *heard):
        assert progress.hear(event)
    assert progress.remaining_s(now_s) == pytest.approx(expected_s)
