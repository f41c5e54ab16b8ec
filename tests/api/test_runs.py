"""Runs from Python: in a script without a guard, inside a running event loop, interrupted there, opened again."""

from __future__ import annotations

import asyncio
import csv
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import xrm_control as xrm
from tests.system.conftest import SLAB, write_recipe
from xrm_control import app
from xrm_control.api import tables
from xrm_control.core.errors import DataError, Interrupted, RecipeError

pytestmark = pytest.mark.usefixtures("white_figures", "searched_once")
ROOT = Path(__file__).parents[2]
FEW = {
    **SLAB,
    "mosaic": {"columns": 2, "rows": 1, "flats": 1, "darks": 1},
    "scan": {"projections": 31, "useful_diameter_um": 16, "references": {"kind": "both", "count": 2}, "darks": 1},
}

SCRIPT = """
import sys
sys.path.insert(0, {root!r})
print("the script runs", flush=True)
import xrm_control as xrm
run = xrm.run({recipe!r}, out={out!r}, overrides={{"compute": {{"kind": "processes", "workers": 1}}}})
print(run.complete, len(run.rows("particles")) > 0)
"""


def test_a_script_without_a_guard_runs_its_recipe_once(tmp_path: Path) -> None:
    recipe, out = write_recipe(tmp_path, **FEW), tmp_path / "runs"
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(root=str(ROOT), recipe=str(recipe), out=str(out)))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=300, check=False)
    assert (done.stdout, done.returncode) == ("the script runs\nTrue True\n", 0), done.stderr
    assert len(list(out.iterdir())) == 1


def state_of(run: xrm.Run) -> str | None:
    state = run.status.state
    return None if state is None else state.state


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> xrm.Run:
    """Carried out inside a running event loop, as a notebook does."""
    folder = tmp_path_factory.mktemp("api")
    recipe = write_recipe(folder, **FEW)

    async def cell() -> xrm.Run:
        return xrm.run(str(recipe), out=folder / "runs", overrides={"scan.projections": 41, "name": "cell"})

    return asyncio.run(cell())


def test_a_run_inside_a_loop_is_complete_and_has_the_overrides(run: xrm.Run) -> None:
    assert run.complete
    assert len(run.rows("particles")) > 0
    assert app.load(run.folder / "recipe.yaml").recipe.scan.projections == 41
    assert run.folder.name.split("_")[1] == "cell"
    assert run.report.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert state_of(run) == "done"


def test_tables_hold_what_the_files_hold(run: xrm.Run) -> None:
    with (run.folder / "roi-01" / "particles.csv").open(encoding="utf-8") as file:
        told = list(csv.DictReader(file))
    rows = run.rows("particles")
    assert [(row["particle_id"], row["roi"]) for row in rows] == [(int(row["particle_id"]), row["roi"]) for row in told]
    assert [row["volume_um3"] for row in rows] == [float(row["volume_um3"]) for row in told]
    assert len(run.rows("voids")) == len(run.voids)


def test_tables_are_data_frames_of_pandas(run: xrm.Run) -> None:
    pandas = pytest.importorskip("pandas")
    frame = run.particles
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame["particle_id"]) == [row["particle_id"] for row in run.rows("particles")]


@pytest.mark.parametrize("absent", [("pandas",), ("pandas", "polars")])
def test_without_pandas_they_are_of_polars_or_rows(
    run: xrm.Run, monkeypatch: pytest.MonkeyPatch, absent: tuple[str, ...]
) -> None:
    monkeypatch.setattr(tables, "_FRAMES", tuple(name for name in ("pandas", "polars") if name not in absent))
    expected = run.rows("particles")
    if "polars" in absent:
        assert run.particles == expected
    else:
        polars = pytest.importorskip("polars")
        assert isinstance(run.particles, polars.DataFrame)


def test_a_volume_comes_with_its_voxel_size(run: xrm.Run) -> None:
    volume, voxel_um = run.volume()
    handoff = json.loads((run.folder / "roi-01" / "handoff.json").read_text())
    assert (list(volume.shape), voxel_um) == (handoff["shape"], pytest.approx(handoff["voxel_size_um"]))


def test_a_run_is_opened_again(run: xrm.Run) -> None:
    again = xrm.open_run(str(run.folder))
    assert again == run
    assert again.results == run.results


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no run folder"):
        xrm.open_run(tmp_path)


def test_check_plan_and_load(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, **FEW)
    loaded = xrm.load(recipe, {"roi": {"kind": "grid", "columns": 2, "rows": 1}, "mosaic.columns": 3})
    assert xrm.check(loaded).rois == 2
    assert xrm.plan(recipe, tmp_path).total_s == xrm.check(recipe).total_s
    with pytest.raises(RecipeError, match="overrides"):
        xrm.load(loaded, {"name": "x"})


WRONG: list[tuple[dict[str, object], str]] = [
    ({"scan.binning": 3}, "scan.binning"),
    ({"scan.exposure_s": {1, 2}}, "no such value"),
    ({"scan.projektions": 5}, "projections"),
    ({"name": 5}, "name"),
]


@pytest.mark.parametrize(("overrides", "text"), WRONG)
def test_a_wrong_override_is_named(tmp_path: Path, overrides: dict[str, object], text: str) -> None:
    with pytest.raises(RecipeError, match=text):
        xrm.load(write_recipe(tmp_path), overrides)


def test_text_that_looks_like_a_number_stays_text(tmp_path: Path) -> None:
    assert xrm.load(write_recipe(tmp_path), {"name": "007", "sample.name": "1e3"}).recipe.sample.name == "1e3"


def test_an_interrupt_inside_a_loop_ends_the_run_safely(tmp_path: Path) -> None:
    """As a notebook's stop button: the main thread waits with a KeyboardInterrupt coming, a thread does the work."""
    recipe, heard = write_recipe(tmp_path, **FEW), 0

    def listener(_: Any) -> None:
        nonlocal heard
        heard += 1
        if heard == 30:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    async def cell() -> None:
        # Where asyncio would cancel the cell, a kernel lets the interrupt be raised.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        xrm.run(recipe, out=tmp_path / "runs", speed=20, listener=listener)

    with pytest.raises(Interrupted, match="Ctrl-C") as ended:
        asyncio.run(cell())
    (folder,) = (tmp_path / "runs").iterdir()
    assert ended.value.__notes__ == [f"run folder: {folder}"]
    assert state_of(xrm.open_run(folder)) == "aborted"


def test_a_script_keeps_its_signal_handlers(tmp_path: Path) -> None:
    def mine(number: int, frame: object) -> None: ...

    before = signal.signal(signal.SIGTERM, mine)
    try:
        xrm.run(write_recipe(tmp_path, **FEW), out=tmp_path / "runs", overrides={"scan.projections": 7})
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, before)
