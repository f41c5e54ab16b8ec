"""What is tried again and what is waited for: an instrument that was lost, an axis that somebody else stopped."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from xrm_control.acquisition.failures import Failure, failure_of
from xrm_control.acquisition.policies import Reactions
from xrm_control.acquisition.retry import RetryPolicy
from xrm_control.core.clock import Clock
from xrm_control.core.errors import DeviceError, InstrumentUnreachable, MotionInterrupted, MotionStalled, XrmError
from xrm_control.core.events import (
    DeviceTriedAgain,
    EventStream,
    InstrumentAwaited,
    InstrumentLost,
    MoveInterrupted,
    MoveStalled,
)
from xrm_control.core.tasks import begin
from xrm_control.devices.protocols import Instrument

Result = TypeVar("Result")
Hold = Callable[[str], AbstractAsyncContextManager[None]]

# What comes and goes must not turn one frame into an endless loop.
MOST_ATTEMPTS = 50
# While a rest lasts, somebody may want the run to end.
_ASK_EVERY_S = 5.0
_MOST_CAUSES = 5


class Recovery:
    """Begins an action again when the instrument came back, whoever moved an axis had time to finish, or it stalled.

    `restored` puts an instrument that is connected again in order for the action (camera, limits); `while_held` is
    asked between two tries, and what it raises ends the waiting.
    """

    def __init__(
        self,
        instrument: Instrument,
        clock: Clock,
        events: EventStream,
        policy: RetryPolicy,
        hold: Hold,
        restored: Callable[[], Awaitable[None]],
        while_held: Callable[[], None] = lambda: None,
        reactions: Reactions | None = None,
    ) -> None:
        self._instrument = instrument
        self._clock = clock
        self._events = events
        self._policy = policy
        self._hold = hold
        self._restored = restored
        self._while_held = while_held
        self._reactions = reactions or Reactions(policy)

    async def with_(self, action: Callable[[], Awaitable[Result]], where: str) -> Result:
        """The result of `action`, begun anew as often as the policy allows; then what stopped it is raised."""
        losses = 0
        tries: Counter[Failure] = Counter()
        while True:
            try:
                return await action()
            except InstrumentUnreachable as error:
                losses += 1
                if losses == MOST_ATTEMPTS:
                    raise
                await self._reconnect(where, error)
            except DeviceError as error:
                failure = failure_of(error)
                if failure is None or failure not in _TRIED_AGAIN:
                    raise
                tries[failure] += 1
                await self._again(failure, tries[failure], where, error)

    async def _again(self, failure: Failure, tries: int, where: str, error: DeviceError) -> None:
        """Return when what failed for the `tries`-th time may be tried again; raises the error when it may not."""
        reaction, text = self._reactions[failure], str(error)
        match failure:
            case Failure.AXIS_STALLED:
                self._events.emit(MoveStalled(where, tries, text))
            case Failure.AXIS_INTERRUPTED:
                self._events.emit(MoveInterrupted(where, tries, text))
            case _ if tries < reaction.attempts:
                self._events.emit(DeviceTriedAgain(where, tries, text))
            case _:
                pass
        if tries >= reaction.attempts:
            raise used_up(error, tries) if failure in _REMEDIES else error
        if reaction.pause_s > 0 or failure is Failure.AXIS_INTERRUPTED:
            await self.rest(where, error, reaction.pause_s)

    async def _reconnect(self, where: str, error: InstrumentUnreachable) -> None:
        """Hold until the instrument is connected and in order again. Raises InstrumentUnreachable, SafetyRefusal."""
        self._events.emit(InstrumentLost(where, str(error)))
        lost_s, told = self._clock.now_s(), {str(error)}
        async with self._hold(f"instrument lost at {where}: {error.what}"):
            while True:
                try:
                    await self._instrument.connect()
                    await self._restored()
                    return
                except InstrumentUnreachable as still:
                    away_s = self._clock.now_s() - lost_s
                    patience_s = self._reactions[Failure.INSTRUMENT_LOST].patience_s
                    if away_s > self._clock.wall_s(patience_s):
                        raise InstrumentUnreachable(
                            f"the instrument did not come back: {still.what}",
                            where=still.where or where,
                            value=f"{away_s / self._clock.wall_s(1.0):.0f} s",
                            limit=f"{patience_s:g} s",
                            remedy="look at control system and network, then `xrm resume` the run; all frames are kept",
                        ) from still
                    # What is missing now may be something else than what was lost, and for somebody to see to.
                    if str(still) not in told and len(told) <= _MOST_CAUSES:
                        told.add(str(still))
                        self._events.emit(InstrumentAwaited(where, str(still)))
                self._while_held()
                await self._clock.sleep(self._clock.wall_s(self._policy.instrument_poll_s))

    async def rest(self, where: str, error: DeviceError, seconds: float) -> None:
        """Hold, shutter closed, for so long: whoever moved an axis finishes, what stalled comes to rest."""
        async with self._hold(f"{error.where or where}, on the way to {where}: {error.what}"):
            # Lost as well? The next try of the action will meet that, and wait for it.
            with contextlib.suppress(InstrumentUnreachable):
                await self._instrument.shutter.set(False)
            until_s = self._clock.now_s() + seconds
            while (left_s := until_s - self._clock.now_s()) > _ASK_EVERY_S:
                await self._clock.sleep(_ASK_EVERY_S)
                self._while_held()
            await self._clock.sleep(left_s)


def used_up(error: DeviceError, tries: int) -> DeviceError:
    """`error`, saying how often it was tried before it was believed."""
    often = "once" if tries == 1 else f"{tries} times"
    text, failure = f"{error.what}; tried {often}", failure_of(error)
    remedy = None if failure is None else _REMEDIES.get(failure)
    return type(error)(text, where=error.where, value=error.value, limit=error.limit, remedy=remedy)


_TRIED_AGAIN = (Failure.AXIS_STALLED, Failure.AXIS_INTERRUPTED, Failure.DEVICE_FAILED)
_REMEDIES = {
    Failure.AXIS_STALLED: "look for an obstacle before anything moves again",
    Failure.AXIS_INTERRUPTED: "find out who uses the instrument, and what was changed",
}


async def gather_or_cancel(*actions: Coroutine[Any, Any, Any]) -> list[Any]:
    """The results of actions that run at once; when one fails the others are cancelled and the gravest error is raised.

    Unlike a task group it never lets an error of an action outweigh the cancellation of the caller: a run that is being
    ended must not take that error for a reason to try again.
    """
    tasks = [begin(action) for action in actions]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        if unfinished := [task for task in tasks if not task.done()]:
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)
    errors = [error for task in tasks if not task.cancelled() and (error := task.exception()) is not None]
    if errors:
        raise min(errors, key=_severity)
    return [task.result() for task in tasks]


def _severity(error: BaseException) -> int:
    """0 for faults of the program, 1 for what ends the run, 2 for what is waited for, 3 for what is tried again."""
    if isinstance(error, MotionStalled):
        return 3
    if isinstance(error, (InstrumentUnreachable, MotionInterrupted)):
        return 2
    return 1 if isinstance(error, XrmError) else 0
