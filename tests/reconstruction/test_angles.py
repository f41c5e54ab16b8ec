"""Angles that are uneven, missing or repeated: the level of compact particles stays, and what is lost is said."""

from __future__ import annotations

import numpy as np
import pytest

from tests.reconstruction.phantoms import Ball, coordinates_um, line_integrals, scan_of
from xrm_control.reconstruction.pipeline import Reconstruction, ReconstructionSpec, reconstruct_scan
from xrm_control.reconstruction.reconstructor import angular_gaps, view_weights

COLUMNS, PIXEL_UM, MU, AXIS_PX = 80, 0.5, 0.05, 39.2
DISCS = [Ball(-9, 4, 0, 6, MU), Ball(8, -7, 0, 5, MU), Ball(2, 11, 0, 3, MU)]
WHOLE = np.arange(-90.0, 90.5, 1.0)
ANGLES = {
    "even": WHOLE,
    "30 degrees missing": WHOLE[(WHOLE < 20) | (WHOLE > 50)],
    "30 degrees missing at the ends": WHOLE[(WHOLE < 75) & (WHOLE > -75)],
    "two gaps": WHOLE[((WHOLE < -60) | (WHOLE > -45)) & ((WHOLE < 20) | (WHOLE > 35))],
    "twice as dense on one side": np.concatenate([np.arange(-90, 0, 1.0), np.arange(0, 90.5, 0.5)]),
    "every view twice": np.repeat(WHOLE, 2),
    "half a turn twice": np.concatenate([WHOLE, WHOLE]),
    "a few views three times": np.concatenate([WHOLE, WHOLE[40:60], WHOLE[40:60]]),
    "at random": np.sort(np.random.default_rng(1).uniform(-90, 90, 240)),
    "shuffled": np.random.default_rng(2).permutation(WHOLE),
    "a whole turn": np.arange(0, 360, 1.5),
}
GAPS = {"30 degrees missing", "30 degrees missing at the ends", "two gaps"}


def made(angles: str, method: str) -> Reconstruction:
    theta = ANGLES[angles]
    integrals = line_integrals(DISCS, theta, columns=COLUMNS, rows=3, axis_px=AXIS_PX, pixel_um=PIXEL_UM)
    spec = ReconstructionSpec.model_validate({"method": {"kind": method}, "rotation_axis": AXIS_PX})
    return reconstruct_scan(scan_of(integrals, theta, PIXEL_UM), spec)


@pytest.mark.parametrize("angles", ANGLES)
@pytest.mark.parametrize("method", ["fourier", "fbp", "cgls", "tv"])
def test_the_level_stays(angles: str, method: str) -> None:
    volume = made(angles, method).volume
    x, y = coordinates_um(volume.shape[2], PIXEL_UM)
    inside = [np.hypot(x - d.x_um, y - d.y_um) < d.radius_um - 2 * PIXEL_UM for d in DISCS]
    level = np.mean([volume[1][disc].mean() for disc in inside])
    # Streaks along the gap lie on the others; what fits the data knows that.
    gap = 0.03 if method in ("cgls", "tv") else 0.08
    assert level == pytest.approx(MU, rel=gap if angles in GAPS else 0.015)


@pytest.mark.parametrize("angles", ANGLES)
def test_what_is_missing_is_said(angles: str) -> None:
    said = [warning for warning in made(angles, "fourier").warnings if warning.startswith("limited angle")]
    assert bool(said) is (angles in GAPS)
    assert view_weights(ANGLES[angles]).sum() == pytest.approx(len(ANGLES[angles]))


@pytest.mark.parametrize(
    ("theta_deg", "missing"),
    [(WHOLE, 0), (ANGLES["30 degrees missing"], 29), (np.arange(-60, 61, 1.0), 59), (ANGLES["two gaps"], 32)],
)
def test_gaps_are_found(theta_deg: np.ndarray, missing: float) -> None:
    assert sum(gap.missing_deg for gap in angular_gaps(theta_deg)) == pytest.approx(missing, abs=2)
