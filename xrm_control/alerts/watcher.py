"""A listener that tells people of what happens in a run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

from xrm_control.alerts.delivery import Delivered, Delivery
from xrm_control.alerts.messages import Composer, Message
from xrm_control.alerts.spec import AlertsSpec
from xrm_control.core.events import AlertSent, AlertUndelivered, AnyEvent, RunHeld, RunReleased

_LOOK_AT_DISK_EVERY_S = 60.0
# At its end a run waits so long for the last words to be delivered.
PATIENCE_S = 30.0


class AlertWatcher:
    """Made in the run's event loop. newest_picture, free_gb: of its folder; emit: tells the run what came of it."""

    def __init__(
        self,
        run: str,
        spec: AlertsSpec,
        open_: Callable[[Callable[[Delivered], None]], Delivery],
        emit: Callable[[AlertSent | AlertUndelivered], None],
        newest_picture: Callable[[], Path | None],
        free_gb: Callable[[], float],
    ) -> None:
        self._spec, self._emit = spec, emit
        self._newest_picture, self._free_gb = newest_picture, free_gb
        self._composer = Composer(run)
        self._loop = asyncio.get_running_loop()
        self._delivery = open_(self._delivered)
        self._held: asyncio.TimerHandle | None = None
        self._looked_s = float("-inf")
        self._low = False

    def hear(self, event: AnyEvent) -> None:
        """See `EventStream`."""
        if isinstance(event, AlertSent | AlertUndelivered):
            return
        if (message := self._composer.of(event)) is not None:
            self._post(message)
        if isinstance(event, RunHeld) and self._held is None:
            held = self._composer.held(event.reason, self._spec.held_min)
            self._held = self._loop.call_later(60 * self._spec.held_min, self._post, held)
        elif isinstance(event, RunReleased):
            self._release()
        if event.t_s - self._looked_s >= _LOOK_AT_DISK_EVERY_S:
            self._looked_s = event.t_s
            self._look_at_disk()

    async def close(self) -> None:
        """Deliver what waits, for a while; what was not delivered is told."""
        self._release()
        left = await self._loop.run_in_executor(None, self._delivery.close, PATIENCE_S)
        for message in left:
            self._emit(AlertUndelivered(message.title, "it still waited when the run had ended"))

    def _post(self, message: Message) -> None:
        if message.occasion not in self._spec.on:
            return
        picture = self._newest_picture() if self._spec.picture else None
        if not self._delivery.post(message, picture):
            self._emit(AlertUndelivered(message.title, "too many alerts wait to be delivered"))

    def _release(self) -> None:
        if self._held is not None:
            self._held.cancel()
            self._held = None

    def _look_at_disk(self) -> None:
        free_gb = self._free_gb()
        low = free_gb < self._spec.disk_free_gb
        if low and not self._low:
            self._post(self._composer.disk(free_gb, self._spec.disk_free_gb))
        self._low = low

    def _delivered(self, what: Delivered) -> None:
        problems = "; ".join(what.problems)
        event = (
            AlertUndelivered(what.message.title, problems)
            if what.channel is None
            else AlertSent(what.message.title, what.channel, problems)
        )
        self._loop.call_soon_threadsafe(self._emit, event)


def newest(pictures: Iterable[Path]) -> Path | None:
    """The file that was written last; None for none."""
    there = [(path.stat().st_mtime, path) for path in pictures if path.is_file()]
    return max(there)[1] if there else None
