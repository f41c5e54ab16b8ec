"""A strip without powder is an answer: everything up to the mosaic is kept and told, and nothing is scanned."""

from __future__ import annotations

from pathlib import Path

from tests.session.scripted import SHORT, Night
from xrm_control import app
from xrm_control.contracts.rois import ROIS
from xrm_control.core.events import FrameKept, NoRegions, SafeStateVerified
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.states import RunState, Verdict

EMPTY = {"instrument": {**SHORT["instrument"], "specimen": "empty"}, "roi": {"kind": "most_particles", "count": 2}}


def test_an_empty_strip_ends_in_order_with_nothing_to_scan(tmp_path: Path) -> None:
    night = Night(tmp_path, **EMPTY)
    assert (night.error, night.code, night.states[-1]) == (None, ExitCode.PARTLY, RunState.DONE)
    (told,) = night.events(NoRegions)
    assert "shows no particles" in told.text
    assert len(night.events(SafeStateVerified)) == 1
    verdict = night.results["verdict"]
    assert verdict["status"] == Verdict.INCOMPLETE
    assert [reason for reason in verdict["reasons"] if reason.startswith("nothing to scan: the mosaic shows no partic")]
    assert night.results["counts"]["particles_in_mosaic"] == night.results["counts"]["rois"] == 0
    rois = ROIS.read(night.folder / "rois.json")
    assert (rois.rois, rois.mosaic.particles, rois.nothing in told.text) == ((), 0, True)
    assert (night.folder / "mosaic.png").is_file()
    assert "There is nothing to scan" in (night.folder / "report.html").read_text()
    # Whoever reads it later comes to the same end, and nothing is exposed anew.
    kept = len(night.events(FrameKept))
    with night.journal() as journal:
        assert (journal.accounting().complete, journal.accounting().planned) == (True, kept)
    assert app.report(night.folder) == night.folder / "report.html"
