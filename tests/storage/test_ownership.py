"""A folder of somebody else: what is refused says whose it is, and what root makes in it belongs to its owner.

Where the tests are run by root, they ask as a user who owns nothing; elsewhere permissions are taken away.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.others import NOBODY, open_to_all, somebody_else
from tests.storage.conftest import RUN, plan
from xrm_control.contracts.commands import Pause, Reply
from xrm_control.core.errors import DataError, StorageError, XrmError
from xrm_control.core.frame_id import FrameId
from xrm_control.storage.durable import durable_file, make_folder, write_durable
from xrm_control.storage.inbox import Inbox
from xrm_control.storage.journal import Journal, JournalReader
from xrm_control.storage.lock import hold_lock
from xrm_control.storage.queue_folder import ItemFolder, QueueFolder, leave
from xrm_control.storage.records import StoredFrame
from xrm_control.storage.run_folder import RunFolder

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files in the name of others")


@pytest.fixture
def place() -> Iterator[Path]:
    with open_to_all() as path:
        yield path


@pytest.fixture
def died(place: Path, commit: Callable[..., StoredFrame]) -> RunFolder:
    """A run that was killed: its journal is in pieces, one of which SQLite makes anew where it may write."""
    made = RunFolder.create(place / "made", "night", datetime(2025, 1, 2, tzinfo=UTC), "0a1b")
    folder = RunFolder(place / "run")
    with Journal.create(made.journal, RUN) as journal:
        journal.plan_frames(plan())
        commit(journal, FrameId.tile(0, 0))
        shutil.copytree(made.path, folder.path)
    folder.journal.with_name("journal.sqlite-shm").unlink()
    folder.lock_file.touch()
    return folder


def refuse(path: Path) -> None:
    """Take from everybody what only root needs no permission for."""
    for one in (path, *path.rglob("*")) if path.is_dir() else (path,):
        one.chmod(0o555 if one.is_dir() else 0o444)


DENIED: dict[str, Callable[[Path], object]] = {
    "lock": lambda path: hold_lock(path / "lock", "the run").__enter__(),
    "write": lambda path: write_durable(path / "new", b"1"),
    "replace": lambda path: write_durable(path / "file", b"1", replace=True),
    "folder": lambda path: make_folder(path / "new" / "newer"),
    "run": lambda path: RunFolder.create(path, "night", datetime(2025, 1, 2, tzinfo=UTC), "0a1b"),
    "command": lambda path: Inbox(RunFolder(path)).post(Pause()),
    "item": lambda path: ItemFolder(path / "items" / "0001_night").take(),
}


@pytest.mark.parametrize("what", DENIED)
def test_what_is_refused_says_who_asks_whose_it_is_and_what_to_do(what: str, place: Path) -> None:
    folder = place / "theirs"
    (folder / "items" / "0001_night").mkdir(parents=True)
    (folder / "file").write_bytes(b"theirs")
    refuse(folder)
    before = sorted(folder.rglob("*"))
    with somebody_else(), pytest.raises(StorageError) as caught:
        DENIED[what](folder)
    error = caught.value
    assert "Permission denied" in error.what
    assert str(error.value).startswith("you are ")
    assert "belongs to " in str(error.limit)
    assert "have the permissions changed" in str(error.remedy)
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("side", ["", "-wal"])
def test_a_journal_that_may_not_be_read_is_no_damaged_one(side: str, died: RunFolder) -> None:
    died.journal.with_name(died.journal.name + side).chmod(0o000)
    with somebody_else(), pytest.raises(DataError, match=r"may not be read.*you are") as caught:
        JournalReader.open(died.journal)
    assert "damaged" not in str(caught.value)


def test_a_run_that_died_is_read_where_nothing_may_be_written(died: RunFolder, tmp_path: Path) -> None:
    mine = RunFolder(Path(shutil.copytree(died.path, tmp_path / "mine")))
    with JournalReader.open(mine.journal) as journal:
        expected = journal.summary()
    refuse(died.path)
    before = {path: path.stat().st_mtime_ns for path in died.path.rglob("*")}
    with somebody_else(), JournalReader.open(died.journal) as journal:
        assert journal.summary() == expected
        assert journal.path == died.journal
    assert {path: path.stat().st_mtime_ns for path in died.path.rglob("*")} == before


def as_owner_of(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)


def durable(path: Path) -> None:
    with durable_file(path / "volume", "the volume", own_name=True) as file:
        file.write(b"1")


def locked(path: Path) -> None:
    with hold_lock(path / ".lock", "the run"):
        pass


MADE: dict[str, Callable[[Path], object]] = {
    "a file": lambda path: write_durable(path / "new", b"1"),
    "one in its place": lambda path: write_durable(path / "file", b"1", replace=True),
    "a volume": durable,
    "folders": lambda path: make_folder(path / "new" / "newer"),
    "a lock": locked,
    "a run": lambda path: RunFolder.create(path / "runs", "night", datetime(2025, 1, 2, tzinfo=UTC), "0a1b"),
    "a line of the log": lambda path: RunFolder(path).append_log({"kind": "x"}),
    "a journal": lambda path: Journal.create(path / "journal.sqlite", RUN).close(),
    "a command": lambda path: Inbox(RunFolder(path)).post(Pause()),
    "an item's lock": lambda path: leave(ItemFolder(path).take()),
    "a queue": lambda path: QueueFolder.make(path / "queue").change_settings(lambda settings: settings),
}


@needs_root
@pytest.mark.parametrize("what", MADE)
def test_what_root_makes_belongs_to_whom_the_folder_belongs(what: str, place: Path) -> None:
    folder = place / "theirs"
    folder.mkdir()
    (folder / "file").write_bytes(b"theirs")
    as_owner_of(folder)
    MADE[what](folder)
    made = {path.relative_to(folder).as_posix(): path.stat().st_uid for path in folder.rglob("*")}
    assert made == dict.fromkeys(made, NOBODY)


@needs_root
def test_a_command_of_root_is_read_answered_and_bars_no_other(place: Path) -> None:
    folder = RunFolder(place / "theirs")
    folder.path.mkdir()
    as_owner_of(folder.path)
    inbox, before = Inbox(folder), os.umask(0o077)
    try:
        number = inbox.post(Pause())
    finally:
        os.umask(before)
    with somebody_else():
        assert inbox.waiting() == (number,)
        inbox.answer(number, Reply(accepted=True, text="paused"))
        assert inbox.waiting() == ()
        inbox.post(Pause())
    assert inbox.reply(number) == Reply(accepted=True, text="paused")


def test_what_is_no_journal_is_still_told_as_that(place: Path) -> None:
    path = place / "journal.sqlite"
    path.write_bytes(b"no journal at all" * 100)
    with pytest.raises(XrmError, match="no journal that can be read"):
        JournalReader.open(path)
