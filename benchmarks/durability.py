"""What it costs to make a frame durable: intent, hash, fsync, rename, commit; beside a plain TIFF."""

from __future__ import annotations

import itertools
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import tifffile

from benchmarks.timing import Row, median_s
from xrm_control.core.frame_id import FrameId
from xrm_control.core.geometry import Pose
from xrm_control.core.states import FrameKind
from xrm_control.storage.frames import FrameStore
from xrm_control.storage.journal import Journal
from xrm_control.storage.records import Exposure, PlannedFrame, RunRecord
from xrm_control.storage.run_folder import RunFolder

POSE = Pose(0, 0, 0, 0)


def rows() -> list[Row]:
    """128 x 128 and 1024 x 1024 frames."""
    found = []
    for side in (128, 1024):
        image = np.random.default_rng(1).integers(0, 60_000, (side, side), dtype=np.uint16)
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as root:
            plain_s = _plain(Path(root), image)
            durable_s = _durable(Path(root), image)
        what = f"frame of {side} x {side}"
        found.append(Row(what, "tifffile, not flushed", plain_s, 1.0, "itself"))
        found.append(Row(what, "intent, hash, fsync, rename, commit", durable_s, plain_s / durable_s, "tifffile"))
    return found


def _plain(root: Path, image: np.ndarray) -> float:
    numbers = itertools.count()
    return median_s(lambda: tifffile.imwrite(root / f"{next(numbers)}.tif", image), 50)


def _durable(root: Path, image: np.ndarray) -> float:
    folder = RunFolder.create(root, "bench", datetime(2000, 1, 1, tzinfo=UTC), "0000")
    record = RunRecord(folder.name, "bench", "0" * 64, "none", True, "2000-01-01T00:00:00+00:00")
    numbers = itertools.count()
    with Journal.create(folder.journal, record) as journal:
        store = FrameStore(folder, journal)
        journal.plan_frames(
            PlannedFrame(FrameId.projection("roi-01", i), "roi-01", FrameKind.PROJECTION, i, POSE, 1.0, 8, "roi-01")
            for i in range(100)
        )

        def one() -> None:
            number = next(numbers)
            name = FrameId.projection("roi-01", number)
            attempt = journal.intend(name, theta_deg=0.0, t_s=0.0)
            store.store(name, attempt, image, Exposure(POSE, 0.0, 1.0, number + 1))

        return median_s(one, 50)
