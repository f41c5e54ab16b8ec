"""One run from idle to an end: it walks the states, guards every exit with the safe state, and sums up."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
from collections.abc import Generator
from dataclasses import dataclass
from types import FrameType

from xrm_control.contracts.handoff import RecipeReference
from xrm_control.contracts.results import RESULTS
from xrm_control.core.errors import InstrumentLocked, Interrupted, NotSafe, StorageError, XrmError
from xrm_control.core.events import (
    ReconstructionWarned,
    ReportBegun,
    ReportFailed,
    RoiQuarantined,
    RowsReconstructed,
    RunAborted,
    RunFailed,
    RunInterrupted,
    SafeStateFailed,
    SafeStateLeft,
    SafeStateVerified,
)
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.interrupts import in_main_thread, on_interrupt
from xrm_control.core.states import ROI_ENDS, RoiState, RunState, Verdict
from xrm_control.devices.protocols import SafeState
from xrm_control.mosaic.tiles import Mosaic
from xrm_control.processing.achieved import achieved, shortcomings
from xrm_control.processing.measured import write_run_tables
from xrm_control.processing.regions import ScanJob, analyse_roi, clear_scratch, reconstruct_roi, warm_up
from xrm_control.processing.results import sum_up
from xrm_control.processing.scans import RunScan
from xrm_control.reporting.report import build_report
from xrm_control.roi.strategy import Roi
from xrm_control.session import stages
from xrm_control.session.context import RunContext
from xrm_control.session.placing import compare_with_mosaic
from xrm_control.session.resuming import Found, fit_together, look_again

# An instrument that does not answer may come back; it is not left in the beam for want of a second try.
_SAFE_TRIES = 4
_SAFE_PAUSE_S = 5.0
# What a computation may fail with; it costs its ROI, never the night.
_COMPUTATION_FAILURES = (
    XrmError,
    ArithmeticError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
# What may keep an end from being recorded: it never keeps the instrument from being safe.
_RECORD_FAILURES = (*_COMPUTATION_FAILURES, sqlite3.Error)
_CLOSE_BY_HAND = "close the beam upstream and look at the instrument; what was taken is on the disk"


@dataclass(frozen=True)
class _Safety:
    """How the instrument was left; `ours`: whether it was this run's to command."""

    state: SafeState
    ours: bool = True

    @property
    def problem(self) -> str | None:
        """What is wrong; None when all axes stand and the shutter is closed, or when it was not ours to command."""
        if self.state.verified or not self.ours:
            return None
        return "; ".join(dict.fromkeys(self.state.problems)) or "an axis moves, or the shutter is open"


class Runner:
    """Runs one recipe once."""

    def __init__(self, run: RunContext) -> None:
        self._run = run
        self._interrupted: str | None = None
        self._leaving = False
        self._processing: list[asyncio.Task[None]] = []
        self._warming: asyncio.Task[None] | None = None

    async def run(self) -> ExitCode:
        """Carry the run to its end and return the exit code. Raises the error that ended a failed or aborted run."""
        try:
            await self._guarded()
        finally:
            await self._run.instrument.disconnect()
        return ExitCode.PARTLY if self._reasons() else ExitCode.OK

    async def _guarded(self) -> None:
        run = self._run
        try:
            with self._signals():
                await self._work()
        except asyncio.CancelledError:
            by = self._interrupted or "cancellation"
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

    async def _work(self) -> None:
        run = self._run
        run.states.go("connect")
        await stages.connect(run)
        run.states.go("home")
        await stages.home(run)
        found = await look_again(run)
        run.states.go("map")
        mosaic = await stages.map_sample(run, lambda acquisition: fit_together(run, acquisition, found))
        run.states.go("pick")
        rois = await stages.pick(run, mosaic)
        for roi in rois:
            await self._scan(roi, mosaic, found)
        run.states.go("finish")
        safety = await self._make_safe()
        self._say(safety)
        for task in self._processing:
            await task
        if safety.problem:
            raise NotSafe(
                f"all frames are taken, but the safe state was not reached: {safety.problem}",
                where=run.folder.name,
                remedy=_CLOSE_BY_HAND,
            )
        reasons = self._reasons()
        await self._report(Verdict.INCOMPLETE if reasons else Verdict.COMPLETE, reasons)
        run.states.go("complete")

    async def _scan(self, roi: Roi, mosaic: Mosaic, found: Found) -> None:
        """One ROI: aligning, referencing, scanning, checking; then it is processed while the next one is scanned.

        Of one that was begun before, what is left; `found`: how its sample was found again.
        """
        run = self._run
        acquisition, life = run.ahead[roi.name], run.journal.roi_states().get(roi.name)
        if life is not None and life.state in ROI_ENDS:
            del run.ahead[roi.name]
            return
        run.plan_frames(acquisition)
        self._warming = self._warming or asyncio.create_task(self._warm_up(), name="warm up")
        if life is not None and not run.open_steps(acquisition):
            del run.ahead[roi.name]
            self._follow(roi)
            return
        fit_together(run, acquisition, found)
        steps = run.open_steps(acquisition)
        before, rest = stages.split(steps)
        run.states.go("align")
        await stages.align(run, acquisition, steps)
        async with stages.preview(run, acquisition) as live:
            await stages.recall(run, acquisition, live.recall)
            run.states.go("reference")
            await stages.take(run, acquisition, before, "references")
            run.states.go("scan")
            await stages.take(run, acquisition, rest, "projections")
        run.states.go("check")
        problem = stages.check(run, roi) or await compare_with_mosaic(run, roi, mosaic)
        if problem:
            self._quarantine(roi.name, problem)
            return
        run.set_roi_state(roi.name, RoiState.SCANNED)
        self._follow(roi)

    def _follow(self, roi: Roi) -> None:
        """Process a region that was scanned, while the next one is."""
        self._processing.append(asyncio.create_task(self._process(roi), name=f"process {roi.name}"))

    async def _warm_up(self) -> None:
        # What is wrong with the workers is told when they are needed.
        with contextlib.suppress(*_COMPUTATION_FAILURES):
            await self._run.workers.run(warm_up)

    async def _process(self, roi: Roi) -> None:
        """The small life of a ROI after its scan: reconstructing, analysing, reported, or quarantined."""
        run, name = self._run, roi.name
        place = run.folder.roi(name)

        def told(done: int, of: int) -> None:
            run.events.emit(RowsReconstructed(name, done, of))

        try:
            run.set_roi_state(name, RoiState.RECONSTRUCTING)
            handed = await reconstruct_roi(run.workers, self._job(roi), told)
            for warning in handed.warnings:
                run.events.emit(ReconstructionWarned(name, warning))
            stages.record_artifact(run, f"{name}/{place.volume.name}", "volume", name)
            stages.record_artifact(run, f"{name}/{place.preview.name}", "preview", name)
            stages.record_artifact(run, f"{name}/{place.handoff.name}", "handoff", name)
            run.set_roi_state(name, RoiState.ANALYSING)
            await run.workers.run(analyse_roi, place.handoff, place.path, run.recipe.handoff)
        except StorageError:
            # A disk that fails or is full is the whole run's trouble, not this region's.
            raise
        except _COMPUTATION_FAILURES as error:
            self._quarantine(name, str(error) or type(error).__name__)
            return
        await run.on_disk(clear_scratch, place.path)
        for path in sorted(place.path.iterdir()):
            if path.is_file() and path not in (place.volume, place.handoff, place.preview):
                stages.record_artifact(run, f"{name}/{path.name}", "analysis", name)
        run.set_roi_state(name, RoiState.REPORTED)

    def _job(self, roi: Roi) -> ScanJob:
        run, recipe, camera = self._run, self._run.recipe, self._run.description.camera
        pixel_um = camera.binned_pixel_um(recipe.scan.binning)
        return ScanJob(
            scan=RunScan(run.folder.path, roi.name, pixel_um, run.journal.stored_frames(roi.name)),
            centre_um=(roi.x_um, roi.y_um, roi.z_um),
            detector_rows=camera.height_px // recipe.scan.binning,
            reconstruction=recipe.reconstruction,
            analysis=recipe.analysis,
            volume_16bit=recipe.output.volume_16bit,
            sample=recipe.sample,
            recipe=RecipeReference(name=recipe.name, sha256=recipe.sha256()),
        )

    def _quarantine(self, roi: str, reason: str) -> None:
        self._run.set_roi_state(roi, RoiState.QUARANTINED, reason)
        self._run.events.emit(RoiQuarantined(roi, reason))

    def _reasons(self) -> tuple[str, ...]:
        """Why this run is not a full success; empty when it is."""
        run = self._run
        return shortcomings(achieved(run.folder, run.journal), run.recipe)

    async def _make_safe(self) -> _Safety:
        """Enter the safe state, tried again for a while. It needs nothing but the instrument, and records nothing."""
        run, instrument = self._run, self._run.instrument
        state = SafeState({}, False)
        for attempt in range(_SAFE_TRIES):
            if attempt:
                await run.clock.sleep(_SAFE_PAUSE_S)
            if not instrument.in_control:
                return _Safety(state, ours=False)
            try:
                state = await instrument.make_safe()
            except InstrumentLocked:
                return _Safety(state, ours=False)
            except _COMPUTATION_FAILURES as error:
                state = SafeState({}, False, (f"unexpected {type(error).__name__}: {error}",))
            if state.verified:
                break
        return _Safety(state)

    def _say(self, safety: _Safety) -> None:
        """Record how the instrument was left."""
        emit, state = self._run.events.emit, safety.state
        if not safety.ours:
            emit(SafeStateLeft())
        elif safety.problem:
            emit(SafeStateFailed(safety.problem, dict(state.axes_at_rest), state.shutter_closed))
        else:
            emit(SafeStateVerified(dict(state.axes_at_rest), state.shutter_closed))

    async def _end(self, begin: str, finish: str, end: RunState, reason: str, error: BaseException) -> None:
        """The way out of an aborted or failed run: safe first, then say how far it came.

        What cannot be recorded is left out: `error` is what the run ends with. Raises NotSafe in its place.
        """
        run = self._run
        # Whatever state another's instrument is in, it is the doing of the one who has it.
        others = isinstance(error, InstrumentLocked)
        aborted = end == RunState.ABORTED
        safety = _Safety(SafeState({}, False), ours=False) if others else await self._leave_safe(aborted)
        # Before the screens hear of the end: they are not this run's to write to where the instrument is not.
        self._say(safety)
        self._enter(begin)
        run.events.emit(RunAborted(reason) if aborted else RunFailed(reason))
        unsafe = (f"the safe state was not reached: {safety.problem}",) if safety.problem else ()
        self._enter(finish)
        # The end is on record before the report is written: nobody may have the patience to wait for it.
        # After a failure the regions that were scanned before it are still measured.
        await asyncio.gather(*self._processing, return_exceptions=True)
        try:
            await self._report(Verdict(end), (reason, *unsafe, *self._reasons()))
        except _RECORD_FAILURES as failure:
            run.events.emit(ReportFailed(str(failure)))
        if unsafe:
            text = error.what if isinstance(error, XrmError) else reason
            raise NotSafe(f"{text}; {unsafe[0]}", where=getattr(error, "where", None), remedy=_CLOSE_BY_HAND) from error

    async def _leave_safe(self, aborted: bool) -> _Safety:
        """Make safe; what still computes for a run that is `aborted` is ended behind its first step, unwaited for.

        In virtual time the instrument would otherwise stand still until that work is done.
        """
        making = asyncio.create_task(self._make_safe(), name="make safe")
        if aborted:
            asyncio.get_running_loop().call_soon(self._abandon_work)
        return await making

    def _abandon_work(self) -> None:
        for task in self._processing:
            task.cancel()
        self._run.workers.stop()

    def _enter(self, trigger: str) -> None:
        """Take a transition, whether or not the journal can still be told."""
        states = self._run.states
        if states.may(trigger):
            with contextlib.suppress(*_RECORD_FAILURES):
                states.go(trigger)

    async def _report(self, verdict: Verdict, reasons: tuple[str, ...]) -> None:
        run = self._run
        run.events.emit(ReportBegun())
        results = await run.on_disk(sum_up, run.folder, run.journal, run.recipe, verdict, reasons)
        await run.on_disk(lambda: run.folder.write_text(run.folder.results, RESULTS.text(results), replace=True))
        text = await run.on_disk(build_report, run.folder.path)
        await run.on_disk(lambda: run.folder.write_text(run.folder.report, text, replace=True))
        tables = await run.on_disk(write_run_tables, run.folder, achieved(run.folder, run.journal).reported)
        made = [(path.name, "table") for path in tables]
        for name, kind in (*made, ("results.json", "results"), ("report.html", "report")):
            stages.record_artifact(run, name, kind)

    @contextlib.contextmanager
    def _signals(self) -> Generator[None, None, None]:
        """Turn the first signal, or an operator's wish, into a cancellation; none disturbs the way out."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        instrument = self._run.instrument

        def interrupt(name: str) -> None:
            if self._interrupted is None and not self._leaving and task is not None:
                instrument.halt()
                self._interrupted = name
                task.cancel()
                self._run.events.emit(RunInterrupted(name))

        def wished(name: str) -> None:
            loop.call_soon_threadsafe(interrupt, name)

        def at_once(_number: int, _frame: FrameType | None) -> None:
            # Before the loop comes to it: it may be busy, or hang.
            if not self._leaving:
                instrument.halt()

        caught = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "a closed terminal"}
        # Signals reach the main thread alone; a run in another one is told of Ctrl-C by who waits for it.
        for number, name in caught.items() if in_main_thread() else ():
            loop.add_signal_handler(number, interrupt, name)
            # The loop goes on hearing of it: it listens to a pipe, not to this handler.
            signal.signal(number, at_once)
        on_interrupt(wished)
        instrument.on_abort(wished)
        try:
            yield
        finally:
            self._leaving = True
