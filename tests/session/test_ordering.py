"""The order of the regions, changed while the run goes on: kept by whoever goes on with it, whatever ended it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.session.operators import BY
from tests.session.test_commands import FIRST_S, IN_MOSAIC_S, Night
from xrm_control import app
from xrm_control.contracts.commands import Abort, Add, Continue, Order, Pause, Skip, Stop, Until
from xrm_control.contracts.rois import ROIS
from xrm_control.core.events import CommandDone, CommandEvent
from xrm_control.core.exit_code import ExitCode

FOUR: dict[str, Any] = {
    "mosaic": {"columns": 5, "rows": 2, "flats": 1, "darks": 1},
    "roi": {
        "kind": "manual",
        "positions": [{"x_um": x_um, "y_um": y_um} for y_um in (-33.0, 33.0) for x_um in (-33.0, 33.0)],
    },
}
# With five columns the first region is begun at about 21 s; each takes about 24 s.
IN_FIRST_S = FIRST_S + 4


def scanned(night: Night) -> list[str]:
    """The regions in the order of their first frames."""
    with night.journal() as journal:
        return list(dict.fromkeys(plan.roi for plan in journal.planned_frames() if plan.roi))


def on_file(night: Night) -> list[str]:
    return [roi.name for roi in ROIS.read(night.folder.rois).rois]


def test_those_that_wait_are_scanned_in_the_order_that_is_wanted(tmp_path: Path) -> None:
    script = (
        (IN_FIRST_S, Order(rois=("roi-04", "roi-02"))),
        (IN_FIRST_S + 0.5, Order(rois=("roi-02", "roi-01"))),
        (IN_FIRST_S + 22, Order(rois=("roi-03",))),
    )
    night = Night(tmp_path, *script, **FOUR)
    assert night.replies[0] == "scanned next: roi-04, roi-02, roi-03"
    assert "its scan has begun (value roi-01) -> those that wait: roi-04, roi-02, roi-03" in night.replies[1]
    assert night.replies[2] == "scanned next: roi-03, roi-02"
    assert scanned(night) == ["roi-01", "roi-04", "roi-03", "roi-02"]
    assert on_file(night) == scanned(night)
    assert {event.by for event in night.events(CommandEvent)} == {BY}
    with night.journal() as journal:
        assert journal.accounting().complete
    assert app.verify(night.folder.path).sound


def test_what_is_paused_before_a_region_goes_on_with_another(tmp_path: Path) -> None:
    """Also the region before which the run stands is one that waits."""
    script = ((IN_MOSAIC_S, Until(stage="rois")),)
    night = Night(tmp_path, *script, **FOUR)
    assert scanned(night) == []
    night.resume((0.2, Order(rois=("roi-03",))))
    assert night.replies == ["the order is changed when the run comes to its regions"]
    assert [event.outcome for event in night.events(CommandDone)] == ["scanned next: roi-03, roi-01, roi-02, roi-04"]
    assert scanned(night) == ["roi-03", "roi-01", "roi-02", "roi-04"]


@pytest.mark.parametrize("end", [Abort(), Stop()], ids=lambda command: command.kind)
def test_the_order_outlives_the_sitting(tmp_path: Path, end: Abort | Stop) -> None:
    night = Night(tmp_path, (IN_FIRST_S, Order(rois=("roi-04", "roi-03"))), (IN_FIRST_S + 1, end), **FOUR)
    assert scanned(night) == ["roi-01"]
    assert on_file(night) == ["roi-01", "roi-04", "roi-03", "roi-02"]
    assert night.resume() in (ExitCode.OK, ExitCode.PARTLY)
    assert scanned(night) == ["roi-01", "roi-04", "roi-03", "roi-02"]


def test_with_regions_skipped_and_added(tmp_path: Path) -> None:
    script = (
        (IN_FIRST_S, Skip(roi="roi-02")),
        (IN_FIRST_S + 0.1, Order(rois=("roi-02",))),
        (IN_FIRST_S + 0.2, Order(rois=("roi-04",))),
        (IN_FIRST_S + 0.3, Pause()),
        (IN_FIRST_S + 6, Add(x_um=-100.0, y_um=0.0)),
        (IN_FIRST_S + 7, Order(rois=("roi-05",))),
        (IN_FIRST_S + 8, Continue()),
    )
    night = Night(tmp_path, *script, **FOUR)
    assert "its scan is over" in night.replies[1]
    assert night.replies[2] == "scanned next: roi-04, roi-03"
    assert night.replies[5] == "scanned next: roi-05, roi-04, roi-03"
    assert scanned(night) == ["roi-01", "roi-05", "roi-04", "roi-03"]


@pytest.mark.parametrize("rois", [(), ("roi-01", "roi-01"), ("../roi-01",)])
def test_what_is_no_order(rois: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError):
        Order(rois=rois)
