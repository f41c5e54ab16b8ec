"""The journal's running hash: every row is linked to all that were added before it.

Link n is the SHA-256 of link n - 1 (64 zeros before the first), a line break, and the row as JSON: ``[table, row
number, column, ...]``, without spaces, in ASCII. It is written with the row, in one transaction. A row that is changed,
taken out or put in by somebody else shows; and who has noted one link has noted the whole journal up to it.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xrm_control.storage.schema import TABLES

BEFORE_THE_FIRST = "0" * 64
_ENDS = f"SELECT {', '.join(f'(SELECT coalesce(max(rowid), 0) FROM {table})' for table in TABLES)}"
_NAMES = ("frame_id", "path", "roi", "kind", "state", "name")


@dataclass(frozen=True)
class Flaw:
    """A row that is not as it was written. row: its number in `table`; name: what it tells of, "" where unknown."""

    table: str
    row: int
    what: str
    name: str = ""

    def __str__(self) -> str:
        name = f" ({self.name})" if self.name else ""
        return f"row {self.row} of {self.table}{name} {self.what}"


def linked(before: str, table: str, row: int, values: Sequence[object]) -> str:
    """The link of a row; `before` is the one before it."""
    text = json.dumps([table, row, *values], separators=(",", ":"), default=repr)
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()


class ChainWriter:
    """Links the rows of one connection that writes; a journal of an older version has no chain, and gets none."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._chained = False
        self._ends: dict[str, int] | None = None
        self._last = BEFORE_THE_FIRST

    def begin(self) -> None:
        """A transaction begins. What others put in is never linked: rows are taken from where the tables end now."""
        if self._ends is not None:
            return
        self._last, self._ends = BEFORE_THE_FIRST, dict[str, int](dict.fromkeys(TABLES, 0))
        if has_chain(self._connection):
            row = self._connection.execute("SELECT sha256 FROM chain ORDER BY id DESC LIMIT 1").fetchone()
            self._last = row[0] if row else BEFORE_THE_FIRST
            self._ends = self._ends_now()

    def extend(self) -> None:
        """Link what the transaction added, before it is committed."""
        # Asked until there is one: the first transaction makes the tables, too.
        self._chained = self._chained or has_chain(self._connection)
        if self._ends is None or not self._chained:
            return
        for table, end in self._ends_now().items():
            if end == self._ends[table]:
                continue
            rows = self._connection.execute(
                f"SELECT rowid AS row_, * FROM {table} WHERE rowid > ? ORDER BY rowid", (self._ends[table],)
            )
            for row, *values in rows.fetchall():
                self._last = linked(self._last, table, row, values)
                self._connection.execute(
                    "INSERT INTO chain (of_table, row, sha256) VALUES (?, ?, ?)", (table, row, self._last)
                )
            self._ends[table] = end

    def _ends_now(self) -> dict[str, int]:
        """The last row of each table."""
        return dict(zip(TABLES, self._connection.execute(_ENDS).fetchone(), strict=True))

    def forget(self) -> None:
        """The transaction was taken back."""
        self._ends = None


def has_chain(connection: sqlite3.Connection) -> bool:
    """Whether the journal is of a version with a chain."""
    return bool(connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'chain'").fetchone())


def flaws(connection: sqlite3.Connection) -> Iterator[Flaw]:
    """Every row that does not fit its link, or has none; read row by row. Raises sqlite3.Error for a damaged file."""
    before, number = BEFORE_THE_FIRST, 0
    for number_, table, row, sha256 in connection.execute("SELECT id, of_table, row, sha256 FROM chain ORDER BY id"):
        number += 1
        if number_ != number:
            yield Flaw("chain", number, f"was taken out, and all before {number_}")
            number = number_
        if table not in TABLES:
            yield Flaw("chain", number, "names no table")
        else:
            cursor = connection.execute(f"SELECT * FROM {table} WHERE rowid = ?", (row,))
            columns, values = [column[0] for column in cursor.description], cursor.fetchone()
            if values is None:
                yield Flaw(table, row, "was taken out")
            elif linked(before, table, row, list(values)) != sha256:
                yield Flaw(table, row, "is not as it was written", _name(columns, values))
        before = sha256
    for table in TABLES:
        cursor = connection.execute(
            f"SELECT rowid AS row_, * FROM {table} AS t"
            " WHERE NOT EXISTS (SELECT 1 FROM chain WHERE of_table = ? AND row = t.rowid)",
            (table,),
        )
        columns = [column[0] for column in cursor.description]
        for values in cursor:
            yield Flaw(table, values[0], "was put in by somebody else", _name(columns, values))


def _name(columns: Sequence[str], values: Sequence[object]) -> str:
    row = dict(zip(columns, values, strict=True))
    name = next((str(row[key]) for key in _NAMES if row.get(key)), "")
    return f"{name}, attempt {row['attempt']}" if row.get("attempt") else name
