"""A plain client beside a run: when each PV changed, by the machine's clock and by the server's stamp."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import epics

from tests.storms.starters import now_s


@dataclass(frozen=True)
class Change:
    """One monitor: heard at `t` (`now_s`), stamped by the server at `stamp` (unix)."""

    t: float
    stamp: float
    name: str
    value: Any


def share_context() -> None:
    """Let this thread use the process's Channel Access, unless it does already."""
    with suppress(epics.ca.CASeverityException):
        epics.ca.use_initial_context()


class Observer:
    """Hears of every change of its PVs, by pyepics and nothing of the program under test."""

    def __init__(self, prefix: str, names: Iterable[str]) -> None:
        share_context()
        self._news = threading.Condition()
        self.changes: list[Change] = []
        self.latest: dict[str, Any] = {}
        self._channels = [
            epics.PV(prefix + name, auto_monitor=True, form="time", callback=self._hear(name)) for name in names
        ]
        for channel in self._channels:
            assert channel.wait_for_connection(60), f"{channel.pvname} is not there"

    def close(self) -> None:
        """Hear no more."""
        for channel in self._channels:
            channel.disconnect()

    def forget(self) -> None:
        """Forget what was heard; values stay known."""
        with self._news:
            self.changes.clear()

    def since(self, t: float, name: str) -> list[Change]:
        """What was heard of a PV after t."""
        with self._news:
            return [change for change in self.changes if change.t >= t and change.name == name]

    def wait_for(self, true: Callable[[dict[str, Any]], bool], within_s: float) -> bool:
        """Wait until something is true of the latest values."""
        with self._news:
            return self._news.wait_for(lambda: true(self.latest), within_s)

    def _hear(self, name: str) -> Callable[..., None]:
        def hear(value: Any = None, timestamp: float = 0.0, **_: Any) -> None:
            with self._news:
                self.changes.append(Change(now_s(), timestamp, name, value))
                self.latest[name] = value
                self._news.notify_all()

        return hear


class Latency:
    """How late this machine wakes a thread that has slept for 5 ms: what no program on it can do better than."""

    _NAP_S = 0.005

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._worst: list[tuple[float, float]] = []
        self._thread = threading.Thread(target=self._measure, daemon=True)
        self._thread.start()

    def worst_s(self, begin_s: float, end_s: float) -> float:
        """The latest waking between two moments."""
        return max((late for t, late in self._worst if begin_s <= t <= end_s), default=0.0)

    def close(self) -> None:
        """Measure no more."""
        self._ended.set()
        self._thread.join()

    def _measure(self) -> None:
        before_s = now_s()
        while not self._ended.wait(self._NAP_S):
            t = now_s()
            self._worst.append((t, t - before_s - self._NAP_S))
            before_s = t
