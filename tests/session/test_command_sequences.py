"""Any commands at any times: each is taken or refused as a model of three rules says, and the night ends well.

XRM_SEQUENCES=500 tries as many; the judge of each night is that of the hunt.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from simulators.trace import Trace
from tests.hunt.case import FOV_UM, Case
from tests.hunt.night import play
from xrm_control.core.events import AnyEvent, CommandRefused, CommandTaken, StateEntered
from xrm_control.core.states import ENDING, ENDS, RunState

TRIED = int(os.environ.get("XRM_SEQUENCES", "5"))
RECIPE: dict[str, Any] = {
    "mosaic": {"columns": 3, "rows": 1, "flats": 1, "darks": 1},
    "roi": {"kind": "manual", "positions": [{"x_um": -FOV_UM, "y_um": 0.0}, {"x_um": FOV_UM, "y_um": 0.0}]},
    "scan": {"projections": 7, "references": {"kind": "both", "count": 1}, "darks": 1, "missing_allowed_percent": 50},
}
LASTS_S = 90.0
# One frame: its move, exposure and read-out, and the shutter.
FRAME_S, ABORT_S = 3.5, 0.3
AT_FRAMES = (RunState.MOSAICKING, RunState.REFERENCING, RunState.SCANNING)

stages = st.sampled_from(("mosaic", "rois", "roi-01", "roi-02", "roi-07", "tea"))
commands = st.one_of(
    st.sampled_from(({"kind": "pause"}, {"kind": "continue"}, {"kind": "pause"}, {"kind": "continue"})),
    st.builds(lambda roi: {"kind": "skip", "roi": roi}, st.sampled_from(("roi-01", "roi-02", "roi-03"))),
    st.builds(
        lambda x_um, y_um: {"kind": "add", "x_um": x_um, "y_um": y_um},
        st.sampled_from((0.0, 5.0, FOV_UM, 900.0)),
        st.sampled_from((0.0, 40.0)),
    ),
    st.builds(lambda stage: {"kind": "until", "stage": stage}, stages),
    st.builds(lambda after: {"kind": "stop", "after": after}, st.sampled_from(("frame", "scan", "region"))),
    st.just({"kind": "abort"}),
)
scripts = st.lists(st.tuples(st.integers(1, int(10 * LASTS_S)), commands), min_size=1, max_size=12)

# Found so: it pauses before its end, where nothing was taken any more, and so stood until it was killed.
TO_ITS_END: list[tuple[int, dict[str, Any]]] = [
    (153, {"kind": "skip", "roi": "roi-01"}),
    (532, {"kind": "pause"}),
    (140, {"kind": "stop", "after": "scan"}),
    (384, {"kind": "until", "stage": "mosaic"}),
    (243, {"kind": "stop", "after": "frame"}),
    (217, {"kind": "stop", "after": "frame"}),
]


@settings(max_examples=TRIED, deadline=None, derandomize=TRIED < 50, suppress_health_check=[HealthCheck.too_slow])
@given(script=scripts)
@example(script=[*TO_ITS_END, (600, {"kind": "continue"})])
@example(script=[*TO_ITS_END, (600, {"kind": "abort"})])
@example(script=TO_ITS_END)
def test_any_commands_at_any_times(script: list[tuple[int, dict[str, Any]]]) -> None:
    troubles = tuple({"kind": "command", "at_s": at / 10, "command": command} for at, command in script)
    played = play(Case(1, RECIPE, troubles))
    broken = [
        *played.findings,
        *(one for heard in played.heard for one in _as_the_rules_say(heard)),
        *(one for heard, trace in zip(played.heard, played.traces, strict=True) for one in _in_time(heard, trace)),
    ]
    assert not broken


def _as_the_rules_say(heard: Sequence[AnyEvent]) -> Iterator[str]:
    """A pause is taken unless one is wanted; a continue only then; nothing is taken at the end; refusals say why."""
    wanted, state = False, RunState.IDLE
    for event in heard:
        match event:
            case StateEntered():
                state = event.state
            case CommandTaken() if state in (*ENDING, *ENDS):
                yield f"{event.words} was taken when the run was {state}"
            case CommandTaken(words="pause"):
                if wanted:
                    yield f"a second pause was taken at {event.t_s:.2f} s"
                wanted = True
            case CommandTaken(words="continue"):
                if not wanted:
                    yield f"a continue was taken at {event.t_s:.2f} s, and nobody had paused"
                wanted = False
            case CommandRefused():
                if not event.reason:
                    yield f"{event.words} was refused without a reason"
                over = state in (*ENDING, *ENDS) or "nothing is taken any more" in event.reason
                if {"pause": not wanted, "continue": wanted}.get(event.words, False) and not over:
                    yield f"{event.words} was refused at {event.t_s:.2f} s: {event.reason}"
            case _:
                pass


def _in_time(heard: Sequence[AnyEvent], trace: Trace | None) -> Iterator[str]:
    """A pause is there within a frame, an abort has the shutter closed at once."""
    state = RunState.IDLE
    for number, event in enumerate(heard):
        if isinstance(event, StateEntered):
            state = event.state
        elif isinstance(event, CommandTaken) and event.words == "pause" and state in AT_FRAMES:
            after = heard[number + 1 :]
            meant = (one for one in after if isinstance(one, StateEntered | CommandTaken))
            following = next((one for one in meant if not _looks_again(one)), None)
            if isinstance(following, StateEntered) and following.t_s - event.t_s > FRAME_S:
                yield f"paused at {event.t_s:.2f} s, and {following.state} after {following.t_s - event.t_s:.2f} s"
        elif isinstance(event, CommandTaken) and event.words == "abort" and trace is not None:
            for open_s, closed_s in trace.shutter:
                if open_s <= event.t_s and closed_s > event.t_s + ABORT_S:
                    yield f"aborted at {event.t_s:.2f} s, and the shutter was open until {closed_s:.2f} s"
            for motion in trace.motions:
                if motion.begin_s > event.t_s + ABORT_S and motion.target != motion.start:
                    yield f"aborted at {event.t_s:.2f} s, and axis {motion.axis} was sent at {motion.begin_s:.2f} s"


def _looks_again(event: AnyEvent) -> bool:
    return isinstance(event, CommandTaken) and event.words not in ("pause", "continue", "abort")
