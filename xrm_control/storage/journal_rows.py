"""Rows of the journal as records, and what all who ask it questions have in common."""

from __future__ import annotations

import json
import sqlite3
from abc import ABC, abstractmethod
from typing import Any

from xrm_control.core.frame_id import FrameId
from xrm_control.core.geometry import Pose
from xrm_control.core.states import FrameKind, Level
from xrm_control.storage.records import EventRecord, Exposure, PlannedFrame, StoredFrame


class Questions(ABC):
    """A part of the questions that can be put to a journal; whoever joins them has the connection."""

    @abstractmethod
    def _rows(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[sqlite3.Row]:
        """All rows of an answer. Raises DataError when the journal cannot be read."""


def event_of(row: sqlite3.Row) -> EventRecord:
    """Of table event."""
    return EventRecord(row["t_s"], Level(row["level"]), row["kind"], row["text"], json.loads(row["data"]), row["utc"])


def pose_of(row: sqlite3.Row) -> Pose:
    """Of any table with a pose."""
    return Pose(row["x_um"], row["y_um"], row["z_um"], row["theta_deg"])


def planned_of(row: sqlite3.Row) -> PlannedFrame:
    """Of table planned_frame."""
    return PlannedFrame(
        FrameId(row["frame_id"]),
        row["stage"],
        FrameKind(row["kind"]),
        row["number"],
        pose_of(row),
        row["exposure_s"],
        row["binning"],
        row["roi"],
    )


def stored_of(row: sqlite3.Row) -> StoredFrame:
    """Of table committed, or view kept."""
    return StoredFrame(
        frame_id=FrameId(row["frame_id"]),
        attempt=row["attempt"],
        path=row["path"],
        bytes=row["bytes"],
        shape=(row["rows"], row["columns"]),
        dtype=row["dtype"],
        sha256=row["sha256"],
        exposure=Exposure(pose_of(row), row["t_start_s"], row["t_end_s"], row["unique_id"]),
        mean_counts=row["mean_counts"],
    )
