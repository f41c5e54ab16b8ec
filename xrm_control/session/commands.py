"""What operators want of a run: each command is taken or refused at once, and carried out between two frames."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext

from xrm_control.acquisition.steps import Acquisition
from xrm_control.contracts.commands import (
    STAGES,
    Abort,
    Add,
    Continue,
    Letter,
    Order,
    Pause,
    Reply,
    Skip,
    Stop,
    Until,
)
from xrm_control.core.errors import XrmError
from xrm_control.core.events import CommandDone, CommandRefused, CommandTaken, RoiQuarantined
from xrm_control.core.frame_id import MOSAIC
from xrm_control.core.states import RoiState
from xrm_control.core.tasks import begin
from xrm_control.mosaic.tiles import Mosaic
from xrm_control.roi.strategy import Roi
from xrm_control.session.admission import Standing, refusal
from xrm_control.session.context import RunContext
from xrm_control.session.ordering import record_order, reordered, waiting_of
from xrm_control.session.regions import Wanted, add, those_of
from xrm_control.session.resuming import Found, compare_sample, fit_together, look_again
from xrm_control.session.safe_state import stand_safe
from xrm_control.session.wishes import Wish, recall, watched

_ROIS = STAGES[1]
# Hands need longer than that to do anything to a sample.
_LOOK_AGAIN_AFTER_S = 30.0


class RegionSkipped(Exception):
    """Somebody wants the region that is being scanned set aside."""

    def __init__(self, roi: str, reason: str) -> None:
        super().__init__(reason)
        self.roi, self.reason = roi, reason


class StopWanted(Exception):
    """Somebody wants the run to end here, in order."""


class TakeAgain(Exception):
    """What was kept of the acquisition in progress does not go with what would follow."""

    def __init__(self, found: Found) -> None:
        super().__init__("what was kept does not go with what would follow")
        self.found = found


class Commands:
    """The commands of one run, heard in its event loop; a `Gate` for its engine.

    abort: ends the run at once. from_outside: commands come from people, whom no virtual clock paces. What was taken
    before the run died, and still makes sense, is still wanted.
    """

    def __init__(self, run: RunContext, abort: Callable[[str], None], *, from_outside: bool = True) -> None:
        self._run = run
        self._abort = abort
        self._from_outside = from_outside
        self._changed = asyncio.Event()
        self._answers: dict[str, asyncio.Task[Reply]] = {}
        self._pause: Wish | None = None
        self._end: Wish | None = None
        self._skips: dict[str, Wish] = {}
        self._adds: list[Wish] = []
        self._orders: list[Wish] = []
        self._over: set[str] = set()
        self._closed = False
        # Whether the instrument was away since the sample was seen, and whether it is looked at in this moment.
        self._doubted = self._looking = False
        self._adding = asyncio.Lock()
        self._mosaic: Mosaic | None = None
        self._acquisition: Acquisition | None = None
        self.rois: list[Roi] = []
        self._known, still_wanted = recall(run.journal)
        for wish in still_wanted:
            match wish.command:
                case Add():
                    self._adds.append(wish)
                case Skip(roi=roi):
                    self._skips[roi] = wish
                case Order():
                    self._orders.append(wish)
                case Until():
                    self._end = wish
                case Pause() | Continue() | Stop() | Abort():
                    # Whoever goes on with the run wants it to go on.
                    pass

    # what the runner tells

    def at(self, acquisition: Acquisition | None) -> None:
        """This acquisition is being taken; None: none is."""
        self._acquisition = acquisition

    def mapped(self, mosaic: Mosaic) -> None:
        """The mosaic is there. Raises StopWanted."""
        self._mosaic = mosaic
        self.reached(MOSAIC)

    @property
    def wanted(self) -> tuple[Wanted, ...]:
        """The places that are to be scanned, and are not among the regions yet."""
        return tuple(Wanted(wish.command, wish.by) for wish in self._adds if isinstance(wish.command, Add))

    def refused(self, wanted: Wanted, reason: str) -> None:
        """A place that was wanted before the regions were chosen cannot be scanned."""
        wish = next(wish for wish in self._adds if wish.command == wanted.place)
        self._adds.remove(wish)
        self._run.events.emit(CommandRefused(wish.letter, wish.command.text, wish.by, reason))

    async def chosen(self, rois: tuple[Roi, ...]) -> None:
        """The regions are chosen; what was wanted and is none of them is added. Raises StopWanted."""
        self.rois = list(rois)
        for wish in list(self._adds):
            command = wish.command
            if not isinstance(command, Add):
                continue
            try:
                new = those_of(self._run, command, rois) or [roi.name for roi in await self._add(command, wish.by)]
            except XrmError as error:
                self.refused(Wanted(command, wish.by), str(error))
            else:
                self._adds.remove(wish)
                self._done(wish, f"as {', '.join(new)}")
        for name, wish in list(self._skips.items()):
            if name not in self._run.journal.roi_states():
                self._set_aside(wish, name)
        for wish in self._orders:
            if isinstance(wish.command, Order):
                await self._order(wish, wish.command)
        self._orders.clear()
        self.reached(_ROIS)

    def reached(self, stage: str) -> None:
        """A stage has come to its end. Raises StopWanted where the run is to end there."""
        self._over.add(stage)
        wish, command = self._end, self._end.command if self._end is not None else None
        scan, region = stage != _ROIS, stage not in (_ROIS, MOSAIC)
        match command:
            case Until(stage=wanted) if wanted == stage:
                pass
            case Stop(after="scan") if scan:
                pass
            case Stop(after="region") if region:
                pass
            case _:
                return
        if wish is not None:
            raise self._stop(wish, f"after {stage}")

    async def close(self, scanned: int | None = None) -> bool:
        """Take nothing any more, unless there are more regions than were `scanned`; whether it is so."""
        async with self._adding:
            self._closed = self._closed or scanned is None or len(self.rois) <= scanned
        return self._closed

    # the gate

    @property
    def is_open(self) -> bool:
        """See `Gate.is_open`."""
        return self._pause is None and not self._leaves and (self._looking or not self._doubted)

    async def wait(self, where: str) -> None:
        """See `Gate.wait`. Raises RegionSkipped, StopWanted, TakeAgain; NotSafe, SampleMoved."""
        while not self.is_open:
            self.while_held()
            if self._pause is not None:
                await self._stand(self._pause, where)
            elif self._doubted and not self._looking:
                await self._look()

    def came_back(self) -> None:
        """See `Gate.came_back`."""
        self._doubted = True

    def while_held(self) -> None:
        """See `Gate.while_held`. Raises RegionSkipped, StopWanted."""
        if self._end is not None and self._ends_now:
            raise self._stop(self._end, "after the frame in flight")
        region = self.region
        if region is not None and (wish := self._skips.get(region)) is not None:
            raise RegionSkipped(region, f"skipped by {wish.by}")

    @property
    def _ends_now(self) -> bool:
        return self._end is not None and isinstance(self._end.command, Stop) and self._end.command.after == "frame"

    @property
    def _leaves(self) -> bool:
        return self._ends_now or self.region in self._skips

    @property
    def region(self) -> str | None:
        """The region that is being scanned."""
        stage = None if self._acquisition is None else self._acquisition.stage
        return None if stage == MOSAIC else stage

    async def _stand(self, wish: Wish, where: str) -> None:
        """Stand still, safe, until somebody wants the run to go on; then look whether all is as it was."""
        run = self._run
        await stand_safe(run, "the run was to be paused")
        before, since_s = run.states.state, run.clock.now_s()
        run.states.go(f"pause_{before}", f"by {wish.by}, before {where}")
        self._done(wish, f"paused before {where}: shutter closed, axes at rest")
        with run.clock.standing_still() if self._from_outside else nullcontext():
            await watched(run, self._changed, lambda: self._pause is wish and not self._ends_now)
        if self._ends_now:
            return
        run.states.go(f"continue_{before}")
        if run.clock.now_s() - since_s < _LOOK_AGAIN_AFTER_S:
            return
        self._doubted = False
        self._must_fit(await look_again(run))

    async def _look(self) -> None:
        """Whether the sample stands where it stood before the instrument was away, whoever had its hands on it then."""
        self._doubted, self._looking = False, True
        try:
            found = await compare_sample(self._run)
        finally:
            self._looking = False
        self._must_fit(found)

    def _must_fit(self, found: Found) -> None:
        """Raises TakeAgain where what was kept does not go with what would follow."""
        if self._acquisition is not None and fit_together(self._run, self._acquisition, found):
            raise TakeAgain(found)

    # hearing

    async def hear(self, number: str, letter: Letter) -> Reply:
        """Take a command, or refuse it; both are on record when this returns. A letter that comes again is given the
        answer that it had.
        """
        if number in self._known:
            return self._known[number]
        if number not in self._answers:
            self._answers[number] = begin(self._hear(number, letter))
        return await asyncio.shield(self._answers[number])

    async def _hear(self, number: str, letter: Letter) -> Reply:
        wish, emit = Wish(number, letter.command, letter.by), self._run.events.emit
        try:
            answer = self._standing.answer(wish)
        except XrmError as error:
            return self._refuse(wish, error)
        emit(CommandTaken(number, wish.command.text, wish.by, letter.sent_utc, answer, wish.command.model_dump_json()))
        try:
            answer = await self._begin(wish) or answer
        except XrmError as error:
            return self._refuse(wish, error)
        self._changed.set()
        return Reply(accepted=True, text=answer)

    @property
    def _standing(self) -> Standing:
        return Standing(self._run, self._pause is not None, self._closed, self.region, self.rois, self._over)

    def _refuse(self, wish: Wish, error: XrmError) -> Reply:
        self._run.events.emit(CommandRefused(wish.letter, wish.command.text, wish.by, str(error)))
        return Reply(accepted=False, text=str(error))

    async def _begin(self, wish: Wish) -> str | None:
        """Carry out what can be now, and remember the rest; what came of it. Raises XrmError."""
        match wish.command:
            case Pause():
                self._pause = wish
            case Continue():
                self._pause = None
                self._done(wish, "goes on")
            case Skip(roi=roi) if roi != self.region:
                self._set_aside(wish, roi)
            case Skip(roi=roi):
                self._skips[roi] = wish
            case Order() as order if self.rois:
                return f"scanned next: {', '.join(await self._order(wish, order))}"
            case Order():
                self._orders.append(wish)
            case Add() as place if self.rois:
                names = ", ".join(roi.name for roi in await self._add(place, wish.by))
                self._done(wish, f"as {names}")
                return f"is added as {names}"
            case Add():
                self._adds.append(wish)
            case Until() | Stop():
                self._end = wish
            case Abort():
                self._done(wish, "ends now")
                self._abort(f"abort by {wish.by}")
        return None

    async def _add(self, place: Add, by: str) -> tuple[Roi, ...]:
        if self._mosaic is None:
            raise refusal(place, "there is no mosaic", "", "wait for it")
        async with self._adding:
            if self._closed:
                raise refusal(place, "the scans are over", "", "start a recipe of its own for that place")
            new = await add(self._run, self._mosaic, Wanted(place, by), self.rois)
            self.rois += new
        return new

    async def _order(self, wish: Wish, order: Order) -> list[str]:
        """Change the order of the regions that wait; those, as they are scanned from now on. Raises StorageError."""
        async with self._adding:
            before = self.rois
            self.rois = reordered(before, order, self._run.journal)
            try:
                await record_order(self._run, self.rois)
            except XrmError:
                self.rois = before
                raise
        waiting = waiting_of([roi.name for roi in self.rois], self._run.journal)
        self._done(wish, f"scanned next: {', '.join(waiting) or 'none'}")
        return waiting

    def _set_aside(self, wish: Wish, roi: str) -> None:
        reason = f"skipped by {wish.by}"
        # Of a region that was begun in an earlier sitting frames are planned: each has its outcome with this.
        self._run.journal.declare_open_missing(reason, t_s=self._run.clock.now_s(), roi=roi)
        self._run.set_roi_state(roi, RoiState.QUARANTINED, reason)
        self._run.events.emit(RoiQuarantined(roi, reason))
        self._run.ahead.pop(roi, None)
        self.skipped(roi, wish)

    def skipped(self, roi: str, wish: Wish | None = None) -> None:
        """The region is set aside."""
        wish = self._skips.pop(roi, wish)
        if wish is not None:
            self._done(wish, "set aside")

    def _stop(self, wish: Wish, when: str) -> StopWanted:
        self._end = None
        self._done(wish, f"ended {when}")
        return StopWanted(f"stopped {when} by {wish.by}")

    def _done(self, wish: Wish, outcome: str) -> None:
        self._run.events.emit(CommandDone(wish.letter, wish.command.text, wish.by, outcome))
