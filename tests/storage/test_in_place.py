"""A process that holds a run, or a queue, finds out when its folder or its lock is not the one that it began with."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from xrm_control.core.errors import StorageError
from xrm_control.storage.in_place import Place, QueuePlace, is_gone
from xrm_control.storage.queue_folder import QueueFolder
from xrm_control.storage.run_folder import RunFolder


def lock_is_gone(folder: Path) -> None:
    (folder / ".lock").unlink()


def lock_is_another(folder: Path) -> None:
    lock_is_gone(folder)
    (folder / ".lock").write_text("1")


def is_moved(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


def is_another(folder: Path) -> None:
    is_moved(folder)
    shutil.copytree(folder.with_name("elsewhere"), folder)


# What somebody does -> what is said of a run and of a queue.
HAPPENED: list[tuple[Callable[[Path], None], str]] = [
    (lock_is_gone, "lock is not this process's any more.*held by nobody"),
    (lock_is_another, "lock is not this process's any more.*held by nobody"),
    (is_moved, "folder is not where it was"),
    (is_another, "folder is not where it was"),
]


@pytest.mark.parametrize(("act", "said"), HAPPENED)
def test_a_run_that_is_not_ours_any_more_is_written_to_no_more(
    tmp_path: Path, act: Callable[[Path], None], said: str
) -> None:
    folder = RunFolder.create(tmp_path, "run", datetime(2025, 1, 2, tzinfo=UTC), "57a4")
    folder.journal.write_bytes(b"a journal")
    with folder.lock():
        place = Place(folder)
        place.require()
        act(folder.path)
        with pytest.raises(StorageError, match=f"the run's {said}"):
            place.require()
    assert is_gone(folder) == (act is is_moved)


@pytest.mark.parametrize(("act", "said"), HAPPENED)
def test_nor_a_queue(tmp_path: Path, act: Callable[[Path], None], said: str) -> None:
    folder = QueueFolder.make(tmp_path / "queue")
    with folder.running():
        place = QueuePlace(folder)
        place.require()
        act(folder.path)
        with pytest.raises(StorageError, match=f"the queue's {said}"):
            place.require()
