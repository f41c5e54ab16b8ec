"""A region that was begun in one sitting and is set aside in the next, before the run has come to it again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hunt.quick import without_processing
from tests.session.test_commands import FIRST_S, TWO, Night
from tests.system.conftest import SHORT
from xrm_control.contracts.commands import Add, Skip, Stop
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.states import RoiState

CHEAP = {**TWO, "instrument": {**SHORT["instrument"], "rendering": False}}


@pytest.mark.parametrize("later_s", [0.05, 3.0])
def test_its_frames_have_an_outcome_and_the_run_comes_to_its_end(tmp_path: Path, later_s: float) -> None:
    with without_processing():
        night = Night(tmp_path, (FIRST_S, Stop(after="frame")), **CHEAP)
        assert night.code == ExitCode.RESUMABLE
        with night.journal() as journal:
            stood_s, before = journal.last_t_s() or 0.0, journal.accounting("roi-01")
        assert before.open > 0 < before.kept
        assert night.resume((stood_s + later_s, Skip(roi="roi-01"))) == ExitCode.PARTLY
    assert night.replies == ["is set aside"]
    assert night.states[-1] == "done"
    with night.journal() as journal:
        after = journal.accounting("roi-01")
        assert (after.open, after.kept, after.missing) == (0, before.kept, before.open)
        assert journal.roi_states()["roi-01"].state is RoiState.QUARANTINED
        assert journal.accounting().open == 0


def test_so_it_is_when_a_place_is_added_meanwhile(tmp_path: Path) -> None:
    with without_processing():
        night = Night(tmp_path, (FIRST_S, Stop(after="frame")), **CHEAP)
        with night.journal() as journal:
            stood_s = journal.last_t_s() or 0.0
        night.resume((stood_s + 0.05, Skip(roi="roi-01")), (stood_s + 0.06, Add(x_um=-33.0, y_um=1.0)))
    assert night.states[-1] == "done"
