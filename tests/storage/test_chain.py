"""The journal's chain: written with every row, the same for an independent reader, broken by whatever is done to it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.storage.conftest import plan
from xrm_control.core.errors import StorageError
from xrm_control.core.frame_id import FrameId
from xrm_control.core.states import RoiState, RunState
from xrm_control.storage.audit import JournalAudit
from xrm_control.storage.journal import Journal
from xrm_control.storage.records import Artifact, ArtifactKind, StoredFrame
from xrm_control.storage.run_folder import RunFolder
from xrm_control.storage.schema import TABLES

FRAME = FrameId("roi-01/proj_0002")
Commit = Callable[..., StoredFrame]


def fill(journal: Journal, commit: Commit) -> None:
    """A row in every table, odd text and numbers among them."""
    commit(journal, FRAME)
    journal.retake(FRAME, 'it\'s "odd" \N{MICRO SIGN} \n', t_s=1e-17)
    journal.declare_missing(FrameId("roi-01/proj_0003"), "gone", t_s=1 / 3)
    journal.record_event("k", "t", t_s=12345678.9, data={"x": [1, None]})
    journal.record_artifact(Artifact("a", "0" * 64, 5, ArtifactKind.PLAN, 0.0))
    journal.set_state(RunState.IDLE, t_s=0)
    journal.set_roi_state("roi-01", RoiState.SCANNED, t_s=2.5)


def by_hand(path: Path) -> list[str]:
    """The chain made anew from the documentation: rows in the order of the chain, hashed with hashlib."""
    found, last = [], "0" * 64
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for table, row in connection.execute("SELECT of_table, row FROM chain ORDER BY id").fetchall():
            (values,) = connection.execute(f"SELECT * FROM {table} WHERE rowid = {row}")
            told = json.dumps([table, row, *values], separators=(",", ":"))
            last = hashlib.sha256((last + "\n" + told).encode("ascii")).hexdigest()
            found.append(last)
    return found


def links(path: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        return [row[0] for row in connection.execute("SELECT sha256 FROM chain ORDER BY id")]


def flaws(path: Path) -> list[str]:
    with JournalAudit.untouched(path, alive=False) as audit:
        return [str(flaw) for flaw in audit.flaws()]


def test_every_row_has_its_link_and_an_independent_reader_agrees(
    journal: Journal, commit: Commit, folder: RunFolder
) -> None:
    fill(journal, commit)
    with contextlib.closing(sqlite3.connect(folder.journal)) as connection, connection:
        count = sum(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES)
        linked = {row[0] for row in connection.execute("SELECT DISTINCT of_table FROM chain")}
    assert linked == set(TABLES)
    assert len(links(folder.journal)) == count
    assert by_hand(folder.journal) == links(folder.journal)
    assert flaws(folder.journal) == []


def test_it_goes_on_over_sittings_and_after_what_was_refused(
    journal: Journal, commit: Commit, folder: RunFolder
) -> None:
    with pytest.raises(StorageError):
        commit(journal, FRAME, 1)
    commit(journal, FRAME)
    journal.close()
    before = links(folder.journal)
    with Journal.open(folder.journal) as again:
        with pytest.raises(StorageError):
            again.plan_frames(plan())
        again.record_event("k", "t", t_s=0)
        end = again.chain_end()
    after = links(folder.journal)
    assert after[: len(before)] == before
    assert (end.rows, end.sha256) == (len(after), after[-1]) if end else False
    assert by_hand(folder.journal) == after


def test_what_a_run_is_summed_up_from_stays_the_same_when_it_is_summed_up(journal: Journal, commit: Commit) -> None:
    commit(journal, FRAME)
    facts = journal.chain_of_facts()
    journal.record_event("k", "t", t_s=0)
    journal.set_state(RunState.IDLE, t_s=0)
    for kind in (ArtifactKind.RESULTS, ArtifactKind.REPORT, ArtifactKind.TABLE, ArtifactKind.REANALYSIS):
        journal.record_artifact(Artifact(kind, "0" * 64, 5, kind, 0.0))
    assert journal.chain_of_facts() == facts
    journal.record_artifact(Artifact("v", "0" * 64, 5, ArtifactKind.VOLUME, 0.0))
    assert journal.chain_of_facts() != facts


# What is done to a journal with its rules taken out -> what is said of it.
CHANGES = [
    ("UPDATE committed SET mean_counts = 1", ["row 1 of committed (roi-01/proj_0002, attempt 1) is not as it was"]),
    ("UPDATE planned_frame SET theta_deg = 0.1 WHERE number = 3", ["row 6 of planned_frame (roi-01/proj_0003) is not"]),
    ("DELETE FROM event", ["row 1 of event was taken out"]),
    ("INSERT INTO event VALUES (9, 0, '', 'info', 'k', 't', '')", ["row 9 of event (k) was put in by somebody else"]),
    ("UPDATE run SET recipe_sha256 = 'x'", ["row 1 of run (night) is not as it was written"]),
    (
        "DELETE FROM chain WHERE id = 3",
        ["row 3 of chain was taken out", "row 3 of planned_frame", "row 2 of planned_frame"],
    ),
    ("UPDATE chain SET of_table = 'x' WHERE id = 4", ["row 4 of chain names no table", "of planned_frame"]),
    (f"UPDATE chain SET sha256 = '{'0' * 64}' WHERE id = 9", ["row 1 of attempt", "row 1 of committed"]),
    ("UPDATE committed SET path = x'ff00'", ["row 1 of committed (roi-01/proj_0002, attempt 1) is not"]),
]


@pytest.mark.parametrize(("statement", "said"), CHANGES, ids=[case[0][:40] for case in CHANGES])
def test_whatever_is_done_to_a_row_is_named(
    journal: Journal, commit: Commit, folder: RunFolder, statement: str, said: list[str]
) -> None:
    fill(journal, commit)
    journal.close()
    forge(folder.journal, statement)
    found = flaws(folder.journal)
    assert len(found) == len(said), found
    for words in said:
        assert any(words in flaw for flaw in found), (words, found)


def forge(path: Path, *statements: str, put_back: bool = True) -> None:
    """Change a journal by hand: its rules out, the statements, and its rules back."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        rules = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        connection.execute("PRAGMA foreign_keys = OFF")
        for name, _ in rules:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        for _, sql in rules if put_back else ():
            connection.execute(sql)
    connection.close()


def fill_up(journal: Journal) -> None:
    for _ in range(1000):
        journal.record_event("k", "t", t_s=0)


def test_a_disk_that_is_full_in_the_middle_of_a_link_breaks_no_chain(journal: Journal, folder: RunFolder) -> None:
    """A page at a time: rows and links fill their pages at different moments."""
    connection = journal._connection
    for _ in range(30):
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StorageError, match="full"):
            fill_up(journal)
        connection.execute(f"PRAGMA max_page_count = {pages + 8}")
        journal.record_event("k", "the disk has room again", t_s=0)
    journal.close()
    assert flaws(folder.journal) == []


def test_what_others_put_in_is_not_linked_later(journal: Journal, folder: RunFolder) -> None:
    """A run that goes on vouches for what it writes itself, and for nothing else."""
    journal.close()
    forge(folder.journal, "INSERT INTO event VALUES (1, 0, '', 'info', 'k', 't', '')")
    with Journal.open(folder.journal) as again:
        again.record_event("k", "t", t_s=0)
    assert flaws(folder.journal) == ["row 1 of event (k) was put in by somebody else"]


def test_rules_that_are_taken_out_are_missed(journal: Journal, folder: RunFolder) -> None:
    journal.close()
    with JournalAudit.untouched(folder.journal, alive=False) as audit:
        assert audit.rules_missing() == ()
    forge(folder.journal, put_back=False)
    with JournalAudit.untouched(folder.journal, alive=False) as audit:
        assert {"only_add_chain_update", "only_add_committed_delete", "rule_0"} <= set(audit.rules_missing())


def test_no_room_for_a_copy_is_no_fault_of_the_journal(
    journal: Journal, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.close()
    folder.journal.with_name(folder.journal.name + "-wal").write_bytes(b"")

    def full(_: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(StorageError, match=r"xrm-journal-.*the disk is full"):
        JournalAudit.untouched(folder.journal, alive=False).__enter__()


def as_version_2(path: Path) -> None:
    """What is new in version 3 taken out: the journal as the version before wrote it."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE chain")
        connection.execute("ALTER TABLE artifact DROP COLUMN inputs")
        connection.execute("PRAGMA user_version = 2")
    connection.close()


def test_a_journal_of_the_version_before_is_gone_on_with_as_it_is(
    journal: Journal, commit: Commit, folder: RunFolder
) -> None:
    fill(journal, commit)
    journal.close()
    as_version_2(folder.journal)
    with Journal.open(folder.journal) as older:
        older.record_artifact(Artifact("b", "1" * 64, 5, ArtifactKind.PLAN, 0.0, inputs={"a": "0" * 64}))
        commit(older, FRAME)
        assert (older.chained, older.chain_end(), older.chain_of_facts()) == (False, None, None)
        assert {path: one.inputs for path, one in older.artifacts().items()} == {"a": {}, "b": {}}
    with JournalAudit.untouched(folder.journal, alive=False) as audit:
        assert audit.rules_missing() == ()
