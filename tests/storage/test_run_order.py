"""Which run is the newest: not the one with the newest name, where somebody has set the clock back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from xrm_control.app.service import left_behind
from xrm_control.core.errors import DataError
from xrm_control.core.states import RunState
from xrm_control.storage.journal import Journal
from xrm_control.storage.queue_folder import ItemFolder
from xrm_control.storage.records import RunRecord
from xrm_control.storage.run_folder import RunFolder
from xrm_control.storage.run_order import NUMBER, in_order

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOURS = (0, 1, -2, -1)  # of each run after the first one's, by the wall clock


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """Runs of one recipe in the order in which they were begun; each died."""
    found = []
    for number, hours in enumerate(HOURS):
        folder = RunFolder.create(
            tmp_path / "1_short" / "runs", "short", NOON + timedelta(hours=hours), f"{number:04x}"
        )
        record = RunRecord(folder.name, "short", "0" * 64, "simulated", True, NOON.isoformat())
        with Journal.create(folder.journal, record) as journal:
            journal.set_state(RunState.SCANNING, t_s=1.0)
        found.append(folder.path)
    return found


def test_the_newest_is_the_one_that_was_begun_last(runs: list[Path]) -> None:
    root = runs[0].parent
    assert in_order(sorted(runs)) == runs
    assert sorted(runs)[-1] != runs[-1]
    assert left_behind(root, "0" * 64) == runs[-1]
    assert ItemFolder(root.parent).run() == runs[-1]
    with pytest.raises(DataError, match=f"did you mean {runs[-1]}"):
        RunFolder.open(root)


def test_one_that_is_over_is_not_passed_by_for_one_of_a_newer_name(runs: list[Path]) -> None:
    with Journal.open(runs[-1] / "journal.sqlite") as journal:
        journal.set_state(RunState.FAILED, t_s=2.0)
    assert left_behind(runs[0].parent, "0" * 64) is None


def test_those_of_an_earlier_version_come_first_by_their_names(runs: list[Path]) -> None:
    for run in runs[:2]:
        (run / NUMBER).unlink()
    assert in_order(runs) == runs
    (runs[2] / NUMBER).write_text("nonsense")
    assert in_order(runs) == [runs[2], *runs[:2], runs[3]]


def test_a_number_is_not_given_again_while_a_later_run_is_there(runs: list[Path]) -> None:
    (runs[1] / NUMBER).unlink()
    root = runs[0].parent
    assert in_order([*runs, RunFolder.create(root, "short", NOON, "ffff").path])[-1].name.endswith("ffff")
