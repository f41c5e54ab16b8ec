"""The states of a run and every legal transition, as data; the only user of `transitions`.

```
idle -> connecting -> homing -> mosaicking -> picking -> [aligning -> referencing -> scanning -> checking] per ROI
     -> finishing -> done
```

`paused` and `held` (waiting for beam or instrument) return to the state they came from. `aborted` and `failed` are
entered through `aborting` and `failing`, `done` through `finishing`: each of these three puts the instrument into the
safe state first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transitions import Machine
from transitions.extensions.diagrams import GraphMachine

from xrm_control.core.states import WAITING, WORKING, RunState

_INTERRUPTIBLE = (*WORKING, *WAITING, RunState.FINISHING)

TRANSITIONS: tuple[tuple[str, tuple[RunState, ...], RunState], ...] = (
    ("connect", (RunState.IDLE,), RunState.CONNECTING),
    ("home", (RunState.CONNECTING,), RunState.HOMING),
    ("map", (RunState.HOMING,), RunState.MOSAICKING),
    ("pick", (RunState.MOSAICKING,), RunState.PICKING),
    ("align", (RunState.PICKING, RunState.CHECKING), RunState.ALIGNING),
    ("reference", (RunState.ALIGNING,), RunState.REFERENCING),
    # What was kept does not go with what would follow: after a pause a scan may have to be begun anew.
    ("align_again", (RunState.ALIGNING, RunState.REFERENCING, RunState.SCANNING), RunState.ALIGNING),
    ("scan", (RunState.REFERENCING,), RunState.SCANNING),
    ("check", (RunState.SCANNING,), RunState.CHECKING),
    ("finish", (RunState.PICKING, RunState.CHECKING), RunState.FINISHING),
    # Of a run that is gone on with all is scanned: nobody needs the instrument any more.
    ("process", (RunState.IDLE,), RunState.FINISHING),
    ("complete", (RunState.FINISHING,), RunState.DONE),
    ("abort", (RunState.IDLE, *_INTERRUPTIBLE), RunState.ABORTING),
    ("aborted_safely", (RunState.ABORTING,), RunState.ABORTED),
    ("fail", (RunState.IDLE, *_INTERRUPTIBLE, RunState.ABORTING), RunState.FAILING),
    ("failed_safely", (RunState.FAILING,), RunState.FAILED),
    # A ROI that cannot be finished is set aside; the night goes on with the next.
    ("skip", (RunState.ALIGNING, RunState.REFERENCING, RunState.SCANNING), RunState.CHECKING),
)
RETURNS: tuple[tuple[str, tuple[RunState, ...], RunState], ...] = tuple(
    (f"{verb}_{state}", (source,), target)
    for state in WORKING
    for verb, source, target in (
        ("pause", state, RunState.PAUSED),
        ("continue", RunState.PAUSED, state),
        ("hold", state, RunState.HELD),
        ("release", RunState.HELD, state),
    )
)

# With the reason for it, where there is one to be told.
OnState = Callable[[RunState, str], None]


class RunStates:
    """The state machine of one run. Illegal triggers raise `transitions.MachineError`."""

    _name: str

    def __init__(self, on_state: OnState) -> None:
        self._on_state = on_state
        self._reason = ""
        self._machine = Machine(
            model=self,
            model_attribute="_name",
            after_state_change=self._changed,
            **_settings((*TRANSITIONS, *RETURNS)),
        )

    @property
    def state(self) -> RunState:
        """Where the run is."""
        return RunState(self._name)

    def go(self, trigger: str, reason: str = "") -> None:
        """Take the transition named `trigger`. reason: of a state that is none of the plan's."""
        self._reason = reason
        self.trigger(trigger)  # type: ignore[attr-defined]

    def may(self, trigger: str) -> bool:
        """Whether `trigger` is legal now."""
        return trigger in self._machine.get_triggers(self._name)

    def _changed(self) -> None:
        self._on_state(self.state, self._reason)


class _Drawn:
    """A model that exists to be drawn."""


def diagram() -> str:
    """The machine as a Mermaid state diagram, without the many ways into and out of `paused` and `held`."""
    drawn: Any = _Drawn()
    GraphMachine(model=drawn, graph_engine="mermaid", title="States of a run", **_settings(TRANSITIONS))
    return str(drawn.get_graph().source)


def _settings(transitions: tuple[tuple[str, tuple[RunState, ...], RunState], ...]) -> dict[str, Any]:
    """For the machine, which knows its states by name."""
    return {
        "states": [state.value for state in RunState],
        "transitions": [
            [trigger, [source.value for source in sources], target.value] for trigger, sources, target in transitions
        ],
        "initial": RunState.IDLE.value,
        "auto_transitions": False,
    }
