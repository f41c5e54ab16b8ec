"""The journal's promises: one outcome per frame, nothing changed afterwards, readable while it is written."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.storage.conftest import plan
from xrm_control.contracts.outcomes import FrameOutcomes
from xrm_control.core.errors import DataError, StorageError
from xrm_control.core.frame_id import FrameId
from xrm_control.core.geometry import Pose
from xrm_control.core.states import FrameKind, Level, RoiState, RunState
from xrm_control.storage.journal import Journal, JournalReader
from xrm_control.storage.records import Accounting, Artifact, PlannedFrame, RunRecord, StageProgress, StoredFrame
from xrm_control.storage.run_folder import RunFolder
from xrm_control.storage.schema import CHAIN, TABLES

ROOT = Path(__file__).parents[2]
FRAME = FrameId("roi-01/proj_0002")
Commit = Callable[..., StoredFrame]

# What is done to one frame -> its accounting (kept, missing, open, retaken).
STORIES: list[tuple[str, tuple[int, int, int, int]]] = [
    ("", (0, 0, 1, 0)),
    ("intend", (0, 0, 1, 0)),
    ("intend commit", (1, 0, 0, 0)),
    ("intend commit retake", (0, 0, 1, 1)),
    ("intend retake", (0, 0, 1, 1)),
    ("intend commit retake intend commit", (1, 0, 0, 1)),
    ("intend retake intend retake intend commit", (1, 0, 0, 2)),
    ("missing", (0, 1, 0, 0)),
    ("intend missing", (0, 1, 0, 1)),
    ("intend commit retake missing", (0, 1, 0, 1)),
]

# What is done to one frame -> why its last word is refused.
REFUSALS: list[tuple[str, str]] = [
    ("intend intend", "neither rejected nor given up"),
    ("intend commit intend", "neither rejected nor given up"),
    ("intend commit commit", "UNIQUE"),
    ("commit", "FOREIGN KEY"),
    ("retake", "FOREIGN KEY"),
    ("intend retake retake", "UNIQUE"),
    ("intend retake commit", "rejected already"),
    ("intend commit missing", "not missing"),
    ("missing missing", "UNIQUE"),
    ("missing intend", "declared missing"),
    ("intend missing retake", "missing already"),
    ("plan", "UNIQUE"),
]


def tell(journal: Journal, commit: Commit, word: str) -> None:
    if word == "intend":
        journal.intend(FRAME, theta_deg=0.0, t_s=1.0)
    elif word == "commit":
        commit(journal, FRAME, max(1, len([*journal.rejections(FRAME)]) + bool(journal.open_attempts())))
    elif word == "retake":
        journal.retake(FRAME, "dropped", t_s=2.0)
    elif word == "missing":
        journal.declare_missing(FRAME, "camera dead", t_s=3.0)
    elif word == "plan":
        journal.plan_frames([PlannedFrame(FRAME, "s", FrameKind.PROJECTION, 1, Pose(0, 0, 0, 0), 1, 1)])


@pytest.mark.parametrize(("story", "fate"), STORIES)
def test_every_frame_has_one_outcome(journal: Journal, commit: Commit, story: str, fate: tuple[int, ...]) -> None:
    for word in story.split():
        tell(journal, commit, word)
    kept, missing, open_, retaken = fate
    assert journal.accounting("roi-01") == Accounting(5, kept, missing, 4 + open_, retaken)
    assert len(journal.open_frames("roi-01")) == 4 + open_
    assert (journal.kept_frame(FRAME) is not None) == bool(kept)


@pytest.mark.parametrize(("story", "fate"), STORIES)
def test_outcomes_by_kind_add_up_to_the_plan(
    journal: Journal, commit: Commit, story: str, fate: tuple[int, ...]
) -> None:
    for word in story.split():
        tell(journal, commit, word)
    kept, missing, open_, retaken = fate
    found = journal.outcomes()
    once, again = (kept, 0) if not retaken else (0, kept)
    of_scan = FrameOutcomes(kept=once, retaken=again, missing=missing, not_reached=4 + open_)
    assert found == {"tile": FrameOutcomes(not_reached=2), "projection": of_scan}
    assert sum(one.planned for one in found.values()) == len(plan())


@pytest.mark.parametrize(("story", "reason"), REFUSALS)
def test_what_would_break_the_accounting_is_refused(journal: Journal, commit: Commit, story: str, reason: str) -> None:
    *before, last = story.split()
    for word in before:
        tell(journal, commit, word)
    accounting = journal.accounting()
    with pytest.raises(StorageError, match=f"the journal refuses: .*{reason}"):
        tell(journal, commit, last)
    assert journal.accounting() == accounting


def test_the_rules_hold_against_foreign_sql_too(journal: Journal, commit: Commit, folder: RunFolder) -> None:
    """Enforced by the file, not by this program: a second connection with plain SQL is refused as well."""
    commit(journal, FRAME)
    journal.record_event("k", "t", t_s=0)
    journal.set_state(RunState.IDLE, t_s=0)
    other = sqlite3.connect(folder.journal, isolation_level=None)
    statements = [
        f"INSERT INTO missing VALUES ('{FRAME}', 'x', 1)",
        f"INSERT INTO attempt VALUES ('{FRAME}', 2, 0, 0)",
        "INSERT INTO attempt VALUES ('roi-01/proj_0003', 2, 0, 0)",
        "INSERT INTO run_state (state, reason, t_s) VALUES ('done', '', 0)",
        "INSERT INTO missing VALUES ('roi-01/proj_0003', '', 1)",
        "UPDATE planned_frame SET number = 1",
        "UPDATE committed SET sha256 = 'x'",
        "DELETE FROM committed",
        "DELETE FROM event",
        "UPDATE run_state SET state = 'done'",
    ]
    for statement in statements:
        with pytest.raises(sqlite3.IntegrityError):
            other.execute(statement)
    other.close()


def test_every_table_is_append_only(journal: Journal, folder: RunFolder) -> None:
    other = sqlite3.connect(folder.journal)
    tables = {row[0] for row in other.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    triggers = {row[0] for row in other.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
    other.close()
    assert tables == {*TABLES, CHAIN}
    assert {f"only_add_{table}_{verb}" for table in tables for verb in ("update", "delete")} <= triggers


def test_planning_is_all_or_nothing(journal: Journal) -> None:
    frames = [
        PlannedFrame(name, "s", FrameKind.FLAT, 1, Pose(0, 0, 0, 0), 1, 1)
        for name in (FrameId("roi-02/flat_0001"), FRAME)
    ]
    with pytest.raises(StorageError, match="UNIQUE"):
        journal.plan_frames(frames)
    assert journal.accounting().planned == 7


def test_done_is_impossible_while_a_frame_is_open(journal: Journal, commit: Commit) -> None:
    for frame in journal.planned_frames()[:-2]:
        commit(journal, frame.frame_id)
    with pytest.raises(StorageError, match="cannot be done while planned frames have no outcome"):
        journal.set_state(RunState.DONE, t_s=1)
    assert journal.declare_open_missing("ROI given up", t_s=5, roi="roi-01") == 2
    journal.set_state(RunState.DONE, t_s=6, utc="2025-01-02T04:00:00Z")
    assert not journal.accounting().complete
    assert journal.missing_frames() == {"roi-01/proj_0003": "ROI given up", "roi-01/proj_0004": "ROI given up"}


def test_what_goes_in_comes_out(journal: Journal, commit: Commit) -> None:
    frame = commit(journal, FRAME)
    assert journal.kept_frame(FRAME) == frame
    [(plan, stored)] = journal.stored_frames("roi-01")
    assert (plan.target, plan.exposure_s, plan.binning, stored) == (Pose(10, 20, 30, 0), 1.25, 8, frame)
    journal.retake(FRAME, "beam lost", t_s=12)
    assert journal.stored_frames() == []
    assert journal.stored_frames(kept_only=False) == [(plan, frame)]
    assert journal.rejections(FRAME) == {1: "beam lost"}
    assert journal.open_attempts() == []
    assert journal.intend(FRAME, theta_deg=0.1, t_s=13) == 2
    assert journal.open_attempts() == [(FRAME, 2)]
    first = Artifact("rois.json", "b" * 64, 10, "rois", 20.0)
    second = Artifact("rois.json", "c" * 64, 11, "rois", 21.0)
    journal.record_artifact(first)
    journal.record_artifact(second)
    assert journal.artifacts() == {"rois.json": second}
    journal.record_event("beam", "lost", t_s=1.5, level=Level.WARNING, data={"flux": 0.1}, utc="u")
    [(number, event)] = journal.events()
    assert (event.kind, event.level, event.data, event.utc) == ("beam", Level.WARNING, {"flux": 0.1}, "u")
    assert journal.events(after=number) == []


def test_summary_is_what_status_needs(journal: Journal, commit: Commit, folder: RunFolder) -> None:
    journal.set_state(RunState.IDLE, t_s=0)
    journal.set_state(RunState.SCANNING, t_s=3.5, reason="first ROI")
    journal.set_roi_state("roi-01", RoiState.SCANNED, t_s=4)
    journal.set_roi_state("roi-02", RoiState.SCANNED, t_s=4)
    journal.set_roi_state("roi-01", RoiState.QUARANTINED, t_s=9, reason="empty")
    for name in (FrameId.tile(0, 0), FrameId.tile(0, 1), FRAME):
        commit(journal, name)
    journal.record_event("note", "hello", t_s=12)
    with JournalReader.open(folder.journal) as reader:
        summary = reader.summary()
    assert summary.run.recipe_name == "nmc811_screening"
    assert summary.run.simulated is True
    assert summary.state is not None
    assert (summary.state.state, summary.state.reason) == (RunState.SCANNING, "first ROI")
    assert summary.stages == (StageProgress("mosaicking", "", 2, 2), StageProgress("scanning", "roi-01", 1, 5))
    assert summary.frames == {"": Accounting(2, 2, 0, 0, 0), "roi-01": Accounting(5, 1, 0, 4, 0)}
    assert summary.total == Accounting(7, 3, 0, 4, 0)
    assert {roi: state.state for roi, state in summary.rois.items()} == {
        "roi-01": RoiState.QUARANTINED,
        "roi-02": RoiState.SCANNED,
    }
    assert summary.last_event is not None
    assert summary.last_event.text == "hello"
    assert summary.last_t_s == 12
    assert json.loads(json.dumps(summary.as_dict()))["total"]["open"] == 4


def test_the_newest_frame_is_one_that_counts(journal: Journal, commit: Commit) -> None:
    """A frame that turned out to be odd after it had been committed is none that anybody is shown."""
    assert journal.last_frame() is None
    first, odd = FrameId.projection("roi-01", 0), FrameId.projection("roi-01", 1)
    commit(journal, first)
    commit(journal, odd)
    assert [frame.frame_id for _, frame in filter(None, [journal.last_frame()])] == [odd]
    journal.retake(odd, "odd among its neighbours", t_s=12.0)
    assert [frame.frame_id for _, frame in filter(None, [journal.last_frame()])] == [first]


def test_a_reader_in_another_process_sees_the_live_journal(journal: Journal, commit: Commit, folder: RunFolder) -> None:
    commit(journal, FRAME)
    script = (
        "import sys; from pathlib import Path; from xrm_control.storage.journal import JournalReader\n"
        "with JournalReader.open(Path(sys.argv[1])) as reader: print(reader.accounting().kept)\n"
    )
    command = [sys.executable, "-c", script, str(folder.journal)]
    for expected in (1, 2):
        assert int(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout) == expected
        commit(journal, f"roi-01/proj_000{expected + 2}")


def test_a_reader_cannot_write(journal: Journal, folder: RunFolder) -> None:
    with JournalReader.open(folder.journal) as reader, pytest.raises(DataError, match="readonly"):
        reader._rows("INSERT INTO run_state (state, reason, t_s) VALUES ('x', '', 0)")


@pytest.mark.parametrize(
    ("writable", "held", "read"),
    [(False, False, True), (True, False, False), (False, True, False), (True, True, False)],
)
def test_a_run_that_died_is_read_from_a_copy_where_nothing_may_be_written_and_nobody_has_it(
    journal: Journal, folder: RunFolder, commit: Commit, monkeypatch: pytest.MonkeyPatch,
    writable: bool, held: bool, read: bool,
) -> None:  # fmt: skip
    """Root may write everywhere: what SQLite says to others, who may not, is said here in its place."""
    for planned in journal.planned_frames()[:2]:
        commit(journal, planned.frame_id)
    may, checked = os.access, JournalReader._checked

    def as_others(cls: type[JournalReader], path: Path, uri: str) -> JournalReader:
        if str(folder.path) in uri:
            raise sqlite3.OperationalError("attempt to write a readonly database")
        return checked(path, uri)

    monkeypatch.setattr(os, "access", lambda path, mode, **how: may(path, mode, **how) if mode != os.W_OK else writable)
    monkeypatch.setattr(JournalReader, "_checked", classmethod(as_others))
    with folder.lock() if held else nullcontext():
        if read:
            with JournalReader.open(folder.journal) as reader:
                assert reader.accounting().kept == 2
            return
        with pytest.raises(DataError, match="that can be read: attempt to write a readonly database"):
            JournalReader.open(folder.journal)


def test_durability_settings(journal: Journal) -> None:
    values = {name: journal._rows(f"PRAGMA {name}")[0][0] for name in ("journal_mode", "synchronous", "foreign_keys")}
    assert values == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_usable_from_one_worker_thread(journal: Journal, commit: Commit) -> None:
    with ThreadPoolExecutor(1) as pool:
        frames = [pool.submit(commit, journal, plan.frame_id) for plan in journal.planned_frames()]
        assert [future.result().attempt for future in frames] == [1] * 7
    assert journal.accounting().complete


def test_calls_from_several_threads_are_kept_apart(journal: Journal) -> None:
    def note(name: str) -> None:
        for number in range(20):
            journal.record_event("note", f"{name}{number}", t_s=number)

    threads = [threading.Thread(target=note, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    texts = [event.text for _, event in journal.events()]
    assert sorted(texts) == sorted(f"{name}{number}" for name in "abc" for number in range(20))


def test_reopen_goes_on_and_a_finished_journal_is_one_plain_file(folder: RunFolder, commit: Commit) -> None:
    record = RunRecord("n", "r", "0" * 64, "epics", False, "")
    with Journal.create(folder.journal, record) as journal:
        journal.plan_frames([PlannedFrame(FRAME, "s", FrameKind.PROJECTION, 1, Pose(0, 0, 0, 0), 1, 1)])
        journal.intend(FRAME, theta_deg=0, t_s=0)
    with Journal.open(folder.journal) as journal:
        assert journal.run() == record
        assert journal.open_attempts() == [(FRAME, 1)]
        commit(journal, FRAME, 1)
    assert [entry.name for entry in folder.path.glob("journal*")] == ["journal.sqlite"]
    with pytest.raises(StorageError, match="exists already"):
        Journal.create(folder.journal, record)
    before = folder.journal.read_bytes()
    with JournalReader.open(folder.journal) as reader:
        assert reader.accounting().kept == 1
    assert folder.journal.read_bytes() == before


def test_damaged_and_foreign_files(tmp_path: Path, journal: Journal, folder: RunFolder) -> None:
    journal.close()
    content = folder.journal.read_bytes()
    cases: dict[str, bytes | None] = {
        "no journal": None,
        "the journal is empty": b"",
        "not a database": b"recipe: 1\n" * 1000,
        "damaged|malformed": content[: len(content) // 2],
    }
    for index, (words, data) in enumerate(cases.items()):
        path = tmp_path / f"{index}.sqlite"
        if data is not None:
            path.write_bytes(data)
        with pytest.raises(DataError, match=words):
            Journal.open(path)
        if index < 3:
            with pytest.raises(DataError, match=words):
                JournalReader.open(path)


def test_after_a_disk_error_the_journal_refuses_everything(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        in_transaction = False

        def execute(self, *_: object) -> None:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
            raise error

    connection = journal._connection
    with monkeypatch.context() as patch:
        patch.setattr(journal, "_connection", Broken())
        with pytest.raises(StorageError, match="cannot be written: disk I/O error"):
            journal.set_state(RunState.IDLE, t_s=0)
    assert journal._connection is connection
    with pytest.raises(StorageError, match="stopped after an error"):
        journal.set_state(RunState.IDLE, t_s=0)
    assert journal.states() == []


@pytest.mark.parametrize(
    ("table", "columns", "row"),
    [
        ("run_state", "state, reason, t_s", ("resting", "", 0.0)),
        ("roi_state", "roi, state, reason, t_s", ("roi-01", "planned", "", 0.0)),
        ("event", "t_s, level, kind, text, data", (0.0, "loud", "k", "t", "{}")),
    ],
)
def test_no_state_and_no_level_beside_the_enumerations(
    journal: Journal, table: str, columns: str, row: tuple[object, ...]
) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        journal._connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' * len(row))})", row)
