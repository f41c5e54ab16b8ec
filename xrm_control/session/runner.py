"""One run from idle to an end: it walks the states, guards every exit with the safe state, and sums up."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from xrm_control.acquisition.policies import End
from xrm_control.acquisition.steps import Acquisition
from xrm_control.contracts.commands import Add, Letter, Reply
from xrm_control.contracts.results import RESULTS
from xrm_control.contracts.rois import ROIS
from xrm_control.core.errors import InstrumentLocked, Interrupted, NotSafe, UnusableData, XrmError
from xrm_control.core.events import (
    ReportBegun,
    ReportFailed,
    RunAborted,
    RunFailed,
    RunStopped,
)
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.states import ROI_ENDS, RoiState, RunState, Verdict
from xrm_control.mosaic.tiles import Mosaic
from xrm_control.processing.achieved import achieved, ended, left_undone
from xrm_control.processing.measured import write_run_tables
from xrm_control.processing.mosaic_sizes import mosaic_sizes
from xrm_control.processing.results import sum_up
from xrm_control.reporting.report import build_report
from xrm_control.roi.strategy import Roi
from xrm_control.session import regions, stages
from xrm_control.session.calibration import hold_against
from xrm_control.session.commands import Commands, RegionSkipped, StopWanted, TakeAgain
from xrm_control.session.context import RunContext
from xrm_control.session.endings import end_of
from xrm_control.session.following import COMPUTATION_FAILURES, Following
from xrm_control.session.interruption import Interruption
from xrm_control.session.placing import compare_with_mosaic
from xrm_control.session.resuming import Found, fit_together, look_again
from xrm_control.session.safe_state import CLOSE_BY_HAND, NOT_OURS, Safety, make_safe, say, stand_down, stand_safe
from xrm_control.session.watchdog import SampleGivenUp, Watchdog

Hear = Callable[[str, Letter], Coroutine[Any, Any, Reply]]
Letters = Callable[[Hear], contextlib.AbstractContextManager[None]]
"""While the block runs, commands are handed to the function with their numbers."""

# What may keep an end from being recorded: it never keeps the instrument from being safe.
_RECORD_FAILURES = (*COMPUTATION_FAILURES, sqlite3.Error)


class Runner:
    """Runs one recipe once. `letters` brings what operators want meanwhile; `begun_with` is what is wanted from the
    beginning, by number; from_outside: see `Commands`.
    """

    def __init__(
        self,
        run: RunContext,
        letters: Letters = contextlib.nullcontext,
        begun_with: Sequence[tuple[str, Letter]] = (),
        *,
        from_outside: bool = True,
    ) -> None:
        self._run = run
        self._letters = letters
        self._begun_with = begun_with
        self._from_outside = from_outside
        self._interruption = Interruption(run)
        self._stopped = self._next_sample = False
        self._following = Following(run)

    async def run(self) -> ExitCode:
        """Carry the run to its end and return the exit code. Raises the error that ended a failed or aborted run."""
        try:
            await self._guarded()
        finally:
            await self._run.instrument.disconnect()
        if self._stopped:
            return ExitCode.NEXT_SAMPLE if self._next_sample else ExitCode.RESUMABLE
        return ExitCode.OK if self._ended()[0] is Verdict.COMPLETE else ExitCode.PARTLY

    async def _guarded(self) -> None:
        run = self._run
        try:
            with self._interruption.heard() as interrupt:
                commands = Commands(run, interrupt, from_outside=self._from_outside)
                watchdog = Watchdog(run, commands)
                run.obey(watchdog)
                with self._letters(commands.hear):
                    await self._begin_with(commands)
                    await self._work(commands, watchdog)
        except asyncio.CancelledError:
            by = self._interruption.by or "cancellation"
            interrupted = Interrupted(
                f"the run was ended by {by}",
                where=run.folder.name,
                remedy=f"`xrm status {run.folder.path}` says how far it came, `xrm resume {run.folder.path}` goes on",
            )
            await self._end("abort", "aborted_safely", RunState.ABORTED, f"ended by {by}", interrupted)
            raise interrupted from None
        except XrmError as error:
            await self._end("fail", "failed_safely", RunState.FAILED, str(error), error)
            raise
        except BaseException as error:
            # A fault of this program must not leave the shutter open either.
            await self._end(
                "fail", "failed_safely", RunState.FAILED, f"unexpected {type(error).__name__}: {error}", error
            )
            raise

    async def _begin_with(self, commands: Commands) -> None:
        """Hear what is wanted from the beginning. Raises UnusableData where all places to add are refused.

        Regions that nobody asked for are not scanned in their stead.
        """
        replies = [(letter, await commands.hear(number, letter)) for number, letter in self._begun_with]
        places = [reply for letter, reply in replies if isinstance(letter.command, Add)]
        if places and not any(reply.accepted for reply in places) and not self._run.recorded("rois.json"):
            raise UnusableData(
                "none of the places that were added can be scanned",
                where="add",
                value=places[0].text,
                remedy="add another place with `xrm add`, then `xrm continue` the run; or start its recipe anew",
            )

    async def _work(self, commands: Commands, watchdog: Watchdog) -> None:
        if self._run.only_processing_left() and not commands.wanted:
            await self._process(commands)
            return
        try:
            await self._acquire(commands, watchdog)
        except (StopWanted, SampleGivenUp) as why:
            self._next_sample = isinstance(why, SampleGivenUp)
            await self._stop(commands, str(why))
            return
        except XrmError as error:
            if end_of(self._run, error, None) is not End.NEXT_SAMPLE:
                raise
            self._next_sample = True
            await self._stop(commands, f"the sample was given up: {error.message()}")
            return
        run = self._run
        run.states.go("finish")
        safety = await make_safe(run)
        say(run, safety)
        await stand_down(run, safety)
        await self._following.finish()
        if safety.problem:
            raise NotSafe(
                f"all frames are taken, but the safe state was not reached: {safety.problem}",
                where=run.folder.name,
                remedy=CLOSE_BY_HAND,
            )
        await self._sum_up()

    async def _sum_up(self) -> None:
        await self._report(*self._ended())
        self._run.states.go("complete")

    async def _process(self, commands: Commands) -> None:
        """What is left of a run whose regions are all scanned; the instrument is left alone, it may be another's."""
        run = self._run
        await commands.close()
        run.states.go("process")
        lives = run.journal.roi_states()
        for record in ROIS.read(run.folder.rois).rois:
            if lives[record.name].state not in ROI_ENDS:
                self._following.follow(Roi(**dict(record)))
        await self._following.finish()
        await self._sum_up()

    async def _acquire(self, commands: Commands, watchdog: Watchdog) -> None:
        """From connecting to the last frame. Raises StopWanted, SampleGivenUp."""
        run = self._run
        run.states.go("connect")
        run.instrument.watch([condition.value for condition in run.recipe.conditions])
        await stages.connect(run)
        async with watchdog.watching():
            await self._expose(commands)

    async def _expose(self, commands: Commands) -> None:
        """From homing to the last frame."""
        run = self._run
        run.states.go("home")
        await stages.home(run)
        await commands.wait("the mosaic")
        found = await look_again(run)
        alignment = run.recipe.alignment
        if alignment is not None and run.shows_sample and not run.journal.stored_frames():
            await hold_against(run, alignment)
        run.states.go("map")
        mosaic = await self._map(commands, found)
        commands.mapped(mosaic)
        await commands.wait("the choice of regions")
        run.states.go("pick")
        await commands.chosen(await regions.pick(run, mosaic, commands.wanted, commands.refused))
        scanned = 0
        while not await commands.close(scanned):
            while scanned < len(commands.rois):
                await commands.wait(commands.rois[scanned].name)
                # Meanwhile somebody may have changed their order.
                roi = commands.rois[scanned]
                await self._scan(commands, roi, mosaic, found)
                commands.reached(roi.name)
                scanned += 1
        await commands.wait("the end")

    async def _map(self, commands: Commands, found: Found) -> Mosaic:
        run = self._run

        def planned(acquisition: Acquisition) -> None:
            commands.at(acquisition)
            fit_together(run, acquisition, found)

        while True:
            try:
                mosaic = await stages.map_sample(run, planned)
            except TakeAgain as again:
                found = again.found
            else:
                commands.at(None)
                return mosaic

    async def _stop(self, commands: Commands, reason: str) -> None:
        """An orderly end before the run's own: safe, what was scanned is measured, and the rest can be gone on with."""
        run = self._run
        await commands.close()
        run.leave_hold()
        await stand_down(run, await stand_safe(run, reason))
        if run.states.state != RunState.PAUSED:
            run.states.go(f"pause_{run.states.state}", reason)
        run.events.emit(RunStopped(reason))
        await self._following.finish()
        so_far = achieved(run.folder, run.journal)
        await self._report(Verdict.INCOMPLETE, (reason, *left_undone(so_far), *self._reasons()))
        self._stopped = True

    async def _scan(self, commands: Commands, roi: Roi, mosaic: Mosaic, found: Found) -> None:
        """One ROI: aligning, referencing, scanning, checking; then it is processed while the next one is scanned.

        Of one that was begun before, what is left; `found`: how its sample was found again.
        """
        run = self._run
        life = run.journal.roi_states().get(roi.name)
        if life is not None and life.state in ROI_ENDS:
            run.ahead.pop(roi.name, None)
            # Set aside with frames still open, as by an earlier version: the run could never be done.
            reason = life.reason or "its region is over"
            await run.on_disk(lambda: run.journal.declare_open_missing(reason, t_s=run.clock.now_s(), roi=roi.name))
            return
        acquisition = run.ahead[roi.name]
        run.plan_frames(acquisition)
        self._following.prepare()
        if life is not None and not run.open_steps(acquisition):
            del run.ahead[roi.name]
            self._following.follow(roi)
            return
        commands.at(acquisition)
        try:
            await self._take(acquisition, found)
        except (RegionSkipped, XrmError) as error:
            if isinstance(error, XrmError) and end_of(run, error, roi.name) is not End.SKIP:
                raise
            await self._skip(acquisition, str(error))
            commands.skipped(roi.name)
            return
        finally:
            commands.at(None)
        run.states.go("check")
        problem = stages.check(run, roi) or await compare_with_mosaic(run, roi, mosaic)
        if problem:
            self._following.quarantine(roi.name, problem)
            return
        run.set_roi_state(roi.name, RoiState.SCANNED)
        self._following.follow(roi)

    async def _take(self, acquisition: Acquisition, found: Found) -> None:
        """All frames of a scan that are still open; begun anew where a pause has changed what they go with."""
        run, again = self._run, "align"
        while True:
            fit_together(run, acquisition, found)
            run.states.go(again)
            try:
                await stages.align(run, acquisition, run.open_steps(acquisition))
                async with stages.preview(run, acquisition) as live:
                    await stages.recall(run, acquisition, live.recall)
                    before, rest = stages.split(run.open_steps(acquisition))
                    run.states.go("reference")
                    await stages.take(run, acquisition, before, "references")
                    run.states.go("scan")
                    await stages.take(run, acquisition, rest, "projections")
                return
            except TakeAgain as other:
                found, again = other.found, "align_again"

    async def _skip(self, acquisition: Acquisition, reason: str) -> None:
        """The region is not scanned any further; the run goes on."""
        run, roi = self._run, acquisition.stage
        run.leave_hold()
        await stand_safe(run, f"{roi} is set aside")
        run.states.go("skip")
        del run.ahead[roi]
        await run.on_disk(lambda: run.journal.declare_open_missing(reason, t_s=run.clock.now_s(), roi=roi))
        self._following.quarantine(roi, reason)

    def _ended(self) -> tuple[Verdict, tuple[str, ...]]:
        """The verdict on this run if it ends here in order, and its reasons."""
        run = self._run
        return ended(achieved(run.folder, run.journal), run.recipe, run.folder)

    def _reasons(self) -> tuple[str, ...]:
        """Why this run is not a full success; empty when it is."""
        return self._ended()[1]

    async def _end(self, begin: str, finish: str, end: RunState, reason: str, error: BaseException) -> None:
        """The way out of an aborted or failed run: safe first, then say how far it came.

        What cannot be recorded is left out: `error` is what the run ends with. Raises NotSafe in its place.
        """
        run = self._run
        # Whatever state another's instrument is in, it is the doing of the one who has it.
        others = isinstance(error, InstrumentLocked)
        aborted = end == RunState.ABORTED
        safety = NOT_OURS if others else await self._leave_safe(aborted)
        run.folder.use_reserve()
        # Before the screens hear of the end: they are not this run's to write to where the instrument is not.
        say(run, safety)
        self._enter(begin, reason)
        run.events.emit(RunAborted(reason) if aborted else RunFailed(reason, type(error).__name__))
        unsafe = (f"the safe state was not reached: {safety.problem}",) if safety.problem else ()
        self._enter(finish, reason)
        await stand_down(run, safety)
        # The end is on record before the report is written: nobody may have the patience to wait for it.
        # After a failure the regions that were scanned before it are still measured.
        await self._following.settle()
        try:
            await self._report(Verdict(end), (reason, *unsafe, *self._reasons()))
        except _RECORD_FAILURES as failure:
            run.events.emit(ReportFailed(str(failure)))
        if unsafe:
            text = error.what if isinstance(error, XrmError) else reason
            raise NotSafe(f"{text}; {unsafe[0]}", where=getattr(error, "where", None), remedy=CLOSE_BY_HAND) from error

    async def _leave_safe(self, aborted: bool) -> Safety:
        """Make safe; what still computes for a run that is `aborted` is ended behind its first step, unwaited for.

        In virtual time the instrument would otherwise stand still until that work is done.
        """
        making = asyncio.create_task(make_safe(self._run), name="make safe")
        if aborted:
            asyncio.get_running_loop().call_soon(self._following.abandon)
        return await making

    def _enter(self, trigger: str, reason: str) -> None:
        """Take a transition, whether or not the journal can still be told."""
        states = self._run.states
        if states.may(trigger):
            with contextlib.suppress(*_RECORD_FAILURES):
                states.go(trigger, reason)

    async def _report(self, verdict: Verdict, reasons: tuple[str, ...]) -> None:
        run = self._run
        run.events.emit(ReportBegun())
        results = await run.on_disk(sum_up, run.folder, run.journal, run.recipe, verdict, reasons)
        await run.on_disk(lambda: run.folder.write_text(run.folder.results, RESULTS.text(results), replace=True))
        made = [("results.json", "results")]
        if run.shows_sample:
            text = await run.on_disk(build_report, run.folder.path)
            await run.on_disk(lambda: run.folder.write_text(run.folder.report, text, replace=True))
            made.append(("report.html", "report"))
        reported, sizes = achieved(run.folder, run.journal).reported, mosaic_sizes(run.folder)
        tables = await run.on_disk(write_run_tables, run.folder, reported, sizes)
        for name, kind in (*((path.name, "table") for path in tables), *made):
            stages.record_artifact(run, name, kind)
