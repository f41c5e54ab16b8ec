"""A run that is told to end: by a signal, by an operator's screen, or by who waits for it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

from xrm_control.core.events import RunInterrupted
from xrm_control.core.interrupts import in_main_thread, on_interrupt
from xrm_control.core.user import user_at_host
from xrm_control.session.context import RunContext


class Interruption:
    """Turns the first signal, or an operator's wish, into a cancellation; none disturbs the way out.

    by: who has ended the run; None while nobody has.
    """

    def __init__(self, run: RunContext) -> None:
        self._run = run
        self._leaving = False
        self.by: str | None = None

    @contextmanager
    def heard(self) -> Generator[Callable[[str], None], None, None]:
        """While the block runs, the present task is cancelled. Gives the function that does so, with who wishes it."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        instrument = self._run.instrument

        def interrupt(name: str) -> None:
            if self.by is None and not self._leaving and task is not None:
                instrument.halt()
                self.by = name
                task.cancel()
                self._run.events.emit(RunInterrupted(name))

        def wished(name: str) -> None:
            loop.call_soon_threadsafe(interrupt, name)

        def told(name: str) -> None:
            wished(name + whose)

        def at_once(_number: int, _frame: FrameType | None) -> None:
            # Before the loop comes to it: it may be busy, or hang.
            if not self._leaving:
                instrument.halt()

        # Who sent a signal nobody tells; whose process it ended is known, and mostly theirs.
        whose = f" (process of {user_at_host()})"
        caught = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
        # Under nohup a run outlives its terminal, as whoever began it wants.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            caught[signal.SIGHUP] = "a closed terminal"
        # Signals reach the main thread alone; a run in another one is told of Ctrl-C by who waits for it.
        for number, name in caught.items() if in_main_thread() else ():
            loop.add_signal_handler(number, interrupt, name + whose)
            # The loop goes on hearing of it: it listens to a pipe, not to this handler.
            signal.signal(number, at_once)
        on_interrupt(told)
        instrument.on_abort(wished)
        try:
            yield interrupt
        finally:
            self._leaving = True
