"""Ctrl-C for work in a thread, which no signal reaches: a notebook's cell waits, and a thread does the work."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from typing import TypeVar

Result = TypeVar("Result")
Handler = Callable[[str], object]

_present: ContextVar[Interrupts | None] = ContextVar("interrupts", default=None)


class Interrupts:
    """Who is to be told of an interrupt, if anybody."""

    handler: Handler | None = None

    def interrupt(self, name: str) -> None:
        """Tell the handler; an event loop that it would call may have ended just now."""
        if self.handler is not None:
            with suppress(RuntimeError):
                self.handler(name)


def in_main_thread() -> bool:
    """Whether signals can be handled here."""
    return threading.current_thread() is threading.main_thread()


def on_interrupt(handler: Handler) -> None:
    """From here on, an interrupt of the work that goes on here, in a thread of `outside_loop`, calls `handler` with its
    name, from another thread. Whoever was told before is not told any more.
    """
    present = _present.get()
    if present is not None:
        present.handler = handler


@contextmanager
def signals_restored() -> Generator[None, None, None]:
    """After the block, the signals that end a program are handled as before; not before it has ended altogether."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if in_main_thread() else ()
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            # None: it was not set from Python, and cannot be.
            if handler is not None:
                signal.signal(number, handler)


def outside_loop(work: Callable[[], Result]) -> Result:
    """``work()``, in a thread where an event loop runs here already (as in a notebook), so that it may run its own.

    Ctrl-C meanwhile interrupts the work, which then ends in its own way; it is waited for. Raises what `work` raises.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work()
    interrupts = Interrupts()
    context = copy_context()
    context.run(_present.set, interrupts)
    ended: list[Result] = []
    failed: list[BaseException] = []
    over = threading.Event()

    def carried_out() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        try:
            ended.append(context.run(work))
        except BaseException as error:  # noqa: BLE001  it is raised again where it is waited for
            failed.append(error)
        finally:
            over.set()

    # An interrupt while the thread starts would leave it behind: it comes when it is waited for.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    threading.Thread(target=carried_out, name="outside the loop").start()
    # Not by joining: an interrupted join takes the thread for ended (CPython before 3.13).
    while not over.is_set():
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            over.wait()
        except KeyboardInterrupt:
            interrupts.interrupt("Ctrl-C")
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    if failed:
        raise failed[0]
    return ended[0]
