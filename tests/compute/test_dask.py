"""A real cluster of two workers: the numbers of inline, its own cluster, what a recipe may say."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tests.compute.cluster import (
    bounded,
    on,
    refuse,
    square,
    wait_at_first,
    whereabouts,
)
from tests.scan_on_disk import scan_job
from xrm_control.compute.dask import Dask
from xrm_control.compute.executor import Workers
from xrm_control.compute.inline import Inline
from xrm_control.core.clock import VIRTUAL, Clock, pause, run, utc_now
from xrm_control.core.cpus import cpus
from xrm_control.core.errors import DataError, RecipeError
from xrm_control.processing.regions import ScanJob, analyse_roi, hand_over, reconstruct_roi
from xrm_control.recipe.handoff import TakerSpec
from xrm_control.storage.formats.registry import read_volume
from xrm_control.storage.run_folder import RunFolder

ROOT = Path(__file__).parents[2]


# The same numbers


def measured(job: ScanJob) -> dict[str, Any]:
    place = RunFolder.open(job.scan.run).roi(job.scan.roi)
    volume, voxel_um = read_volume(place.volume)
    particles = np.genfromtxt(place.path / "particles.csv", delimiter=",", names=True, dtype=None, encoding="utf-8")
    return {"volume": volume, "voxel_um": voxel_um, "particles": particles}


def process(compute: Any, job: ScanJob) -> dict[str, Any]:
    place = RunFolder.open(job.scan.run).roi(job.scan.roi)

    async def work(workers: Workers) -> dict[str, Any]:
        quality = (await reconstruct_roi(workers, job)).quality
        return quality.joined(await workers.run(analyse_roi, place.handoff, place.path, TakerSpec())).stated()

    return on(compute, work)


def test_the_same_numbers_as_inline(job: ScanJob, there: Dask, tmp_path: Path) -> None:
    other = scan_job(tmp_path)
    one, two = process(Inline(), job), process(there, other)
    assert one.keys() == two.keys()
    assert one.pop("void_detection") == two.pop("void_detection")
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


@pytest.mark.parametrize("count", [cpus(), 2 * cpus()])
def test_a_volume_in_parts_by_several_workers_is_the_one_made_here(tmp_path: Path, count: int) -> None:
    here, there = scan_job(tmp_path / "a", rows_at_a_time=4), scan_job(tmp_path / "b", rows_at_a_time=4)
    assert len(there.volume.parts) == 12
    one, two = process(Inline(), here), process(Dask(workers=count), there)
    assert one.pop("void_detection") == two.pop("void_detection")
    assert two == pytest.approx(one, rel=1e-5, abs=1e-9, nan_ok=True)
    one, two = measured(here), measured(there)
    np.testing.assert_allclose(two["volume"], one["volume"], rtol=1e-5, atol=1e-7)
    assert len(one["particles"]) == len(two["particles"]) == 2
    assert not list(there.scan.run.rglob("*.part"))


def test_two_tries_at_once_do_not_disturb_each_other(there: Dask, tmp_path: Path) -> None:
    """A worker that was given up for lost may still be writing."""
    job = scan_job(tmp_path)

    async def work(workers: Workers) -> list[Any]:
        return await asyncio.gather(*(workers.run(hand_over, job) for _ in range(6)))

    qualities = on(there, work)
    assert all(one.quality.stated() == pytest.approx(qualities[0].quality.stated()) for one in qualities)
    assert not list(job.scan.run.rglob("*.part"))


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


def test_a_job_is_small_when_it_travels(job: ScanJob) -> None:
    """Paths and numbers travel, pictures do not."""
    pictures = sum(frame.bytes for _, frame in job.scan.frames)
    assert len(pickle.dumps(replace(job, sample=None))) < 0.2 * pictures
