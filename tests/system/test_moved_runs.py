"""A run's folder that somebody moves while the run writes into it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.app.queues import until
from tests.session.scripted import SMALL
from tests.system.conftest import write_recipe
from xrm_control import app
from xrm_control.core.errors import StorageError
from xrm_control.core.events import AnyEvent, FrameKept
from xrm_control.core.exit_code import ExitCode
from xrm_control.storage import durable
from xrm_control.storage.journal import JournalReader

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("moved_at", ["mosaic/flat_0000", "roi-01/dark_0000"])
def test_what_the_journal_knows_stays_beside_it(tmp_path: Path, moved_at: str) -> None:
    """Where the folder had been nothing is made anew but a report; the run ends, and is gone on with where it is."""
    recipe, runs, moved = write_recipe(tmp_path, **SMALL), tmp_path / "runs", tmp_path / "moved"
    process = subprocess.Popen(
        [sys.executable, "-m", "xrm_control.cli", "run", str(recipe), "--out", str(runs), "--speed", "5"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until(lambda: list(runs.glob(f"*/frames/{moved_at}.tif")) or process.poll() is not None)
        next(runs.iterdir()).rename(moved)
        _, said = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == ExitCode.FAILURE, said
    assert "the run's folder is not where it was" in said.splitlines()[-1]
    assert str(runs) not in said.splitlines()[-1].partition(" -> ")[2]
    assert "Traceback" not in said
    assert not list(runs.rglob("*.tif"))
    with JournalReader.open(moved / "journal.sqlite") as journal:
        assert all((moved / frame.path).is_file() for _, frame in journal.stored_frames())
    assert app.resume(moved).exit_code == ExitCode.PARTLY
    assert app.status(moved).total.complete


@pytest.mark.parametrize("step", ["fsync_path", "publish_file"])
def test_whatever_meets_it_first_says_that_the_folder_has_moved(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frame is written, flushed, given its name, its folder flushed: the move may fall between any two of them."""
    real, calls, moved = getattr(durable, step), count(), tmp_path / "runs" / "moved"

    def after_the_move(*args: Any, **options: Any) -> Any:
        folder = tmp_path / "runs"
        if "frames" in str(args[0]) and next(calls) == 8:
            next(folder.iterdir()).rename(moved)
        return real(*args, **options)

    monkeypatch.setattr(durable, step, after_the_move)
    monkeypatch.setattr(f"xrm_control.storage.frames.{step}", after_the_move, raising=False)
    with pytest.raises(StorageError, match="the run's folder is not where it was") as met:
        app.run(app.load(write_recipe(tmp_path, **SMALL)), tmp_path / "runs", None)
    assert met.value.remedy == "look where the run's folder is now; `xrm resume` goes on with it there"
    monkeypatch.undo()
    (left,) = (one for one in moved.parent.iterdir() if one != moved)
    assert not list(left.rglob("*.tif"))
    assert app.resume(moved).exit_code == ExitCode.PARTLY
    assert app.status(moved).total.complete


def replaced_by_a_copy(folder: Path) -> None:
    moved = folder.with_name("moved")
    folder.rename(moved)
    shutil.copytree(moved, folder)


def without_its_lock(folder: Path) -> None:
    (folder / ".lock").unlink()


def with_another_lock(folder: Path) -> None:
    (folder / ".lock").unlink()
    (folder / ".lock").write_text("4711\n")


@pytest.mark.parametrize(
    ("meddle", "said"),
    [
        (replaced_by_a_copy, "the run's folder is not where it was"),
        (without_its_lock, "the run's lock is not this process's any more"),
        (with_another_lock, "the run's lock is not this process's any more"),
    ],
)
def test_a_folder_that_is_not_its_own_any_more_is_not_written_to(
    tmp_path: Path, meddle: Callable[[Path], None], said: str
) -> None:
    """The frame that is on its way then is the last; what the journal has is there, and can be gone on with."""
    kept: list[str] = []

    def listen(event: AnyEvent) -> None:
        if isinstance(event, FrameKept):
            kept.append(event.frame)
            if len(kept) == 9:
                meddle(next((tmp_path / "runs").iterdir()))

    with pytest.raises(StorageError, match=said):
        app.run(app.load(write_recipe(tmp_path, **SMALL)), tmp_path / "runs", None, listen)
    moved = tmp_path / "runs" / "moved"
    folder = moved if moved.exists() else next((tmp_path / "runs").iterdir())
    with JournalReader.open(folder / "journal.sqlite") as journal:
        stored = journal.stored_frames()
        assert all((folder / frame.path).is_file() for _, frame in stored)
    assert len(stored) == 9
    assert app.resume(folder).exit_code == ExitCode.PARTLY
