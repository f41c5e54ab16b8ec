"""The view that is taken once more at the scan's end: which one, when, and from how many projections on."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from xrm_control.acquisition.orders.interlaced import Interlaced
from xrm_control.acquisition.orders.sequential import Sequential
from xrm_control.acquisition.outline import scan_outline
from xrm_control.acquisition.schemes.before import Before
from xrm_control.acquisition.steps import Acquisition
from xrm_control.acquisition.tomography import TomographySpec
from xrm_control.core.geometry import Pose
from xrm_control.core.sample import SampleSpec
from xrm_control.core.states import FrameKind
from xrm_control.devices.protocols import CameraDescription

CAMERA = CameraDescription(1024, 1024, 0.064, {1: 1.0, 2: 0.5, 4: 0.25, 8: 0.125})
SAMPLE = SampleSpec()
CENTRE = Pose(30.0, -4.0, 2.0, 0.0)


def _scan(spec: TomographySpec) -> Acquisition:
    return spec.acquisition("roi-01", CENTRE, SAMPLE, CAMERA)


@pytest.mark.parametrize(
    ("setting", "count", "taken"),
    [("auto", 99, 0), ("auto", 100, 1), ("auto", 141, 1), (True, 7, 1), (False, 141, 0)],
)
def test_it_is_taken_where_it_costs_next_to_nothing_or_is_asked_for(
    setting: bool | Literal["auto"], count: int, taken: int
) -> None:
    scan = _scan(TomographySpec(projections=count, repeat_view=setting))
    assert len(scan.of_kind(FrameKind.REPEAT)) == taken
    assert len(scan.of_kind(FrameKind.PROJECTION)) == count


# Angles of the scan -> where the view that faces the beam best was taken first.
FACES = [((-90.0, 90.0), 0.0), ((-60.0, 60.0), 0.0), ((0.0, 360.0), 0.0), ((10.0, 190.0), 180.0), ((30.0, 80.0), 30.0)]


@pytest.mark.parametrize(("angles_deg", "face_deg"), FACES)
@pytest.mark.parametrize("order", [Sequential(), Interlaced(sweeps=4)])
def test_it_repeats_the_first_projection_nearest_to_the_face(
    angles_deg: tuple[float, float], face_deg: float, order: Sequential
) -> None:
    spec = TomographySpec(projections=181, start_deg=angles_deg[0], end_deg=angles_deg[1], order=order)
    scan = _scan(spec)
    (again,) = scan.of_kind(FrameKind.REPEAT)
    assert again.pose.theta_deg == pytest.approx(face_deg, abs=1.01)
    assert again.pose in [step.pose for step in scan.of_kind(FrameKind.PROJECTION)]
    assert again.shutter_open


def test_it_follows_the_last_projection_before_the_sample_is_moved_away() -> None:
    kinds = [step.kind for step in _scan(TomographySpec()).steps]
    at = kinds.index(FrameKind.REPEAT)
    assert kinds[at - 1] == FrameKind.PROJECTION
    assert set(kinds[at + 1 :]) == {FrameKind.FLAT}
    assert [step.kind for step in _scan(TomographySpec(references=Before())).steps][-1] == FrameKind.REPEAT


@pytest.mark.parametrize("spec", [TomographySpec(), TomographySpec(axis_offset_um=5.0, order=Interlaced(sweeps=3))])
def test_the_outline_plans_the_same_frames(spec: TomographySpec) -> None:
    scan, outline = _scan(spec), scan_outline(spec, "roi-01", CENTRE, SAMPLE, CAMERA)
    assert [outline.kind(index) for index in range(len(outline))] == [step.kind for step in scan.steps]
    poses = [(step.pose.x_um, step.pose.y_um, step.pose.z_um, step.pose.theta_deg) for step in scan.steps]
    np.testing.assert_allclose(outline.poses, poses, atol=1e-9)


def test_a_recipe_from_before_keeps_its_hash() -> None:
    assert "repeat_view" not in TomographySpec().model_dump()
    assert TomographySpec(repeat_view=False).model_dump()["repeat_view"] is False
