"""Questions to a journal, also to one that another process is writing."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from xrm_control.contracts.outcomes import FrameOutcomes
from xrm_control.core.errors import DataError
from xrm_control.core.frame_id import FrameId
from xrm_control.core.states import FrameKind, FrameOutcome, RoiState, RunState
from xrm_control.storage.durable import storage_error
from xrm_control.storage.journal_accounts import AccountQueries
from xrm_control.storage.journal_latest import LatestQueries
from xrm_control.storage.journal_rows import event_of, planned_of, stored_of
from xrm_control.storage.ownership import require_readable
from xrm_control.storage.path_length import require_short
from xrm_control.storage.records import (
    Accounting,
    Artifact,
    ArtifactKind,
    ChainLink,
    EventRecord,
    PlannedFrame,
    RoiStateRecord,
    RunRecord,
    RunSummary,
    StageProgress,
    StateRecord,
    StoredFrame,
)
from xrm_control.storage.run_folder import RunFolder
from xrm_control.storage.schema import CHAINED_SINCE, NEW_KINDS_SINCE, READABLE

SUMMED_UP = (ArtifactKind.TABLE, ArtifactKind.RESULTS, ArtifactKind.REPORT, ArtifactKind.REANALYSIS)
"""Kinds of artifacts that are made of all the others, and may be made again."""

_ACCOUNTING = ", ".join(
    (
        "count(*) AS planned",
        *(f"coalesce(sum(outcome = '{outcome}'), 0) AS {outcome}" for outcome in FrameOutcome),
        "coalesce(sum(rejected), 0) AS retaken",
    )
)


class JournalQueries(AccountQueries, LatestQueries):
    """The read side, shared by the writer and by readers: one connection, one caller at a time."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._connection.row_factory = sqlite3.Row
        self._lock = threading.RLock()

    def run(self) -> RunRecord:
        """The run that this journal belongs to. Raises DataError where it names none."""
        rows = self._rows("SELECT * FROM run")
        if not rows:
            raise DataError("the journal names no run", where=str(self.path))
        row = dict(rows[0])
        del row["id"]
        return RunRecord(**{**row, "simulated": bool(row["simulated"])})

    def state(self) -> StateRecord | None:
        """The run's present state; None before the first."""
        return next(iter(self.states()[-1:]), None)

    def states(self) -> list[StateRecord]:
        """All states of the run, in order."""
        return [
            StateRecord(RunState(row["state"]), row["t_s"], row["reason"], row["utc"])
            for row in self._rows("SELECT * FROM run_state ORDER BY id")
        ]

    def roi_states(self) -> dict[str, RoiStateRecord]:
        """The present state of each ROI, in the order in which the ROIs appeared."""
        return {
            row["roi"]: RoiStateRecord(RoiState(row["state"]), row["t_s"], row["reason"], row["utc"])
            for row in self._rows("SELECT * FROM roi_state ORDER BY id")
        }

    def accounting(self, roi: str | None = None) -> Accounting:
        """The fate of all planned frames, or of those of one ROI ("" is the mosaic)."""
        rows = self._rows(f"SELECT {_ACCOUNTING} FROM outcome WHERE ?1 IS NULL OR roi = ?1", (roi,))
        return Accounting(**dict(rows[0]))

    def accounting_by_roi(self) -> dict[str, Accounting]:
        """The fate of the planned frames by ROI, in planned order; "" is the mosaic."""
        rows = self._rows(
            f"SELECT roi, {_ACCOUNTING} FROM outcome"
            " GROUP BY roi ORDER BY (SELECT min(rowid) FROM planned_frame AS p WHERE p.roi = outcome.roi)"
        )
        return {row["roi"]: Accounting(**{key: row[key] for key in row.keys() if key != "roi"}) for row in rows}  # noqa: SIM118

    def outcomes(self) -> dict[str, FrameOutcomes]:
        """The outcomes of the planned frames by their kind, in planned order."""
        kept, missing, still_open = FrameOutcome.KEPT, FrameOutcome.MISSING, FrameOutcome.OPEN
        rows = self._rows(
            f"SELECT kind, sum(outcome = '{kept}' AND rejected = 0) AS kept,"
            f" sum(outcome = '{kept}' AND rejected > 0) AS retaken, sum(outcome = '{missing}') AS missing,"
            f" sum(outcome = '{still_open}') AS not_reached FROM outcome"
            " GROUP BY kind ORDER BY (SELECT min(rowid) FROM planned_frame AS p WHERE p.kind = outcome.kind)"
        )
        return {row["kind"]: FrameOutcomes(**{key: row[key] for key in row.keys() if key != "kind"}) for row in rows}  # noqa: SIM118

    def progress(self) -> tuple[StageProgress, ...]:
        """Frames with an outcome against frames planned, by stage and ROI, in planned order."""
        rows = self._rows(
            f"SELECT stage, roi, sum(outcome <> '{FrameOutcome.OPEN}') AS done, count(*) AS planned FROM outcome"
            " GROUP BY stage, roi ORDER BY (SELECT min(rowid) FROM planned_frame AS p"
            " WHERE p.stage = outcome.stage AND p.roi = outcome.roi)"
        )
        return tuple(StageProgress(**dict(row)) for row in rows)

    def planned_frames(self, roi: str | None = None, stage: str | None = None) -> list[PlannedFrame]:
        """Planned frames in planned order, all or those of one ROI or stage."""
        rows = self._rows(
            "SELECT * FROM planned_frame WHERE (?1 IS NULL OR roi = ?1) AND (?2 IS NULL OR stage = ?2) ORDER BY rowid",
            (roi, stage),
        )
        return [planned_of(row) for row in rows]

    def open_frames(self, roi: str | None = None) -> list[PlannedFrame]:
        """Planned frames without an outcome, in planned order."""
        rows = self._rows(
            "SELECT p.* FROM planned_frame AS p JOIN outcome USING (frame_id)"
            f" WHERE outcome = '{FrameOutcome.OPEN}' AND (?1 IS NULL OR p.roi = ?1) ORDER BY p.rowid",
            (roi,),
        )
        return [planned_of(row) for row in rows]

    def exposures(self, roi: str) -> int:
        """How often a projection of a region was exposed, or was about to be, whatever came of it."""
        rows = self._rows(
            "SELECT count(*) AS exposed FROM attempt JOIN planned_frame USING (frame_id)"
            f" WHERE roi = ?1 AND kind = '{FrameKind.PROJECTION}'",
            (roi,),
        )
        return int(rows[0]["exposed"])

    def open_attempts(self) -> list[tuple[FrameId, int]]:
        """(frame_id, attempt) of intents that were neither committed nor rejected: a crash, or the frame in flight."""
        rows = self._rows(
            "SELECT frame_id, attempt FROM attempt"
            " WHERE (frame_id, attempt) NOT IN (SELECT frame_id, attempt FROM committed)"
            " AND (frame_id, attempt) NOT IN (SELECT frame_id, attempt FROM rejected) ORDER BY rowid"
        )
        return [(FrameId(row["frame_id"]), row["attempt"]) for row in rows]

    def missing_frames(self) -> dict[FrameId, str]:
        """frame_id -> reason of the frames declared missing."""
        return {FrameId(row["frame_id"]): row["reason"] for row in self._rows("SELECT * FROM missing ORDER BY rowid")}

    def rejections(self, frame_id: FrameId) -> dict[int, str]:
        """attempt -> reason of a frame's rejected attempts."""
        rows = self._rows("SELECT attempt, reason FROM rejected WHERE frame_id = ? ORDER BY attempt", (frame_id,))
        return {row["attempt"]: row["reason"] for row in rows}

    def kept_frame(self, frame_id: FrameId) -> StoredFrame | None:
        """The frame that counts, or None while there is none."""
        return next((stored_of(row) for row in self._rows("SELECT * FROM kept WHERE frame_id = ?", (frame_id,))), None)

    def stored_frames(
        self, roi: str | None = None, *, kept_only: bool = True
    ) -> list[tuple[PlannedFrame, StoredFrame]]:
        """Committed frames with their plans, in planned order; with `kept_only=False` rejected attempts too."""
        table = "kept" if kept_only else "committed"
        rows = self._rows(
            f"SELECT c.* FROM {table} AS c JOIN planned_frame AS p USING (frame_id)"
            " WHERE ?1 IS NULL OR p.roi = ?1 ORDER BY p.rowid, c.attempt",
            (roi,),
        )
        plans = {plan.frame_id: plan for plan in self.planned_frames(roi)}
        return [(plans[frame.frame_id], frame) for frame in map(stored_of, rows)]

    def events(self, after: int = 0, limit: int = 1000) -> list[tuple[int, EventRecord]]:
        """(id, event) of at most `limit` events with an id above `after`, in order."""
        rows = self._rows("SELECT * FROM event WHERE id > ? ORDER BY id LIMIT ?", (after, limit))
        return [(row["id"], event_of(row)) for row in rows]

    def events_of(self, kind: str) -> list[EventRecord]:
        """All events of one kind, in order."""
        return [event_of(row) for row in self._rows("SELECT * FROM event WHERE kind = ? ORDER BY id", (kind,))]

    def last_t_s(self) -> float | None:
        """The latest instrument time in the journal; None in an empty one."""
        rows = self._rows(
            "SELECT max(t) AS t FROM (SELECT max(t_s) AS t FROM attempt"
            " UNION ALL SELECT max(t_end_s) FROM committed"
            " UNION ALL SELECT max(t_s) FROM event UNION ALL SELECT max(t_s) FROM run_state)"
        )
        return rows[0]["t"]

    def artifacts(self) -> dict[str, Artifact]:
        """path -> the latest record of each artifact."""
        found = {}
        for row in self._rows("SELECT * FROM artifact ORDER BY id"):
            fields = dict(row)
            del fields["id"]
            inputs = json.loads(fields.pop("inputs", "{}"))
            found[row["path"]] = Artifact(**fields, inputs=inputs)
        return found

    @property
    def version(self) -> int:
        """Of the tables."""
        return int(self._rows("PRAGMA user_version")[0][0])

    @property
    def chained(self) -> bool:
        """Whether the rows are linked by a running hash; older versions have none."""
        return self.version >= CHAINED_SINCE

    @property
    def takes_new_kinds(self) -> bool:
        """Whether it can hold frames behind a blade and views that are taken once more; older versions cannot."""
        return self.version >= NEW_KINDS_SINCE

    def chain_end(self) -> ChainLink | None:
        """The last link of the chain; None where there is none."""
        return self._link("SELECT id, sha256 FROM chain ORDER BY id DESC LIMIT 1")

    def chain_of_facts(self) -> ChainLink | None:
        """The last link of a fact on frames and regions: what a run is summed up from, however often it is."""
        return self._link(
            "SELECT id, sha256 FROM chain WHERE of_table NOT IN ('event', 'run_state', 'artifact')"
            " OR (of_table = 'artifact' AND row IN (SELECT id FROM artifact"
            f" WHERE kind NOT IN ({', '.join(repr(str(kind)) for kind in SUMMED_UP)}))) ORDER BY id DESC LIMIT 1"
        )

    def _link(self, sql: str, parameters: tuple[Any, ...] = ()) -> ChainLink | None:
        rows = self._rows(sql, parameters) if self.chained else []
        return ChainLink(*rows[0]) if rows else None

    def summary(self) -> RunSummary:
        """State, progress, accounting, ROI states, last event: one consistent look at the run."""
        with self._snapshot():
            newest = self.events_before(None, 1)
            frames = self.accounting_by_roi()
            return RunSummary(
                run=self.run(),
                state=self.state(),
                stages=self.progress(),
                frames=frames,
                total=sum(frames.values(), Accounting()),
                rois=self.roi_states(),
                last_event=newest[0][1] if newest else None,
                last_t_s=self.last_t_s(),
            )

    @contextlib.contextmanager
    def _snapshot(self) -> Iterator[None]:
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("ROLLBACK")

    def _rows(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[sqlite3.Row]:
        with self._lock:
            try:
                return self._connection.execute(sql, parameters).fetchall()
            except sqlite3.Error as error:
                raise DataError(f"the journal cannot be read: {error}", where=str(self.path)) from error


class JournalReader(JournalQueries):
    """A read-only look at a journal, live or finished; a context manager."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        super().__init__(path, connection)
        self._kept = contextlib.ExitStack()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open `path` read-only; DataError when it is missing, no journal, or of another version."""
        if not path.is_file():
            raise DataError("there is no journal", where=str(path))
        require_short(path)
        for side in (path, wal := path.with_name(path.name + "-wal")):
            require_readable(side)
        uri = f"file:{quote(str(path.absolute()))}?mode=ro"
        # A journal closed in order is a plain file; in a folder that cannot be written to, SQLite must be told so.
        if not wal.exists():
            with contextlib.suppress(sqlite3.Error):
                return cls._checked(path, uri)
            uri += "&immutable=1"
        try:
            try:
                return cls._checked(path, uri)
            except sqlite3.OperationalError:
                # Of a run that died SQLite must put the pieces together, where it may write: then in a copy.
                if (
                    not wal.exists()
                    or os.access(path.parent, os.W_OK, effective_ids=True)
                    or RunFolder(path.parent.absolute()).may_be_held()
                ):
                    raise
                return cls._copied(path, wal)
        except sqlite3.Error as error:
            raise DataError(f"is no journal that can be read: {error}", where=str(path)) from error

    @classmethod
    def _copied(cls, path: Path, *sides: Path) -> Self:
        """Of a copy that lasts as long as the reader. Raises StorageError where it cannot be made."""
        with contextlib.ExitStack() as stack:
            try:
                place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xrm-journal-")))
                for file in (path, *sides):
                    shutil.copyfile(file, place / file.name)
            except OSError as error:
                where = Path(os.fsdecode(error.filename or tempfile.gettempdir()))
                raise storage_error("the journal cannot be copied to be read", where, error) from error
            reader = cls._checked(path, f"file:{quote(str(place / path.name))}?mode=rw")
            reader._kept = stack.pop_all()
        return reader

    @classmethod
    def _checked(cls, path: Path, uri: str) -> Self:
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=5)
        try:
            check_version(connection, path)
        except BaseException:
            connection.close()
            raise
        return cls(path, connection)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()
        self._kept.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()


def is_empty(connection: sqlite3.Connection) -> bool:
    """Whether nothing was ever written: whoever made the journal died before its first transaction."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    return version == 0 and not connection.execute("SELECT 1 FROM sqlite_master").fetchone()


def check_version(connection: sqlite3.Connection, path: Path) -> None:
    """DataError unless the database carries a journal version that this program knows."""
    if is_empty(connection):
        if (lost := RunFolder(path.parent.absolute()).journal_lost()) is not None:
            raise lost
        raise DataError(
            "the journal is empty: the run died in its first instant, and has done nothing",
            where=str(path),
            remedy="`xrm resume` the run, or start its recipe anew",
        )
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version not in READABLE:
        raise DataError(
            "the journal is of another version",
            where=str(path),
            value=version,
            limit=" or ".join(map(str, READABLE)),
            remedy="use the version of xrm_control that made it",
        )
