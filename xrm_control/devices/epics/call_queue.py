"""From Channel Access' threads into the session's loop, with as few wake-ups as possible: each costs a system call."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable

from xrm_control.devices.epics.libca import CaReply


class LoopCallQueue:
    """What other threads want done in the loop. It is woken once for all that has come, not once for each."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._woken = False

    def put(self, action: Callable[[], None]) -> None:
        """Call `action` in the loop, soon; nothing happens when the loop has ended."""
        with self._lock:
            self._waiting.append(action)
            if self._woken:
                return
            self._woken = True
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._empty)

    def _empty(self) -> None:
        with self._lock:
            actions, self._waiting, self._woken = self._waiting, deque(), False
        for action in actions:
            action()


class Flushing:
    """Sends after the first turn of the loop that asks for nothing more: what is asked for at once travels at once.

    A system call less, and the server is woken once.
    """

    def __init__(self, flush: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._flush = flush
        self._flushing = self._asked = False

    def soon(self) -> None:
        """Something was asked for."""
        self._asked = True
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        if self._asked:
            self._asked = False
            self._loop.call_soon(self._turn)
            return
        self._flushing = False
        self._flush()


class PendingReplies:
    """Several requests under way, complete when the last of them is answered."""

    def __init__(self, count: int, calls: LoopCallQueue) -> None:
        loop = asyncio.get_running_loop()
        self.future: asyncio.Future[list[CaReply]] = loop.create_future()
        # Done only when Channel Access has answered, whatever became of whoever waits.
        self.answered: asyncio.Future[list[CaReply]] = loop.create_future()
        self._answers: list[CaReply | None] = [None] * count
        self._missing = count
        self._lock = threading.Lock()
        self._calls = calls

    def reply(self, place: int, answer: CaReply) -> None:
        """Called in Channel Access' threads, one for each server."""
        self._answers[place] = answer
        with self._lock:
            self._missing -= 1
            last = self._missing == 0
        if last:
            self._calls.put(self.finish)

    def finish(self) -> None:
        """Called in the loop."""
        answers = [answer for answer in self._answers if answer is not None]
        for waiting in (self.answered, self.future):
            if not waiting.done():
                waiting.set_result(answers)

    def fail(self, error: Exception) -> None:
        """Called in the loop."""
        if not self.future.done():
            self.future.set_exception(error)
