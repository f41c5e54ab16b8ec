"""What an operator may do with a run now, and why not: the same words for a button, a script and an alarm's cure."""

from __future__ import annotations

from collections.abc import Iterator

from xrm_control.core.states import ENDING, ENDS, RunState
from xrm_control.dashboard.models_run import ActionView
from xrm_control.storage.records import RunSummary

PAUSE, CONTINUE, RESUME, SKIP, ORDER, ADD, UNTIL, STOP, ABORT = NAMES = (
    "pause", "continue", "resume", "skip", "order", "add", "until", "stop", "abort",
)  # fmt: skip


def actions(summary: RunSummary, *, skippable: bool, waiting: int = 0) -> tuple[ActionView, ...]:
    """Each action. skippable: whether a region is left that can be set aside; waiting: how many are not begun."""
    state = None if summary.state is None else summary.state.state
    return tuple(
        ActionView(name=name, possible=not reason, reason=reason)
        for name, reason in _reasons(summary, state, skippable, waiting)
    )


def _reasons(summary: RunSummary, state: RunState | None, skippable: bool, waiting: int) -> Iterator[tuple[str, str]]:
    over = _over(summary, state)
    nobody = "" if summary.alive else "nobody carries the run out"
    paused = state is RunState.PAUSED
    yield PAUSE, over or nobody or ("the run is paused already" if paused else "")
    yield CONTINUE, over or nobody or ("" if paused else "the run is not paused")
    yield (
        RESUME,
        "a process carries the run out"
        if summary.alive
        else "whether a process carries the run out cannot be told here"
        if summary.life_unknown
        else ("the run is done" if state is RunState.DONE else ""),
    )
    yield SKIP, over or ("" if skippable else "no region is left to be skipped")
    yield ORDER, over or ("" if waiting > 1 else "fewer than two regions wait for their scan")
    yield ADD, over
    yield UNTIL, over
    yield STOP, over or nobody
    yield ABORT, over or nobody


def _over(summary: RunSummary, state: RunState | None) -> str:
    """Why a run takes nothing any more; "" where it does. One that has failed or was aborted may be gone on with, and
    takes then what is wanted now."""
    if state is RunState.DONE or (summary.alive and state in (*ENDING, *ENDS)):
        return f"the run is {state}"
    return ""
