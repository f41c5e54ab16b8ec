"""Sessions over Channel Access that die, are paused, aborted or met by another one: what becomes of the instrument."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import epics
import pytest

from tests.ioc_process import ROOT, IocProcess
from tests.system.over_channel_access import FRAMES, Run, after, recipe_for
from tests.system.shared_ioc import get, put, wait_for
from xrm_control import app
from xrm_control.contracts.commands import Continue, Pause
from xrm_control.core.events import SafeStateVerified, SampleCompared
from xrm_control.core.states import Verdict
from xrm_control.devices.epics import supervision
from xrm_control.storage.durable import sha256_file
from xrm_control.storage.journal import JournalReader

pytestmark = pytest.mark.usefixtures("white_figures", "searched_once")


def test_a_second_session_is_refused_and_touches_nothing(tmp_path: Path, slow: IocProcess) -> None:
    """While a run is under way another one finds the owner alive, and leaves the instrument alone."""
    second: list[subprocess.CompletedProcess[str]] = []

    def intrude() -> None:
        # Else a busy machine starts the second when the first has ended.
        (first,) = (tmp_path / "runs").iterdir()
        app.send(first, Pause(), within_s=120.0)
        folder = tmp_path / "second"
        folder.mkdir()
        recipe = recipe_for(folder, slow)
        command = [sys.executable, "-m", "xrm_control.cli", "run", str(recipe), "--out", str(folder / "runs")]
        second.append(
            subprocess.run(
                command,
                cwd=ROOT,
                env={**os.environ, **slow.environment},
                capture_output=True,
                text=True,
                timeout=600,
            )
        )
        app.send(first, Continue(), within_s=120.0)

    run = Run(tmp_path, slow, {"mosaic/tile_r00_c01": intrude})
    assert run.is_whole(), run.error
    assert second[0].returncode == 6, second[0].stderr
    assert "in use on this machine by process" in second[0].stderr


def test_a_session_that_dies_leaves_the_shutter_to_the_dead_man(tmp_path: Path, slow: IocProcess) -> None:
    """kill -9 in the middle of the scan: three seconds later the IOC has closed the shutter and freed the owner."""
    recipe = recipe_for(tmp_path, slow)
    command = [sys.executable, "-m", "xrm_control.cli", "run", str(recipe), "--out", str(tmp_path / "runs")]
    client = {**os.environ, **slow.environment}
    with subprocess.Popen(command, cwd=ROOT, env=client, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        wait_for(slow, "Scan:ScanStatus", "scanning")
        wait_for(slow, "Shutter:Fast_RBV", "Open")
        run.kill()
    assert get(slow, "Owner") != ""
    wait_for(slow, "Watchdog:Tripped_RBV", "Yes", within_s=60)
    wait_for(slow, "Shutter:Fast_RBV", "Closed", within_s=60)
    assert get(slow, "Owner") == ""


@pytest.mark.parametrize("dead_man", [False, True], ids=["at once", "after the dead-man"])
def test_a_session_that_dies_is_gone_on_with(tmp_path: Path, slow: IocProcess, dead_man: bool) -> None:
    """kill -9 in the middle of the scan, then `xrm resume`: the IOC has lived on, and its camera has counted on."""
    recipe = recipe_for(tmp_path, slow)
    xrm, client = [sys.executable, "-m", "xrm_control.cli"], {**os.environ, **slow.environment}
    begin = [*xrm, "run", str(recipe), "--out", str(tmp_path / "runs")]
    with subprocess.Popen(begin, cwd=ROOT, env=client, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        wait_for(slow, "Scan:ScanStatus", "scanning")
        wait_for(slow, "Shutter:Fast_RBV", "Open")
        run.kill()
    (folder,) = (tmp_path / "runs").iterdir()
    with JournalReader.open(folder / "journal.sqlite") as journal:
        kept, stood_s = {plan.frame_id for plan, _ in journal.stored_frames()}, journal.last_t_s()
    if dead_man:
        wait_for(slow, "Watchdog:Tripped_RBV", "Yes", within_s=60)
    resume = [*xrm, "resume", str(folder)]
    done = subprocess.run(resume, cwd=ROOT, env=client, capture_output=True, text=True, timeout=600)
    # Nine views need not make a volume worth measuring.
    assert done.returncode in (0, 5), done.stderr
    with JournalReader.open(folder / "journal.sqlite") as journal:
        frames, accounting = journal.stored_frames(), journal.accounting()
    assert accounting.complete
    assert (accounting.kept, accounting.retaken <= 1) == (FRAMES, True)
    anew = [frame for plan, frame in frames if plan.frame_id not in kept]
    assert all(frame.exposure.t_start_s > (stood_s or 0.0) for frame in anew)
    assert get(slow, "Shutter:Fast_RBV", as_string=True) == "Closed"


def test_an_operators_abort_ends_the_run_safely(tmp_path: Path, slow: IocProcess) -> None:
    run = Run(tmp_path, slow, {"roi-01/proj_0003": lambda: put(slow, "Scan:AbortScan", 1)})
    assert get(slow, "Shutter:Fast_RBV", as_string=True) == "Closed"
    assert get(slow, "Scan:StartScan", as_string=True) == "Done"
    assert get(slow, "Scan:ScanStatus") == "aborted"
    assert get(slow, "Scan:AbortScan") == 0
    assert run.code == 130
    assert "AbortScan" in str(run.error)
    assert run.texts(SafeStateVerified.kind)
    assert run.results["verdict"]["status"] == Verdict.ABORTED


def test_a_pause_lasts_and_the_dead_man_stays_up(tmp_path: Path, slow: IocProcess) -> None:
    """Paused for several times the dead-man's three seconds, after the sample of a longer pause was looked at again."""
    seen: dict[str, Any] = {}

    def pause() -> None:
        epics.ca.use_initial_context()
        (folder,) = (tmp_path / "runs").iterdir()
        app.send(folder, Pause(), within_s=120.0)
        while get(slow, "Scan:ScanStatus") != "paused":
            threading.Event().wait(0.05)
        for _ in range(5):
            threading.Event().wait(2.0)
            for name in ("Shutter:Fast_RBV", "Watchdog:Tripped_RBV", "Sample:Theta.DMOV", "Owner"):
                seen.setdefault(name, set()).add(get(slow, name))
        app.send(folder, Continue(), within_s=120.0)

    run = Run(tmp_path, slow, {"roi-01/proj_0003": pause})
    assert run.is_whole(), run.error
    assert [len(values) for values in seen.values()] == [1] * 4
    assert (seen["Sample:Theta.DMOV"], seen["Watchdog:Tripped_RBV"]) == ({1}, {0})
    assert seen["Shutter:Fast_RBV"] == {0}
    # Ten seconds of the wall clock are forty of this instrument's: time enough for somebody to touch the sample.
    assert run.texts(SampleCompared.kind)


def test_a_run_that_computes_for_long_raises_no_false_alarm(
    tmp_path: Path, slow: IocProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the last frame it asks the instrument for nothing, for longer than a session that hangs is given."""
    watched: dict[str, set[Any]] = {"Watchdog:Tripped_RBV": set(), "Watchdog:Armed_RBV": set(), "Owner": set()}
    hashed_by: set[str] = set()

    def hash_(path: Path) -> str:
        if path.suffix == ".tif" and path.parent.name == "roi-01":
            hashed_by.add(threading.current_thread().name)
        return sha256_file(path)

    def watch() -> None:
        epics.ca.use_initial_context()
        wait_for(slow, "Scan:ScanStatus", "finishing")
        monkeypatch.setattr(supervision, "_HUNG_AFTER_S", 1.0)
        while get(slow, "Scan:ScanStatus") != "done":
            for name, values in watched.items():
                values.add(get(slow, name))
            threading.Event().wait(0.2)

    monkeypatch.setattr("xrm_control.storage.artifacts.sha256_file", hash_)
    handoff = {"command": [sys.executable, "-c", "import time; time.sleep(6)"]}
    run = Run(tmp_path, slow, {"roi-01/flat_0001": watch}, handoff=handoff)
    assert run.is_whole(), run.error
    assert watched["Watchdog:Tripped_RBV"] == {0}
    assert 0 in watched["Watchdog:Armed_RBV"]
    assert len(watched["Owner"] - {""}) == 1
    assert get(slow, "Owner") == ""
    # Nor does the event loop, which kicks, hash what takes long.
    assert hashed_by
    assert threading.current_thread().name not in hashed_by


def test_the_panel_shows_how_far_a_run_has_come(tmp_path: Path, slow: IocProcess) -> None:
    seen: dict[str, Any] = {}

    def look() -> None:
        epics.ca.use_initial_context()
        for name in ("ImagesCollected", "ImagesTotal", "RemainingTime", "ElapsedTime", "RunName"):
            seen[name] = get(slow, f"Scan:{name}")

    run = Run(tmp_path, slow, {"roi-01/proj_0003": after(0.3, look)})
    assert get(slow, "Scan:ScanStatus") == "done"
    assert run.is_whole(), run.error
    assert FRAMES - 9 <= seen["ImagesCollected"] < FRAMES
    assert seen["ImagesTotal"] == FRAMES
    assert seen["RemainingTime"] > 0
    assert seen["ElapsedTime"] > 10
    assert seen["RunName"] == run.folder.name[:39]
