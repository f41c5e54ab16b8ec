"""Carrying a queue out: each item by a process of its own, so that no end of an item is an end of the queue.

What happens to an item is on record before and after its process lives; a runner that dies is followed by another one,
which finds the process in flight, or goes on with its run.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from xrm_control.app.queue.clock import QueueClock
from xrm_control.app.queue.ending import Ending, code_on_record, ending, unstarted
from xrm_control.app.queue.facts import facts, instrument_s, room_of
from xrm_control.app.queue.held_up import HeldUp
from xrm_control.app.queue.history import ended_sitting, tries
from xrm_control.app.queue.page import note_evidence, write_page
from xrm_control.app.queue.process import PROGRAM, Found, Living, Started, holder
from xrm_control.app.queue.watch import Watch
from xrm_control.app.runs import speed_of
from xrm_control.contracts.queue import ITEM, Item, QueueSettings, Sitting
from xrm_control.core.clock import stopwatch
from xrm_control.core.errors import CommandRefusal, DataError, DiskFull, NotSafe, ResourceLocked, StorageError, XrmError
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.interrupts import in_main_thread, on_interrupt, signals_restored
from xrm_control.core.queue_states import AHEAD, GOOD, ItemState
from xrm_control.core.user import user_at_host
from xrm_control.processing.schedule import Left, Obstacle, Spent, at, in_order, obstacle_of, schedule
from xrm_control.storage.in_place import QueuePlace
from xrm_control.storage.queue_folder import ItemFolder, QueueFolder

Tell = Callable[[str], None]

BY = "the queue"
PATIENCE_S = 4 * 3600.0
_FIRST_RETRY_S, _LAST_RETRY_S = 30.0, 600.0
_MOST_DEATHS = 3
_DIED = "its process was ended"


@dataclass(frozen=True)
class Carried:
    """How a queue was run: exit code, and why it ended."""

    path: Path
    exit_code: ExitCode
    how: str


def run(
    queue: Path,
    speed: str | None = None,
    tell: Tell = lambda _: None,
    *,
    patience_s: float = PATIENCE_S,
    clock: QueueClock | None = None,
    program: Sequence[str] = PROGRAM,
) -> Carried:
    """Carry out what is ahead in a queue, until nothing is left that can be.

    speed: as for a run; tell: hears what happens; patience_s: how long an instrument that does not answer is waited
    for. Raises ResourceLocked when somebody else runs it, NotSafe when nobody has looked after an unsafe end, DataError
    where what holds for all items cannot be read, RecipeError for what is no speed, StorageError where the queue's
    folder or its lock is taken away.
    """
    folder = QueueFolder.open(queue)
    if speed is not None:
        speed_of(speed)
    with folder.running(), signals_restored():
        return _Runner(folder, speed, tell, patience_s, clock or QueueClock(), program).run()


class _Runner:
    def __init__(
        self,
        folder: QueueFolder,
        speed: str | None,
        tell: Tell,
        patience_s: float,
        clock: QueueClock,
        program: Sequence[str],
    ) -> None:
        self._speed, self._tell, self._clock, self._program = speed, tell, clock, program
        self._patience_s = patience_s
        self._interrupted: str | None = None
        self._folder = replace(folder, held_up=HeldUp(tell, lambda: self._interrupted is not None))
        self._place = QueuePlace(folder)
        self._how, self._code = "", ExitCode.OK
        # Of this sitting: what was stopped by somebody, and instruments that were waited for in vain.
        self._aside: set[int] = set()
        self._lost: dict[str, str] = {}
        self._noted: dict[int, str] = {}
        self._damaged: set[int] = set()

    def run(self) -> Carried:
        with self._signals():
            self._begin()
            try:
                self._work_to_the_end()
            except XrmError as error:
                if self._code is not ExitCode.NOT_SAFE:
                    raise
                # Whatever else fails: this is what somebody must be told.
                raise NotSafe(
                    f"{self._how}; and the queue cannot go on to put that on record: {error}",
                    where=str(self._folder.path),
                    remedy="look at the instrument and make it safe before anything else is started",
                ) from error
        return Carried(self._folder.path, self._code, self._how)

    # From the beginning to the end of a sitting

    def _begin(self) -> None:
        settings = self._folder.settings()
        if settings.unsafe is not None:
            raise NotSafe(
                f"nothing is started: the instrument was not left safe: {settings.unsafe}",
                where=str(self._folder.path),
                remedy="look at the instrument, make it safe, then `xrm queue set --safe` and run the queue again",
            )
        contents = self._folder.read()
        for item in contents.items.values():
            # A real instrument's deadlines are the wall clock's, whatever that showed when something was put on record.
            if item.simulated:
                self._clock.not_before(item.history[-1].utc)

        last = max((item.history[-1].utc for item in contents.items.values()), default=None)

        def begin(known: QueueSettings) -> QueueSettings:
            before = [ended_sitting(sitting, last) for sitting in known.sittings]
            sitting = Sitting(process=os.getpid(), begun=self._clock.now())
            changes = {"stop": None, "ahead_s": self._clock.ahead_s, "sittings": (*before, sitting)}
            return known.model_copy(update=changes)

        self._folder.change_settings(begin)
        self._write_page()

    def _end(self) -> None:
        def end(known: QueueSettings) -> QueueSettings:
            last = known.sittings[-1].model_copy(update={"ended": self._clock.now(), "how": self._how})
            return known.model_copy(update={"stop": None, "sittings": (*known.sittings[:-1], last)})

        # Else it would be put on record as the end of somebody else's sitting.
        self._place.require()
        self._folder.change_settings(end)
        self._write_page(over=True)
        self._folder.use_reserve()

    def _work_to_the_end(self) -> None:
        try:
            self._work()
        except BaseException as error:
            self._how = self._how or f"ended by an error: {error}"
            with suppress(XrmError):
                self._end()
            raise
        self._end()

    def _work(self) -> None:
        for item in list(self._folder.read().items.values()):
            if item.state is ItemState.RUNNING:
                with self._alone(item):
                    self._take_over(item)
            elif item.state not in AHEAD and not self._folder.folder(item.number).evidence.is_file():
                # It could not be kept when the item ended.
                note_evidence(self._folder, item, self._tell)
        while not self._over():
            self._keep_room()
            if (item := self._next()) is None:
                break
            with self._alone(item):
                self._carry(item)
        if not self._how:
            self._sum_up()

    def _keep_room(self) -> None:
        """On a disk that is full it is tried again before the next item; those that are there are carried out."""
        with suppress(DiskFull):
            self._folder.keep_room()

    def _over(self) -> bool:
        if self._how:
            return True
        self._place.require()
        if self._interrupted is not None:
            self._how, self._code = f"ended by {self._interrupted}", ExitCode.INTERRUPTED
        else:
            stop = self._folder.settings().stop
            if stop is not None:
                self._how, self._code = f"stopped by {stop}", ExitCode.RESUMABLE
        return bool(self._how)

    def _sum_up(self) -> None:
        contents = self._folder.read()
        lost = [item for item in contents.items.values() if item.state in AHEAD and item.instrument in self._lost]
        if lost:
            self._how = f"an instrument was waited for in vain: {self._lost[lost[0].instrument]}"
            self._code = ExitCode.UNREACHABLE
            return
        known = [item for item in contents.items.values() if item.state is not ItemState.REMOVED]
        whole = all(item.state in GOOD for item in known) and not contents.damaged
        self._how = "all items are done" if whole else "nothing is left that can be begun now"
        self._code = ExitCode.OK if whole else ExitCode.PARTLY

    # One item

    @contextmanager
    def _alone(self, item: Item) -> Generator[None, None, None]:
        """What somebody has done to an item's files while it was in hand costs no other item."""
        try:
            yield
        except (DataError, CommandRefusal) as error:
            if self._code is ExitCode.NOT_SAFE:
                raise
            self._aside.add(item.number)
            self._tell(f"item {item.number} ({item.name}): what came of it cannot be put on record: {error}")

    def _take_over(self, item: Item) -> None:
        """An item in flight when the process that ran the queue died: it may live on, have ended, or have died too."""
        place = self._folder.folder(item.number)
        if holder(place) is not None:
            self._tell(f"item {item.number} ({item.name}): still carried out by process {holder(place)}; waited for")
            self._carry(item, Found(place))
            return
        run = place.run()
        code = None if run is None else code_on_record(run)
        if code is not None:
            self._conclude(item, int(code), "", None)
            return
        if item.wish is not None and item.wish.kind == "skip":
            self._settle(item, Ending(ItemState.SKIPPED, item.wish.reason))
            return
        again = self._enter(item, ItemState.WAITING, "the process that ran the queue died, and this item's with it")
        if self._interrupted is None:
            self._carry(self._enter(again, ItemState.RUNNING, "gone on with" if run is not None else "begun anew"))

    def _next(self) -> Item | None:
        """The next item, on record as running; what does not fit is on record with its reason."""
        folder = self._folder
        with folder.editing():
            if folder.settings().stop is not None:
                return None
            contents = folder.read()
            for number, damage in contents.damaged.items():
                if number not in self._damaged:
                    self._damaged.add(number)
                    self._tell(f"item {number} cannot be used, and is left out: {damage}")
            left, spent = facts(folder, contents)
            for item in in_order(contents.items.values()):
                # One that runs is in somebody else's hands: this process has none at this moment.
                if item.number in self._aside or item.instrument in self._lost or item.state is ItemState.RUNNING:
                    continue
                if self._fits(item, left.get(item.number, Left()), spent):
                    again = folder.folder(item.number).run() is not None
                    return folder.put(
                        item.entered(ItemState.RUNNING, self._clock.now(), BY, "gone on with" if again else "begun")
                    )
        return None

    def _fits(self, item: Item, left: Left, spent: Spent) -> bool:
        """Whether an item may be begun now; within an edit."""
        folder, settings = self._folder, self._folder.settings()
        obstacle = obstacle_of(item, room_of(folder, settings, self._clock.now(), spent), left)
        if obstacle is not None:
            if obstacle.state is not ItemState.WAITING:
                folder.put(item.entered(obstacle.state, self._clock.now(), BY, obstacle.reason))
                self._tell(f"item {item.number} ({item.name}): {obstacle.state}: {obstacle.reason}")
            elif self._noted.get(item.number) is None:
                self._noted[item.number] = obstacle.reason
                self._tell(f"item {item.number} ({item.name}): left for later: {obstacle.reason}")
                if item.state is ItemState.WAITING:
                    folder.put(item.entered(ItemState.WAITING, self._clock.now(), BY, f"left: {obstacle.reason}"))
            return False
        try:
            folder.require_recipe(item)
        except DataError as error:
            if item.state is not ItemState.HELD:
                folder.put(item.entered(ItemState.REFUSED, self._clock.now(), BY, str(error)))
            self._aside.add(item.number)
            self._tell(f"item {item.number} ({item.name}): refused: {error}")
            return False
        return True

    def _carry(self, item: Item, living: Living | None = None) -> None:
        place = self._folder.folder(item.number)
        before_s, spent_s = instrument_s(place), stopwatch()
        self._tell(self._headline(item))
        watch = Watch(self._folder, item, self._clock, self._tell, lambda: self._interrupted is not None)
        try:
            living = living or Started(place, self._arguments(place), self._program)
        except ResourceLocked as error:
            self._tell(f"item {item.number} ({item.name}): {error.what}; waited for")
            living = Found(place)
        except StorageError as error:
            self._settle(item, unstarted(error))
            return
        code = watch.wait(living)
        if item.simulated:
            self._clock.skip(instrument_s(place) - before_s - spent_s())
        self._conclude(item, code, living.said(), watch.stopped)

    def _arguments(self, place: ItemFolder) -> list[str]:
        speed = [] if self._speed is None else ["--speed", self._speed]
        run = place.run()
        if run is not None:
            return ["resume", str(run), "--json", *speed]
        return ["run", str(place.recipe), "--out", str(place.runs), "--json", *speed]

    def _conclude(self, item: Item, code: int, said: str, stopped: Obstacle | None) -> None:
        place = self._folder.folder(item.number)
        item = ITEM.read(place.item)
        end = ending(item, place, code, said, stopped, self._interrupted)
        if end.died:
            deaths = sum(entry.reason.startswith(_DIED) for entry in item.history)
            if deaths + 1 >= _MOST_DEATHS:
                end = Ending(ItemState.FAILED, f"{end.reason}: it was ended so {deaths + 1} times, and is given up")
        if end.unsafe:
            # On record first: whoever comes next must not start anything, whatever else fails now.
            unsafe = f"item {item.number} ({item.name}): {end.reason}"
            self._how, self._code = f"the instrument was not left safe: {unsafe}", ExitCode.NOT_SAFE
            self._folder.change_settings(lambda known: known.model_copy(update={"unsafe": unsafe}))
        self._settle(item, end)

    def _settle(self, item: Item, end: Ending) -> None:
        """The item in the state that it has come to, with the evidence, and the page; what is lost is waited for."""
        if end.state is ItemState.PAUSED or end.full:
            self._aside.add(item.number)
        self._tell(f"item {item.number} ({item.name}): {end.state}: {end.reason}")
        # Before its end is on record: whoever finds the end takes the evidence for that of this end.
        note_evidence(self._folder, item, self._tell)
        item = self._enter(item, end.state, end.reason)
        self._folder.change_settings(lambda known: known.model_copy(update={"ahead_s": self._clock.ahead_s}))
        self._write_page()
        if end.lost and self._interrupted is None:
            self._hold(item)

    def _hold(self, item: Item) -> None:
        """Wait for an instrument, workers, or the system; in vain, the item waits for another sitting."""
        tried = tries(item)
        waited_s = (self._clock.now() - tried[0]).total_seconds()
        pause_s = min(_LAST_RETRY_S, _FIRST_RETRY_S * 2 ** (len(tried) - 1), self._patience_s - waited_s)
        if pause_s <= 0:
            self._lost[item.instrument] = item.reason
            self._enter(item, ItemState.WAITING, f"left: waited {waited_s / 60:.0f} min in vain: {item.reason}")
            self._write_page()
            return
        self._tell(f"item {item.number} ({item.name}): tried again in {pause_s:.0f} s")
        ended_s = self._clock.elapsed_s()
        while self._clock.elapsed_s() - ended_s < pause_s:
            self._clock.wait(min(1.0, pause_s))
            wish = ITEM.read(self._folder.folder(item.number).item).wish
            if self._over() or wish is not None:
                state = ItemState.SKIPPED if wish is not None and wish.kind == "skip" else ItemState.PAUSED
                self._enter(item, state, wish.reason if wish is not None else self._how)
                self._aside.add(item.number)
                return

    def _enter(self, item: Item, state: ItemState, reason: str) -> Item:
        return self._folder.change(item.number, lambda found: found.entered(state, self._clock.now(), BY, reason))

    # What others hear and want

    def _headline(self, item: Item) -> str:
        contents = self._folder.read()
        left, spent = facts(self._folder, contents)
        room = room_of(self._folder, self._folder.settings(), self._clock.now(), spent)
        whole = schedule(contents.items.values(), room, left)
        slot = whole.by_number.get(item.number)
        ahead = sum(slot.obstacle is None for slot in whole.slots)
        until = "" if slot is None else f"; by plan to {at(slot.end)}"
        return (
            f"item {item.number} ({item.name}): {item.reason or item.state}{until}; {ahead} item(s) to {at(whole.end)}"
        )

    def _write_page(self, *, over: bool = False) -> None:
        """A page that cannot be made ends no night."""
        write_page(self._folder, running=not over, tell=self._tell)

    @contextmanager
    def _signals(self) -> Generator[None, None, None]:
        """What would end this process ends the item in hand in the safe state, and then the queue."""

        def interrupted(name: str) -> None:
            self._interrupted = self._interrupted or name

        names = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "a closed terminal"}

        def caught(number: int, _frame: FrameType | None) -> None:
            interrupted(f"{names[signal.Signals(number)]} (process of {user_at_host()})")

        for number in names if in_main_thread() else ():
            signal.signal(number, caught)
        on_interrupt(interrupted)
        yield
