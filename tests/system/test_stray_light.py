"""A run on an instrument with stray light: what is measured behind its blade stands in its files, and is taken off."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.conftest import SHORT, SLAB, write_recipe
from xrm_control import app
from xrm_control.core.states import FrameKind
from xrm_control.storage.journal import JournalReader


def test_what_the_blade_tells_is_stated_and_taken_off(tmp_path: Path) -> None:
    instrument = {**SHORT["instrument"], "realism": {"stray_share": 0.03, "spread_share": 0.1}}
    path = write_recipe(tmp_path, instrument=instrument, mosaic={"columns": 1, "rows": 1}, **SLAB)
    outcome = app.run(app.load(path, {}), tmp_path, None, lambda *_: None, None)
    found = outcome.results.quality["roi-01"]
    for share, expected, u in (
        (found.stray_share, 0.03, found.stray_share_u),
        (found.spread_share, 0.1, found.spread_share_u),
        (found.spread_um, 10.0, found.spread_um_u),
    ):
        assert share == pytest.approx(expected, abs=3 * (u or 0))
    said = {one.check: one.reason for one in found.checks}
    assert "taken off" in said["stray_light"]
    with JournalReader.open(outcome.folder / "journal.sqlite") as journal:
        frames = [plan for plan, _ in journal.stored_frames("roi-01")]
    behind = [number for number, plan in enumerate(frames) if plan.kind is FrameKind.BLOCKER]
    assert len(behind) == 3
