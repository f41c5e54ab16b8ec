"""Time is handed in: the only place that knows a wall clock.

Everything that waits does so through a `Clock`, and a `Clock` asks its event loop. Three loops run the same code:

- wall clock (``speed=1``), or N times faster (``speed=N``): waiting is divided by N;
- virtual time: the loop polls without waiting and its `time()` jumps to the next timer when nothing is ready. While
  real work (anything in an executor: an fsync, a reconstruction) is in flight, time stands still until it has come
  back, so the order of events is the same in every run. When nothing is left to wait for it says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import math
import selectors
import time
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Executor
from typing import Any, TypeVar

from xrm_control.core.interrupts import in_main_thread, on_interrupt

Result = TypeVar("Result")

VIRTUAL = "virtual"

# Rounding must not wake a sleeper a hair too early, when what it waits for has not quite happened.
_JUST_AFTER_S = 1e-6


class NothingToWaitFor(RuntimeError):
    """The virtual clock has no timer, no ready callback and no work in flight: the program would hang."""


class _PacedSelector(selectors.DefaultSelector):
    """A selector that waits as long as its pacing function says."""

    pace: Callable[[float | None], float | None]

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(self.pace(timeout))


class _ScaledLoop(asyncio.SelectorEventLoop):
    """An event loop whose seconds pass `speed` times faster than the wall clock's."""

    def __init__(self, speed: float) -> None:
        selector = _PacedSelector()
        selector.pace = lambda timeout: timeout if timeout is None else timeout / speed
        super().__init__(selector)
        self.speed = speed
        self._started_s = time.monotonic()

    def time(self) -> float:
        if not hasattr(self, "_started_s"):
            return 0.0
        return (time.monotonic() - self._started_s) * self.speed


class _VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time; see the module's text."""

    speed = math.inf

    def __init__(self) -> None:
        self._now_s = 0.0
        self._in_flight = 0
        selector = _PacedSelector()
        selector.pace = self._pace
        super().__init__(selector)

    def time(self) -> float:
        return self._now_s

    def _pace(self, timeout: float | None) -> float | None:
        if self._in_flight:
            # Real work must come back before time may move on; a ready callback (timeout 0) still runs.
            return timeout if timeout == 0 else None
        if timeout is None:
            if self.is_running() and not self._stopping:  # type: ignore[attr-defined]
                raise NothingToWaitFor(
                    "the virtual clock has nothing left to wait for: a task waits for something that will never happen"
                )
            return 0
        self._now_s += max(0.0, timeout)
        return 0

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., Result], *args: Any
    ) -> asyncio.Future[Result]:
        future = super().run_in_executor(executor, func, *args)
        self._in_flight += 1
        future.add_done_callback(self._landed)
        return future

    async def shutdown_default_executor(self, *arguments: Any) -> None:
        # Waiting for threads to end is real work too.
        self._in_flight += 1
        try:
            await super().shutdown_default_executor(*arguments)
        finally:
            self._in_flight -= 1

    def _landed(self, _: object) -> None:
        self._in_flight -= 1

    @contextlib.contextmanager
    def standing_still(self) -> Generator[None, None, None]:
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1


class Clock:
    """Instrument time in seconds since the start of the run, and its UTC counterpart.

    Made inside the event loop whose time it tells; it may then be asked from any thread.
    begun_s: the instrument time at which the loop begins, of a run that is gone on with.
    speed: instrument seconds per second of the wall clock; infinite in virtual time, which no wall clock paces.
    """

    def __init__(self, started_utc: datetime.datetime, begun_s: float = 0.0) -> None:
        self.started_utc = started_utc
        self.begun_s = begun_s
        self._loop = asyncio.get_running_loop()
        # Any other loop keeps the wall clock's time.
        self.speed = float(getattr(self._loop, "speed", 1.0))

    def now_s(self) -> float:
        """Seconds of instrument time since the start of the run."""
        return self.begun_s + self._loop.time()

    def utc(self) -> datetime.datetime:
        """The UTC moment that belongs to `now_s`."""
        return self.started_utc + datetime.timedelta(seconds=self.now_s())

    def wall_s(self, seconds: float) -> float:
        """The instrument seconds that pass during `seconds` of the wall clock, for time-outs of networks and people.

        ``await asyncio.wait_for(answer, clock.wall_s(2.0))`` gives up after two seconds of the wall clock at any
        speed. In virtual time there is no wall clock to speak of, and a second counts as one of the instrument's.
        """
        return seconds if math.isinf(self.speed) else seconds * self.speed

    def standing_still(self) -> contextlib.AbstractContextManager[None]:
        """While the block runs, virtual time stands still: for what is waited for from outside, as from people."""
        return self._loop.standing_still() if isinstance(self._loop, _VirtualLoop) else contextlib.nullcontext()

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of instrument time."""
        await asyncio.sleep(max(0.0, seconds))

    async def sleep_until(self, moment_s: float) -> None:
        """Wait until the instrument time `moment_s` has passed."""
        await self.sleep(moment_s - self.now_s() + _JUST_AFTER_S)


def utc_now() -> datetime.datetime:
    """The wall clock, for naming runs."""
    return datetime.datetime.now(datetime.UTC)


def pause(seconds: float) -> None:
    """Wait on the wall clock, outside any event loop: for commands that look again and again."""
    time.sleep(seconds)


def stopwatch() -> Callable[[], float]:
    """A function that returns the wall seconds since this call, for progress and figures of merit."""
    started = time.perf_counter()
    return lambda: time.perf_counter() - started


def new_loop(speed: float | str) -> asyncio.SelectorEventLoop:
    """An event loop for ``"virtual"`` or a speed factor above 0 (1: the wall clock). Raises ValueError for others."""
    if speed == VIRTUAL:
        return _VirtualLoop()
    factor = float(speed)
    if factor <= 0:
        raise ValueError(f"speed must be 'virtual' or above 0, got {speed}")
    return _ScaledLoop(factor)


def run(main: Coroutine[Any, Any, Result], speed: float | str) -> Result:
    """Run `main` on a loop of the given speed to its end; an interrupt cancels it, as in `asyncio.run`, and ends as
    KeyboardInterrupt. In a thread it is one of `core.interrupts`.
    """
    with asyncio.Runner(loop_factory=lambda: new_loop(speed)) as runner:
        return runner.run(main if in_main_thread() else _interruptible(main))


async def _interruptible(main: Coroutine[Any, Any, Result]) -> Result:
    loop, task, told = asyncio.get_running_loop(), asyncio.ensure_future(main), False

    def cancel() -> None:
        nonlocal told
        told = True
        task.cancel()

    on_interrupt(lambda _: loop.call_soon_threadsafe(cancel))
    try:
        return await task
    except asyncio.CancelledError:
        if told:
            raise KeyboardInterrupt from None
        raise
