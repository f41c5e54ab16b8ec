"""What control costs per projection, over Channel Access, when motion and exposure take no time.

One IOC serves two clients in turn: this project's engine, with every check and each frame durable before it counts, and
a Bluesky step scan over ophyd devices. Both turn theta and take one frame of 128 x 128 at each of the angles. The IOC
is the simulated one, with motor records and areaDetector, where Bluesky saves its frames by the HDF5 plugin; or EPICS
base itself (`control_softioc`), where an axis is an output and a read-back, and Bluesky reads arrays and saves nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import numpy as np

from benchmarks.timing import Row
from xrm_control.acquisition.engine import Engine, RetryPolicy
from xrm_control.acquisition.steps import Acquisition, FrameStep
from xrm_control.core.clock import Clock, run, stopwatch, utc_now
from xrm_control.core.events import EventStream
from xrm_control.core.frame_id import FrameId
from xrm_control.core.geometry import Pose
from xrm_control.core.sample import SampleSpec
from xrm_control.core.states import FrameKind
from xrm_control.devices.epics import EpicsBackend
from xrm_control.devices.epics.pv_map import PvMap
from xrm_control.devices.protocols import CameraFrame
from xrm_control.devices.safety import Guard, SafetySpec
from xrm_control.recipe.loading import load_document
from xrm_control.storage.frame_writer import FrameWriter
from xrm_control.storage.frames import FrameStore
from xrm_control.storage.journal import Journal
from xrm_control.storage.records import Exposure, PlannedFrame, RunRecord
from xrm_control.storage.run_folder import RunFolder

ROOT = Path(__file__).parents[1]
PROJECTIONS = 141
_ROUNDS = 5
PREFIX = "BENCH:"
CAPROTO, SOFTIOC = "caproto", "softioc"
_PEER = {CAPROTO: "Bluesky and ophyd, HDF5 plugin", SOFTIOC: "Bluesky and ophyd, array read, nothing saved"}
Result = TypeVar("Result")


def rows(kind: str = CAPROTO) -> list[Row]:
    """This project beside Bluesky on one kind of IOC, and its target of 10 ms."""
    with _ioc(kind) as environment:
        # In turn, so that a machine that slows down slows both.
        clients = ("benchmarks.control", "benchmarks.bluesky_scan")
        found = [[_timed(client, kind, environment) for client in clients] for _ in range(_ROUNDS)]
    ours, peer = (statistics.median(times) for times in zip(*found, strict=True))
    best = min(times[0] for times in found)
    what = f"per projection over Channel Access, {kind}, {PROJECTIONS} angles, median"
    return [
        Row(what, _PEER[kind], peer, 1.0, "itself"),
        Row(
            what,
            "xrm_control, durable frames",
            ours,
            peer / ours,
            "Bluesky",
            f"{best / 0.010:.2f} of the 10 ms at best",
        ),
    ]


@contextlib.contextmanager
def _ioc(kind: str) -> Iterator[dict[str, str]]:
    """An instant IOC of its own; yields the environment of its clients."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "EPICS_CA_ADDR_LIST": f"127.0.0.1:{port}", "EPICS_CA_AUTO_ADDR_LIST": "NO",
                   "EPICS_CA_SERVER_PORT": str(port), "OMP_NUM_THREADS": "1"}  # fmt: skip
    arguments = ["--prefix", PREFIX, "--port", str(port), "--specimen", "empty", "--instant"]
    command = ["simulators.ioc", *arguments] if kind == CAPROTO else ["benchmarks.soft_ioc", PREFIX]
    server = {**environment, "EPICS_CAS_SERVER_PORT": str(port), "EPICS_CAS_INTF_ADDR_LIST": "127.0.0.1"}
    with subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=environment if kind == CAPROTO else server,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as ioc:
        try:
            if ioc.stdout is None or not any(line.startswith("ready") for line in ioc.stdout):
                raise RuntimeError(f"the IOC by {kind} did not start")
            yield environment
        finally:
            ioc.terminate()


def _timed(module: str, kind: str, environment: dict[str, str]) -> float:
    """Median seconds per projection of a client in a process of its own."""
    command = [sys.executable, "-m", module, kind]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1])["median_s"])


class _Sink:
    """The run folder's way of keeping a frame: intent, then file, hash, flush, rename, commit."""

    def __init__(self, store: FrameStore, journal: Journal) -> None:
        self._writer = FrameWriter(store, journal)
        self._disk = ThreadPoolExecutor(1)
        self._passed_s = stopwatch()
        self.moments_s: list[float] = []

    async def intend(self, step: FrameStep) -> int:
        wanted = self._writer.want(step.frame_id, theta_deg=step.pose.theta_deg, t_s=0.0)
        return await self._run(lambda: self._writer.intend(wanted))

    async def keep(self, step: FrameStep, attempt: int, frame: CameraFrame, actual: Pose) -> None:
        exposure = Exposure(actual, frame.started_s, frame.ended_s, frame.unique_id)
        await self._run(lambda: self._writer.keep(step.frame_id, attempt, frame.image, exposure))
        self.moments_s.append(self._passed_s())

    async def retake(self, step: FrameStep, attempt: int, reason: str) -> None:
        raise RuntimeError(f"{step.frame_id} was retaken: {reason}")

    async def declare_missing(self, step: FrameStep, reason: str) -> None:
        raise RuntimeError(f"{step.frame_id} is missing: {reason}")

    async def _run(self, call: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._disk, call)


def _map(kind: str) -> PvMap:
    """The shipped map; with axes of two PVs each, and without what EPICS base has not, for softioc."""
    pv_map = load_document(ROOT / "recipes/instruments/simulated_ioc.yaml", PvMap, {"prefix": PREFIX})[0]
    if kind == CAPROTO:
        return pv_map
    content = pv_map.model_dump(mode="json", exclude={"supervision", "scan_status"})
    content["source"] |= {"available": [], "permits": [], "flux": None}
    for axis in content["axes"].values():
        record = axis.pop("record")
        axis |= {"kind": "plain", "setpoint": record, "readback": f"{record}_RBV", "settle_s": 0.0}
    return PvMap.model_validate(content)


async def _scan(folder: RunFolder, journal: Journal, kind: str) -> float:
    pv_map = _map(kind)
    clock = Clock(utc_now())
    instrument = EpicsBackend(map=pv_map).open(clock)
    await instrument.connect()
    angles = np.linspace(-90, 90, PROJECTIONS)
    steps = tuple(
        FrameStep(FrameId.projection("roi-01", i), FrameKind.PROJECTION, i, Pose(0, 0, 0, float(angle)))
        for i, angle in enumerate(angles)
    )
    acquisition = Acquisition("roi-01", 8, 1e-6, steps)
    journal.plan_frames(
        PlannedFrame(step.frame_id, "roi-01", FrameKind.PROJECTION, step.index, step.pose, 1e-6, 8, "roi-01")
        for step in steps
    )
    sink = _Sink(FrameStore(folder, journal), journal)
    guard = Guard(instrument.describe().axes, SafetySpec(), SampleSpec())
    engine = Engine(instrument, sink, guard, clock, EventStream(clock.now_s), RetryPolicy(flux_floor=0.01), _no_hold)
    await engine.configure(acquisition)
    await engine.run(steps)
    await instrument.make_safe()
    await instrument.disconnect()
    return float(np.median(np.diff(sink.moments_s)))


@asynccontextmanager
async def _no_hold(reason: str) -> AsyncIterator[None]:
    raise RuntimeError(f"the scan was held: {reason}")
    yield


def main() -> None:
    """One scan by this project; prints the median as JSON."""
    with tempfile.TemporaryDirectory(dir=ROOT) as root:
        folder = RunFolder.create(Path(root), "bench", datetime(2000, 1, 1, tzinfo=UTC), "0000")
        record = RunRecord(folder.name, "bench", "0" * 64, "epics", False, "2000-01-01T00:00:00+00:00")
        with Journal.create(folder.journal, record) as journal:
            print(json.dumps({"median_s": run(_scan(folder, journal, sys.argv[1]), 1.0)}))


if __name__ == "__main__":
    main()
