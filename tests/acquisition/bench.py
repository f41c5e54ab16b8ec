"""A small acquisition on the simulated microscope, with a sink in memory and whoever stands beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from xrm_control.acquisition.engine import Engine, RetryPolicy
from xrm_control.acquisition.steps import Acquisition, FrameStep
from xrm_control.core.clock import VIRTUAL, Clock, run, utc_now
from xrm_control.core.events import EventStream
from xrm_control.core.geometry import Pose
from xrm_control.core.sample import SampleSpec
from xrm_control.devices.protocols import CameraFrame
from xrm_control.devices.safety import Guard, SafetySpec
from xrm_control.devices.simulated import FaultSpec, SimulatedBackend, SimulatedInstrument


class MemorySink:
    """Keeps what a run folder would keep, in memory, and the order in which it was told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, int]] = []
        self.kept: dict[str, CameraFrame] = {}
        self.reasons: list[str] = []

    async def intend(self, step: FrameStep) -> int:
        attempt = 1 + sum(call[:2] == ("intend", step.frame_id) for call in self.calls)
        self.calls.append(("intend", step.frame_id, attempt))
        return attempt

    async def keep(self, step: FrameStep, attempt: int, frame: CameraFrame, actual: Pose) -> None:
        self.calls.append(("keep", step.frame_id, attempt))
        self.kept[step.frame_id] = frame

    async def retake(self, step: FrameStep, attempt: int, reason: str) -> None:
        self.calls.append(("retake", step.frame_id, attempt))
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
    ) -> None:
        self.cancel_at_s = cancel_at_s
        self.change, self.limits_now, self.beside = change, limits_now, beside
        self.backend = SimulatedBackend(specimen="empty", faults=tuple(FaultSpec(**f) for f in faults))
        self.policy = policy or RetryPolicy()
        self.sink = sink or MemorySink()
        self.holds: list[tuple[str, float, float]] = []
        self.seen: list[str] = []

    def run(self, steps: tuple[FrameStep, ...]) -> float:
        async def main() -> float:
            clock = Clock(utc_now())
            events = EventStream(clock.now_s)
            events.subscribe(lambda event: self.seen.append(event.kind))
            instrument = self.change(self.backend.open(clock))
            somebody = asyncio.ensure_future(self.beside(instrument, clock)) if self.beside else None
            guard = Guard(instrument.describe().axes, SafetySpec(), SampleSpec())

            @asynccontextmanager
            async def hold(reason: str) -> AsyncIterator[None]:
                begun_s = clock.now_s()
                yield
                self.holds.append((reason, begun_s, clock.now_s()))

            engine = Engine(instrument, self.sink, guard, clock, events, self.policy, hold, self.limits_now)
            acquisition = Acquisition("roi-01", 8, 1.0, steps)
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

    def outcomes(self) -> dict[str, str]:
        return {frame: what for what, frame, _ in self.sink.calls if what in ("keep", "missing")}


STEPS = (
    FrameStep("roi-01/dark_0000", "dark", 0, Pose(200, 0, 0, 0), shutter_open=False),
    *(FrameStep(f"roi-01/proj_{i:04d}", "projection", i, Pose(0, 0, 0, -90.0 + i)) for i in range(5)),
)
ALL_KEPT = dict.fromkeys((step.frame_id for step in STEPS), "keep")


def exposures(bench: Bench) -> list[str]:
    """Frame ids in the order in which they were exposed."""
    return [frame for what, frame, _ in bench.sink.calls if what == "intend"]
