"""Every method of the family: what does not make sense is refused with its place named, the rest comes back right."""

from __future__ import annotations

import numpy as np
import pytest

from tests.reconstruction.phantoms import Ball, coordinates_um, line_integrals
from xrm_control.core.errors import DataError
from xrm_control.core.family import Family
from xrm_control.reconstruction.reconstructor import Reconstructor

PIXEL, MU = 0.512, 0.0458
BALL = Ball(-4, 3, 0, 7, MU)
THETA = np.linspace(-90, 90, 71)

FAMILY = Family("xrm_control.reconstruction.methods").members(Reconstructor)
METHODS: dict[str, Reconstructor] = {kind: member.model_validate({}) for kind, member in sorted(FAMILY.items())}
METHODS |= {
    "cgls by astra": FAMILY["cgls"].model_validate({"engine": "astra", "surround": 0.1}),
    "sirt by astra": FAMILY["sirt"].model_validate({"engine": "astra", "surround": 0.1, "iterations": 120}),
    "sirt with momentum": FAMILY["sirt"].model_validate({"momentum": True, "iterations": 60}),
    "sirt above zero": FAMILY["sirt"].model_validate({"non_negative": True}),
}

BAD = {
    "NaN": ({"sinograms": (slice(None), 2, 5, np.nan)}, "view 2", "NaN or infinity"),
    "infinity": ({"sinograms": (0, 3, slice(None), np.inf)}, "view 3", "NaN or infinity"),
    "no rows": ({"sinograms": np.zeros((0, 4, 9), np.float32)}, "sinograms", "rows, views, columns"),
    "no views": (
        {"sinograms": np.zeros((2, 0, 9), np.float32), "theta_deg": np.zeros(0)},
        "sinograms",
        "rows, views, columns",
    ),
    "no columns": ({"sinograms": np.zeros((2, 4, 0), np.float32)}, "sinograms", "rows, views, columns"),
    "one slice without its axis": ({"sinograms": np.zeros((4, 9), np.float32)}, "sinograms", "rows, views, columns"),
    "an angle too many": ({"theta_deg": np.arange(5.0)}, "theta_deg", "one angle per view"),
    "angles in a table": ({"theta_deg": np.arange(4.0)[:, None]}, "theta_deg", "one angle per view"),
    "an angle that is none": ({"theta_deg": np.array([0, 1, np.nan, 3])}, "theta_deg", "not a finite number"),
    "an infinite angle": ({"theta_deg": np.array([0, 1, np.inf, 3])}, "theta_deg", "not a finite number"),
    "axis to the left": ({"axis_px": -0.5}, "axis_px", "outside the detector"),
    "axis to the right": ({"axis_px": 8.5}, "axis_px", "outside the detector"),
    "axis that is none": ({"axis_px": np.nan}, "axis_px", "outside the detector"),
    "no pixel": ({"pixel_size_um": 0.0}, "pixel_size_um", "positive"),
    "pixel that is none": ({"pixel_size_um": np.nan}, "pixel_size_um", "positive"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("kind", METHODS)
def test_it_is_refused(kind: str, name: str) -> None:
    change, where, what = BAD[name]
    sound = {
        "sinograms": np.ones((2, 4, 9), np.float32),
        "theta_deg": np.arange(4.0),
        "axis_px": 4.0,
        "pixel_size_um": 1.0,
    }
    given = dict(change)
    if isinstance(given.get("sinograms"), tuple):
        *place, value = given["sinograms"]
        given["sinograms"] = sound["sinograms"].copy()
        given["sinograms"][tuple(place)] = value
    with pytest.raises(DataError, match=what) as caught:
        METHODS[kind].reconstruct(**(sound | given))
    assert caught.value.where == where


def scan(theta_deg: np.ndarray, columns: int, axis_px: float) -> np.ndarray:
    integrals = line_integrals([BALL], theta_deg, columns=columns, axis_px=axis_px, pixel_um=PIXEL)
    return np.ascontiguousarray(np.repeat(integrals.transpose(1, 0, 2), 3, axis=0))


def check_ball(volume: np.ndarray) -> None:
    """Place to a fifteenth of a pixel, attenuation, and air."""
    columns = volume.shape[1]
    assert volume.shape == (3, columns, columns)
    assert volume.dtype == np.float32
    x, y = coordinates_um(columns, PIXEL)
    away = np.hypot(x - BALL.x_um, y - BALL.y_um)
    assert volume[:, away < 5.5].mean() == pytest.approx(MU, rel=0.015)
    mass = np.where(away < 9, volume, 0)
    assert (mass * x).sum() / mass.sum() == pytest.approx(BALL.x_um, abs=PIXEL / 15)
    assert (mass * y).sum() / mass.sum() == pytest.approx(BALL.y_um, abs=PIXEL / 15)
    assert abs(volume[:, (away > 9) & (np.hypot(x, y) < 0.45 * columns * PIXEL)].mean()) < 0.02 * MU


@pytest.mark.parametrize("columns", [64, 65, 67])
@pytest.mark.parametrize("offset_px", [0.0, 0.5, -3.3])
@pytest.mark.parametrize("kind", METHODS)
def test_detectors_of_odd_and_even_width_put_a_disc_where_it_was(kind: str, offset_px: float, columns: int) -> None:
    axis_px = (columns - 1) / 2 + offset_px
    check_ball(METHODS[kind].reconstruct(scan(THETA, columns, axis_px), THETA, axis_px, PIXEL))


ANGLES = {
    "each twice": np.repeat(THETA, 2),
    "one three times": np.r_[THETA, THETA[40], THETA[40]],
    "some twice, in disorder": np.random.default_rng(0).permutation(np.r_[THETA, THETA[10:20]]),
    "both ends and beyond": np.arange(-90, 272, 3.0),
}


@pytest.mark.parametrize("name", ANGLES)
@pytest.mark.parametrize("kind", METHODS)
def test_angles_may_come_more_than_once(kind: str, name: str) -> None:
    theta_deg = ANGLES[name]
    check_ball(METHODS[kind].reconstruct(scan(theta_deg, 65, 32.0), theta_deg, 32.0, PIXEL))


@pytest.mark.parametrize("theta_deg", [0.0, 90.0, -37.0])
@pytest.mark.parametrize("kind", METHODS)
def test_one_view_is_smeared_along_its_rays(kind: str, theta_deg: float) -> None:
    """Nothing is known along them; across them the view comes back."""
    theta = np.array([theta_deg])
    volume = METHODS[kind].reconstruct(scan(theta, 65, 32.0), theta, 32.0, PIXEL)
    assert np.isfinite(volume).all()
    x, y = coordinates_um(65, PIXEL)
    across = x * np.cos(np.radians(theta_deg)) - y * np.sin(np.radians(theta_deg))
    inside = np.hypot(x, y) < 0.4 * 65 * PIXEL
    centre = BALL.x_um * np.cos(np.radians(theta_deg)) - BALL.y_um * np.sin(np.radians(theta_deg))
    hit = volume[:, inside & (np.abs(across - centre) < 3)]
    missed = volume[:, inside & (np.abs(across - centre) > 9)]
    assert hit.min() > max(0.0, missed.max())


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 2, 1), (3, 3, 2), (2, 5, 3)])
@pytest.mark.parametrize("kind", METHODS)
def test_the_smallest_scans_come_through(kind: str, shape: tuple[int, int, int]) -> None:
    rows, views, columns = shape
    data = np.ones(shape, np.float32)
    volume = METHODS[kind].reconstruct(data, np.arange(views) * 30.0, (columns - 1) / 2, 1.0)
    assert volume.shape == (rows, columns, columns)
    assert np.isfinite(volume).all()
    assert not METHODS[kind].reconstruct(0 * data, np.arange(views) * 30.0, (columns - 1) / 2, 1.0).any()


@pytest.mark.parametrize("kind", METHODS)
def test_nothing_is_written_into_what_was_handed_in_or_said_on_the_console(
    kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    data = scan(THETA, 65, 32.0)
    before, theta = data.copy(), THETA.copy()
    METHODS[kind].reconstruct(data, theta, 32.0, PIXEL)
    assert np.array_equal(data, before)
    assert np.array_equal(theta, THETA)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("accuracy", [1e-2, 1e-3, 1e-4, 2e-5, 1e-5, 1e-6])
def test_fourier_is_silent_at_any_accuracy(accuracy: float, capfd: pytest.CaptureFixture[str]) -> None:
    method = FAMILY["fourier"].model_validate({"accuracy": accuracy, "threads": 64})
    method.reconstruct(scan(THETA, 65, 32.0), THETA, 32.0, PIXEL)
    assert capfd.readouterr() == ("", "")
