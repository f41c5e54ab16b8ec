"""An item while its process lives: what somebody wants of it, and what its limits say, become letters to its run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from xrm_control.app.queue.clock import QueueClock
from xrm_control.app.queue.facts import instrument_s
from xrm_control.app.queue.process import Living
from xrm_control.contracts.commands import Stop
from xrm_control.contracts.queue import ITEM, Item
from xrm_control.core.clock import stopwatch
from xrm_control.core.errors import XrmError
from xrm_control.core.queue_states import ItemState
from xrm_control.processing.schedule import Obstacle, Spent, at, over
from xrm_control.storage.inbox import Inbox
from xrm_control.storage.journal_reader import JournalReader
from xrm_control.storage.queue_folder import QueueFolder
from xrm_control.storage.run_folder import RunFolder

_LOOK_EVERY_S, _OBEY_EVERY_S, _LIMITS_EVERY_S, _TELL_EVERY_S = 0.05, 0.5, 5.0, 60.0


class Watch:
    """interrupted: whether the queue is to end now; stopped: why it was the queue that has stopped the item."""

    def __init__(
        self,
        folder: QueueFolder,
        item: Item,
        clock: QueueClock,
        tell: Callable[[str], None],
        interrupted: Callable[[], bool],
    ) -> None:
        self._folder, self._item, self._clock, self._tell, self._interrupted = folder, item, clock, tell, interrupted
        self._place = folder.folder(item.number)
        self._title = f"item {item.number} ({item.name})"
        self._letter: tuple[Inbox, str] | None = None
        self._accepted = self._told = False
        self.stopped: Obstacle | None = None

    def wait(self, living: Living) -> int:
        """Until the process has ended; its exit code."""
        obeyed, limited, told = stopwatch(), stopwatch(), stopwatch()
        while (code := living.poll()) is None:
            if self._interrupted() and not self._told:
                self._told = True
                self._tell(f"{self._title}: ends in the safe state")
                living.interrupt()
            # A disk that fails, or a run that is only just beginning: looked at again.
            with suppress(XrmError):
                if obeyed() > _OBEY_EVERY_S:
                    obeyed = stopwatch()
                    self._obey()
                if limited() > _LIMITS_EVERY_S:
                    limited = stopwatch()
                    self._limit()
                if told() > _TELL_EVERY_S:
                    told = stopwatch()
                    self._progress()
            self._clock.wait(_LOOK_EVERY_S)
        return code

    def _obey(self) -> None:
        wish = ITEM.read(self._place.item).wish
        if wish is not None:
            self._post(Stop(after=wish.after))
        elif self.stopped is not None:
            self._post(Stop(after="scan"))

    def _post(self, stop: Stop) -> None:
        """Once, and again where it is refused because the run has not begun to listen."""
        run = self._place.run()
        if self._accepted or run is None or RunFolder(run).holder() is None:
            return
        if self._letter is not None:
            inbox, number = self._letter
            reply = inbox.reply(number)
            if reply is None or reply.accepted:
                self._accepted = reply is not None
                return
        inbox = Inbox(RunFolder(run))
        self._letter = inbox, inbox.post(stop)

    def _limit(self) -> None:
        item, settings, now = self._item, self._folder.settings(), self._clock.now()
        if self.stopped is not None:
            return
        if used := over(item.budget, Spent(instrument_s(self._place))):
            self.stopped = Obstacle(ItemState.EXPIRED, f"stopped: it has used {used} of its budget")
        elif item.deadline is not None and now > item.deadline:
            self.stopped = Obstacle(ItemState.EXPIRED, f"stopped: its deadline is over, {at(item.deadline)}")
        elif settings.end is not None and now > settings.end:
            self.stopped = Obstacle(ItemState.PAUSED, f"stopped: the night is over, {at(settings.end)}")
        if self.stopped is not None:
            self._tell(f"{self._title}: {self.stopped.reason}; its scan in progress is still finished")
            self._obey()

    def _progress(self) -> None:
        run = self._place.run()
        if run is None:
            return
        with JournalReader.open(RunFolder(run).journal) as journal:
            frames, state = journal.accounting(), journal.state()
        decided = frames.kept + frames.missing
        self._tell(
            f"{self._title}: {'begins' if state is None else state.state}, {decided} of {self._item.cost.frames} frames"
        )
