"""A cluster of real processes, a run on the disk for it, and what its workers do."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import distributed
import numpy as np

from tests.reconstruction.phantoms import Ball, line_integrals, scan_of
from xrm_control.analysis.core import AnalysisSpec
from xrm_control.compute.executor import Workers
from xrm_control.core.clock import run
from xrm_control.core.errors import DataError
from xrm_control.core.geometry import Pose
from xrm_control.reconstruction.pipeline import ReconstructionSpec
from xrm_control.session.processing import ScanJob
from xrm_control.storage.frames import FrameStore
from xrm_control.storage.journal import Journal
from xrm_control.storage.records import Exposure, PlannedFrame, RunRecord
from xrm_control.storage.run_folder import RunFolder

ROI, PIXEL_UM, MU = "roi-01", 0.5, 0.05
NO_FIXED_PORT: Any = {"dashboard_address": "127.0.0.1:0", "scheduler_kwargs": {"dashboard": False}}
Result = TypeVar("Result")
FIRST_DEATH_IS_THE_LAST = {"distributed.scheduler.allowed-failures": 0}


def scan_job(folder: Path) -> ScanJob:
    """A run of one ROI on the disk: two spheres of 6 and 8 um in 48 rows and 64 columns, 61 views."""
    run = RunFolder.create(folder, "dask", datetime(2025, 1, 2, tzinfo=UTC), "da5c")
    theta = np.linspace(-90, 90, 61)
    balls = [Ball(-6, 2, 0, 3, MU), Ball(6, -3, 2, 4, MU)]
    integrals = line_integrals(balls, theta, columns=64, rows=48, axis_px=31.5, pixel_um=PIXEL_UM)
    scan = scan_of(integrals, theta, PIXEL_UM, noise_seed=3)
    pictures = [
        *(("projection", *view) for view in zip(scan.projections[:], theta, scan.time_s, strict=True)),
        *(("flat", image, 0.0, t_s) for image, t_s in zip(scan.flats, scan.flat_time_s, strict=True)),
        *(("dark", image, 0.0, 0.0) for image in scan.darks),
    ]
    record = RunRecord(run.name, "dask", "0" * 64, "simulated", True, "")
    with Journal.create(run.journal, record) as journal:
        store = FrameStore(run, journal)
        for number, (kind, image, angle, t_s) in enumerate(pictures):
            pose = Pose(0, 0, 0, float(angle))
            name = f"{ROI}/{kind}_{number:04d}"
            journal.plan_frames([PlannedFrame(name, "scanning", kind, number, pose, 1, 8, ROI)])
            attempt = journal.intend(name, theta_deg=pose.theta_deg, t_s=number)
            store.store(name, attempt, image, Exposure(pose, float(t_s), float(t_s), number))
        frames = journal.stored_frames(ROI)
    return ScanJob(
        run=run.path,
        roi=ROI,
        centre_um=(10, 20, 30),
        pixel_size_um=PIXEL_UM,
        detector_rows=48,
        frames=frames,
        reconstruction=ReconstructionSpec(),
        analysis=AnalysisSpec(),
        volume_16bit=True,
        about={"sample": {}, "recipe": {"name": "dask", "sha256": "0" * 64}},
    )


def local_cluster(**more: Any) -> Any:
    return distributed.LocalCluster(**NO_FIXED_PORT, silence_logs=logging.CRITICAL, **more)


def bounded(main: Coroutine[Any, Any, Result]) -> Result:
    """Run on the wall clock, 120 s at most."""
    return run(asyncio.wait_for(main, 120), 1)


def on(compute: Any, work: Callable[[Workers], Coroutine[Any, Any, Result]]) -> Result:
    async def main() -> Result:
        with compute.open() as workers:
            return await work(workers)

    return bounded(main())


# What the workers do


def square(value: int) -> int:
    return value * value


def whereabouts() -> int:
    return os.getpid()


def refuse() -> None:
    raise DataError("no", where="here", value=3, limit=2, remedy="less")


def die() -> None:
    # A worker that dies in the moment of its start is not started again by dask.
    threading.Event().wait(2)
    os.kill(os.getpid(), signal.SIGKILL)


def wait_at_first(mark: Path) -> int:
    """Say where it runs, and wait to be killed; the second time, return at once."""
    try:
        with mark.open("x") as file:
            file.write(f"{os.getpid()}\n")
    except FileExistsError:
        return os.getpid()
    threading.Event().wait(100)
    raise AssertionError("nobody killed this worker")
