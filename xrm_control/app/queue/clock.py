"""The queue's time: the wall clock, and ahead of it by what its items have spent in virtual time."""

from __future__ import annotations

from datetime import datetime, timedelta

from xrm_control.core.clock import pause, utc_now


class QueueClock:
    """ahead_s: how far the queue's time is ahead of the wall clock: 0 on any real instrument."""

    def __init__(self, ahead_s: float = 0.0) -> None:
        self.ahead_s = ahead_s

    def now(self) -> datetime:
        """The queue's time."""
        return utc_now() + timedelta(seconds=self.ahead_s)

    def not_before(self, moment: datetime) -> None:
        """Time does not go back behind what is on record."""
        self.ahead_s = max(self.ahead_s, (moment - utc_now()).total_seconds())

    def skip(self, seconds: float) -> None:
        """So much more has passed on the instrument than on the wall clock."""
        self.ahead_s += max(0.0, seconds)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        pause(seconds)
