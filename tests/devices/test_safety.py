"""Limits and envelope: what is inside is let through, what is outside is refused with axis, value and limit."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from xrm_control.core.errors import SafetyRefusal
from xrm_control.core.geometry import Pose
from xrm_control.core.sample import SampleSpec
from xrm_control.devices.protocols import AxisDescription
from xrm_control.devices.safety import Guard, SafetySpec, limits

LINEAR = AxisDescription("um", -1000, 1000, 1000, 20000, 0.05, 0.5, 0.1)
AXES = {"x": LINEAR, "y": LINEAR, "z": replace(LINEAR, low_limit=-400, high_limit=400),
        "theta": AxisDescription("deg", -95, 95, 30, 60, 0.1, 0.0, 0.01)}  # fmt: skip
SAMPLE = SampleSpec(strip_width_um=320, strip_thickness_um=80)


def guard(**settings: object) -> Guard:
    return Guard(AXES, SafetySpec.model_validate(settings), SAMPLE)


ALLOWED = [Pose(0, 0, 0, 0), Pose(1000, -1000, 400, 95), Pose(-160, 260, -120, -90)]
REFUSED = [
    (Pose(1000.1, 0, 0, 0), "axis x", "1000"),
    (Pose(0, -2000, 0, 0), "axis y", "-1000"),
    (Pose(0, 0, 401, 0), "axis z", "400"),
    (Pose(0, 0, 0, 95.5), "axis theta", "95"),
    (Pose(float("nan"), 0, 0, 0), "axis x", "nan"),
]


@pytest.mark.parametrize("pose", ALLOWED)
def test_inside_is_let_through(pose: Pose) -> None:
    guard().check(pose, "here")


@pytest.mark.parametrize(("pose", "axis", "number"), REFUSED)
def test_outside_is_refused(pose: Pose, axis: str, number: str) -> None:
    with pytest.raises(SafetyRefusal) as refusal:
        guard().check(pose, "roi-01/proj_0003")
    assert axis in str(refusal.value)
    assert number in str(refusal.value)
    assert "roi-01/proj_0003" in str(refusal.value)


def test_the_recipe_may_only_narrow() -> None:
    assert guard(x_um=(-10, 20)).limits["x"] == (-10, 20)
    assert guard(x_um=(-1000, 1000)).limits["x"] == (-1000, 1000)
    for wider in ((-10, 2000), (-2000, 10), (-1000.1, 1000), (2000, 3000)):
        with pytest.raises(SafetyRefusal, match="do not lie inside"):
            guard(x_um=wider)


def test_a_controller_without_limits_is_refused() -> None:
    axes = {**AXES, "y": replace(LINEAR, low_limit=0, high_limit=0)}
    with pytest.raises(SafetyRefusal, match="no limits set"):
        limits(axes, SafetySpec())


@pytest.mark.parametrize(
    ("pose", "reach_um"),
    [
        (Pose(0, 0, 0, 0), 40),  # facing the beam: half the thickness
        (Pose(0, 0, 0, 90), 160),  # edge-on: half the width
        (Pose(100, 0, 0, 90), 260),  # and what the stage is moved
        (Pose(0, 0, 50, 0), 90),
    ],
)
def test_reach_along_the_beam(pose: Pose, reach_um: float) -> None:
    assert guard().reach_um(pose) == pytest.approx(reach_um)


def test_the_sweep_between_two_good_poses_is_checked() -> None:
    """Both ends clear the optics at 200 um; the turn between them swings the strip's edge through 205 um."""
    tight = guard(clearance_um=190)
    ends = [("a", Pose(0, 0, 120, -90)), ("b", Pose(0, 0, 120, 90))]
    for _, pose in ends:
        tight.check(pose, "end")
    with pytest.raises(SafetyRefusal, match="on the way to b"):
        tight.check_path(ends)


def test_the_sweep_is_checked_every_five_degrees() -> None:
    """The strip's corner comes closest at 76 degrees (atan of 160 to 40), between two poses that are allowed."""
    corner_um = math.hypot(160, 40)
    closest_deg = math.degrees(math.atan2(160, 40))
    ends = [("a", Pose(0, 0, 0, closest_deg - 22)), ("b", Pose(0, 0, 0, min(94.0, closest_deg + 18)))]
    tight = guard(clearance_um=corner_um - 0.5)
    for _, pose in ends:
        tight.check(pose, "end")
    with pytest.raises(SafetyRefusal, match="on the way to b"):
        tight.check_path(ends)
