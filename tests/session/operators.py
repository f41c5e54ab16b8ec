"""An operator by script: commands at given instants of a run's own time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence

from xrm_control.contracts.commands import Command, Letter, Reply
from xrm_control.core.clock import Clock
from xrm_control.session.runner import Hear

BY = "night@console"


class Operator:
    """Sends `script`: (instrument time, command); `replies` in order."""

    def __init__(self, *script: tuple[float, Command]) -> None:
        self._script: Sequence[tuple[float, Command]] = script
        self.replies: list[Reply] = []

    @contextlib.contextmanager
    def __call__(self, clock: Clock, hear: Hear) -> Iterator[None]:
        async def send() -> None:
            for number, (at_s, command) in enumerate(self._script):
                await clock.sleep_until(at_s)
                letter = Letter(command=command, by=BY, sent_utc="2026-01-01T00:00:00+00:00")
                self.replies.append(await hear(f"{clock.begun_s:.0f}-{number}", letter))

        task = asyncio.ensure_future(send())
        try:
            yield
        finally:
            task.cancel()
