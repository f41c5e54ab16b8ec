"""A run with a plan of ten projections, and a way to fill it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from xrm_control.core.frame_id import FrameId
from xrm_control.core.geometry import Pose
from xrm_control.core.states import FrameKind
from xrm_control.storage.journal import Journal
from xrm_control.storage.records import Exposure, PlannedFrame, RunRecord, StoredFrame
from xrm_control.storage.run_folder import RunFolder

RUN = RunRecord("night", "nmc811_screening", "f" * 64, "simulated", True, "2025-01-02T03:04:05Z")


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path, "nmc811_screening", datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC), "0a1b")


def plan() -> list[PlannedFrame]:
    names = (FrameId.tile(0, 0), FrameId.tile(0, 1))
    tiles = [
        PlannedFrame(name, "mosaicking", FrameKind.TILE, n, Pose(n, 0, 0, 0), 0.5, 8) for n, name in enumerate(names)
    ]
    projections = [
        PlannedFrame(
            FrameId(f"roi-01/proj_{n:04d}"),
            "scanning",
            FrameKind.PROJECTION,
            n,
            Pose(10, 20, 30, -90 + 45 * n),
            1.25,
            8,
            "roi-01",
        )
        for n in range(5)
    ]
    return tiles + projections


@pytest.fixture
def journal(folder: RunFolder) -> Iterator[Journal]:
    with Journal.create(folder.journal, RUN) as journal:
        journal.plan_frames(plan())
        yield journal


@pytest.fixture
def commit() -> Callable[..., StoredFrame]:
    """Intend (unless told the attempt) and commit a made-up file of a frame."""

    def act(journal: Journal, frame_id: FrameId, attempt: int | None = None) -> StoredFrame:
        number = attempt or journal.intend(frame_id, theta_deg=1.5, t_s=10.0)
        frame = StoredFrame(
            frame_id,
            number,
            f"frames/{frame_id}.{number}.tif",
            4096,
            (32, 64),
            "uint16",
            "a" * 64,
            Exposure(Pose(1, 2, 3, 1.49), 10.0, 11.25, 77),
            123.5,
        )
        journal.commit(frame)
        return frame

    return act
