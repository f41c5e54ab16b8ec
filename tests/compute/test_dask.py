"""A real cluster of two workers: the numbers of inline, workers killed in the middle, errors that say what to do."""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import dask.config
import distributed
import numpy as np
import pytest
from pydantic import ValidationError

import xrm_control.session.processing as processing
from tests.reconstruction.phantoms import Ball, line_integrals, scan_of
from xrm_control.analysis.core import AnalysisSpec
from xrm_control.compute.dask import Dask
from xrm_control.compute.executor import Workers
from xrm_control.compute.inline import Inline
from xrm_control.core.clock import VIRTUAL, Clock, pause, run, utc_now
from xrm_control.core.errors import DataError, RecipeError, WorkersLost
from xrm_control.core.geometry import Pose
from xrm_control.recipe.handoff import HandoffSpec
from xrm_control.reconstruction.pipeline import ReconstructionSpec
from xrm_control.session.processing import ScanJob, analyse_roi, clear_scratch, reconstruct_roi
from xrm_control.storage.formats.ome_tiff import OmeTiff
from xrm_control.storage.frames import FrameStore
from xrm_control.storage.journal import Journal
from xrm_control.storage.records import Exposure, PlannedFrame, RunRecord
from xrm_control.storage.run_folder import RunFolder

ROOT = Path(__file__).parents[2]
ROI, PIXEL_UM, MU = "roi-01", 0.5, 0.05
NO_FIXED_PORT: Any = {"dashboard_address": "127.0.0.1:0", "scheduler_kwargs": {"dashboard": False}}
Result = TypeVar("Result")


def scan_job(folder: Path) -> ScanJob:
    """A run of one ROI on the disk: two spheres of 6 and 8 um in 48 rows and 64 columns, 61 views."""
    run = RunFolder.create(folder, "dask", datetime(2025, 1, 2, tzinfo=UTC), "da5c")
    theta = np.linspace(-90, 90, 61)
    balls = [Ball(-6, 2, 0, 3, MU), Ball(6, -3, 2, 4, MU)]
    integrals = line_integrals(balls, theta, columns=64, rows=48, axis_px=31.5, pixel_um=PIXEL_UM)
    scan = scan_of(integrals, theta, PIXEL_UM, noise_seed=3)
    pictures = [
        *(("projection", *view) for view in zip(scan.projections, theta, scan.time_s, strict=True)),
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


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> ScanJob:
    return scan_job(tmp_path_factory.mktemp("scan"))


def local_cluster(**more: Any) -> Any:
    return distributed.LocalCluster(**NO_FIXED_PORT, silence_logs=logging.CRITICAL, **more)


@pytest.fixture
def there(request: pytest.FixtureRequest) -> Iterator[Dask]:
    """Somebody's cluster of two processes; its scheduler picks a free port."""
    with (
        dask.config.set(getattr(request, "param", {})),
        local_cluster(n_workers=2, threads_per_worker=1, memory_limit=None) as cluster,
    ):
        yield Dask(scheduler=cluster.scheduler_address)


FIRST_DEATH_IS_THE_LAST = {"distributed.scheduler.allowed-failures": 0}


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


def die_while_publishing(job: ScanJob, mark: Path, step: int) -> dict[str, float]:
    """`reconstruct_roi` on a worker that dies before its file number `step` is given its name; the second time, not."""
    real, count = processing.publish_file, [0]

    def deadly(*arguments: Any, **named: Any) -> Path:
        count[0] += 1
        if count[0] == step and not mark.exists():
            mark.touch()
            die()
        return real(*arguments, **named)

    processing.publish_file = deadly
    try:
        quality = reconstruct_roi(job)
        if step > count[0] and not mark.exists():
            mark.touch()
            die()
        return quality
    finally:
        processing.publish_file = real


# The same numbers


def measured(job: ScanJob) -> dict[str, Any]:
    place = RunFolder.open(job.run).roi(job.roi)
    volume, voxel_um = OmeTiff().read(place.volume)
    particles = np.genfromtxt(place.path / "particles.csv", delimiter=",", names=True, dtype=None, encoding="utf-8")
    return {"volume": volume, "voxel_um": voxel_um, "particles": particles}


def process(compute: Any, job: ScanJob) -> dict[str, Any]:
    place = RunFolder.open(job.run).roi(job.roi)

    async def work(workers: Workers) -> dict[str, Any]:
        quality: dict[str, Any] = dict(await workers.run(reconstruct_roi, job))
        return quality | await workers.run(analyse_roi, place.handoff, place.path, HandoffSpec())

    return on(compute, work)


def test_the_same_numbers_as_inline(job: ScanJob, there: Dask, tmp_path: Path) -> None:
    other = scan_job(tmp_path)
    one, two = process(Inline(), job), process(there, other)
    assert one.keys() == two.keys()
    for name, value in one.items():
        assert two[name] == pytest.approx(value, rel=1e-5, abs=1e-9, nan_ok=True), name
    here, elsewhere = measured(job), measured(other)
    np.testing.assert_allclose(elsewhere["volume"], here["volume"], rtol=1e-5, atol=1e-7)
    assert len(here["particles"]) == len(elsewhere["particles"]) == 2
    for column in here["particles"].dtype.names:
        if here["particles"][column].dtype.kind == "f":
            np.testing.assert_allclose(elsewhere["particles"][column], here["particles"][column], rtol=1e-5, atol=1e-7)
    # And both are right: the diameters of the spheres that were put there.
    diameters = sorted(elsewhere["particles"]["equivalent_diameter_um"])
    np.testing.assert_allclose(diameters, [6, 8], rtol=0.05)


# Workers that die


def test_a_worker_killed_in_the_middle_costs_time_only(there: Dask, tmp_path: Path) -> None:
    mark = tmp_path / "mark"

    async def work(workers: Workers) -> tuple[int, int]:
        task = asyncio.create_task(workers.run(wait_at_first, mark))
        for _ in range(1000):
            if mark.exists() and mark.read_text().endswith("\n"):
                break
            await asyncio.get_running_loop().run_in_executor(None, pause, 0.02)
        victim = int(mark.read_text())
        os.kill(victim, signal.SIGKILL)
        return victim, await task

    victim, survivor = on(there, work)
    assert survivor not in (victim, os.getpid())


@pytest.mark.parametrize(
    ("step", "published"),
    [(1, "nothing"), (2, "a volume"), (3, "all but the hand-off"), (4, "everything, but the answer was not given")],
)
def test_killed_while_it_publishes_the_volume_is_whole(
    there: Dask, job: ScanJob, tmp_path: Path, step: int, published: str
) -> None:
    mine = scan_job(tmp_path)
    mark = tmp_path / "mark"
    quality = on(there, lambda workers: workers.run(die_while_publishing, mine, mark, step))
    assert mark.exists(), "no worker died"
    assert quality == pytest.approx(reconstruct_roi(job), rel=1e-5)
    place, right = RunFolder.open(mine.run).roi(ROI), RunFolder.open(job.run).roi(ROI)
    np.testing.assert_allclose(OmeTiff().read(place.volume)[0], OmeTiff().read(right.volume)[0], rtol=1e-5, atol=1e-7)
    left = [path for path in place.path.iterdir() if path.is_dir()]
    assert len(left) == (step < 4), "what the dead worker left"
    clear_scratch(place.path)
    assert sorted(path.name for path in place.path.iterdir()) == ["handoff.json", "volume-16bit.tif", "volume.ome.tif"]


def test_two_tries_at_once_do_not_disturb_each_other(there: Dask, tmp_path: Path) -> None:
    """A worker that was given up for lost may still be writing."""
    job = scan_job(tmp_path)

    async def work(workers: Workers) -> list[Any]:
        return await asyncio.gather(*(workers.run(reconstruct_roi, job) for _ in range(6)))

    qualities = on(there, work)
    assert all(quality == pytest.approx(qualities[0]) for quality in qualities)
    assert not list(job.run.rglob("*.part"))


@pytest.mark.parametrize("there", [FIRST_DEATH_IS_THE_LAST], indirect=True)
def test_work_that_kills_its_workers_is_given_up(there: Dask) -> None:
    with pytest.raises(WorkersLost, match=r"died while running it.* -> look at the memory"):
        on(there, lambda workers: workers.run(die))
    assert on(there, lambda workers: workers.run(square, 3)) == 9


# Its own cluster


def test_its_own_cluster_works_in_virtual_time_and_ends_with_the_block() -> None:
    async def main() -> tuple[int, float, int]:
        clock = Clock(utc_now())
        with Dask(workers=2).open() as workers:
            result = await workers.run(square, 7)
            with pytest.raises(DataError) as error:
                await workers.run(refuse)
            assert error.value.facts() == DataError("no", where="here", value=3, limit=2, remedy="less").facts()
            return result, clock.now_s(), await workers.run(whereabouts)

    result, now_s, pid = run(main(), VIRTUAL)
    assert (result, now_s) == (49, 0.0)
    assert pid != os.getpid()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_stop_abandons_what_is_in_flight(tmp_path: Path) -> None:
    async def main() -> None:
        with Dask(workers=1).open() as workers:
            flying = asyncio.create_task(workers.run(wait_at_first, tmp_path / "mark"))
            queued = asyncio.create_task(workers.run(square, 2))
            while not (tmp_path / "mark").exists():
                await asyncio.get_running_loop().run_in_executor(None, pause, 0.02)
            workers.stop()
            for task in (flying, queued):
                with pytest.raises(asyncio.CancelledError):
                    await task
            with pytest.raises(RuntimeError, match="after shutdown"):
                await workers.run(square, 2)

    bounded(main())
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "mark").read_text()), 0)


def test_a_cancelled_task_frees_the_queue(there: Dask, tmp_path: Path) -> None:
    async def work(workers: Workers) -> int:
        waiting = [asyncio.create_task(workers.run(wait_at_first, tmp_path / f"mark-{n}")) for n in range(2)]
        queued = asyncio.create_task(workers.run(Path.touch, tmp_path / "touched"))
        while not all((tmp_path / f"mark-{n}").exists() for n in range(2)):
            await asyncio.get_running_loop().run_in_executor(None, pause, 0.02)
        queued.cancel()
        for n in range(2):
            os.kill(int((tmp_path / f"mark-{n}").read_text()), signal.SIGKILL)
        await asyncio.gather(*waiting)
        return await workers.run(square, 5)

    assert on(there, work) == 25
    assert not (tmp_path / "touched").exists()


# A scheduler that is not there


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port that is taken, where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_a_scheduler_that_does_not_answer(nobody: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xrm_control.compute.dask._CONNECT_S", 1.0)
    with pytest.raises(WorkersLost, match=r"compute.scheduler: .*does not answer.*-> start it") as error:
        Dask(scheduler=f"tcp://127.0.0.1:{nobody}").open()
    assert error.value.exit_code == 3
    assert pickle.loads(pickle.dumps(error.value)).facts() == error.value.facts()


def test_a_scheduler_without_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xrm_control.compute.dask._CONNECT_S", 1.0)
    with (
        local_cluster(n_workers=0, processes=False, protocol="tcp") as empty,
        pytest.raises(WorkersLost, match=r"has no worker.*-> start some"),
    ):
        Dask(scheduler=empty.scheduler_address).open()


SCHEDULER = """
import distributed, sys
if __name__ == "__main__":
    cluster = distributed.LocalCluster(
        n_workers=1, processes=False, protocol="tcp", dashboard_address="127.0.0.1:0"
    )
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
"""


def test_a_scheduler_that_is_lost_in_the_middle(tmp_path: Path) -> None:
    scheduler = subprocess.Popen(
        [sys.executable, "-c", SCHEDULER], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert scheduler.stdout is not None
    try:

        async def work(workers: Workers) -> None:
            task = asyncio.create_task(workers.run(wait_at_first, tmp_path / "mark"))
            while not (tmp_path / "mark").exists():
                await asyncio.get_running_loop().run_in_executor(None, pause, 0.02)
            scheduler.kill()
            with pytest.raises(WorkersLost, match="connection to the scheduler"):
                await task

        on(Dask(scheduler=scheduler.stdout.readline().strip()), work)
    finally:
        scheduler.kill()
        scheduler.communicate()


# The recipe


@pytest.mark.parametrize(
    "settings",
    [
        {"scheduler": "localhost:8786"},
        {"scheduler": "tcp://localhost"},
        {"scheduler": "tcp://localhost:0"},
        {"scheduler": "tcp://localhost:65536"},
        {"scheduler": "http://localhost:8786"},
        {"scheduler": "tcp://a b:8786"},
        {"scheduler": "tcp://localhost:8786", "workers": 2},
        {"workers": 0},
    ],
)
def test_settings_that_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Dask.model_validate({"kind": "dask", **settings})


@pytest.mark.parametrize("address", ["tcp://localhost:8786", "tls://node-1.site.org:1", "tcp://[::1]:65535"])
def test_addresses_that_are_taken(address: str) -> None:
    assert Dask(scheduler=address).scheduler == address


def test_the_recipe_does_not_load_dask() -> None:
    program = "import sys, xrm_control.recipe.document; sys.exit('dask' in sys.modules or 'distributed' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_without_dask_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(RecipeError, match=r"pip install 'xrm_control\[dask\]'") as error:
        Dask().open()
    assert error.value.exit_code == 2


def test_nothing_is_left_on_the_terminal() -> None:
    """A worker dies, the block ends, the interpreter ends: no log, no traceback."""
    program = "from tests.compute.test_dask import noisy; noisy()"
    done = subprocess.run(
        [sys.executable, "-c", f"if __name__ == '__main__':\n    {program}"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "[25]\n", "")


def noisy() -> None:
    async def work(workers: Workers) -> list[int]:
        with pytest.raises(WorkersLost):
            await workers.run(die)
        with pytest.raises(DataError):
            await workers.run(refuse)
        return [await workers.run(square, 5)]

    with dask.config.set(FIRST_DEATH_IS_THE_LAST):
        print(on(Dask(workers=2), work))


def test_a_job_is_small_when_it_travels(job: ScanJob) -> None:
    """Paths and numbers travel, pictures do not."""
    pictures = sum(frame.bytes for _, frame in job.frames)
    assert len(pickle.dumps(replace(job, about={}))) < 0.2 * pictures
