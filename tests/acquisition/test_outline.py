"""Outlines plan what acquisitions carry out: the same frames at the same places, in the same time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xrm_control.acquisition.mosaic import EarlierMosaic, MosaicSpec
from xrm_control.acquisition.outline import Outline, mosaic_outline, outline_end, scan_outline
from xrm_control.acquisition.steps import Acquisition, TimeState, duration
from xrm_control.acquisition.tomography import TomographySpec
from xrm_control.core.errors import SafetyRefusal
from xrm_control.core.geometry import Pose
from xrm_control.core.sample import SampleSpec
from xrm_control.devices.safety import Guard, SafetySpec
from xrm_control.devices.simulated import SimulatedBackend

INSTRUMENT = SimulatedBackend(blocker=True).describe()
CAMERA, SAMPLE = INSTRUMENT.camera, SampleSpec()
FEW = settings(max_examples=60, deadline=None)


def held_against(outline: Outline, acquisition: Acquisition, mosaic: MosaicSpec) -> None:
    steps = acquisition.steps
    assert len(outline) == len(steps)
    for index, step in enumerate(steps):
        found = outline.name(index, mosaic), outline.kind(index), outline.numbers[index]
        assert found == (step.frame_id, step.kind, step.index)
    poses = [(step.pose.x_um, step.pose.y_um, step.pose.z_um, step.pose.theta_deg) for step in steps]
    assert outline.poses == pytest.approx(np.array(poses), abs=1e-9)
    start = TimeState(Pose(1.0, -2.0, 3.0, 4.0), False, 5.0)
    end, expected = outline_end(outline, start, INSTRUMENT), duration(acquisition, start, INSTRUMENT)
    assert end.elapsed_s == pytest.approx(expected.elapsed_s, rel=1e-12)
    assert (end.pose.theta_deg, end.shutter_open) == (expected.pose.theta_deg, expected.shutter_open)


SCHEMES: list[dict[str, Any]] = [
    {"kind": "both"},
    {"kind": "before"},
    {"kind": "after", "count": 2},
    {"kind": "every", "interval": 7, "count": 3},
    {"kind": "every", "interval": 1, "count": 1},
]
ORDERS: list[dict[str, Any]] = [{"kind": "sequential"}, {"kind": "interlaced", "sweeps": 3}]
PLACES = st.builds(Pose, *(st.floats(-500, 500) for _ in range(3)), st.just(0.0))


@FEW
@given(
    st.integers(2, 90),
    st.floats(-180, 0),
    st.floats(1, 180),
    st.sampled_from(SCHEMES),
    st.sampled_from(ORDERS),
    PLACES,
    st.integers(0, 3),
)
def test_a_scan(count: int, start: float, end: float, scheme: Any, order: Any, centre: Pose, behind: int) -> None:
    spec = TomographySpec(projections=count, start_deg=start, end_deg=end, references=scheme, order=order)
    outline = scan_outline(spec, "roi-03", centre, SAMPLE, CAMERA, blockers=behind)
    held_against(outline, spec.acquisition("roi-03", centre, SAMPLE, CAMERA, blockers=behind), MosaicSpec())


@FEW
@given(
    st.integers(1, 9),
    st.integers(1, 9),
    st.floats(0, 50),
    st.floats(-300, 300),
    st.integers(1, 5),
    st.none() | st.builds(EarlierMosaic, run=st.just("before"), looks=st.integers(3, 20)),
)
def test_a_mosaic(
    columns: int, rows: int, overlap: float, centre_um: float, flats: int, earlier: EarlierMosaic | None
) -> None:
    spec = MosaicSpec(
        columns=columns, rows=rows, overlap_percent=overlap, centre_x_um=centre_um, flats=flats, earlier=earlier
    )
    held_against(mosaic_outline(spec, SAMPLE, CAMERA), spec.acquisition(SAMPLE, CAMERA), spec)


@FEW
@given(
    st.lists(
        st.tuples(st.floats(-120, 120), st.floats(-120, 120), st.floats(-60, 60), st.floats(-100, 100)),
        min_size=1,
        max_size=12,
    )
)
def test_the_guard_sees_in_an_outline_what_it_sees_step_by_step(places: list[tuple[float, ...]]) -> None:
    spec = SafetySpec(x_um=(-100, 100), y_um=(-100, 100), z_um=(-50, 50), clearance_um=180)
    guard = Guard(INSTRUMENT.axes, spec, SAMPLE)
    named = [(f"step {number}", Pose(*place)) for number, place in enumerate(places)]

    def refused(upto: int) -> bool:
        try:
            guard.check_path(named[: upto + 1])
        except SafetyRefusal:
            return True
        return False

    expected = next((upto for upto in range(len(named)) if refused(upto)), None)
    assert guard.first_outside(np.array(places)) == expected
