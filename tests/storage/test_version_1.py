"""A journal written by the version before: a real one, of a run with a frame retaken and the beam away for a minute."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest

from xrm_control.core.frame_id import FrameId
from xrm_control.core.states import FrameKind, RoiState, RunState
from xrm_control.storage.journal import Journal, JournalReader
from xrm_control.storage.records import Accounting

RUN = Path(__file__).parents[1] / "data" / "version_1"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return Path(shutil.copy(RUN / "journal.sqlite", tmp_path))


def test_it_is_of_that_version(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as journal:
        assert journal.execute("PRAGMA user_version").fetchone() == (1,)


def test_it_is_read(path: Path) -> None:
    with JournalReader.open(path) as journal:
        summary = journal.summary()
        stored = journal.stored_frames("roi-01")
        assert journal.rejections(FrameId("roi-01/proj_0002")) == {1: "not a number in the image"}
    assert summary.state is not None
    assert summary.state.state is RunState.DONE
    assert {roi: record.state for roi, record in summary.rois.items()} == {"roi-01": RoiState.REPORTED}
    assert summary.frames == {"": Accounting(6, 6), "roi-01": Accounting(64, 64, retaken=2)}
    assert [plan.kind for plan, _ in stored].count(FrameKind.PROJECTION) == 61


def test_it_can_be_gone_on_with(path: Path) -> None:
    with Journal.open(path) as journal:
        journal.retake(FrameId("roi-01/proj_0003"), "odd", t_s=200.0)
        assert journal.intend(FrameId("roi-01/proj_0003"), theta_deg=0.0, t_s=201.0) == 2
    with JournalReader.open(path) as journal:
        assert journal.open_attempts() == [("roi-01/proj_0003", 2)]
