"""Everything the stages of one run share, and the two adapters between the engine and the run folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from xrm_control.acquisition.engine import Engine, FrameSink
from xrm_control.acquisition.gate import Gate, OpenGate
from xrm_control.acquisition.policies import Reactions
from xrm_control.acquisition.steps import Acquisition, FrameStep
from xrm_control.compute.executor import Workers
from xrm_control.contracts.plan import Plan
from xrm_control.contracts.rois import ROIS
from xrm_control.core.clock import Clock
from xrm_control.core.errors import DataError
from xrm_control.core.events import EventStream, RoiStateEntered, RunHeld, RunReleased, StagePlanned, StateEntered
from xrm_control.core.frame_id import MOSAIC, FrameId
from xrm_control.core.geometry import Pose
from xrm_control.core.states import ROI_ENDS, FrameKind, RoiState, RunState
from xrm_control.devices.protocols import CameraFrame, Instrument, InstrumentDescription
from xrm_control.devices.safety import Guard
from xrm_control.recipe.document import Recipe
from xrm_control.session.states import RunStates
from xrm_control.session.status_publisher import StatusPublisher
from xrm_control.storage.durable import sha256_file
from xrm_control.storage.frame_writer import FrameWriter
from xrm_control.storage.frames import FrameStore
from xrm_control.storage.journal import Journal
from xrm_control.storage.records import Exposure, PlannedFrame, StoredFrame
from xrm_control.storage.run_folder import RunFolder

Result = TypeVar("Result")


class RunContext:
    """One run: its recipe, folder, instrument and helpers."""

    def __init__(
        self,
        recipe: Recipe,
        folder: RunFolder,
        journal: Journal,
        instrument: Instrument,
        clock: Clock,
        events: EventStream,
        workers: Workers,
        plan: Plan,
    ) -> None:
        self.recipe = recipe
        self.folder = folder
        self.journal = journal
        self.frames = FrameStore(folder, journal)
        self.instrument = instrument
        self.clock = clock
        self.events = events
        self.workers = workers
        self.plan = plan
        collected = [plan.frame_id for plan, _ in journal.stored_frames()]
        screens = StatusPublisher(folder.name, instrument, plan, collected)
        events.subscribe(screens.hear, "the operators' screens")
        self.states = RunStates(self._state_changed)
        self._held_from, self._held_for = RunState.IDLE, ""
        # Acquisitions that are planned and not finished, by stage: where the stage will still go.
        self.ahead: dict[str, Acquisition] = {}
        self.guard = Guard(self.description.axes, recipe.safety, recipe.sample)
        self.reactions = Reactions(recipe.retry, recipe.policies)
        self.engine = self.make_engine(JournalSink(self), events)
        self.gate: Gate = OpenGate()
        # One thread, so that what is made durable is made durable in order.
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="disk")

    @property
    def shows_sample(self) -> bool:
        """See `Backend.shows_sample`."""
        return self.recipe.instrument.shows_sample

    @property
    def description(self) -> InstrumentDescription:
        """Static facts of the instrument."""
        return self.instrument.describe()

    def make_engine(self, sink: FrameSink, events: EventStream) -> Engine:
        """An engine on the instrument as the recipe wants it treated, whose frames go into `sink`."""
        return Engine(
            self.instrument,
            sink,
            self.guard,
            self.clock,
            events,
            self.recipe.retry,
            self.hold,
            self.renew_guard,
            self.reactions,
        )

    def renew_guard(self) -> Guard:
        """Limits as the connected instrument has them; every position still ahead is held against them.

        Raises SafetyRefusal.
        """
        guard = Guard(self.description.axes, self.recipe.safety, self.recipe.sample)
        for acquisition in self.ahead.values():
            guard.check_path((step.frame_id, step.pose) for step in acquisition.steps)
        self.guard = guard
        self.engine.respect(guard)
        return guard

    async def on_disk(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Run a blocking call in the disk thread; time stands still meanwhile if it is virtual."""
        return await asyncio.get_running_loop().run_in_executor(self._disk, function, *arguments)

    def close(self) -> None:
        """End the disk thread after what it has begun."""
        self._disk.shutdown(wait=True)

    @asynccontextmanager
    async def hold(self, reason: str) -> AsyncGenerator[None, None]:
        """Stand still in `held` until the block ends, then return to the state before."""
        self.events.emit(RunHeld(reason))
        self._held_for = reason
        if self.states.state != RunState.HELD:
            self._held_from = self.states.state
            self.states.go(f"hold_{self._held_from}", reason)
        # After an error it is for the next one who holds to go back, or for the end of the run.
        yield
        self.states.go(f"release_{self._held_from}")
        self.events.emit(RunReleased(reason))

    def leave_hold(self) -> None:
        """Back to the state before, when whoever held will not go on."""
        if self.states.state == RunState.HELD:
            self.states.go(f"release_{self._held_from}")
            self.events.emit(RunReleased(self._held_for))

    def obey(self, gate: Gate) -> None:
        """Ask `gate` from here on before each frame is taken."""
        self.gate = gate
        self.engine.obey(gate)

    def plan_frames(self, acquisition: Acquisition) -> None:
        """Write down what shall be taken, before the first frame; what is planned already stays.

        Raises DataError when it was planned otherwise.
        """
        roi = _roi_of(acquisition)
        wanted = [
            PlannedFrame(
                step.frame_id,
                acquisition.stage,
                step.kind,
                step.index,
                step.pose,
                acquisition.exposure_s,
                acquisition.binning,
                roi,
            )
            for step in acquisition.steps
        ]
        planned = {plan.frame_id: plan for plan in self.journal.planned_frames(stage=acquisition.stage)}
        for plan in wanted:
            if planned.get(plan.frame_id, plan) != plan:
                raise DataError(
                    "the frame was planned otherwise when the run was begun",
                    where=plan.frame_id,
                    value=_planned(plan),
                    limit=_planned(planned[plan.frame_id]),
                    remedy="start the recipe anew: what was taken stays in this run's folder",
                )
        new = [plan for plan in wanted if plan.frame_id not in planned]
        if new:
            self.journal.plan_frames(new)
            self.events.emit(StagePlanned(acquisition.stage, len(new)))

    def decided(self) -> frozenset[FrameId]:
        """The frames of the run that have their outcome: nobody goes to their places any more."""
        still_open = {plan.frame_id for plan in self.journal.open_frames()}
        return frozenset({plan.frame_id for plan in self.journal.planned_frames()} - still_open)

    def open_steps(self, acquisition: Acquisition) -> tuple[FrameStep, ...]:
        """The planned frames of an acquisition that have no outcome yet."""
        still_open = {plan.frame_id for plan in self.journal.open_frames(_roi_of(acquisition))}
        return tuple(step for step in acquisition.steps if step.frame_id in still_open)

    def all_taken(self) -> bool:
        """Whether the regions are chosen, and every frame of the mosaic and of their scans has its outcome."""
        if not self.recorded("rois.json") or self.journal.accounting().open:
            return False
        begun = {plan.roi for plan in self.journal.planned_frames()}
        over = {roi for roi, life in self.journal.roi_states().items() if life.state in ROI_ENDS}
        return all(roi.name in begun | over for roi in ROIS.read(self.folder.rois).rois)

    def only_processing_left(self) -> bool:
        """Whether every region has been scanned, and judged, and nothing needs the instrument any more."""
        if not self.all_taken():
            return False
        lives = self.journal.roi_states()
        return all(roi.name in lives for roi in ROIS.read(self.folder.rois).rois)

    def kept(self, acquisition: Acquisition) -> list[tuple[FrameStep, StoredFrame]]:
        """The frames of an acquisition that are kept, in the order in which they were taken."""
        stored = [(step_of(plan), frame) for plan, frame in self.journal.stored_frames(_roi_of(acquisition))]
        return sorted(stored, key=lambda one: one[1].exposure.t_start_s)

    def recorded(self, name: str) -> bool:
        """Whether a file of the run folder was made before, and is what was made."""
        path, known = self.folder.path / name, self.journal.artifacts().get(name)
        return known is not None and path.is_file() and sha256_file(path) == known.sha256

    def set_roi_state(self, roi: str, state: RoiState, reason: str = "") -> None:
        """One step in the small life of a ROI."""
        self.journal.set_roi_state(roi, state, t_s=self.clock.now_s(), reason=reason, utc=self.clock.utc().isoformat())
        self.events.emit(RoiStateEntered(roi, state, reason))

    def _state_changed(self, state: RunState, reason: str) -> None:
        try:
            self.journal.set_state(state, t_s=self.clock.now_s(), reason=reason, utc=self.clock.utc().isoformat())
        finally:
            self.events.emit(StateEntered(state))


async def aside(function: Callable[..., Result], *arguments: Any) -> Result:
    """A computation in a thread of its own: neither the event loop nor a frame on its way to the disk waits for it."""
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)


def step_of(plan: PlannedFrame) -> FrameStep:
    """A planned frame as the engine takes it."""
    lit, blocked = plan.kind is not FrameKind.DARK, plan.kind is FrameKind.BLOCKER
    return FrameStep(plan.frame_id, plan.kind, plan.number, plan.target, shutter_open=lit, blocked=blocked)


def _roi_of(acquisition: Acquisition) -> str:
    """As the journal names it: "" is the mosaic."""
    return "" if acquisition.stage == MOSAIC else acquisition.stage


def _planned(plan: PlannedFrame) -> str:
    at = plan.target
    return (
        f"x {at.x_um:g}, y {at.y_um:g}, z {at.z_um:g} um, theta {at.theta_deg:g} deg,"
        f" {plan.exposure_s:g} s, binning {plan.binning}"
    )


class JournalSink:
    """The engine's frames into the run folder: intent before exposing, durable before acknowledged."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._writer = FrameWriter(context.frames, context.journal)

    async def intend(self, step: FrameStep) -> int:
        """See `FrameSink.intend`."""
        now_s = self._context.clock.now_s()
        wanted = self._writer.want(step.frame_id, theta_deg=step.pose.theta_deg, t_s=now_s)
        try:
            return await self._context.on_disk(self._writer.intend, wanted)
        finally:
            self._writer.forget(wanted)

    async def keep(self, step: FrameStep, attempt: int, frame: CameraFrame, actual: Pose) -> None:
        """See `FrameSink.keep`."""
        exposure = Exposure(actual, frame.started_s, frame.ended_s, frame.unique_id)
        await self._context.on_disk(self._writer.keep, step.frame_id, attempt, frame.image, exposure)

    async def retake(self, step: FrameStep, attempt: int, reason: str) -> None:
        """See `FrameSink.retake`."""
        now_s = self._context.clock.now_s()
        await self._context.on_disk(lambda: self._context.journal.retake(step.frame_id, reason, t_s=now_s))

    async def declare_missing(self, step: FrameStep, reason: str) -> None:
        """See `FrameSink.declare_missing`."""
        now_s = self._context.clock.now_s()
        await self._context.on_disk(lambda: self._context.journal.declare_missing(step.frame_id, reason, t_s=now_s))
