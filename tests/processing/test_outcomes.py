"""The outcomes of every planned frame: their sum is the plan, whatever became of the run."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sqlite3
from pathlib import Path

import pytest
from rich.console import Console

from tests.processing.test_verification import cut_journal
from tests.storage.test_chain import forge
from xrm_control import app
from xrm_control.cli.tables import status_view
from xrm_control.contracts.outcomes import FrameOutcomes
from xrm_control.storage.run_folder import RunFolder

VERSION_1 = Path(__file__).parents[1] / "data" / "version_1"


@pytest.fixture
def run(ended: RunFolder, tmp_path: Path) -> RunFolder:
    return RunFolder.open(Path(shutil.copytree(ended.path, tmp_path / "run")))


def planned(folder: Path) -> int:
    return sum(stage["frames"] for stage in json.loads((folder / "plan.json").read_text())["stages"])


def begin_only(run: RunFolder) -> None:
    """Everything after the mosaic's plan taken out: as if the run had died there."""
    with contextlib.closing(sqlite3.connect(run.journal)) as connection, connection:
        (first,) = connection.execute("SELECT min(rowid) FROM planned_frame WHERE roi <> ''").fetchone()
    tables = ("attempt", "committed", "roi_state", "run_state")
    forge(run.journal, *(f"DELETE FROM {name}" for name in tables), f"DELETE FROM planned_frame WHERE rowid >= {first}")


@pytest.mark.parametrize("act", [lambda run: None, cut_journal, begin_only], ids=["ended", "cut", "begun"])
def test_their_sum_is_the_plan(run: RunFolder, act: object) -> None:
    assert callable(act)
    act(run)
    summary = app.status(run.path)
    total = sum(summary.outcomes.values(), FrameOutcomes())
    assert total.planned == planned(run.path) == 94
    assert total.kept + total.retaken == summary.total.kept
    console = Console(width=120)
    with console.capture() as shown:
        console.print(status_view(summary))
    (line,) = (line for line in shown.get().splitlines() if line.startswith("│ all"))
    first, *counts = map(int, re.findall(r"\d+", line))
    assert (first, sum(counts)) == (94, 94)


def test_results_and_report_tell_them(ended: RunFolder) -> None:
    told = json.loads(ended.results.read_text())["frames"]
    assert sum(sum(one.values()) for one in told.values()) == planned(ended.path)
    assert {kind: one["kept"] + one["retaken"] for kind, one in told.items()} == {
        "tile": 4,
        "projection": 82,
        "flat": 5,
        "dark": 3,
    }
    assert "kept when retaken" in ended.report.read_text(encoding="utf-8")


def test_a_run_of_the_version_before_has_them_too(tmp_path: Path) -> None:
    run = Path(shutil.copytree(VERSION_1, tmp_path / "run"))
    found = app.status(run).outcomes
    assert sum(found.values(), FrameOutcomes()) == FrameOutcomes(kept=68, retaken=2)
