"""The queue's time: the wall clock, and ahead of it by what its items have spent in virtual time."""

from __future__ import annotations

from datetime import datetime, timedelta

from xrm_control.core.clock import pause, stopwatch, utc_now


class QueueClock:
    """ahead_s: how far the queue's time is ahead of the wall clock: 0 on any real instrument."""

    def __init__(self, ahead_s: float = 0.0) -> None:
        self.ahead_s = ahead_s
        self._since_s, self._skipped_s = stopwatch(), 0.0

    def wall(self) -> datetime:
        """What the wall clock shows; somebody may set it."""
        return utc_now()

    def now(self) -> datetime:
        """The queue's time."""
        return self.wall() + timedelta(seconds=self.ahead_s)

    def elapsed_s(self) -> float:
        """Seconds of the queue's time since this clock was made, whatever was done to the wall clock."""
        return self._since_s() + self._skipped_s

    def not_before(self, moment: datetime) -> None:
        """Virtual time does not go back behind what is on record."""
        self.ahead_s = max(self.ahead_s, (moment - self.wall()).total_seconds())

    def skip(self, seconds: float) -> None:
        """So much more has passed on the instrument than on the wall clock."""
        self.ahead_s += max(0.0, seconds)
        self._skipped_s += max(0.0, seconds)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        pause(seconds)
