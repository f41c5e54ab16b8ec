"""The same code on a clock that runs on its own: nothing waits for a reconstruction, and the frames are all there."""

from __future__ import annotations

from pathlib import Path

from tests.system.conftest import SHORT, write_recipe
from xrm_control import app
from xrm_control.core.events import RoiStateEntered
from xrm_control.core.states import Verdict
from xrm_control.storage.journal import JournalReader


def test_a_run_at_a_hundred_times_the_wall_clock(tmp_path: Path) -> None:
    positions = [{"x_um": -32.0, "y_um": 0.0}, {"x_um": 34.0, "y_um": 0.0}]
    recipe = write_recipe(
        tmp_path,
        mosaic={"columns": 3, "rows": 1},
        roi={"kind": "manual", "positions": positions},
        scan={**SHORT["scan"], "projections": 41},
    )
    outcome = app.run(app.load(recipe), tmp_path / "runs", "100")
    # Of 41 views, at times that no two runs share, a check may doubt a number; nothing else may be amiss.
    assert outcome.results.verdict.status in (Verdict.COMPLETE, Verdict.DOUBT)
    with JournalReader.open(outcome.folder / "journal.sqlite") as journal:
        assert journal.accounting().complete
        moments = {
            (event.data["roi"], event.data["state"]): number
            for number, event in journal.events(limit=10_000)
            if event.kind == RoiStateEntered.kind
        }
        second_begun = min(n for n, event in journal.events(limit=10_000) if event.text == "roi-02 references")
    # The second scan begins while the first region is still being reconstructed.
    assert moments[("roi-01", "reconstructing")] < second_begun < moments[("roi-01", "reported")]
