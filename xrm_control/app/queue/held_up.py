"""Whoever runs a queue, while somebody else edits its list for long: on a disk that stalls, or suspended."""

from __future__ import annotations

from collections.abc import Callable

from xrm_control.core.clock import stopwatch
from xrm_control.core.errors import ResourceLocked

_TELL_EVERY_S = 60.0


class HeldUp:
    """Waits on, and says so: no night ends because somebody has not finished a command.

    interrupted: whether the queue is to end, which it then does.
    """

    def __init__(self, tell: Callable[[str], None], interrupted: Callable[[], bool]) -> None:
        self._tell, self._interrupted = tell, interrupted
        self._told_s: Callable[[], float] | None = None

    def __call__(self, error: ResourceLocked) -> None:
        """Raises `error` where the queue is to end."""
        if self._interrupted():
            raise error
        if self._told_s is None or self._told_s() > _TELL_EVERY_S:
            self._told_s = stopwatch()
            self._tell(f"waiting: {error}")
