"""A journal as an auditor reads it: nothing is written beside it, nothing in it is believed, rows come one by one."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from xrm_control.core.errors import DataError
from xrm_control.storage.chain import Flaw, flaws
from xrm_control.storage.journal_reader import JournalReader
from xrm_control.storage.records import Artifact, ChainLink
from xrm_control.storage.schema import expected_rules

_SIDES = ("-wal", "-journal")
SHORTEST_NOTE = 12  # digits of a link that somebody has noted


@dataclass(frozen=True)
class CommittedFile:
    """A frame's file as the journal has it. kept: whether it is the attempt that counts."""

    path: str
    frame_id: str
    roi: str
    bytes: int
    sha256: str
    kept: bool


class JournalAudit(JournalReader):
    """Raises DataError for what cannot be read, whatever is wrong with it."""

    @classmethod
    @contextlib.contextmanager
    def untouched(cls, path: Path, *, alive: bool) -> Generator[JournalAudit, None, None]:
        """Open `path`. Of a run that died the journal is read in a copy: SQLite would put its pieces together in place.

        alive: somebody carries the run out, and has the journal open. Raises DataError for what is no journal.
        """
        sides = [side for suffix in _SIDES if (side := path.with_name(path.name + suffix)).is_file()]
        with contextlib.ExitStack() as stack:
            try:
                if alive:
                    audit = cls.open(path)
                elif not sides:
                    audit = cls._checked(path, f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1")
                else:
                    audit = cls._copied(path, *sides)
            except sqlite3.Error as error:
                raise DataError(f"the journal cannot be read: {error}", where=str(path)) from error
            stack.enter_context(audit)
            yield audit

    def damage(self) -> str | None:
        """What SQLite finds wrong with the file; None when it is whole."""
        found = str(self._rows("PRAGMA integrity_check(1)")[0][0])
        return None if found == "ok" else found

    def rules_missing(self) -> tuple[str, ...]:
        """Names of the tables' own rules that are not there any more."""
        known = {str(row[0]) for row in self._rows("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
        return tuple(name for name in expected_rules(chained=self.chained) if name not in known)

    def flaws(self) -> Iterator[Flaw]:
        """Every row that does not fit the chain. Raises DataError where the journal cannot be read."""
        try:
            # Rows as tuples: a second connection's worth of settings is not needed for that.
            self._connection.row_factory = None
            yield from flaws(self._connection)
        except (sqlite3.Error, OverflowError) as error:
            raise DataError(f"the journal cannot be read: {error}", where=str(self.path)) from error
        finally:
            self._connection.row_factory = sqlite3.Row

    def link_noted(self, note: str) -> ChainLink | None:
        """The link that somebody has noted, or whose first digits; None where there is none."""
        return self._link("SELECT id, sha256 FROM chain WHERE substr(sha256, 1, ?) = ?", (len(note), note))

    def link_at(self, rows: int) -> ChainLink | None:
        """The link after so many rows."""
        return self._link("SELECT id, sha256 FROM chain WHERE id = ?", (rows,))

    def committed_files(self) -> Iterator[CommittedFile]:
        """Every frame's file, of rejected attempts too, in the order of their writing."""
        sql = (
            "SELECT c.path, c.frame_id, coalesce(p.roi, '') AS roi, c.bytes, c.sha256,"
            " NOT EXISTS (SELECT 1 FROM rejected AS r WHERE r.frame_id = c.frame_id AND r.attempt = c.attempt) AS kept"
            " FROM committed AS c LEFT JOIN planned_frame AS p USING (frame_id) ORDER BY c.rowid"
        )
        for row in self._each(sql):
            yield CommittedFile(
                str(row["path"]), str(row["frame_id"]), str(row["roi"]), row["bytes"], row["sha256"], bool(row["kept"])
            )

    def committed_hash(self, path: str) -> str | None:
        """The hash of a frame's file; None for a file that is none."""
        return next((str(row[0]) for row in self._rows("SELECT sha256 FROM committed WHERE path = ?", (path,))), None)

    def kept_paths(self, roi: str) -> frozenset[str]:
        """The files of the frames of a region that count."""
        rows = self._rows("SELECT k.path FROM kept AS k JOIN planned_frame AS p USING (frame_id) WHERE roi = ?", (roi,))
        return frozenset(str(row[0]) for row in rows)

    def known_as(self, sha256: str) -> str | None:
        """Which recorded file has this content; None when none has."""
        sql = "SELECT path FROM committed WHERE sha256 = ?1 UNION ALL SELECT path FROM artifact WHERE sha256 = ?1"
        return next((str(row[0]) for row in self._rows(sql, (sha256,))), None)

    def artifacts(self) -> dict[str, Artifact]:
        """See `JournalQueries.artifacts`; inputs that are no JSON are none."""
        found: dict[str, Artifact] = {}
        for row in self._each("SELECT * FROM artifact ORDER BY id"):
            fields = dict(row)
            del fields["id"]
            found[str(row["path"])] = Artifact(**{**fields, "inputs": _mapping(fields.get("inputs", "{}"))})
        return found

    def _each(self, sql: str) -> Iterator[sqlite3.Row]:
        try:
            yield from self._connection.execute(sql)
        except sqlite3.Error as error:
            raise DataError(f"the journal cannot be read: {error}", where=str(self.path)) from error


def _mapping(text: Any) -> dict[str, str]:
    try:
        content: object = json.loads(text)
    except (ValueError, TypeError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {str(key): str(value) for key, value in content.items()}  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType]
