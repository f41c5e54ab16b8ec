"""What follows a scan: each scanned region is reconstructed and analysed while the next one is scanned."""

from __future__ import annotations

import asyncio
import contextlib

from xrm_control.contracts.quality import QualityMetrics
from xrm_control.contracts.rois import ROIS
from xrm_control.contracts.trust import TrustVerdict
from xrm_control.core import system_limits
from xrm_control.core.errors import StorageError, XrmError
from xrm_control.core.events import (
    ExpectationCorrected,
    ReconstructionWarned,
    RegionDoubted,
    RoiQuarantined,
    RowsReconstructed,
)
from xrm_control.core.states import ROI_ENDS, RoiState
from xrm_control.processing.achieved import NOT_LOOKED_AT
from xrm_control.processing.expectation import found_in
from xrm_control.processing.regions import ScanJob, analyse_roi, clear_scratch, reconstruct_roi, warm_up
from xrm_control.processing.scans import RunScan
from xrm_control.processing.trust.judging import TrustJob, judge_region
from xrm_control.roi.strategy import Roi
from xrm_control.session.context import RunContext, aside
from xrm_control.session.stages import record_artifact

# What a computation may fail with; it costs its ROI, never the night.
COMPUTATION_FAILURES = (
    XrmError,
    ArithmeticError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


class Following:
    """The computations of one run."""

    def __init__(self, run: RunContext) -> None:
        self._run = run
        self._tasks: list[asyncio.Task[None]] = []
        self._warming: asyncio.Task[None] | None = None

    def prepare(self) -> None:
        """Have workers ready when the first scan has ended."""
        if not self._run.shows_sample:
            return
        self._warming = self._warming or asyncio.create_task(self._warm_up(), name="warm up")

    def follow(self, roi: Roi) -> None:
        """Process a region that was scanned, while the next one is."""
        self._tasks.append(asyncio.create_task(self._process(roi), name=f"process {roi.name}"))

    async def finish(self) -> None:
        """Wait for what was begun. Raises StorageError: a disk that fails is the whole run's trouble."""
        for task in self._tasks:
            await task

    async def settle(self) -> None:
        """Wait for what was begun, whatever comes of it."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def abandon(self) -> None:
        """End what still computes, unwaited for."""
        for task in self._tasks:
            task.cancel()
        self._run.workers.stop()

    def quarantine(self, roi: str, reason: str) -> None:
        """Set a region aside; the run goes on."""
        self._run.set_roi_state(roi, RoiState.QUARANTINED, reason)
        self._run.events.emit(RoiQuarantined(roi, reason))

    async def _warm_up(self) -> None:
        # What is wrong with the workers is told when they are needed.
        with contextlib.suppress(*COMPUTATION_FAILURES):
            await self._run.workers.run(warm_up)

    async def _process(self, roi: Roi) -> None:
        """The small life of a ROI after its scan: reconstructing, analysing, reported, or quarantined."""
        run, name = self._run, roi.name
        place = run.folder.roi(name)

        def told(done: int, of: int) -> None:
            run.events.emit(RowsReconstructed(name, done, of))

        if not run.shows_sample:
            run.set_roi_state(name, RoiState.QUARANTINED, NOT_LOOKED_AT)
            return
        try:
            run.set_roi_state(name, RoiState.RECONSTRUCTING)
            handed = await reconstruct_roi(run.workers, self._job(roi), told)
            for warning in handed.warnings:
                run.events.emit(ReconstructionWarned(name, warning))
            # Not in the event loop, which has the dead-man to kick: a volume takes seconds to be hashed.
            await aside(record_artifact, run, f"{name}/{place.volume.name}", "volume", name)
            await aside(record_artifact, run, f"{name}/{place.preview.name}", "preview", name)
            await aside(record_artifact, run, f"{name}/{place.handoff.name}", "handoff", name)
            run.set_roi_state(name, RoiState.ANALYSING)
            await run.workers.run(analyse_roi, place.handoff, place.path, run.recipe.handoff)
            judged = await run.workers.run(judge_region, self._trust_job(roi))
        except StorageError:
            # A disk that fails or is full is the whole run's trouble, not this region's.
            raise
        except COMPUTATION_FAILURES as error:
            self.quarantine(name, str(system_limits.told(error) or error) or type(error).__name__)
            return
        await run.on_disk(clear_scratch, place.path)
        for path in sorted(place.path.iterdir()):
            if path.is_file() and path not in (place.volume, place.handoff, place.preview):
                await aside(record_artifact, run, f"{name}/{path.name}", "analysis", name)
        run.set_roi_state(name, RoiState.REPORTED)
        self._correct_expectation(name, judged)
        for check in judged.checks:
            if check.verdict in (TrustVerdict.DOUBT, TrustVerdict.REDO):
                run.events.emit(RegionDoubted(name, check.check, check.text))

    def _correct_expectation(self, name: str, judged: QualityMetrics) -> None:
        """Tell what the first region that was measured means for those to come."""
        run = self._run
        lives, counted = run.journal.roi_states(), found_in(judged)
        if counted is None or not run.folder.rois.is_file():
            return
        expected, found = counted
        if not expected or [roi for roi, life in lives.items() if life.state is RoiState.REPORTED] != [name]:
            return
        later = [
            f"{roi.name} {roi.expected_particles} -> {roi.expected_particles * found / expected:.0f}"
            for roi in ROIS.read(run.folder.rois).rois
            if roi.name not in lives or lives[roi.name].state not in ROI_ENDS
        ]
        if later:
            run.events.emit(ExpectationCorrected(name, expected, found, ", ".join(later)))

    def _trust_job(self, roi: Roi) -> TrustJob:
        run = self._run
        return TrustJob.of(self._scan(roi), run.recipe, run.folder.roi(roi.name).path, run.description)

    def _job(self, roi: Roi) -> ScanJob:
        run, centre_um = self._run, (roi.x_um, roi.y_um, roi.z_um)
        return ScanJob.of(self._scan(roi), centre_um, run.recipe, run.description.camera.height_px)

    def _scan(self, roi: Roi) -> RunScan:
        run = self._run
        pixel_um = run.description.camera.binned_pixel_um(run.recipe.scan.binning)
        return RunScan(run.folder.path, roi.name, pixel_um, run.journal.stored_frames(roi.name))
