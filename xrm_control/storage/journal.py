"""The journal: an append-only SQLite file that says what was planned, tried, made durable and decided.

One process and one connection write it, on a local disk (`RunFolder.lock` keeps others away); any number of processes
may read (`JournalReader`). Every call is one transaction with synchronous=FULL: when it returns, it is on the disk.
The calls are synchronous and serialised by a lock, so they may come from any one worker thread at a time.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from xrm_control.core.errors import DataError, DiskFull, StorageError
from xrm_control.core.frame_id import FrameId
from xrm_control.core.states import Level, RoiState, RunState
from xrm_control.storage.chain import ChainWriter
from xrm_control.storage.durable import (
    DISK_FULL,
    FREE_SPACE,
    GIVEN_UP,
    MOUNT_IT,
    READ_ONLY,
    disk_trouble,
    fsync_path,
    no_room_beside,
)
from xrm_control.storage.journal_reader import JournalQueries, JournalReader, check_version, is_empty
from xrm_control.storage.ownership import like_its_folder
from xrm_control.storage.path_length import require_short
from xrm_control.storage.records import Artifact, Intent, PlannedFrame, RunRecord, StoredFrame
from xrm_control.storage.schema import schema_statements

__all__ = ["Journal", "JournalReader"]

_WRITES = frozenset({"SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_SHMOPEN", "SQLITE_CANTOPEN"})


class Journal(JournalQueries):
    """The writer of one run's journal; a context manager. Everything that a reader may ask, it answers too."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        super().__init__(path, connection)
        self._failed: StorageError | None = None
        self._chain = ChainWriter(connection)

    @classmethod
    def create(cls, path: Path, run: RunRecord) -> Journal:
        """Make a new journal for `run`; StorageError when `path` exists or cannot be written."""
        if path.exists():
            raise StorageError(
                "the journal exists already", where=str(path), remedy="let the new run have a folder of its own"
            )
        journal = cls(path, _connect(path))
        like_its_folder(path)
        row = (run.name, run.recipe_name, run.recipe_sha256, run.backend, int(run.simulated), run.started_utc)
        try:
            with journal._transaction():
                for statement in schema_statements():
                    journal._connection.execute(statement)
                journal._connection.execute("INSERT INTO run VALUES (1, ?, ?, ?, ?, ?, ?)", row)
            fsync_path(path.parent)
        except StorageError:
            journal.close()
            raise
        return journal

    @staticmethod
    def was_begun(path: Path) -> bool:
        """Whether there is a journal with anything in it. A file that is none was somebody's: it counts as one."""
        if not path.is_file():
            return False
        try:
            with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
                return not is_empty(connection)
        except sqlite3.Error:
            return True

    @classmethod
    def open(cls, path: Path) -> Journal:
        """Open an existing journal to go on with it; DataError when it is missing, damaged or of another version."""
        if not path.is_file():
            raise DataError("there is no journal", where=str(path))
        try:
            connection = _connect(path)
        except sqlite3.DatabaseError as error:
            raise DataError(f"the journal cannot be used: {error}", where=str(path)) from error
        try:
            check_version(connection, path)
            verdict = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if verdict != "ok":
                raise DataError("the journal is damaged", where=str(path), value=verdict)
        except (sqlite3.DatabaseError, DataError) as error:
            connection.close()
            if isinstance(error, DataError):
                raise
            raise DataError(f"the journal cannot be used: {error}", where=str(path)) from error
        return cls(path, connection)

    def plan_frames(self, frames: Iterable[PlannedFrame]) -> None:
        """Add frames to the plan, all or none; a frame that is planned already is refused."""
        rows = [
            (
                frame.frame_id,
                frame.stage,
                frame.roi,
                frame.kind,
                frame.number,
                frame.target.x_um,
                frame.target.y_um,
                frame.target.z_um,
                frame.target.theta_deg,
                frame.exposure_s,
                frame.binning,
            )
            for frame in frames
        ]
        with self._transaction():
            self._connection.executemany(f"INSERT INTO planned_frame VALUES ({_marks(11)})", rows)

    def intend(self, frame_id: FrameId, *, theta_deg: float, t_s: float) -> int:
        """Say, before exposing, that `frame_id` is now tried at `theta_deg`; returns the attempt's number (1, 2 ...).

        Refused when the frame is not planned, is declared missing, or has an attempt that was not rejected.
        """
        with self._transaction():
            return self._intend(Intent(frame_id, theta_deg, t_s))

    def commit(self, frame: StoredFrame) -> None:
        """Record a file that is durable; with this the frame is kept, unless the attempt is rejected later."""
        with self._transaction():
            self._commit(frame)

    def commit_and_intend(self, frame: StoredFrame, intent: Intent) -> int | None:
        """`commit`, then `intend` of another frame, in one transaction; returns the number of its attempt.

        None: the intent was refused, which costs the frame nothing, and `intend` alone will say why.
        """
        try:
            with self._transaction():
                self._commit(frame)
                return self._intend(intent)
        except StorageError as error:
            # What the disk refuses is not tried again.
            if not isinstance(error.__cause__, sqlite3.IntegrityError):
                raise
        self.commit(frame)
        return None

    def _intend(self, intent: Intent) -> int:
        attempt = 1 + self._count("attempt", intent.frame_id)
        row = (intent.frame_id, attempt, intent.theta_deg, intent.t_s)
        self._connection.execute(f"INSERT INTO attempt VALUES ({_marks(4)})", row)
        return attempt

    def _commit(self, frame: StoredFrame) -> None:
        exposure, pose = frame.exposure, frame.exposure.actual
        row = (
            *(frame.frame_id, frame.attempt, frame.path, frame.bytes, *frame.shape, frame.dtype, frame.sha256),
            *(pose.x_um, pose.y_um, pose.z_um, pose.theta_deg, exposure.t_start_s, exposure.t_end_s),
            *(exposure.unique_id, frame.mean_counts),
        )
        self._connection.execute(f"INSERT INTO committed VALUES ({_marks(16)})", row)

    def retake(self, frame_id: FrameId, reason: str, *, t_s: float) -> None:
        """Reject the frame's last attempt (committed or not), so that it can be tried again; its file stays."""
        with self._transaction():
            attempt = self._count("attempt", frame_id)
            self._connection.execute("INSERT INTO rejected VALUES (?, ?, ?, ?)", (frame_id, attempt, reason, t_s))

    def declare_missing(self, frame_ids: FrameId | Iterable[FrameId], reason: str, *, t_s: float) -> None:
        """Give frames up for good, all or none. An attempt in flight is rejected with it; a kept frame is refused."""
        names = [frame_ids] if isinstance(frame_ids, str) else list(frame_ids)
        with self._transaction():
            for name in names:
                self._connection.execute(
                    "INSERT INTO rejected SELECT frame_id, attempt, ?2, ?3 FROM attempt AS a WHERE frame_id = ?1"
                    " AND NOT EXISTS (SELECT 1 FROM rejected AS r WHERE r.frame_id = ?1 AND r.attempt = a.attempt)"
                    " AND NOT EXISTS (SELECT 1 FROM committed AS c WHERE c.frame_id = ?1 AND c.attempt = a.attempt)",
                    (name, reason, t_s),
                )
                self._connection.execute("INSERT INTO missing VALUES (?, ?, ?)", (name, reason, t_s))

    def declare_open_missing(self, reason: str, *, t_s: float, roi: str | None = None) -> int:
        """Declare every open frame (of one ROI, "" being the mosaic, or of the run) missing; returns how many."""
        frames = [frame.frame_id for frame in self.open_frames(roi)]
        self.declare_missing(frames, reason, t_s=t_s)
        return len(frames)

    def record_event(
        self,
        kind: str,
        text: str,
        *,
        t_s: float,
        level: Level = Level.INFO,
        data: Mapping[str, Any] | None = None,
        utc: str | None = None,
    ) -> int:
        """Record that something happened; returns the event's id. `data` must be JSON-able."""
        encoded = json.dumps(dict(data or {}), default=str)
        with self._transaction():
            cursor = self._connection.execute(
                "INSERT INTO event (t_s, utc, level, kind, text, data) VALUES (?, ?, ?, ?, ?, ?)",
                (t_s, utc, level, kind, text, encoded),
            )
        return cursor.lastrowid or 0

    def record_artifact(self, artifact: Artifact) -> None:
        """Record a durable file that a stage made; a later record of the same path supersedes the earlier."""
        self.record_artifacts((artifact,))

    def record_artifacts(self, artifacts: Iterable[Artifact]) -> None:
        """`record_artifact` of files that belong together: all or none."""
        chained = self.chained
        columns = "path, sha256, bytes, kind, roi, t_s" + (", inputs" if chained else "")
        with self._transaction():
            for one in artifacts:
                row = (one.path, one.sha256, one.bytes, one.kind, one.roi, one.t_s)
                inputs = (json.dumps(one.inputs, sort_keys=True),) if chained else ()
                self._connection.execute(
                    f"INSERT INTO artifact ({columns}) VALUES ({_marks(len(row + inputs))})", row + inputs
                )

    def set_state(self, state: RunState, *, t_s: float, reason: str = "", utc: str | None = None) -> None:
        """Enter a state of the run. `done` is refused while a planned frame has no outcome."""
        with self._transaction():
            self._connection.execute(
                "INSERT INTO run_state (state, reason, t_s, utc) VALUES (?, ?, ?, ?)", (state, reason, t_s, utc)
            )

    def set_roi_state(self, roi: str, state: RoiState, *, t_s: float, reason: str = "", utc: str | None = None) -> None:
        """Enter a state of one ROI."""
        with self._transaction():
            self._connection.execute(
                "INSERT INTO roi_state (roi, state, reason, t_s, utc) VALUES (?, ?, ?, ?, ?)",
                (roi, state, reason, t_s, utc),
            )

    def close(self) -> None:
        """Fold the write-ahead log back into one plain file, where no reader is in the way, and close."""
        with self._lock:
            if self._failed is None:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("PRAGMA busy_timeout = 0")
                    self._connection.execute("PRAGMA journal_mode = DELETE")
            self._connection.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def _count(self, table: str, frame_id: FrameId) -> int:
        return self._connection.execute(f"SELECT count(*) FROM {table} WHERE frame_id = ?", (frame_id,)).fetchone()[0]

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """BEGIN IMMEDIATE ... COMMIT. After a disk error the journal refuses everything: it is not tried again."""
        with self._lock:
            if self._failed is not None:
                first = self._failed
                raise StorageError(
                    f"the journal stopped after an error: {first.what}", where=str(self.path), remedy=first.remedy
                )
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                self._chain.begin()
                yield
                self._chain.extend()
                self._connection.execute("COMMIT")
            except sqlite3.IntegrityError as error:
                self._rollback()
                raise StorageError(f"the journal refuses: {error}", where=str(self.path)) from error
            except sqlite3.Error as error:
                self._rollback()
                raise self._failure(error) from error
            except BaseException:
                self._rollback()
                raise

    def _rollback(self) -> None:
        self._chain.forget()
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _failure(self, error: sqlite3.Error) -> StorageError:
        name = getattr(error, "sqlite_errorname", "")
        if (full := _full(self.path, name)) is not None:
            return full
        what, remedy = f"the journal cannot be written: {error}", None
        # SQLite says the same of a disk that fails, that was mounted read-only, and that has gone.
        if (trouble := disk_trouble(self.path.parent)) in (READ_ONLY, GIVEN_UP):
            what, remedy = f"{what}; {trouble}", MOUNT_IT
        elif name.startswith("SQLITE_IOERR"):
            remedy = "check the disk before anything else is written to it"
        failure = StorageError(what, where=str(self.path), remedy=remedy)
        if name.startswith(("SQLITE_IOERR", "SQLITE_CORRUPT", "SQLITE_READONLY", "SQLITE_NOTADB")):
            self._failed = failure
        return failure


def _full(path: Path, name: str) -> DiskFull | None:
    """The error where SQLite's, of that name, says that there is no room, or says no more than that a write failed and
    there is none.

    A quota that is used up, and an index of the write-ahead log that cannot grow, are but failed writes to SQLite. They
    were not acknowledged; an fsync that failed is never taken for one of them.
    """
    if name == "SQLITE_FULL":
        found = no_room_beside(path)
        what, remedy = (DISK_FULL, FREE_SPACE) if found is None else found
    elif name in _WRITES and (found := no_room_beside(path)) is not None:
        what, remedy = found
    else:
        return None
    return DiskFull(f"the journal cannot be written: {what}", where=str(path), remedy=remedy)


def _connect(path: Path) -> sqlite3.Connection:
    require_short(path)
    try:
        # check_same_thread is off because a worker thread writes; the journal's own lock keeps calls apart.
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    except sqlite3.Error as error:
        raise StorageError(f"the journal cannot be opened: {error}", where=str(path)) from error
    try:
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
    except sqlite3.OperationalError as error:
        connection.close()
        if (full := _full(path, getattr(error, "sqlite_errorname", ""))) is not None:
            raise full from error
        raise StorageError(f"the journal cannot be opened: {error}", where=str(path)) from error
    except sqlite3.DatabaseError:
        connection.close()
        raise
    if mode != "wal":
        connection.close()
        raise StorageError("the journal needs a local disk (no write-ahead log here)", where=str(path), value=mode)
    return connection


def _marks(count: int) -> str:
    return ", ".join("?" * count)
