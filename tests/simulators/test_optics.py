import math

import numpy as np
import pytest

from simulators.camera import FULL_SCALE, CameraConfig, Sensor
from simulators.drift import RunOut, ThermalDrift
from simulators.optics import BINNINGS, Illumination, detect, sampling_grid


@pytest.mark.parametrize("binning", BINNINGS)
def test_the_grid_covers_the_field_with_fine_enough_sub_pixels(binning: int) -> None:
    grid = sampling_grid(binning)
    assert grid.columns * grid.column_um == pytest.approx(65.536)
    assert grid.rows * grid.row_um == pytest.approx(65.536)
    assert grid.first_column_um + grid.column_um * (grid.columns - 1) / 2 == pytest.approx(0.0)
    assert binning * 0.064 / grid.column_um >= min(4, 2 * binning)


@pytest.mark.parametrize("binning", BINNINGS)
def test_detection_keeps_the_light(binning: int) -> None:
    grid, size = sampling_grid(binning), 1024 // binning
    image = np.zeros((grid.rows, grid.columns), np.float32)
    image[grid.rows // 2 + 3, grid.columns // 2 + 5] = 1.0
    light = detect(image, grid, size, 0.15)
    assert light.shape == (size, size)
    assert light.sum() * grid.rows * grid.columns / size**2 == pytest.approx(1.0, rel=1e-5)
    assert np.abs(detect(np.ones_like(image), grid, size, 0.15) - 1.0).max() < 1e-5


def test_a_point_is_150_nm_wide() -> None:
    """Second moment of the image of a sub-pixel: sigma^2 of the spread plus the two boxes' width^2 / 12."""
    grid = sampling_grid(1)
    image = np.zeros((grid.rows, grid.columns), np.float32)
    image[512, 1024] = 1.0
    profile = detect(image, grid, 1024, 0.15).sum(0)
    x_um = 0.064 * (np.arange(1024) - 511.5)
    mean = (profile * x_um).sum() / profile.sum()
    variance = (profile * (x_um - mean) ** 2).sum() / profile.sum()
    expected = (0.15 / 2.3548) ** 2 + (grid.column_um**2 + 0.064**2) / 12
    assert variance == pytest.approx(expected, rel=0.06)


def test_illumination_is_uneven_smooth_and_drifts_slowly() -> None:
    light = Illumination(0.15, 0.05, seed=1)
    now, later = light.image((128, 128), 0.0), light.image((128, 128), 300.0)
    assert 0.10 < 1 - now.min() / now.max() < 0.30
    assert np.abs(np.diff(now, axis=0)).max() < 0.01
    assert 1e-4 < np.abs(later / now - 1).max() < 0.02
    assert np.ptp(Illumination(0.0, 0.05, seed=1).image((128, 128), 0.0)) == 0.0


def test_illumination_is_the_same_spot_at_every_binning() -> None:
    light = Illumination(0.15, 0.05, seed=1)
    fine = light.image((1024, 1024), 50.0).reshape(128, 8, 128, 8).mean((1, 3))
    assert np.abs(fine - light.image((128, 128), 50.0)).max() < 1e-3


@pytest.mark.parametrize("photons", [20.0, 1000.0])
def test_counts_are_poisson_with_gain_and_read_noise(photons: float) -> None:
    config = CameraConfig(gain=25.0, hot_pixels=0)
    image = Sensor(config, 1, noise=True).image(np.full((256, 256), photons), 1.0, 7).astype(float)
    assert image.mean() == pytest.approx(25 * photons + config.dark_offset, rel=5e-3)
    assert image.var() == pytest.approx(25**2 * photons + config.read_noise**2, rel=0.03)


def test_two_frames_differ_and_the_same_frame_does_not() -> None:
    sensor = Sensor(CameraConfig(25.0, hot_pixels=0), 1, noise=True)
    photons = np.full((64, 64), 500.0)
    assert np.array_equal(sensor.image(photons, 1.0, 3), sensor.image(photons, 1.0, 3))
    noise = [sensor.image(photons, 1.0, number).astype(float).ravel() for number in (3, 4)]
    assert abs(np.corrcoef(noise)[0, 1]) < 0.1


def test_a_dark_frame_holds_offset_read_noise_and_the_hot_pixels() -> None:
    config = CameraConfig(25.0)
    frames = [Sensor(config, 1, noise=True).image(np.zeros((128, 128)), exposure_s, 1) for exposure_s in (1.0, 2.0)]
    hot = frames[0] > 1000
    assert 1 <= hot.sum() <= config.hot_pixels
    assert frames[0][~hot].mean() == pytest.approx(config.dark_offset, rel=0.01)
    assert np.all(frames[1][hot] > 1.8 * (frames[0][hot] - 400.0))


def test_too_much_light_saturates() -> None:
    image = Sensor(CameraConfig(25.0), 1, noise=True).image(np.full((16, 16), 5000.0), 1.0, 1)
    assert np.all(image == FULL_SCALE)


def test_run_out_is_synchronous_with_the_angle_plus_a_little_jitter() -> None:
    run_out = RunOut(0.02, 0.01, seed=1)
    smooth = RunOut(0.02, 0.0, seed=1)
    lateral = [smooth.at(theta_deg, 1)[0] for theta_deg in range(-90, 91)]
    assert 0.01 < np.ptp(lateral) < 0.08
    assert smooth.at(30.0, 1) == smooth.at(30.0, 99)
    assert smooth.at(30.0, 1) == pytest.approx(smooth.at(390.0, 1))
    jitter = [run_out.at(30.0, n)[0] - smooth.at(30.0, n)[0] for n in range(200)]
    assert np.std(jitter) == pytest.approx(0.01, rel=0.2)


def test_thermal_drift_is_sub_pixel_over_a_scan() -> None:
    for seed in range(20):
        drift = ThermalDrift(0.06, seed)
        assert drift.at(0.0) == (0.0, 0.0, 0.0)
        assert max(math.dist(drift.at(t), drift.at(t + 300.0)) for t in np.arange(0.0, 6000.0, 200.0)) < 0.1
    assert math.dist(ThermalDrift(0.06, 1).at(0.0), ThermalDrift(0.06, 1).at(1500.0)) > 0.01
