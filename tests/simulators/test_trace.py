"""The trace is the witness: what it says of shutter, motions and exposures is what the instrument did."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from simulators.faults import Fault
from simulators.microscope import Microscope, MicroscopeConfig
from simulators.specimen import SpecimenConfig


class Session:
    """A microscope and a hand that uses it, one thing after the other."""

    def __init__(self, *faults: dict[str, Any]) -> None:
        made = tuple(Fault(**fault) for fault in faults)
        self.microscope = Microscope(MicroscopeConfig(specimen=SpecimenConfig("empty"), faults=made))
        self.t_s = 0.0

    def move(self, axis: str, target: float) -> None:
        self.t_s = self.microscope.move(axis, target, self.t_s).ends_s

    def shutter(self, open_: bool) -> None:
        self.t_s = self.microscope.set_shutter(open_, self.t_s)

    def expose(self) -> Any:
        taken = self.microscope.expose(self.t_s)
        self.t_s = taken.ready_s
        return self.microscope.read(taken.number, self.t_s)


def test_what_was_done_is_in_the_trace_in_order() -> None:
    session = Session()
    session.move("x", 100.0)
    session.shutter(True)
    session.expose()
    session.shutter(False)
    dark = session.expose()
    trace = session.microscope.trace(session.t_s)
    (motion,) = trace.motions
    assert (motion.axis, motion.begin_s, motion.start, motion.target) == ("x", 0.0, 0.0, 100.0)
    (span,) = trace.shutter
    lit, unlit = trace.exposures
    assert span[0] <= lit.begin_s < lit.end_s <= span[1] <= unlit.begin_s
    assert (lit.open_fraction, unlit.open_fraction) == (1.0, 0.0)
    assert [seen.unique_id for seen in trace.exposures] == [1, dark.unique_id]
    assert lit.held["x"] == pytest.approx((100.0, 100.0), abs=0.1)
    assert all(trace.axes_at_rest.values())


def test_a_shutter_that_is_still_open_says_so() -> None:
    session = Session()
    session.shutter(True)
    session.expose()
    assert session.microscope.trace(session.t_s).shutter[-1][1] == math.inf


def test_a_stopped_motion_ends_where_it_was_stopped() -> None:
    session = Session()
    session.microscope.move("theta", 90.0, 0.0)
    stands_s = session.microscope.stop("theta", 1.0)
    trace = session.microscope.trace(stands_s)
    assert [(motion.begin_s, motion.end_s) for motion in trace.motions] == [(0.0, 1.0), (1.0, stands_s)]
    assert trace.motions[1].target < 60


SEEN = [
    ({"kind": "nudge_frame", "axis": "x", "amount": 5.0}, lambda seen: seen.held["x"][1] > 4.5),
    ({"kind": "shove_frame", "axis": "theta", "amount": 0.4}, lambda seen: seen.held["theta"][1] > 0.35),
    ({"kind": "shutter_frame"}, lambda seen: 0.4 < seen.open_fraction < 0.6),
    ({"kind": "exposure_frame", "factor": 0.5}, lambda seen: seen.end_s - seen.begin_s == pytest.approx(0.5)),
    ({"kind": "foreign_frame"}, lambda seen: seen.unique_id == 3),
    ({"kind": "recount_frame"}, lambda seen: seen.unique_id == 1),
    ({"kind": "dropped_frame"}, lambda seen: seen.unique_id is None),
]


@pytest.mark.parametrize(("fault", "holds"), SEEN, ids=[fault["kind"] for fault, _ in SEEN])
def test_what_somebody_else_did_to_an_exposure_is_seen_in_it_alone(fault: dict[str, Any], holds: Any) -> None:
    session, calm = Session({**fault, "frames": (2,)}), Session()
    for one in (session, calm):
        one.shutter(True)
        one.expose()
        one.expose()
    seen, undisturbed = (one.microscope.trace(one.t_s).exposures for one in (session, calm))
    assert holds(seen[1])
    assert not holds(undisturbed[1])


@pytest.mark.parametrize(("hidden", "shown"), [(True, 1.0), (False, 0.5)])
def test_a_dip_of_the_flux_takes_its_share_of_the_counts_whether_a_status_shows_it_or_not(
    hidden: bool, shown: float
) -> None:
    fault = {"kind": "flux", "at_s": 1.7, "duration_s": 0.5, "factor": 0.5, "hidden": hidden}
    session = Session(fault)
    session.shutter(True)
    first = session.expose().image.astype(float)
    session.t_s = 1.5
    second = session.expose().image.astype(float)
    assert np.median(second - 220) / np.median(first - 220) == pytest.approx(0.75, abs=0.01)
    flux = session.microscope
    assert flux.source(2.0).flux_relative / flux.source(1.0).flux_relative == pytest.approx(shown, abs=0.01)


@pytest.mark.parametrize("hidden", [True, False])
def test_an_offset_moves_what_the_axis_carries_and_not_what_it_reads(hidden: bool) -> None:
    session = Session({"kind": "offset", "at_s": 1.0, "axis": "x", "amount": 30.0, "hidden": hidden})
    session.move("x", 50.0)
    session.t_s = 2.0
    session.move("x", 50.0)
    assert session.microscope.axis("x", session.t_s).position == pytest.approx(50.0, abs=0.1)
    assert session.microscope._axes["x"].load(session.t_s) == pytest.approx(80.0, abs=0.6)
    assert session.microscope.axis_offset("x", session.t_s) == (0.0 if hidden else 30.0)
    assert [change.what for change in session.microscope.trace(session.t_s).settings] == ["offset +30"]


def test_a_light_leak_lights_a_frame_behind_a_closed_shutter() -> None:
    session = Session({"kind": "light_leak_frame", "frames": (1,)})
    assert np.median(session.expose().image) > 20_000
    assert np.median(session.expose().image) < 300
