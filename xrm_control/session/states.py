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

WORKING = ("connecting", "homing", "mosaicking", "picking", "aligning", "referencing", "scanning", "checking")
ENDS = ("done", "aborted", "failed")
STATES = ("idle", *WORKING, "paused", "held", "finishing", "done", "aborting", "aborted", "failing", "failed")

_INTERRUPTIBLE = (*WORKING, "paused", "held", "finishing")

TRANSITIONS: tuple[tuple[str, str | list[str], str], ...] = (
    ("connect", "idle", "connecting"),
    ("home", "connecting", "homing"),
    ("map", "homing", "mosaicking"),
    ("pick", "mosaicking", "picking"),
    ("align", ["picking", "checking"], "aligning"),
    ("reference", "aligning", "referencing"),
    ("scan", "referencing", "scanning"),
    ("check", "scanning", "checking"),
    ("finish", ["picking", "checking"], "finishing"),
    ("complete", "finishing", "done"),
    ("abort", ["idle", *_INTERRUPTIBLE], "aborting"),
    ("aborted_safely", "aborting", "aborted"),
    ("fail", ["idle", *_INTERRUPTIBLE, "aborting"], "failing"),
    ("failed_safely", "failing", "failed"),
    # A ROI that cannot be finished is set aside; the night goes on with the next.
    ("skip", ["aligning", "referencing", "scanning"], "checking"),
)
_RETURNS = tuple(
    (f"{verb}_{state}", source, target)
    for state in WORKING
    for verb, source, target in (
        ("pause", state, "paused"),
        ("continue", "paused", state),
        ("hold", state, "held"),
        ("release", "held", state),
    )
)

OnState = Callable[[str], None]


class RunStates:
    """The state machine of one run. Illegal triggers raise `transitions.MachineError`."""

    state: str

    def __init__(self, on_state: OnState) -> None:
        self._on_state = on_state
        self._machine = Machine(model=self, after_state_change=self._changed, **_settings())

    def go(self, trigger: str) -> None:
        """Take the transition named `trigger`."""
        self.trigger(trigger)  # type: ignore[attr-defined]

    def may(self, trigger: str) -> bool:
        """Whether `trigger` is legal now."""
        return trigger in self._machine.get_triggers(self.state)

    def _changed(self) -> None:
        self._on_state(self.state)


class _Drawn:
    """A model that exists to be drawn."""


def diagram() -> str:
    """The machine as a Mermaid state diagram, without the many ways into and out of `paused` and `held`."""
    drawn: Any = _Drawn()
    settings: dict[str, Any] = _settings() | {"transitions": [list(row) for row in TRANSITIONS]}
    GraphMachine(model=drawn, graph_engine="mermaid", title="States of a run", **settings)
    return str(drawn.get_graph().source)


def _settings() -> dict[str, Any]:
    return {
        "states": list(STATES),
        "transitions": [list(row) for row in (*TRANSITIONS, *_RETURNS)],
        "initial": "idle",
        "auto_transitions": False,
    }
