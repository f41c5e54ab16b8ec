"""Work inside a running event loop goes to a thread, which Ctrl-C reaches."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable

import pytest

from xrm_control.core.clock import run
from xrm_control.core.interrupts import in_main_thread, outside_loop, signals_restored


def inside_loop(work: Callable[[], object]) -> object:
    """What `outside_loop` gives in a cell of a notebook."""

    async def cell() -> object:
        # Where asyncio would cancel the cell, a kernel lets the interrupt be raised.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        return outside_loop(work)

    return asyncio.run(cell())


def test_without_a_loop_it_is_a_call() -> None:
    assert outside_loop(threading.current_thread) is threading.current_thread()


def test_inside_a_loop_another_one_may_run() -> None:
    async def answer() -> int:
        return 42

    assert inside_loop(lambda: (run(answer(), 1), in_main_thread())) == (42, False)


def test_an_error_is_raised_where_it_is_waited_for() -> None:
    def fail() -> None:
        raise LookupError("over there")

    with pytest.raises(LookupError, match="over there"):
        inside_loop(fail)


def test_an_interrupt_cancels_what_runs_on_a_clock_and_is_waited_for() -> None:
    ended: list[str] = []

    async def long() -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 100)
        finally:
            ended.append("in its own way")

    with pytest.raises(KeyboardInterrupt):
        inside_loop(lambda: run(long(), 1))
    assert ended == ["in its own way"]


def test_signals_are_handled_as_before() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with signals_restored():
        signal.signal(signal.SIGTERM, lambda *_: None)
    assert signal.getsignal(signal.SIGTERM) is before
