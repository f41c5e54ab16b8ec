"""An instrument that was lost and came back: before a frame more is taken, the sample is looked at again.

The witness is the instrument's own trace.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from simulators.microscope import Microscope
from tests.session.scripted import Night, with_faults
from tests.trace_invariants import said_in, tolerances, violations
from xrm_control.core.clock import Clock
from xrm_control.core.errors import SampleMoved
from xrm_control.core.events import InstrumentLost, SampleCompared, ScanBegunAnew
from xrm_control.core.states import FrameKind, RunState
from xrm_control.devices.simulated import SimulatedInstrument

# Of the seven views three or four are kept at 21 s; it is away for 15 s.
LOST_S, AWAY_S = 21.0, 15.0
BACK_S = LOST_S + AWAY_S
LOST = {"kind": "disconnect", "at_s": LOST_S, "duration_s": AWAY_S}


class Away(Night):
    """A night in which the instrument was away, and what it did then."""

    def __init__(self, folder: Path, *faults: dict[str, Any], **changes: Any) -> None:
        made: list[SimulatedInstrument] = []

        def make(microscope: Microscope, clock: Clock) -> SimulatedInstrument:
            made.append(SimulatedInstrument(microscope, clock))
            return made[-1]

        super().__init__(folder, make, **with_faults(LOST, *faults), **changes)
        (instrument,) = made
        self.trace = instrument.microscope.trace(instrument._clock.now_s())
        self.broken = violations(self.trace, said_in(self.folder), tolerances(instrument.microscope))
        with self.journal() as journal:
            kept = [one for one in journal.stored_frames() if one[0].kind is FrameKind.PROJECTION]
        self.kept_before = [plan for plan, frame in kept if frame.exposure.t_end_s < LOST_S]
        self.kept_after = [plan for plan, frame in kept if frame.exposure.t_start_s > LOST_S]

    @property
    def angles_after(self) -> list[float]:
        """Of the exposures after the instrument was back, in degrees."""
        return [round(one.at_begin["theta"], 1) for one in self.trace.exposures if one.begin_s >= BACK_S]


def test_committed_angles_are_taken_again_before_any_other(tmp_path: Path) -> None:
    night = Away(tmp_path)
    assert night.error is None
    assert night.broken == []
    assert len(night.events(InstrumentLost)) == 1
    newest = night.kept_before[-1]
    compared = night.events(SampleCompared)
    assert compared[0].frame == newest.frame_id
    known = {round(plan.target.theta_deg, 1) for plan in night.kept_before}
    again, rest = night.angles_after[: len(compared)], night.angles_after[len(compared) :]
    assert again[0] == round(newest.target.theta_deg, 1)
    assert set(again) <= known
    assert rest[0] == round(night.kept_after[0].target.theta_deg, 1)
    for one in compared:
        assert (one.x_um, one.y_um) == pytest.approx((0.0, 0.0), abs=0.15)
    assert night.states[-1] is RunState.DONE


@pytest.mark.parametrize(("axis", "by_um", "which"), [("x", 12.0, 0), ("y", -8.0, 1)])
def test_a_sample_that_was_moved_meanwhile_is_refused_at_once_with_the_figure(
    tmp_path: Path, axis: str, by_um: float, which: int
) -> None:
    moved = {"kind": "offset", "axis": axis, "amount": by_um, "at_s": LOST_S + 2.0, "hidden": True}
    night = Away(tmp_path, moved)
    assert isinstance(night.error, SampleMoved)
    assert night.broken == []
    found = [float(text) for text in re.findall(r"[+-]\d+\.\d+", str(night.error.value))]
    assert abs(found[which]) == pytest.approx(abs(by_um), rel=0.25)
    # It has looked at what it knew, and at nothing else.
    assert night.kept_after == []
    assert night.angles_after
    assert set(night.angles_after) <= {round(plan.target.theta_deg, 1) for plan in night.kept_before}
    assert night.states[-1] is RunState.FAILED
    with night.journal() as journal:
        state = journal.state()
    assert state is not None
    assert "the sample has moved since" in state.reason


def test_one_a_little_beside_begins_its_scan_anew(tmp_path: Path) -> None:
    night = Away(tmp_path, {"kind": "offset", "axis": "y", "amount": 0.8, "at_s": LOST_S + 2.0, "hidden": True})
    assert night.error is None
    (anew,) = night.events(ScanBegunAnew)
    assert anew.roi == "roi-01"
    assert night.broken == []


def test_lost_while_nothing_was_kept_there_is_nothing_to_compare(tmp_path: Path) -> None:
    night = Night(tmp_path, None, **with_faults({**LOST, "at_s": 1.0}))
    assert night.error is None
    assert night.events(SampleCompared) == []
