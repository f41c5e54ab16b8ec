"""Entering the safe state, and saying how the instrument was left: for all that ends or interrupts a run."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from xrm_control.core.errors import InstrumentLocked, NotSafe, XrmError
from xrm_control.core.events import SafeStateFailed, SafeStateLeft, SafeStateVerified
from xrm_control.devices.protocols import SafeState
from xrm_control.session.context import RunContext

# An instrument that does not answer may come back; it is not left in the beam for want of a second try.
_SAFE_TRIES = 4
_SAFE_PAUSE_S = 5.0
# What an instrument's code may fail with; it is no reason not to try again.
_FAILURES = (XrmError, ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError)
CLOSE_BY_HAND = "close the beam upstream and look at the instrument; what was taken is on the disk"


@dataclass(frozen=True)
class Safety:
    """How the instrument was left; `ours`: whether it was this run's to command."""

    state: SafeState
    ours: bool = True

    @property
    def problem(self) -> str | None:
        """What is wrong; None when all axes stand and the shutter is closed, or when it was not ours to command."""
        if self.state.verified or not self.ours:
            return None
        return "; ".join(dict.fromkeys(self.state.problems)) or "an axis moves, or the shutter is open"


NOT_OURS = Safety(SafeState({}, False), ours=False)


async def make_safe(run: RunContext) -> Safety:
    """Enter the safe state, tried again for a while. It needs nothing but the instrument, and records nothing."""
    state = SafeState({}, False)
    for attempt in range(_SAFE_TRIES):
        if attempt:
            await run.clock.sleep(_SAFE_PAUSE_S)
        if not run.instrument.in_control:
            return Safety(state, ours=False)
        try:
            state = await run.instrument.make_safe()
        except InstrumentLocked:
            return Safety(state, ours=False)
        except _FAILURES as error:
            state = SafeState({}, False, (f"unexpected {type(error).__name__}: {error}",))
        if state.verified:
            break
    return Safety(state)


async def stand_down(run: RunContext, safety: Safety) -> None:
    """Nothing is commanded any more: what is computed from here on, for however long, is no hanging session."""
    if safety.state.verified and safety.ours:
        with contextlib.suppress(*_FAILURES):
            await run.instrument.stand_down()


def say(run: RunContext, safety: Safety) -> None:
    """Record how the instrument was left."""
    emit, state = run.events.emit, safety.state
    if not safety.ours:
        emit(SafeStateLeft())
    elif safety.problem:
        emit(SafeStateFailed(safety.problem, dict(state.axes_at_rest), state.shutter_closed))
    else:
        emit(SafeStateVerified(dict(state.axes_at_rest), state.shutter_closed))


async def stand_safe(run: RunContext, what: str) -> Safety:
    """Make safe and record it; `what` the run has come to. Raises NotSafe when it cannot be verified."""
    safety = await make_safe(run)
    say(run, safety)
    if safety.problem:
        raise NotSafe(
            f"{what}, but the safe state was not reached: {safety.problem}",
            where=run.folder.name,
            remedy=CLOSE_BY_HAND,
        )
    return safety
