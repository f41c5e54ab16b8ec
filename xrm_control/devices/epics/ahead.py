"""Answers that were asked for before anybody reads them."""

from __future__ import annotations

from xrm_control.core.clock import Clock
from xrm_control.devices.epics.call_queue import PendingReplies


class AskedAhead:
    """By the PVs of one read; each is taken once, while it is fresh."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asked: dict[tuple[str, ...], PendingReplies] = {}
        self._asked_s = 0.0

    def begin(self, asked: dict[tuple[str, ...], PendingReplies]) -> None:
        """These have just been asked for, and nothing else is expected."""
        self._asked, self._asked_s = asked, self._clock.now_s()

    def forget(self) -> None:
        """None of them is taken any more."""
        self._asked.clear()

    def take(self, names: tuple[str, ...], fresh_s: float) -> PendingReplies | None:
        """What was asked for these less than `fresh_s` seconds of the wall clock ago."""
        if self._asked and self._clock.now_s() - self._asked_s > self._clock.wall_s(fresh_s):
            self.forget()
        return self._asked.pop(names, None)
