"""Frames of reference against rotation matrices and conservation of lengths and handedness."""

from __future__ import annotations

import numpy as np
import pytest

from xrm_control.core.geometry import Pose, lateral_um, projected_half_width_um, stage_to_volume, volume_to_stage

CENTRE = Pose(100.0, -50.0, 7.0, 12.0)


def test_there_and_back() -> None:
    points = np.random.default_rng(1).normal(size=(50, 3)) * 40
    np.testing.assert_allclose(volume_to_stage(stage_to_volume(points, CENTRE), CENTRE), points, atol=1e-12)


def test_it_is_a_rotation_not_a_mirror() -> None:
    axes = stage_to_volume(np.eye(3), Pose(0, 0, 0, 0))
    assert np.linalg.det(axes) == pytest.approx(1.0)
    np.testing.assert_allclose(axes @ axes.T, np.eye(3))


def test_a_volume_point_is_seen_where_the_stage_point_is() -> None:
    """The reconstruction's projection x cos - y sin (volume frame) is the stage's x cos + z sin."""
    rng = np.random.default_rng(2)
    for theta_deg in (-90, -37.5, 0, 12, 90):
        point = rng.normal(size=3) * 20
        x, y, _ = stage_to_volume(point[None], Pose(0, 0, 0, 0))[0]
        theta = np.deg2rad(theta_deg)
        assert lateral_um(point[0], point[2], theta_deg) == pytest.approx(x * np.cos(theta) - y * np.sin(theta))


@pytest.mark.parametrize("theta_deg", [-90, -60, -10, 0, 33, 90])
def test_shadow_of_a_box_by_its_corners(theta_deg: float) -> None:
    corners = [(sx * 160, sz * 40) for sx in (-1, 1) for sz in (-1, 1)]
    farthest = max(abs(lateral_um(x, z, theta_deg)) for x, z in corners)
    assert projected_half_width_um(320, 80, theta_deg) == pytest.approx(farthest)
