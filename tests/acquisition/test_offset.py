"""Half acquisition of the instrument's own: the region turns about an axis that is kept off the middle, and the plan
knows what that costs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xrm_control.acquisition.offset import diagnose_apart, diagnose_offset, most_offset_um
from xrm_control.acquisition.outline import scan_outline
from xrm_control.acquisition.tomography import TomographySpec
from xrm_control.core.geometry import Pose, lateral_um
from xrm_control.core.sample import SampleSpec
from xrm_control.core.states import FrameKind
from xrm_control.devices.simulated import SimulatedBackend

INSTRUMENT = SimulatedBackend(rotation="full").describe()
CAMERA = INSTRUMENT.camera
CENTRE = Pose(12.0, -7.0, 3.0, 0.0)


def spec(**said: Any) -> TomographySpec:
    return TomographySpec.model_validate(
        {"projections": 361, "start_deg": 0, "end_deg": 360, "axis_offset_um": 20, **said}
    )


@pytest.mark.parametrize("offset_um", [20.0, -14.0])
def test_the_centre_is_seen_beside_the_axis_at_every_angle(offset_um: float) -> None:
    scan = spec(axis_offset_um=offset_um, projections=37)
    acquisition = scan.acquisition("roi-01", CENTRE, SampleSpec(), CAMERA)
    views = acquisition.of_kind(FrameKind.PROJECTION)
    for step in views:
        pose, theta = step.pose, np.radians(step.pose.theta_deg)
        away_um = CENTRE.x_um - pose.x_um, CENTRE.z_um - pose.z_um
        assert lateral_um(*away_um, pose.theta_deg) == pytest.approx(offset_um)
        # Along the beam it stays where it is: in focus.
        assert -away_um[0] * np.sin(theta) + away_um[1] * np.cos(theta) == pytest.approx(0, abs=1e-9)
        assert pose.y_um == CENTRE.y_um
    outline = scan_outline(scan, "roi-01", CENTRE, SampleSpec(), CAMERA)
    poses = [(s.pose.x_um, s.pose.y_um, s.pose.z_um, s.pose.theta_deg) for s in acquisition.steps]
    assert outline.poses == pytest.approx(np.array(poses), abs=1e-9)


def test_without_an_offset_a_scan_is_what_it_was() -> None:
    assert "axis_offset_um" not in TomographySpec().model_dump()
    assert spec().model_dump()["axis_offset_um"] == 20
    assert TomographySpec().width_um(CAMERA) == CAMERA.field_of_view_um
    assert spec(axis_offset_um=-20).width_um(CAMERA) == pytest.approx(CAMERA.field_of_view_um + 40)


# What is said of a scan; None: nothing.
OFFSETS: list[tuple[dict[str, Any], str | None]] = [
    ({}, None),
    ({"axis_offset_um": -20}, None),
    ({"axis_offset_um": 0, "end_deg": 180}, None),
    ({"start_deg": -180, "end_deg": 180}, None),
    ({"end_deg": 359}, None),
    ({"axis_offset_um": 5}, "see much the same"),
    ({"axis_offset_um": 24}, "hardly overlap"),
    ({"axis_offset_um": 28, "binning": 1, "projections": 1600}, None),
    ({"axis_offset_um": -33, "binning": 1}, "hardly overlap"),
    ({"end_deg": 180}, "full turn"),
    ({"end_deg": 350}, "full turn"),
    ({"end_deg": 540}, "full turn"),
]


@pytest.mark.parametrize(("said", "words"), OFFSETS, ids=[str(said) for said, _ in OFFSETS])
def test_what_an_offset_needs(said: dict[str, Any], words: str | None) -> None:
    found = list(diagnose_offset(spec(**said), CAMERA))
    assert len(found) == (0 if words is None else 1)
    assert all(words is not None and words in one.what for one in found)


def test_opposite_views_have_the_columns_in_common_that_join_them() -> None:
    for binning in (1, 2, 4, 8):
        pixel_um = CAMERA.binned_pixel_um(binning)
        worst_um = most_offset_um(CAMERA, binning) + 3.0
        assert 2 * (CAMERA.field_of_view_um / 2 - worst_um) / pixel_um == pytest.approx(24)


APART: list[tuple[Any, bool]] = [
    (1, False),
    (4, True),
    (((0, 0, 0), (104, 0, 0)), True),
    (((0, 0, 0), (106, 0, 0)), False),
    (((0, 0, 0), (30, 66, 0)), False),
    (((0, 0, 0), (300, 0, 0), (70, 10, 0)), True),
]


@pytest.mark.parametrize(("places", "overlap"), APART, ids=[str(places) for places, _ in APART])
def test_no_particle_lies_in_two_wide_volumes(places: Any, overlap: bool) -> None:
    assert bool(list(diagnose_apart(spec(), places, CAMERA))) is overlap
    assert not list(diagnose_apart(TomographySpec(), places, CAMERA))


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("swapped", [False, True])
def test_places_far_apart_along_either_axis_do_not_overlap(axis: int, swapped: bool) -> None:
    far = tuple(1000.0 * (n == axis) for n in range(3))
    places = [(0.0, 0.0, 0.0), far][:: -1 if swapped else 1]
    assert not list(diagnose_apart(spec(), places, CAMERA))
