"""A small acquisition on the simulated microscope, with a sink in memory and whoever stands beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal

from tests.trace_invariants import Intent, Kept, Said, tolerances, violations
from xrm_control.acquisition.engine import Engine, RetryPolicy
from xrm_control.acquisition.policies import Policies, Reactions
from xrm_control.acquisition.steps import Acquisition, FrameStep
from xrm_control.core.clock import VIRTUAL, Clock, run, utc_now
from xrm_control.core.errors import InstrumentUnreachable
from xrm_control.core.events import EventStream
from xrm_control.core.frame_id import FrameId
from xrm_control.core.geometry import Pose
from xrm_control.core.sample import SampleSpec
from xrm_control.core.states import FrameKind
from xrm_control.devices.protocols import CameraFrame
from xrm_control.devices.safety import Guard, SafetySpec
from xrm_control.devices.scripted_faults import FaultSpec
from xrm_control.devices.simulated import SimulatedBackend, SimulatedInstrument


class MemorySink:
    """Keeps what a run folder would keep, in memory, and the order in which it was told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, FrameId, int]] = []
        self.kept: dict[FrameId, CameraFrame] = {}
        self.intents: list[tuple[float, FrameStep]] = []
        self.now_s: Callable[[], float] = lambda: 0.0
        self.reasons: list[str] = []

    async def intend(self, step: FrameStep) -> int:
        attempt = 1 + sum(call[:2] == ("intend", step.frame_id) for call in self.calls)
        self.calls.append(("intend", step.frame_id, attempt))
        self.intents.append((self.now_s(), step))
        return attempt

    async def keep(self, step: FrameStep, attempt: int, frame: CameraFrame, actual: Pose) -> None:
        self.calls.append(("keep", step.frame_id, attempt))
        self.kept[step.frame_id] = frame

    async def retake(self, step: FrameStep, attempt: int, reason: str) -> None:
        self.calls.append(("retake", step.frame_id, attempt))
        self.kept.pop(step.frame_id, None)
        self.reasons.append(reason)

    async def declare_missing(self, step: FrameStep, reason: str) -> None:
        self.calls.append(("missing", step.frame_id, 0))
        self.reasons.append(reason)


class Bench:
    """One acquisition of a dark and five views on an empty tape, with faults."""

    def __init__(
        self,
        *faults: dict[str, Any],
        policy: RetryPolicy | None = None,
        change: Callable[[SimulatedInstrument], SimulatedInstrument] = lambda instrument: instrument,
        limits_now: Callable[[], Guard] | None = None,
        beside: Callable[[SimulatedInstrument, Clock], Awaitable[None]] | None = None,
        sink: MemorySink | None = None,
        cancel_at_s: float | None = None,
        specimen: Literal["empty", "nmc811"] = "empty",
        exposure_s: float = 1.0,
        policies: Policies = Policies(),
    ) -> None:
        self.policies = policies
        self.exposure_s = exposure_s
        self.cancel_at_s = cancel_at_s
        self.change, self.limits_now, self.beside = change, limits_now, beside
        self.backend = SimulatedBackend(specimen=specimen, faults=tuple(FaultSpec(**f) for f in faults))
        self.policy = policy or RetryPolicy()
        self.sink = sink or MemorySink()
        self.holds: list[tuple[str, float, float]] = []
        self.seen: list[str] = []
        self.told: list[str] = []
        self.instrument: SimulatedInstrument | None = None

    def run(self, steps: tuple[FrameStep, ...]) -> float:
        async def main() -> float:
            clock = Clock(utc_now())
            events = EventStream(clock.now_s)
            events.subscribe(lambda event: self.seen.append(event.kind))
            events.subscribe(lambda event: self.told.append(event.text))
            instrument = self.instrument = self.change(self.backend.open(clock))
            self.sink.now_s = clock.now_s
            with suppress(InstrumentUnreachable):
                await SimulatedInstrument.connect(instrument)
            somebody = asyncio.ensure_future(self.beside(instrument, clock)) if self.beside else None
            guard = Guard(instrument.describe().axes, SafetySpec(), SampleSpec())

            @asynccontextmanager
            async def hold(reason: str) -> AsyncIterator[None]:
                begun_s = clock.now_s()
                yield
                self.holds.append((reason, begun_s, clock.now_s()))

            reactions = Reactions(self.policy, self.policies)
            engine = Engine(instrument, self.sink, guard, clock, events, self.policy, hold, self.limits_now, reactions)
            acquisition = Acquisition("roi-01", 8, self.exposure_s, steps)
            task = asyncio.current_task()
            if self.cancel_at_s is not None and task is not None:
                asyncio.get_running_loop().call_at(self.cancel_at_s, task.cancel)
            try:
                await engine.configure(acquisition)
                await engine.run(acquisition.steps)
            finally:
                if somebody is not None:
                    somebody.cancel()
            return clock.now_s()

        return run(main(), VIRTUAL)

    def violations(self) -> list[str]:
        """What the instrument's own trace holds against the frames that were kept."""
        assert self.instrument is not None
        microscope = self.instrument.microscope
        steps = {step.frame_id: step for _, step in self.sink.intents}
        said = Said(
            [Intent(t_s, step.frame_id, step.pose, step.shutter_open) for t_s, step in self.sink.intents],
            [
                Kept(name, steps[name].pose, steps[name].shutter_open, frame.started_s, frame.ended_s, frame.unique_id)
                for name, frame in self.sink.kept.items()
            ],
            [(begin_s, end_s) for reason, begin_s, end_s in self.holds if "instrument lost" not in reason],
            [(0.0, 1e9)],
            safe=False,
        )
        return violations(microscope.trace(self.instrument._clock.now_s()), said, tolerances(microscope))

    def outcomes(self) -> dict[str, str]:
        return {frame: what for what, frame, _ in self.sink.calls if what in ("keep", "missing")}


STEPS = (
    FrameStep(FrameId("roi-01/dark_0000"), FrameKind.DARK, 0, Pose(200, 0, 0, 0), shutter_open=False),
    *(FrameStep(FrameId(f"roi-01/proj_{i:04d}"), FrameKind.PROJECTION, i, Pose(0, 0, 0, -90.0 + i)) for i in range(5)),
)
ALL_KEPT = dict.fromkeys((step.frame_id for step in STEPS), "keep")


def exposures(bench: Bench) -> list[str]:
    """Frame ids in the order in which they were exposed."""
    return [frame for what, frame, _ in bench.sink.calls if what == "intend"]
