"""Views that are moved by known amounts, drawn so in closed form, are put where they should lie; others stay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.processing.trust.faults import AXIS_PX, COLUMNS, PIXEL_UM, ROWS, TAPE, THETA, bed
from tests.reconstruction.phantoms import line_integrals, scan_of
from xrm_control.reconstruction.motion import Motion, _left_over, _State
from xrm_control.reconstruction.motion_images import images_of
from xrm_control.reconstruction.motion_model import curves
from xrm_control.reconstruction.pipeline import Prepared, prepare, reconstruct_scan
from xrm_control.reconstruction.registering import from_neighbours, neighbour_matrix, profiles_registered, registered
from xrm_control.reconstruction.scan import ScanData
from xrm_control.reconstruction.spec import ReconstructionSpec

FACE = np.abs(THETA) < 50
Way = Callable[[NDArray[np.float64]], NDArray[np.float64]]  # of the places of views, -1 to 1
PLACE = np.linspace(-1, 1, len(THETA))


def moved_scan(right_px: NDArray[np.float64], down_px: NDArray[np.float64], seed: int = 0) -> ScanData:
    """View n lies right_px[n] to the right and down_px[n] lower; nothing is interpolated."""
    views = [
        line_integrals(
            [replace(ball, z_um=ball.z_um + down * PIXEL_UM) for ball in bed(seed, 26, (5.0, 10.0))],
            np.array([theta]), columns=COLUMNS, rows=ROWS, axis_px=AXIS_PX + right, pixel_um=PIXEL_UM, strip=TAPE,
            samples=2,
        )
        for theta, right, down in zip(THETA, right_px, down_px, strict=True)
    ]  # fmt: skip
    return scan_of(np.concatenate(views), THETA, PIXEL_UM, noise_seed=seed)


def _jitter(rms_px: float, seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0, rms_px, len(THETA))


STILL = np.zeros(len(THETA))
CASES = {
    "jitter of 0.5 px": (_jitter(0.5, 1), _jitter(0.5, 2)),
    "a sample that sinks by 3 px": (STILL, 1.5 * PLACE),
    "drift of 3 px both ways with jitter": (1.5 * PLACE + _jitter(0.2, 3), 1.5 * PLACE + _jitter(0.2, 4)),
}


@lru_cache(maxsize=8)
def prepared(case: str) -> Prepared:
    return prepare(moved_scan(*CASES[case]), ReconstructionSpec())


def motion(case: str) -> Motion:
    found = prepared(case).motion
    assert found is not None
    return found


def errors(case: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of the shifts to the right and down, without what no view can tell: where the sample stands."""
    angle = np.radians(THETA)
    circle = np.stack([np.ones_like(angle), np.cos(angle), np.sin(angle)], axis=1)
    right, down = motion(case).shifts_px.T - np.stack(CASES[case])
    # Those along the strip, which tell little, must not tilt the others.
    right = right - circle @ np.linalg.lstsq(circle[FACE], right[FACE], rcond=None)[0]
    return right, down - down[FACE].mean()


@pytest.mark.parametrize("case", CASES)
def test_planted_shifts_are_found(case: str) -> None:
    right, down = errors(case)
    assert motion(case).applied
    assert np.sqrt(np.mean(right[FACE] ** 2)) < 0.08
    assert np.sqrt(np.mean(down[FACE] ** 2)) < 0.08


@pytest.mark.parametrize("case", CASES)
def test_what_is_left_is_stated(case: str) -> None:
    """In all views, those along the strip with their larger errors too."""
    right, down = errors(case)
    stated = motion(case)
    whole = np.sqrt(np.mean(right**2 + down**2))
    assert whole < 2 * stated.left_px + 0.05
    assert stated.left_px < 0.5 * stated.rms_px + 0.05


def test_the_axis_lies_within_its_uncertainty() -> None:
    axis = prepared("jitter of 0.5 px").axis
    assert abs(axis.column_px - AXIS_PX) < 3 * axis.uncertainty_px < 1.0


@pytest.mark.parametrize("seed", [0, 1])
def test_a_still_scan_is_left_as_it_is_to_the_bit(seed: int) -> None:
    scan = moved_scan(STILL, STILL, seed)
    auto, off = (reconstruct_scan(scan, ReconstructionSpec(motion=motion)) for motion in ("auto", "off"))
    assert auto.volume.tobytes() == off.volume.tobytes()
    assert auto.shifts_px == ()
    assert auto.quality["view_motion_left_px"] < 0.15
    assert "view_motion_px" not in off.quality


def test_corrected_volumes_are_nearer_to_that_of_a_still_scan() -> None:
    case = "jitter of 0.5 px"
    still = reconstruct_scan(moved_scan(STILL, STILL), ReconstructionSpec(rotation_axis=AXIS_PX)).volume
    scan = moved_scan(*CASES[case])
    made = (reconstruct_scan(scan, ReconstructionSpec(motion=motion)).volume for motion in ("off", "auto"))
    far, near = (np.sqrt(np.mean((volume - still)[:, 24:72, 24:72] ** 2)) for volume in made)
    assert near < 0.6 * far


def test_parts_of_a_volume_know_the_motion_of_the_whole() -> None:
    whole = prepared("jitter of 0.5 px")
    again = Prepared.from_arrays(whole.as_arrays())
    assert again.shifts_px == whole.shifts_px != ()
    assert again.axis.column_px == whole.axis.column_px
    assert again.figures == whole.figures


def test_views_in_another_order_get_their_own_shifts() -> None:
    scan = moved_scan(*CASES["jitter of 0.5 px"])
    mixed = np.random.default_rng(5).permutation(len(THETA))
    other = replace(
        scan, projections=np.asarray(scan.projections[:])[mixed], theta_deg=THETA[mixed],
        time_s=np.asarray(scan.time_s)[mixed],
    )  # fmt: skip
    found = prepare(other, ReconstructionSpec()).motion
    assert found is not None
    np.testing.assert_allclose(found.shifts_px, motion("jitter of 0.5 px").shifts_px[mixed], atol=0.02)


def test_a_volume_is_held_against_views_that_had_no_part_in_it() -> None:
    """Every second view is foretold by the others: how those others look themselves is not asked."""
    n = len(THETA)
    scan = moved_scan(STILL, STILL)
    coarse = images_of(scan, ReconstructionSpec().preprocess, None, np.arange(n), 0.0).coarse()
    still = _State(np.zeros((n, 2)), np.zeros((n, 2)), (0.0, 0.0))
    usual = _left_over(coarse, AXIS_PX, still)
    # As they are compared, and not as the volume is made of them.
    for others, same in ((slice(0, None, 2), True), (slice(1, None, 2), False)):
        odd = replace(coarse)
        odd.banded[others] += 10.0
        assert (_left_over(odd, AXIS_PX, still) == usual) == same


def test_a_recipe_from_before_keeps_its_hash() -> None:
    assert "motion" not in ReconstructionSpec().model_dump()
    assert ReconstructionSpec(motion="off").model_dump()["motion"] == "off"


def _blob(right: float, down: float) -> NDArray[np.float32]:
    y, x = np.mgrid[0:40, 0:40]
    return np.exp(-((x - 19 - right) ** 2 + (y - 21 - down) ** 2) / 18)[None].astype(np.float32)


@pytest.mark.parametrize(("right", "down"), [(0.1, 0.0), (0.0, -0.1), (0.05, 0.08)])
def test_a_small_shift_is_registered(right: float, down: float) -> None:
    here = _blob(0, 0)
    step = registered(here, here - _blob(right, down), (2, 38))
    np.testing.assert_allclose(step.px[0], (right, down), atol=0.005)


@pytest.mark.parametrize("down", [-0.2, 0.1])
def test_rows_sums_tell_how_far_down_a_view_lies(down: float) -> None:
    rows = np.arange(48)
    sums = np.stack([np.exp(-((rows - 20 - shift) ** 2) / 20) for shift in (down, 0.0, 0.0, -down, 5.0)])
    alike = np.array([True, True, True, True, False])
    found = profiles_registered(sums.astype(np.float32), alike)
    np.testing.assert_allclose(found.px[:4, 0], (down, 0, 0, -down), atol=0.02)
    assert np.isinf(found.u_px[4, 0])


@pytest.mark.parametrize("turned", [-1.0, 1.0])
def test_what_neighbours_leave_of_shifts_is_what_the_matrix_says(turned: float) -> None:
    shifts = np.random.default_rng(0).normal(size=9).astype(np.float32)
    ends = turned * shifts[[6, 7, 1, 2]]
    views = shifts[:, None, None]
    around = from_neighbours(views, ends[:2, None, None], ends[2:, None, None])
    np.testing.assert_allclose(shifts - around[:, 0, 0], neighbour_matrix(9, turned) @ shifts, atol=1e-6)


def test_a_steady_drift_is_a_straight_line_in_time() -> None:
    time_s = np.array([0.0, 2.0, 3.0, 10.0])
    np.testing.assert_allclose(curves(time_s, 1)[:, 1], time_s / 5 - 1)
