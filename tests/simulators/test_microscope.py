import hashlib
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from simulators.description import CameraFrame
from simulators.errors import Disconnected, SimulationError
from simulators.faults import Fault
from simulators.microscope import Microscope, MicroscopeConfig
from simulators.specimen import SpecimenConfig, Sphere

EMPTY = SpecimenConfig("empty", tape=False)
PERFECT = MicroscopeConfig(
    noise=False,
    axis_offset_um=0.0,
    illumination_unevenness=0.0,
    flux_drift=0.0,
    thermal_drift_um=0.0,
    run_out_um=0.0,
    run_out_random_um=0.0,
    specimen=EMPTY,
)


class Operator:
    """Drives a microscope one step after another and keeps its time."""

    def __init__(self, config: MicroscopeConfig) -> None:
        self.microscope = Microscope(config)
        self.t_s = 0.0

    def go(self, **targets: float) -> None:
        """Move axes together and wait until all have settled."""
        reports = [self.microscope.move(axis, target, self.t_s) for axis, target in targets.items()]
        assert all(report.accepted for report in reports)
        self.t_s = max(report.ends_s for report in reports)

    def shutter(self, open_: bool) -> None:
        self.t_s = self.microscope.set_shutter(open_, self.t_s)

    def shoot(self) -> CameraFrame | None:
        exposure = self.microscope.expose(self.t_s)
        self.t_s = exposure.ready_s
        return self.microscope.read(exposure.number, self.t_s)

    def image(self) -> NDArray[np.float64]:
        frame = self.shoot()
        assert frame is not None
        return frame.image.astype(float)


def _transmission(operator: Operator, far_um: float = 400.0) -> NDArray[np.float64]:
    """A picture divided by the beam far off the specimen, both less the dark."""
    dark = operator.image()
    operator.shutter(True)
    sample = operator.image()
    operator.go(y=far_um)
    return (sample - dark) / (operator.image() - dark)


def test_describing_needs_no_specimen() -> None:
    microscope = Microscope(MicroscopeConfig())
    description = microscope.describe()
    assert "specimen" not in vars(microscope)
    assert set(description.axes) == {"x", "y", "z", "theta"}
    assert description.axes["theta"].units == "deg"
    camera = description.camera
    assert (camera.width_px, camera.pixel_um, camera.binnings, camera.bit_depth) == (1024, 0.064, (1, 2, 4, 8), 16)
    assert camera.readout_s[8] < camera.readout_s[1]
    assert description.energy_kev == 5.4


@pytest.mark.parametrize(("binning", "size"), [(1, 1024), (2, 512), (4, 256), (8, 128)])
def test_counts_scale_with_pixel_area_and_exposure(binning: int, size: int) -> None:
    operator = Operator(PERFECT)
    operator.microscope.configure_camera(binning, 0.5, 0.0)
    dark = operator.image()
    operator.shutter(True)
    counts = np.median(operator.image() - dark)
    assert dark.shape == (size, size)
    assert counts == pytest.approx(0.6 * 65535 * 0.5 * (binning / 8) ** 2, rel=1e-2)


@pytest.mark.parametrize("theta_deg", [0.0, 30.0, 90.0])
def test_beer_lambert_through_the_middle_of_a_large_sphere(theta_deg: float) -> None:
    """42 um of NMC811 let 14 to 15 % through, at any angle."""
    specimen = SpecimenConfig("spheres", tape=False, spheres=(Sphere(0.0, 0.0, 0.0, 42.0),))
    operator = Operator(replace(PERFECT, specimen=specimen))
    operator.go(theta=theta_deg)
    image = _transmission(operator)
    assert 0.14 < image[63:65, 63:65].mean() < 0.15
    assert image[:5, :5].mean() == pytest.approx(1.0, abs=1e-3)


def test_tape_lets_through_what_25_um_of_kapton_do() -> None:
    operator = Operator(replace(PERFECT, specimen=SpecimenConfig("empty")))
    assert np.median(_transmission(operator)) == pytest.approx(math.exp(-25 * 28.7e-4), rel=1e-3)


@pytest.mark.parametrize("offset_um", [-2.56, 0.0, 2.0])
def test_a_point_on_the_axis_stays_at_the_axis_offset(offset_um: float) -> None:
    specimen = SpecimenConfig("spheres", tape=False, spheres=(Sphere(50.0, -20.0, 10.0, 6.0),))
    operator = Operator(replace(PERFECT, specimen=specimen, axis_offset_um=offset_um))
    operator.shutter(True)
    operator.go(x=50.0, y=-20.0, z=10.0)
    for theta_deg in (-90.0, 0.0, 45.0, 90.0):
        operator.go(theta=theta_deg)
        shadow = operator.image()
        shadow = np.median(shadow) - shadow  # hot pixels are brighter than the beam
        shadow[shadow < 0.1 * shadow.max()] = 0.0
        column = (shadow.sum(0) * np.arange(128)).sum() / shadow.sum()
        row = (shadow.sum(1) * np.arange(128)).sum() / shadow.sum()
        assert column == pytest.approx(63.5 + offset_um / 0.512, abs=0.06)
        assert row == pytest.approx(63.5, abs=0.06)


def test_the_axis_offset_is_drawn_from_the_seed_and_told_by_the_truth_alone() -> None:
    offsets = [Microscope(MicroscopeConfig(seed=seed, specimen=EMPTY)).axis_offset_um for seed in range(40)]
    assert all(0.5 <= abs(offset) <= 3.0 for offset in offsets)
    assert min(offsets) < 0.0 < max(offsets)
    assert Microscope(MicroscopeConfig(seed=3, specimen=EMPTY)).truth()["rotation_axis"] == {"offset_um": offsets[3]}


def test_moving_the_stage_moves_the_picture_the_other_way() -> None:
    specimen = SpecimenConfig("spheres", tape=False, spheres=(Sphere(0.0, 0.0, 0.0, 8.0),))
    operator = Operator(replace(PERFECT, specimen=specimen))
    operator.shutter(True)
    operator.go(x=10.0, y=-5.0)
    row, column = np.unravel_index(operator.image().argmin(), (128, 128))
    assert column == pytest.approx(63.5 - 10 / 0.512, abs=2)
    assert row == pytest.approx(63.5 + 5 / 0.512, abs=2)


def test_a_sample_that_moves_during_the_exposure_is_smeared() -> None:
    specimen = SpecimenConfig("spheres", tape=False, spheres=(Sphere(0.0, 0.0, 0.0, 8.0),))
    still, moving = (Operator(replace(PERFECT, specimen=specimen)) for _ in range(2))
    for operator in (still, moving):
        operator.shutter(True)
        operator.microscope.configure_camera(8, 0.02, operator.t_s)
    sharp = still.image()
    moving.microscope.move("x", 200.0, moving.t_s)
    smeared = moving.image()
    assert np.median(smeared) - smeared.min() < 0.92 * (np.median(sharp) - sharp.min())
    assert (smeared < 0.98 * np.median(smeared)).sum() > 1.2 * (sharp < 0.98 * np.median(sharp)).sum()


def _hashes(order: list[int]) -> dict[int, str]:
    """Five frames of the same sequence, read in some order after all were taken."""
    specimen = SpecimenConfig("nmc622", strip_width_um=70.0, strip_height_um=70.0)
    operator = Operator(MicroscopeConfig(seed=11, specimen=specimen))
    operator.shutter(True)
    for theta_deg in (0.0, 20.0, -40.0, 90.0, -90.0):
        operator.go(theta=theta_deg, x=theta_deg / 10)
        operator.t_s = operator.microscope.expose(operator.t_s).ready_s
    found = {}
    for number in order:
        frame = operator.microscope.read(number, operator.t_s)
        assert frame is not None
        found[number] = hashlib.sha256(frame.image.tobytes()).hexdigest()
    truth = json.dumps(operator.microscope.truth()).encode()
    return {**found, 0: hashlib.sha256(truth).hexdigest()}


def test_the_same_seed_gives_the_same_bits_in_whatever_order_frames_are_read() -> None:
    first = _hashes([1, 2, 3, 4, 5])
    assert len(set(first.values())) == 6
    assert _hashes([5, 3, 1, 1, 2, 4]) == first


def test_mosaic_of_40_tiles_with_references_takes_less_than_a_minute() -> None:
    operator = Operator(replace(MicroscopeConfig(specimen=EMPTY)))
    for _ in range(3):
        operator.shoot()
    operator.shutter(True)
    operator.go(x=200.0)
    for _ in range(3):
        operator.shoot()
    for row in range(8):
        for column in range(5) if row % 2 == 0 else reversed(range(5)):
            operator.go(x=65.5 * (column - 2), y=65.5 * (row - 3.5))
            operator.shoot()
    assert 48.0 < operator.t_s < 58.0


def test_scan_of_141_projections_with_references_takes_less_than_five_minutes() -> None:
    operator = Operator(MicroscopeConfig(specimen=EMPTY))
    for _ in range(5):
        operator.shoot()
    operator.shutter(True)
    operator.go(x=200.0)
    for _ in range(10):
        operator.shoot()
    operator.go(x=20.0)
    for theta_deg in np.linspace(-90, 90, 141):
        operator.go(theta=float(theta_deg))
        operator.shoot()
    operator.go(theta=0.0)
    operator.go(x=200.0)
    for _ in range(10):
        operator.shoot()
    assert 220.0 < operator.t_s < 285.0


def test_a_beam_lost_during_an_exposure_takes_its_share_of_the_light() -> None:
    operator = Operator(replace(PERFECT, faults=(Fault("beam_loss", at_s=0.35, duration_s=0.5),)))
    operator.shutter(True)
    lossy, whole = operator.image() - 220, operator.image() - 220
    assert np.median(lossy) / np.median(whole) == pytest.approx(0.5, abs=0.01)
    assert not operator.microscope.source(0.5).available
    assert operator.microscope.interlock_ok(0.5)


def test_an_open_interlock_takes_the_beam() -> None:
    microscope = Microscope(replace(PERFECT, faults=(Fault("interlock", at_s=1.0, duration_s=1.0),)))
    assert (microscope.interlock_ok(1.5), microscope.source(1.5).available) == (False, False)
    assert (microscope.interlock_ok(2.5), microscope.source(2.5).available) == (True, True)


def test_frames_are_hit_by_the_faults_that_name_them() -> None:
    faults = (
        Fault("dropped_frame", frames=(2,)),
        Fault("dark_frame", frames=(3,)),
        Fault("nan_frame", frames=(4,)),
        Fault("repeated_frame", frames=(6,)),
        Fault("dropped_frame", at_s=7.5, times=1),
    )
    operator = Operator(MicroscopeConfig(specimen=EMPTY, faults=faults))
    operator.shutter(True)
    frames = [operator.shoot() for _ in range(9)]
    assert [number for number, frame in enumerate(frames, start=1) if frame is None] == [2, 8]
    first, dark, nan, fifth, repeated = (frames[n - 1] for n in (1, 3, 4, 5, 6))
    assert first is not None
    assert dark is not None
    assert nan is not None
    assert fifth is not None
    assert repeated is not None
    assert np.median(dark.image) < 300 < np.median(first.image)
    assert nan.image.dtype == np.float32
    assert 0.01 < np.isnan(nan.image).mean() < 0.1
    assert np.array_equal(repeated.image, fifth.image)
    assert (repeated.number, repeated.unique_id) == (6, 5)


def test_a_stuck_shutter_makes_dark_frames_and_says_so() -> None:
    operator = Operator(MicroscopeConfig(specimen=EMPTY, faults=(Fault("stuck_shutter", at_s=0.0, duration_s=2.0),)))
    operator.shutter(True)
    assert not operator.microscope.shutter(operator.t_s).open
    assert np.median(operator.image()) < 300


def test_a_disconnected_instrument_answers_nothing_until_it_is_back() -> None:
    microscope = Microscope(MicroscopeConfig(faults=(Fault("disconnect", at_s=5.0, duration_s=5.0),)))
    microscope.axis("x", 4.0)
    for call in (
        lambda: microscope.axis("x", 6.0),
        lambda: microscope.move("x", 1.0, 6.0),
        lambda: microscope.expose(6.0),
        lambda: microscope.shutter(6.0),
        lambda: microscope.source(6.0),
    ):
        with pytest.raises(Disconnected):
            call()
    assert microscope.axis("x", 10.0).position == 0.0


def test_the_camera_refuses_what_it_cannot_do() -> None:
    microscope = Microscope(MicroscopeConfig(specimen=EMPTY))
    with pytest.raises(ValueError, match="binning 3"):
        microscope.configure_camera(3, 1.0, 0.0)
    with pytest.raises(ValueError, match="exposure"):
        microscope.configure_camera(8, 0.0, 0.0)
    exposure = microscope.expose(0.0)
    assert exposure.exposure_ends_s == 1.0 < exposure.ready_s
    with pytest.raises(SimulationError, match="busy"):
        microscope.expose(0.5)
    with pytest.raises(SimulationError, match="ready"):
        microscope.read(exposure.number, 0.5)
    with pytest.raises(SimulationError, match="no exposure 9"):
        microscope.read(9, 5.0)
    with pytest.raises(KeyError, match="phi"):
        microscope.axis("phi", 5.0)


@pytest.mark.parametrize("preset", ["nmc811", "nmc622"])
def test_edge_on_the_layer_is_nearly_opaque_and_at_0_degrees_it_has_bright_gaps(preset: str) -> None:
    operator = Operator(replace(PERFECT, specimen=SpecimenConfig(preset, strip_height_um=90.0)))
    operator.shutter(True)
    beam = 0.6 * 65535
    flat_on = (operator.image() - 220) / beam
    operator.go(theta=90.0, z=4.0)
    layer = (operator.image() - 220)[:, 56:66] / beam  # z from 0 to 5 um
    assert (flat_on > 0.85).mean() > 0.2
    assert np.median(layer) < 0.08


def test_a_closed_front_end_takes_the_beam_from_the_moment_it_has_closed() -> None:
    operator = Operator(PERFECT)
    dark = operator.image().mean()
    operator.shutter(True)
    bright = operator.image().mean() - dark
    closed_s = operator.microscope.set_front_end(False, operator.t_s)
    during = operator.image().mean() - dark
    assert closed_s == pytest.approx(operator.t_s - 0.08)  # it closes in just the second that the exposure takes
    assert during == pytest.approx(bright)
    assert operator.image().mean() == dark
    assert operator.microscope.source(operator.t_s).available is False
    operator.t_s = operator.microscope.set_front_end(True, operator.t_s)
    assert operator.image().mean() - dark == pytest.approx(bright)
    assert operator.microscope.source(operator.t_s).available is True


def test_faults_may_come_and_go_while_it_runs() -> None:
    operator = Operator(PERFECT)
    microscope = operator.microscope
    operator.go(x=10.0)
    microscope.add_fault(Fault("dropped_frame", at_s=operator.t_s))
    microscope.add_fault(Fault("stall", axis="x", at_s=operator.t_s))
    microscope.add_fault(Fault("beam_loss", at_s=operator.t_s))
    assert operator.shoot() is None
    assert operator.shoot() is not None
    operator.go(x=20.0)
    assert microscope.axis("x", operator.t_s).stalled
    assert not microscope.source(operator.t_s).available
    microscope.add_fault(Fault("nan_frame", at_s=operator.t_s))
    microscope.clear_faults(operator.t_s)
    operator.go(x=30.0)
    assert not microscope.axis("x", operator.t_s).stalled
    assert microscope.source(operator.t_s).available
    assert np.isfinite(operator.image()).all()
    assert microscope.faults(operator.t_s) == ()


def test_clearing_does_not_change_a_frame_that_was_taken_before() -> None:
    operator = Operator(PERFECT)
    operator.shutter(True)
    microscope = operator.microscope
    microscope.add_fault(Fault("beam_loss", at_s=operator.t_s + 0.5))
    exposure = microscope.expose(operator.t_s)
    microscope.clear_faults(exposure.exposure_ends_s)
    frame = microscope.read(exposure.number, exposure.ready_s)
    again = Operator(replace(PERFECT, faults=(Fault("beam_loss", at_s=operator.t_s + 0.5),)))
    again.shutter(True)
    expected = again.shoot()
    assert frame is not None
    assert expected is not None
    assert np.array_equal(frame.image, expected.image)
