"""What a real instrument adds, each effect against a formula of its own or another library's arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import convolve2d

from simulators.condenser import Condenser
from simulators.microscope import Microscope, MicroscopeConfig
from simulators.passing import Passing
from simulators.realism import IDEAL, PRESETS, Hop, Realism
from simulators.render import Grid
from simulators.specimen import SpecimenConfig, Sphere
from simulators.stray import spread
from tests.reconstruction.test_simulated import BINNED_UM, CLEAR_Y_UM, Operator

GRID = Grid(96, 80, 0.128, 0.128, 0.0, 0.0)
BALL = Sphere(0.0, 0.0, 9.0, 18.0)


def operator(real: Realism, *spheres: Sphere, tape: bool = False, noise: bool = False, mu: float | None = None):
    """An instrument that stands still but for what is asked for, its shutter open."""
    config = MicroscopeConfig(
        specimen=SpecimenConfig(preset="spheres", tape=tape, spheres=spheres, mu_per_um=mu),
        axis_offset_um=0.0,
        noise=noise,
        illumination_unevenness=0.0,
        flux_drift=0.0,
        thermal_drift_um=0.0,
        run_out_um=0.0,
        run_out_random_um=0.0,
        realism=real,
    )
    made = Operator(Microscope(config))
    made.now_s = made.microscope.set_shutter(True, made.now_s) + 1e-3
    return made


def seen(made: Operator, **place: float) -> NDArray[np.float64]:
    made.go(**({"x": 0.0, "y": 0.0, "z": 9.0, "theta": 0.0} | place))
    return made.frame()[0] - made.microscope.dark_counts


def transmission(made: Operator, **place: float) -> NDArray[np.float64]:
    return seen(made, **place) / seen(made, y=CLEAR_Y_UM)


def centroid(image: NDArray[np.float64]) -> NDArray[np.float64]:
    weight = np.maximum(1 - image - 0.02, 0.0)
    y, x = np.mgrid[0 : image.shape[0], 0 : image.shape[1]]
    return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum() * BINNED_UM


def test_spread_light_is_a_convolution_and_loses_nothing() -> None:
    image = np.random.default_rng(1).uniform(0, 100, (40, 48))
    along = np.arange(-24, 25)
    kernel = np.exp(-np.hypot(along[:, None], along) * 0.5 / 2.0)
    tail = convolve2d(image, kernel / kernel.sum(), mode="same", boundary="symm")
    found = spread(image, 0.5, 0.1, 2.0)
    assert found == pytest.approx(0.9 * image + 0.1 * tail, rel=1e-9)
    assert spread(np.full((40, 48), 7.0), 0.5, 0.3, 2.0) == pytest.approx(7.0)


@pytest.mark.parametrize("share", [0.01, 0.03])
def test_stray_light_is_what_an_opaque_body_lets_through(share: float) -> None:
    found = transmission(operator(Realism(stray_share=share), BALL, mu=1.0))
    assert found[62:66, 62:66].mean() == pytest.approx(share / (1 + share), rel=0.02)


def test_spread_light_fills_the_middle_of_an_opaque_body_less_than_its_rim() -> None:
    found = transmission(operator(Realism(spread_share=0.1), BALL, mu=1.0))
    assert 0.005 < found[62:66, 62:66].mean() < found[62:66, 50:53].mean() < 0.1


def test_a_second_line_hardens_the_beam() -> None:
    depth = np.linspace(0, 6, 80 * 96, dtype=np.float32).reshape(80, 96)
    found = Passing(kbeta_share=0.1).passed(depth.copy(), GRID)
    assert found == pytest.approx(0.9 * np.exp(-depth) + 0.1 * np.exp(-0.756 * depth), rel=1e-4)
    assert np.all(np.diff(-np.log(found[:, 0])) < np.diff(depth[:, 0]) + 1e-6)


@pytest.mark.parametrize("defocus_um", [-100.0, 50.0])
def test_out_of_focus_edges_shine_by_the_laplacian(defocus_um: float) -> None:
    y, x = np.mgrid[0:80, 0:96] * 0.128
    r2, s = (x - 6) ** 2 + (y - 5) ** 2, 1.5
    bump = 0.4 * np.exp(-r2 / (2 * s**2))
    laplace = bump * (r2 / s**4 - 2 / s**2)
    found = Passing(defocus_um=defocus_um).passed((-np.log1p(-bump)).astype(np.float32), GRID)
    # T = 1 - bump, so its Laplacian is minus the bump's.
    assert found[2:-2, 2:-2] == pytest.approx((1 - bump + 7.1e-4 * defocus_um * laplace)[2:-2, 2:-2], abs=2e-4)
    assert found.mean() == pytest.approx((1 - bump).mean(), abs=1e-4)


def test_the_grain_has_its_strength_and_wanders_as_a_whole() -> None:
    light = Condenser(0.0, 0.0, 0.05, 5.12, seed=3)
    first, later = (light.image((128, 128), BINNED_UM, t_s) for t_s in (0.0, 3600.0))
    assert first.std() == pytest.approx(0.05, rel=0.15)
    assert later[:, 10:] == pytest.approx(first[:, :-10], abs=1e-9)
    fine = light.image((1024, 1024), BINNED_UM / 8, 0.0).reshape(128, 8, 128, 8).mean(axis=(1, 3))
    assert np.corrcoef(fine.ravel(), first.ravel())[0, 1] > 0.99


def test_corners_lack_light_and_the_spot_has_more() -> None:
    dim = Condenser(0.6, 0.5, 0.0, 0.0, seed=1).image((128, 128), BINNED_UM, 0.0)
    assert dim[0, 0] == pytest.approx(0.4 / 1.5, rel=0.03)
    assert dim[64, 64] == pytest.approx(1.0, rel=0.02)
    assert dim[64, 100] < 0.7


def test_the_camera_lacks_what_it_is_said_to_lack() -> None:
    straight, bent = (seen(operator(real), y=CLEAR_Y_UM) for real in (IDEAL, Realism(nonlinearity=0.05)))
    assert np.median(bent) == pytest.approx(np.median(straight) * (1 - 0.05 * np.median(straight) / 65535), rel=1e-3)


def test_columns_differ_and_the_flat_knows_it() -> None:
    made = operator(Realism(column_gain=0.02))
    first, second = seen(made, y=CLEAR_Y_UM), seen(made, y=CLEAR_Y_UM)
    assert first.mean(axis=0).std() / first.mean() == pytest.approx(0.02, rel=0.3)
    assert (second / first).std() < 1e-3


def test_read_noise_is_counted_in_photons() -> None:
    made = operator(Realism(read_noise_photons=4.0), noise=True)
    made.now_s = made.microscope.set_shutter(False, made.now_s) + 1e-3
    dark = made.frame()[0].astype(float)
    counts_per_photon = made.microscope.counts_per_photon
    dark = dark[dark < made.microscope.dark_counts + 40 * counts_per_photon]
    assert dark.mean() == pytest.approx(made.microscope.dark_counts, abs=0.1 * counts_per_photon)
    assert np.std(dark) == pytest.approx(4 * counts_per_photon, rel=0.05)


def test_a_frame_glows_in_the_next_and_not_in_the_one_after() -> None:
    made = operator(Realism(afterglow=0.01))
    bright = seen(made, y=CLEAR_Y_UM)
    made.now_s = made.microscope.set_shutter(False, made.now_s) + 1e-3
    darks = [np.median(made.frame()[0] - 220.0) for _ in range(2)]
    assert darks == pytest.approx([0.01 * np.median(bright), 0.0], abs=2.0)


def test_glue_takes_light_edge_on_and_lifts_nothing() -> None:
    bare, glued = (operator(Realism(adhesive_um=um), tape=True) for um in (0.0, 40.0))
    lost = transmission(glued, theta=90.0, z=-10.0) / transmission(bare, theta=90.0, z=-10.0)
    # Along 320 um of silicone where the bare strip has Kapton.
    assert np.median(lost[:, 60:68]) == pytest.approx(np.exp(-320 * (88e-4 - 28.73e-4)), rel=0.05)
    assert np.median(transmission(glued, theta=90.0, z=20.0)[:, 60:68]) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("hop", [Hop(1, 30.0, 2.0, 0.0), Hop(1, 30.0, 0.0, -1.5)])
def test_a_particle_hops_when_it_shall(hop: Hop) -> None:
    made = operator(Realism(hops=(hop,)), BALL)
    before = centroid(transmission(made))
    made.now_s = 31.0
    assert centroid(transmission(made)) - before == pytest.approx([hop.x_um, hop.y_um], abs=0.05)


def test_its_voids_go_along() -> None:
    config = MicroscopeConfig(seed=2, specimen=SpecimenConfig(preset="nmc622"))
    specimen = Microscope(config).specimen
    number, host = next(
        (n, p) for n, p in enumerate(specimen.particles, 1) if any(v.table is not None for v in p.voids)
    )
    step = np.array([3.0, -2.0, 0.5])
    x, y, z = host.centre_um
    grid = Grid(256, 256, 0.1, 0.1, -12.8, -12.8)
    there = specimen.path_length((x, y, z), 20.0, grid)
    moved = specimen.with_moved({number: step})
    reach = host.envelope.radius_max_um
    near = np.abs(np.arange(256) * 0.1 - 12.8) < 0.7 * reach
    after = moved.path_length((x + step[0], y + step[1], z + step[2]), 20.0, grid)
    assert after[np.ix_(near, near)].max() == pytest.approx(there[np.ix_(near, near)].max(), rel=0.02)


def test_the_sample_drifts_away_at_its_rate() -> None:
    made = operator(Realism(drift_um_h=36.0), BALL)
    before = centroid(transmission(made))
    made.now_s += 200.0
    assert np.hypot(*(centroid(transmission(made)) - before)) == pytest.approx(2.0, abs=0.15)


def test_vibration_blurs() -> None:
    def width(made: Operator) -> float:
        row = transmission(made)[64]
        return float(np.abs(np.gradient(row)).max())

    assert width(operator(Realism(vibration_um=0.6), BALL, mu=1.0)) < 0.8 * width(operator(IDEAL, BALL, mu=1.0))


@pytest.mark.parametrize("preset", PRESETS)
def test_an_instrument_is_the_same_twice(preset: str) -> None:
    config = MicroscopeConfig(seed=4, specimen=SpecimenConfig(preset="nmc811"), realism=PRESETS[preset])
    pictures = []
    for _ in range(2):
        made = Operator(Microscope(config))
        made.now_s = made.microscope.set_shutter(True, made.now_s) + 1e-3
        made.go(theta=30.0)
        pictures.append(made.frame()[0])
    assert np.array_equal(*pictures)
    assert pictures[0].max() < 65535 or preset == "ideal"
