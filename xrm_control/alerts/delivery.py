"""Alerts on their way: a bounded queue, a thread of its own, and a time limit for each channel.

Whoever posts never waits. A channel that is dead, refuses or hangs costs its time limit, in this thread alone; the next
channel is tried then.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from xrm_control.alerts.messages import Message

# More than these wait for nobody: what is older is of less use than the next.
_MOST_WAITING = 50
Send = Callable[[Message, Path | None], bool]
"""Hand a message and a picture over; whether it was taken. May raise, or hang."""


@dataclass(frozen=True)
class Channel:
    """One way out. name: its number and kind; never its address."""

    name: str
    send: Send


@dataclass(frozen=True)
class Delivered:
    """What became of a message. channel: that took it, None when none did; problems: of those that did not."""

    message: Message
    channel: str | None
    problems: tuple[str, ...]


class Delivery:
    """`told` hears what became of each message, in the delivery's thread."""

    def __init__(self, channels: Sequence[Channel], timeout_s: float, told: Callable[[Delivered], None]) -> None:
        self._channels, self._timeout_s, self._told = tuple(channels), timeout_s, told
        self._waiting: queue.Queue[tuple[Message, Path | None] | None] = queue.Queue(_MOST_WAITING)
        self._thread = threading.Thread(target=self._work, name="alerts", daemon=True)
        self._thread.start()

    def post(self, message: Message, picture: Path | None = None) -> bool:
        """Have a message delivered; False when too many wait already. Never waits."""
        try:
            self._waiting.put_nowait((message, picture))
        except queue.Full:
            return False
        return True

    def close(self, within_s: float) -> tuple[Message, ...]:
        """Deliver what waits, for at most so long; what was not even tried by then."""
        left: list[Message] = []
        try:
            self._waiting.put(None, timeout=within_s)
        except queue.Full:
            pass
        else:
            self._thread.join(within_s)
        while self._thread.is_alive():
            try:
                waiting = self._waiting.get_nowait()
            except queue.Empty:
                break
            if waiting is not None:
                left.append(waiting[0])
        return tuple(left)

    def _work(self) -> None:
        while (waiting := self._waiting.get()) is not None:
            self._told(self.deliver(*waiting))

    def deliver(self, message: Message, picture: Path | None = None) -> Delivered:
        """Through the first channel that takes it."""
        problems: list[str] = []
        for channel in self._channels:
            problem = self._tried(channel, message, picture)
            if problem is None:
                return Delivered(message, channel.name, tuple(problems))
            problems.append(f"{channel.name}: {problem}")
        return Delivered(message, None, tuple(problems))

    def each(self, message: Message) -> list[tuple[str, str | None]]:
        """Try every channel: its name and what is wrong with it."""
        return [(channel.name, self._tried(channel, message, None)) for channel in self._channels]

    def _tried(self, channel: Channel, message: Message, picture: Path | None) -> str | None:
        """What is wrong; None when it was delivered. One that hangs is left behind, in a thread that dies with us."""
        ended: queue.SimpleQueue[str | None] = queue.SimpleQueue()

        def send() -> None:
            try:
                ended.put(None if channel.send(message, picture) else "was not delivered")
            except Exception as error:  # noqa: BLE001  whatever a messenger does, the run goes on
                # Its words may hold an address.
                ended.put(f"failed with {type(error).__name__}")

        threading.Thread(target=send, name="alert", daemon=True).start()
        try:
            return ended.get(timeout=self._timeout_s)
        except queue.Empty:
            return f"no answer within {self._timeout_s:g} s"
