"""What is new in a journal, for those who look again and again: the cost does not grow with its length."""

from __future__ import annotations

from typing import Any

from xrm_control.core.frame_id import FrameId
from xrm_control.core.states import FrameKind
from xrm_control.storage.journal_rows import Questions, event_of, planned_of, stored_of
from xrm_control.storage.records import EventRecord, PlannedFrame, StoredFrame


class LatestQueries(Questions):
    """Questions of the newest frames and events, for any reader of a journal."""

    def last_frame(self) -> tuple[PlannedFrame, StoredFrame] | None:
        """The newest frame that counts, with its plan; None while there is none."""
        return next(iter(self._frames("1", "c.rowid DESC", 1)), None)

    def first_and_last(self, kind: FrameKind) -> tuple[StoredFrame, StoredFrame] | None:
        """The first and the newest frame of a kind, of the newest frame's stage; None while there is none."""
        newest = next(iter(self._frames("p.kind = ?1", "c.rowid DESC", 1, (kind,))), None)
        if newest is None:
            return None
        plan, last = newest
        first = self._frames("p.kind = ?1 AND p.stage = ?2", "c.rowid", 1, (kind, plan.stage))
        return first[0][1], last

    def _frames(
        self, where: str, order: str, limit: int, parameters: tuple[Any, ...] = ()
    ) -> list[tuple[PlannedFrame, StoredFrame]]:
        """Committed frames that were not rejected later, in the order of their commits."""
        rows = self._rows(
            f"SELECT c.* FROM committed AS c JOIN planned_frame AS p USING (frame_id) WHERE {where} AND NOT EXISTS"
            " (SELECT 1 FROM rejected AS r WHERE r.frame_id = c.frame_id AND r.attempt = c.attempt)"
            f" ORDER BY {order} LIMIT {limit}",
            parameters,
        )
        frames = [stored_of(row) for row in rows]
        plans = {name: self._planned_frame(name) for name in {frame.frame_id for frame in frames}}
        return [(plans[frame.frame_id], frame) for frame in frames]

    def _planned_frame(self, frame_id: FrameId) -> PlannedFrame:
        return planned_of(self._rows("SELECT * FROM planned_frame WHERE frame_id = ?", (frame_id,))[0])

    def events_before(self, before: int | None, limit: int) -> list[tuple[int, EventRecord]]:
        """(id, event) of the newest `limit` events with an id below `before` (None: of all), in order."""
        rows = self._rows("SELECT * FROM event WHERE ?1 IS NULL OR id < ?1 ORDER BY id DESC LIMIT ?2", (before, limit))
        return [(row["id"], event_of(row)) for row in reversed(rows)]

    def last_event_id(self) -> int:
        """The number of the newest event; 0 while there is none."""
        return int(self._rows("SELECT coalesce(max(id), 0) AS id FROM event")[0]["id"])

    def version_of_data(self) -> tuple[int, ...]:
        """Numbers that change with every row that is added."""
        tables = (
            "attempt",
            "committed",
            "rejected",
            "missing",
            "event",
            "run_state",
            "roi_state",
            "artifact",
            "planned_frame",
        )
        rows = self._rows(" UNION ALL ".join(f"SELECT coalesce(max(rowid), 0) AS n FROM {table}" for table in tables))
        return tuple(int(row["n"]) for row in rows)
