"""A full turn with the axis near an edge: twice the field, the same attenuation, whatever the method."""

from __future__ import annotations

import numpy as np
import pytest

from tests.reconstruction.phantoms import Ball, coordinates_um, line_integrals, scan_of
from xrm_control.core.errors import DataError
from xrm_control.reconstruction.half_acquisition import half_acquisition, is_half_acquisition
from xrm_control.reconstruction.pipeline import ReconstructionSpec, reconstruct_scan
from xrm_control.reconstruction.scan import ScanData

COLUMNS, PIXEL_UM, MU = 80, 0.5, 0.05
DISCS = [Ball(-18, 6, 0, 9, MU), Ball(14, -12, 0, 8, MU), Ball(6, 17, 0, 6, MU)]
METHODS = ("fourier", "fbp", "cgls", "sirt", "tv")


def scan(axis_px: float, theta_deg: np.ndarray) -> ScanData:
    balls = [Ball(d.x_um, d.y_um, d.z_um, d.radius_um, d.mu_per_um) for d in DISCS]
    return scan_of(
        line_integrals(balls, theta_deg, columns=COLUMNS, rows=3, axis_px=axis_px, pixel_um=PIXEL_UM),
        theta_deg,
        PIXEL_UM,
    )


def levels(volume: np.ndarray) -> list[float]:
    """Mean attenuation within each disc, two pixels from its rim."""
    x, y = coordinates_um(volume.shape[2], PIXEL_UM)
    return [float(volume[1][np.hypot(x - d.x_um, y - d.y_um) < d.radius_um - 2 * PIXEL_UM].mean()) for d in DISCS]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("axis_px", [66.3, 12.6])
def test_every_method_finds_the_attenuation(method: str, axis_px: float) -> None:
    made = reconstruct_scan(
        scan(axis_px, np.arange(0, 360, 1.0)),
        ReconstructionSpec.model_validate({"method": {"kind": method}}),
    )
    assert made.rotation_axis_px == pytest.approx(axis_px, abs=0.1)
    assert made.volume.shape[1] > 1.6 * COLUMNS
    assert levels(made.volume) == pytest.approx([MU] * 3, rel=0.01)
    assert any(warning.startswith("half acquisition") for warning in made.warnings)


TURNS = {
    "both ends": np.linspace(0, 360, 361),
    "an odd number": np.arange(359) * 360 / 359,
    "from -180": np.arange(-180, 180, 1.0),
    "backwards": np.arange(360, 0, -1.0),
    "shuffled": np.random.default_rng(0).permutation(360).astype(float),
}


@pytest.mark.parametrize("turn", TURNS)
def test_whatever_way_the_turn_is_taken(turn: str) -> None:
    made = reconstruct_scan(scan(66.3, TURNS[turn]), ReconstructionSpec(rotation_axis=66.3))
    assert levels(made.volume) == pytest.approx([MU] * 3, rel=0.01)


@pytest.mark.parametrize(
    ("theta_deg", "axis_px", "half"),
    [
        (np.arange(0, 360, 1.0), 66.3, True),
        (np.arange(0, 360, 1.0), 40.5, False),  # opposite views show the same
        (np.arange(0, 181, 1.0), 66.3, False),  # half a turn: the axis is merely off
    ],
)
def test_it_is_found_by_itself(theta_deg: np.ndarray, axis_px: float, half: bool) -> None:
    assert is_half_acquisition(theta_deg, COLUMNS, axis_px) is half


def test_what_cannot_be_put_together_is_refused() -> None:
    with pytest.raises(DataError, match="full turn"):
        half_acquisition(np.arange(0, 181, 1.0), COLUMNS, 66.3)
    with pytest.raises(DataError, match="overlap"):
        half_acquisition(np.arange(0, 360, 1.0), COLUMNS, 79.0)
