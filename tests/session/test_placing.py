"""A region that is not where the mosaic showed it is found, whatever the read-backs say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.session.scripted import Night, with_faults
from xrm_control.core.events import MoveStalled, RoiMoved, RoiPlaced, RunHeld

# The mosaic is over at 8 s, the region is scanned from 11 s on.
BETWEEN = {"kind": "offset", "at_s": 9.0, "hidden": True}
MOVED = [
    ({"axis": "x", "amount": 30.0}, (30.0, 0.0)),
    ({"axis": "y", "amount": -7.0}, (0.0, -7.0)),
    ({"axis": "x", "amount": -5.6}, (-5.6, 0.0)),
]


@pytest.mark.parametrize(("fault", "by_um"), MOVED)
def test_a_region_that_has_moved_is_set_aside_with_the_figure(
    tmp_path: Path, fault: dict[str, Any], by_um: tuple[float, float]
) -> None:
    night = Night(tmp_path, **with_faults({**BETWEEN, **fault}))
    (event,) = night.events(RoiMoved)
    assert (event.data["x_um"], event.data["y_um"]) == pytest.approx(by_um, abs=0.3)
    assert night.code == 5
    (reason, *_) = night.results["verdict"]["reasons"]
    assert "roi-01 is set aside: has moved by" in reason


def test_a_region_beyond_reach_is_set_aside_and_one_that_stands_is_not(tmp_path: Path) -> None:
    away, calm = tmp_path / "away", tmp_path / "calm"
    for folder in (away, calm):
        folder.mkdir()
    far = Night(away, **with_faults({**BETWEEN, "axis": "x", "amount": 80.0}))
    assert "does not look like the mosaic" in far.results["verdict"]["reasons"][0]
    here = Night(calm)
    (event,) = here.events(RoiPlaced)
    assert (event.data["x_um"], event.data["y_um"]) == pytest.approx((0.0, 0.0), abs=0.3)
    assert event.data["correlation"] > 0.9


def test_an_offset_that_the_controller_tells_of_holds_the_run(tmp_path: Path) -> None:
    told = {**BETWEEN, "hidden": False, "axis": "x", "amount": 30.0, "duration_s": 25.0}
    night = Night(tmp_path, **with_faults(told))
    (held, *_) = night.events(RunHeld)
    assert "offset of axis x was changed from 0 to 30 um" in held.text
    assert not night.events(RoiMoved)


@pytest.mark.parametrize(("times", "tries"), [(2, 3), (3, 3)])
def test_homing_is_tried_as_often_as_the_policy_says(tmp_path: Path, times: int, tries: int) -> None:
    """The rotation stalls on its way home; the message counts what was tried, and what was asked of it."""
    elsewhere = {"kind": "stall", "axis": "theta", "move": 1, "times": times}

    night = Night(tmp_path, lambda microscope, clock: _turned(microscope, clock), **with_faults(elsewhere))
    assert len(night.events(MoveStalled)) == times
    if times < tries:
        assert night.error is None
    else:
        assert "tried 3 times" in str(night.error)
        assert "tried again" not in str(night.error)


def _turned(microscope: Any, clock: Any) -> Any:
    """An instrument whose rotation stands at 20 degrees when the run begins."""
    from xrm_control.devices.simulated import SimulatedInstrument

    # The axis's first motion is the one of whoever used it before.
    axis = microscope._axes["theta"]
    axis._segments[0] = type(axis._segments[0])(0.0, 0.0, 20.0)
    return SimulatedInstrument(microscope, clock)
