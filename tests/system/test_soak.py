"""The long checks of `make soak`: the overnight recipe with a script of faults, and nothing lost in the morning."""

from __future__ import annotations

from pathlib import Path

import pytest

from xrm_control import app
from xrm_control.core.events import MoveStalled, RunHeld, RunReleased
from xrm_control.core.states import RoiState
from xrm_control.storage.journal import JournalReader

pytestmark = pytest.mark.soak
OVERNIGHT = Path(__file__).parents[2] / "recipes" / "overnight.yaml"

FAULTS = """[
  {kind: stall, axis: theta, move: 40},
  {kind: stall, axis: x, move: 9},
  {kind: dropped_frame, frames: [20, 111, 112, 700, 1500]},
  {kind: nan_frame, frames: [300]},
  {kind: repeated_frame, frames: [500]},
  {kind: dark_frame, frames: [900]},
  {kind: beam_loss, at_s: 600, duration_s: 1800},
  {kind: beam_loss, at_s: 4000, duration_s: 20}
]"""


def test_a_night_with_every_fault_loses_nothing(tmp_path: Path) -> None:
    outcome = app.run(app.load(OVERNIGHT, {"instrument.faults": FAULTS, "output.keep_free_gb": "0"}), tmp_path, None)
    with JournalReader.open(outcome.folder / "journal.sqlite") as journal:
        accounting = journal.accounting()
        kinds = [record.kind for _, record in journal.events(limit=100_000)]
        states = journal.roi_states()
    assert accounting.complete
    assert accounting.retaken >= 8
    assert kinds.count(MoveStalled.kind) == 2
    assert kinds.count(RunHeld.kind) == kinds.count(RunReleased.kind) == 2
    assert {state.state for state in states.values()} == {RoiState.REPORTED}
    assert outcome.exit_code == 0
    truth = outcome.results.truth
    assert truth is not None
    assert (truth.matched_fraction or 0) >= 0.95
