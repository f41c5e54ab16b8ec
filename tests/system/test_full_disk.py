"""A disk that is full to its last byte or its last file: the run says so itself, and goes on when there is room.

The judge is the kernel: a file system in memory that something else fills, and that the test empties again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.app.queues import until
from tests.session.scripted import FRAMES_OF_SMALL, SMALL
from tests.storms.failing_disk import Fault, Server, compiled
from tests.system.conftest import write_recipe
from tests.system.test_queue import frames_of
from xrm_control import app
from xrm_control.app.queue import items, runner
from xrm_control.app.queue.items import Wanted
from xrm_control.core.errors import DiskFull
from xrm_control.core.events import AnyEvent, FrameKept, RunFailed, SafeStateVerified
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.queue_states import ItemState
from xrm_control.core.states import RunState
from xrm_control.storage.durable import sha256_file
from xrm_control.storage.journal import Journal, JournalReader
from xrm_control.storage.queue_folder import QueueFolder
from xrm_control.storage.reserve import RESERVE
from xrm_control.storage.run_folder import RunFolder

# Seven views hold no particle that could be measured: the region is set aside.
ENDED = ExitCode.PARTLY


@contextmanager
def mounted(place: Path, options: str) -> Iterator[Path]:
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True)
    if done.returncode:
        pytest.skip("this user may not mount a file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", "size=64m") as place:
        yield place


def fill(disk: Path) -> None:
    """To the last byte."""
    with open(disk / "ballast", "ab", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096):
            pass


def fill_with_names(disk: Path) -> None:
    """To the last file."""
    (disk / "names").mkdir()
    with suppress(OSError):
        for number in range(10_000_000):
            (disk / "names" / str(number)).touch()


def carried_out(recipe: Path, disk: Path, after: int, fills: Any) -> tuple[RunFolder, DiskFull]:
    """A run under which the disk is filled when so many frames are kept: its folder, and what it ended with."""
    kept = 0

    def listen(event: AnyEvent) -> None:
        nonlocal kept
        if isinstance(event, FrameKept):
            kept += 1
            if kept == after:
                fills(disk)

    with pytest.raises(DiskFull) as ended:
        app.run(app.load(recipe), disk / "runs", None, listen)
    (path,) = (disk / "runs").iterdir()
    return RunFolder(path), ended.value


def status(folder: RunFolder) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "xrm_control.cli", "status", str(folder.path)],
        env={**os.environ, "COLUMNS": "2000"}, capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("after", [1, 5, 9, FRAMES_OF_SMALL - 1])
def test_it_says_so_itself_and_goes_on_when_there_is_room(tmp_path: Path, disk: Path, after: int) -> None:
    folder, error = carried_out(write_recipe(tmp_path, **SMALL), disk, after, fill)
    assert "the disk is full" in str(error)
    with JournalReader.open(folder.journal) as journal:
        state, committed = journal.state(), dict(journal._connection.execute("SELECT path, sha256 FROM committed"))
        (failed,) = journal.events_of(RunFailed.kind)
        assert journal.events_of(SafeStateVerified.kind)
    assert state is not None
    assert state.state is RunState.FAILED
    assert "the disk is full" in state.reason
    assert failed.data["error"] == "DiskFull"
    assert folder.results.is_file()
    assert folder.report.is_file()
    said = status(folder)
    assert said.returncode == 0, said.stdout + said.stderr
    assert "the disk is full" in said.stdout
    assert "free space" in said.stdout
    assert "xrm resume" in said.stdout
    assert "died" not in said.stdout
    # Still full: refused, and nothing is changed by it.
    fill(disk)
    with pytest.raises(DiskFull):
        app.resume(folder.path)
    (disk / "ballast").unlink()
    assert app.resume(folder.path).exit_code == ENDED
    assert {name: sha256_file(folder.path / name) for name in committed} == committed
    with JournalReader.open(folder.journal) as journal:
        assert journal.accounting().kept == FRAMES_OF_SMALL
    assert not (folder.path / RESERVE).exists()


def test_no_more_files_though_there_is_space(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=64m,nr_inodes=300") as disk:
        folder, error = carried_out(write_recipe(tmp_path, **SMALL), disk, 5, fill_with_names)
        assert "takes no more files, though it has space" in str(error)
        assert "takes no more files" in status(folder).stdout
        subprocess.run(["rm", "-r", str(disk / "names")], check=True)
        assert app.resume(folder.path).exit_code == ENDED


def test_a_queue_leaves_the_item_and_goes_on_with_it_when_there_is_room(tmp_path: Path, disk: Path) -> None:
    """Its own files are on the full disk too: the item's end is on record all the same."""
    queue, recipe = disk / "queue", write_recipe(tmp_path, **SMALL)
    for number, name in enumerate(("one", "two")):
        items.add(queue, recipe, {}, Wanted(name=name, at_um=(0.0, 20.0 * number)))
    night = subprocess.Popen(
        [sys.executable, "-m", "xrm_control.cli", "queue", "run", "--queue", str(queue)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    until(lambda: frames_of(queue, 1) > 2, 300)
    fill(disk)
    said, _ = night.communicate(timeout=300)
    assert night.returncode == ExitCode.PARTLY, said
    assert "Traceback" not in said
    states = {item.name: item for item in QueueFolder.open(queue).read().items.values()}
    assert states["one"].state is ItemState.WAITING
    assert "left: " in states["one"].reason
    assert "the disk is full" in states["one"].reason
    assert states["two"].state is ItemState.WAITING
    (disk / "ballast").unlink()
    carried = runner.run(queue, None)
    assert carried.exit_code == ExitCode.PARTLY
    after = {item.name: item.state for item in QueueFolder.open(queue).read().items.values()}
    assert after == {"one": ItemState.INCOMPLETE, "two": ItemState.INCOMPLETE}
    assert frames_of(queue, 1) == frames_of(queue, 2) == FRAMES_OF_SMALL


@pytest.mark.parametrize(
    ("trouble", "told"),
    [("full", "the disk is full, so that an end"), ("ro", "the disk is mounted read-only, so that")],
)
def test_one_that_was_killed_there_is_told_with_what_keeps_its_end_from_being_recorded(
    tmp_path: Path, disk: Path, trouble: str, told: str
) -> None:
    folder, _ = carried_out(write_recipe(tmp_path, **SMALL), disk, 5, fill)
    (disk / "ballast").unlink()
    with Journal.open(folder.journal) as journal:
        journal.set_state(RunState.SCANNING, t_s=1e4)
    if trouble == "full":
        fill(disk)
    else:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    said = status(folder)
    assert said.returncode == ExitCode.DIED
    assert told in said.stdout


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("shim")
    with compiled(folder, write_recipe(folder, **SMALL)) as one:
        yield one


# Calls before the last one of a run that meets a full disk: from the frame that found no room to the report.
LAST = [2, 9, 17, 25, *(pytest.param(n, marks=pytest.mark.soak) for n in range(1, 60, 3) if n not in (25,))]


@pytest.mark.parametrize("before_the_end", LAST)
def test_killed_while_its_end_is_put_on_record(runs: Server, disk: Path, before_the_end: int) -> None:
    """In the room that was kept back, or before it is given back: nothing kept is lost, and with room it goes on."""
    whole = runs.run(Fault("disk", "SIGKILL", 0, fill_after=12), disk / "whole")
    assert "disk is full" in whole.error
    subprocess.run(["rm", "-r", str(disk / "whole"), str(disk / "ballast")], check=True)
    at = whole.calls - before_the_end
    killed = runs.run(Fault("disk", "SIGKILL", at, fill_after=12), disk / "killed")
    assert killed.code == -9
    (path,) = (disk / "killed").iterdir()
    with JournalReader.open(path / "journal.sqlite") as journal:
        committed = dict(journal._connection.execute("SELECT path, sha256 FROM committed"))
        state = journal.state()
    assert len(committed) >= 11
    assert state is not None
    assert status(RunFolder(path)).returncode == (0 if state.state is RunState.FAILED else ExitCode.DIED)
    (disk / "ballast").unlink()
    resumed = runs.resume(Fault("disk", "SIGKILL", 0), disk / "killed")
    assert (resumed.code, resumed.traceback, resumed.broken) == (ENDED, "", [])
    assert {name: sha256_file(path / name) for name in committed} == committed
    assert not (path / RESERVE).exists()
