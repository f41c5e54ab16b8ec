"""Who is there at night: an operator by script, and the morning, when somebody lets a run that is paused go on.

And a machine that lets the whole program wait, for half a minute say, while the instrument goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator

from pydantic import TypeAdapter

from tests.hunt.case import Trouble
from xrm_control.contracts.commands import Abort, Command, Continue, Letter, Pause, Reply, Skip
from xrm_control.core.clock import Clock
from xrm_control.core.events import AnyEvent, StageBegun, StateEntered
from xrm_control.core.states import RunState
from xrm_control.session.runner import Hear

BY = "night@console"
_COMMAND: TypeAdapter[Command] = TypeAdapter(Command)
_MORNING_S, _TOO_LONG_S, _LOOKS_EVERY_S = 1800.0, 6 * 3600.0, 3.0


class Crew:
    """Sends what is left of the night's commands, in each sitting what comes due in it.

    dead: whether the process is, and only dreams that it goes on. hung: a sitting that has not come to an end for hours
    of its own time. aborted_s: when an abort was accepted, of the sitting in progress.
    """

    def __init__(self, troubles: tuple[Trouble, ...], dead: Callable[[], bool] = lambda: False) -> None:
        self._dead = dead
        commands = [trouble for trouble in troubles if trouble["kind"] == "command"]
        self._script = sorted(commands, key=lambda trouble: trouble["at_s"])
        freezes = [trouble for trouble in troubles if trouble["kind"] == "freeze"]
        self._freezes = sorted(freezes, key=lambda trouble: trouble["at_s"])
        self._skips = sorted(trouble["at_s"] for trouble in troubles if trouble["kind"] == "skip_held")
        self._roi = ""
        begun = [trouble for trouble in troubles if trouble["kind"] == "skip_begun"]
        self._skips_begun = sorted((trouble["sitting"], trouble["after_s"]) for trouble in begun)
        self.met: set[str] = set()
        self.aborted_s: float | None = None
        self.sitting = 0
        self._sent = 0
        self._state = RunState.IDLE
        self.calm = False
        self.hung = False
        self.refused: list[str] = []

    @property
    def left(self) -> int:
        """Commands that nobody has sent yet, and waits that are to come."""
        return len(self._script) + len(self._freezes)

    def watch(self, event: AnyEvent) -> None:
        """What the run shows."""
        if isinstance(event, StateEntered):
            self._state = event.state
        elif isinstance(event, StageBegun) and str(event.stage).startswith("roi-"):
            self._roi = str(event.stage).split()[0]

    @contextlib.contextmanager
    def __call__(self, clock: Clock, hear: Hear) -> Iterator[None]:
        self.sitting += 1
        self.aborted_s = None
        self._clock, self._hears, self._run = clock, hear, asyncio.current_task()
        parts = (
            *(self._shift(clock, hear), self._freeze(clock)),
            *(self._skip_what_is_held(clock, hear), self._skip_what_was_begun(clock, hear), self._bury(clock)),
        )
        tasks = [asyncio.ensure_future(part) for part in parts]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()

    async def _freeze(self, clock: Clock) -> None:
        loop = asyncio.get_running_loop()
        while self._freezes and not self.calm:
            await clock.sleep_until(self._freezes[0]["at_s"])
            # Nobody is called meanwhile; whatever has come due is, at once, afterwards.
            loop._now_s += self._freezes.pop(0)["for_s"]  # type: ignore[attr-defined]

    async def _shift(self, clock: Clock, hear: Hear) -> None:
        begun_s = clock.now_s()
        while self._script and not self.calm:
            await clock.sleep_until(self._script[0]["at_s"])
            await self._send(hear, _COMMAND.validate_python(self._script.pop(0)["command"]))
        while clock.now_s() - begun_s < _TOO_LONG_S:
            await clock.sleep(_MORNING_S)
            if self._state is RunState.PAUSED:
                await self._send(hear, Continue())
        self.hung = True
        await self._send(hear, Abort())

    async def _bury(self, clock: Clock) -> None:
        """End what a dead process still does: it may have died where nobody in it waits for anything."""
        assert self._run is not None
        while not self._dead():
            await clock.sleep(_LOOKS_EVERY_S)
        self._run.cancel()

    async def _skip_what_is_held(self, clock: Clock, hear: Hear) -> None:
        """Somebody who sees that a region is held, and does not want to wait for it."""
        while self._skips and not self.calm:
            await clock.sleep_until(max(self._skips[0], clock.now_s() + _LOOKS_EVERY_S))
            if self._state is RunState.HELD and self._roi:
                self._skips.pop(0)
                self.met.add("skip_held")
                await self._send(hear, Skip(roi=self._roi))

    async def _skip_what_was_begun(self, clock: Clock, hear: Hear) -> None:
        """Somebody who does not want the region again in which the run stood."""
        roi = self._roi
        if roi and not self.calm and self._skips_begun and self._skips_begun[0][0] <= self.sitting:
            await clock.sleep(self._skips_begun.pop(0)[1])
            if (await self._send(hear, Skip(roi=roi))).accepted:
                self.met.add("skip_begun")

    async def pause(self) -> None:
        """Somebody pauses the sitting in progress."""
        await self._send(self._hears, Pause())

    async def _send(self, hear: Hear, command: Command) -> Reply:
        self._sent += 1
        letter = Letter(command=command, by=BY, sent_utc="2026-01-01T00:00:00+00:00")
        reply = await hear(f"night-{self._sent}", letter)
        if not reply.accepted:
            self.refused.append(reply.text)
        elif isinstance(command, Abort):
            self.aborted_s = self._clock.now_s()
        return reply
