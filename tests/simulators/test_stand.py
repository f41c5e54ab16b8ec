"""A camera that does not stand straight shows each point where its matrix says, and the truth tells of it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from simulators.microscope import Microscope, MicroscopeConfig
from simulators.specimen import SpecimenConfig, Sphere
from simulators.stand import CameraStand, resampled
from tests.simulators.test_microscope import PERFECT, Operator

STANDS = {
    "straight": CameraStand(),
    "rotated": CameraStand(rotation_deg=3.0),
    "rotated back": CameraStand(rotation_deg=-20.0),
    "scaled": CameraStand(scale_x=1.02, scale_y=0.98),
    "mirrored": CameraStand(mirrored=True),
    "transposed": CameraStand(transposed=True),
    "all of it": CameraStand(2.0, 1.02, 0.99, mirrored=True, transposed=True),
}
PLACE_UM, STAGE_UM = (12.0, -7.0), (4.0, 3.0)


def shadow_um(config: MicroscopeConfig, theta_deg: float = 0.0) -> tuple[float, float]:
    """Where the only sphere is seen, right and down of the picture's middle."""
    operator = Operator(config)
    operator.shutter(True)
    operator.go(x=STAGE_UM[0], y=STAGE_UM[1], theta=theta_deg)
    dark = np.median(counts := operator.image()) - counts
    dark[dark < 0.1 * dark.max()] = 0.0
    at = np.arange(128) - 63.5
    return (0.512 * (dark.sum(0) @ at) / dark.sum(), 0.512 * (dark.sum(1) @ at) / dark.sum())


def of_sphere(stand: CameraStand, z_um: float = 0.0) -> MicroscopeConfig:
    sphere = Sphere(*PLACE_UM, z_um, 8.0)
    return replace(PERFECT, stand=stand, specimen=SpecimenConfig("spheres", tape=False, spheres=(sphere,)))


@pytest.mark.parametrize("name", STANDS)
def test_a_point_is_seen_where_the_matrix_says(name: str) -> None:
    seen = shadow_um(of_sphere(STANDS[name]))
    on_stage = STANDS[name].matrix() @ seen
    assert on_stage == pytest.approx(np.subtract(PLACE_UM, STAGE_UM), abs=0.03)


@pytest.mark.parametrize(
    ("stand", "seen"),
    [
        (CameraStand(mirrored=True), (-8.0, -10.0)),
        (CameraStand(transposed=True), (-10.0, 8.0)),
        (CameraStand(scale_x=1.25), (6.4, -10.0)),
        # The columns run from x towards y: what lies at x and y is seen turned back.
        (CameraStand(rotation_deg=90.0), (-10.0, -8.0)),
    ],
)
def test_words_mean_what_they_say(stand: CameraStand, seen: tuple[float, float]) -> None:
    assert shadow_um(of_sphere(stand)) == pytest.approx(seen, abs=0.03)


@pytest.mark.parametrize("tilt_deg", [-1.5, 2.0])
@pytest.mark.parametrize("theta_deg", [-60.0, 0.0, 90.0])
def test_the_specimen_turns_about_a_tilted_axis(tilt_deg: float, theta_deg: float) -> None:
    """The formula of Rodrigues, on the place that the truth tells, about the axis that it tells."""
    config = of_sphere(CameraStand(axis_tilt_deg=tilt_deg), z_um=5.0)
    truth = Microscope(config).truth()
    tilt = math.radians(truth["rotation_axis"]["tilt_deg"])
    axis = np.array([-math.sin(tilt), math.cos(tilt), 0.0])
    (body,) = truth["particles"]
    arm = np.array([body["x_um"], body["y_um"], body["z_um"]]) - (*STAGE_UM, 0.0)
    # Positive angles turn z towards x.
    angle = math.radians(theta_deg)
    turned = arm * math.cos(angle) + np.cross(axis, arm) * math.sin(angle) + axis * (axis @ arm) * (1 - math.cos(angle))
    assert shadow_um(config, theta_deg) == pytest.approx(turned[:2], abs=0.05)


def test_the_truth_tells_what_is_out_of_the_way_and_nothing_else() -> None:
    axes = tuple((n, replace(a, scale=1.01, error=2.0) if n == "x" else a) for n, a in MicroscopeConfig().axes)
    stand = CameraStand(rotation_deg=1.0, mirrored=True)
    told = Microscope(replace(of_sphere(stand), axes=axes, gain_drift=0.1)).truth()
    assert told["camera"]["mirrored"]
    assert told["camera"]["picture_to_stage"] == stand.matrix().tolist()
    assert told["stage"] == {"x": {"scale": 1.01, "error_rms": 2.0}}
    assert told["gain_drift"] == 0.1
    assert "tilt_deg" not in told["rotation_axis"]
    plain = Microscope(of_sphere(CameraStand())).truth()
    assert not {"camera", "stage", "gain_drift"} & set(plain)


def test_gain_drifts_from_frame_to_frame_and_no_reading_tells() -> None:
    operator = Operator(replace(PERFECT, gain_drift=0.1))
    operator.shutter(True)
    level = [np.median(operator.image()) for _ in range(40)]
    assert 0.06 < np.std(level) / np.mean(level) < 0.14
    assert operator.microscope.source(operator.t_s).flux_relative == 1.0


def test_blobs_are_seen_as_solids_are() -> None:
    """Without rendering the picture goes through the same matrix."""
    images = []
    for stand in (CameraStand(), CameraStand(rotation_deg=90.0)):
        operator = Operator(replace(PERFECT, rendering=False, specimen=SpecimenConfig(), stand=stand))
        operator.shutter(True)
        images.append(operator.image())
    # Nine hot pixels stay where they are in both.
    assert (np.abs(images[1] - np.rot90(images[0], 1)) > 300).sum() <= 18


def test_resampling_keeps_the_middle() -> None:
    def ramp(rows: int, columns: int) -> np.ndarray:
        r, c = np.mgrid[:rows, :columns]
        return (c - (columns - 1) / 2) + 100.0 * (r - (rows - 1) / 2)

    matrix = np.array([[0.9, -0.3], [0.2, 1.1]])
    found = resampled(ramp, matrix, (21, 31), (2.0, 0.5))
    down, right = np.mgrid[:21, :31].astype(float)
    right, down = (right - 15) * 0.5, (down - 10) * 2.0
    x, y = matrix[0, 0] * right + matrix[0, 1] * down, matrix[1, 0] * right + matrix[1, 1] * down
    np.testing.assert_allclose(found, x / 0.5 + 100 * y / 2.0, atol=1e-3)
