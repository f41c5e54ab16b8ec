"""A detector that is turned about the beam: found from opposite views, put right in every method, said.

The turning is scipy's own, of exact line integrals, before beam and noise.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from tests.reconstruction.phantoms import Ball, line_integrals, scan_of
from xrm_control.reconstruction.pipeline import (
    Prepared,
    ReconstructionSpec,
    parts_of,
    prepare,
    reconstruct_rows,
    reconstruct_scan,
)
from xrm_control.reconstruction.scan import ScanData
from xrm_control.reconstruction.tilt import edge_rows, find_tilt, levelled, reach_px

COLUMNS, ROWS, PIXEL_UM, MU, AXIS_PX = 96, 72, 0.5, 0.05, 49.3
THETA = np.linspace(-90, 90, 151)
BALLS = [
    Ball(-13, 4, -6.2, 5.5, MU), Ball(11, -9, 5.1, 6.0, MU), Ball(2, 12, 7.3, 4.5, MU), Ball(-4, -11, 1.0, 4.0, MU),
    Ball(14, 7, -7.5, 3.5, MU),
]  # fmt: skip
METHODS = ("fourier", "fbp", "cgls", "sirt", "tv")


def turned(integrals: NDArray, deg: float) -> NDArray:
    """Each view turned counter-clockwise; deg as the detector's tilt is counted."""
    if not deg:
        return integrals
    return np.stack([ndimage.rotate(one, -deg, reshape=False, order=3, mode="nearest") for one in integrals])


def scan(deg: float, theta: NDArray = THETA, seed: int | None = 1, axis_px: float = AXIS_PX) -> ScanData:
    exact = line_integrals(BALLS, theta, columns=COLUMNS, rows=ROWS, axis_px=axis_px, pixel_um=PIXEL_UM, samples=2)
    return scan_of(turned(exact, deg).astype(np.float32), theta, PIXEL_UM, noise_seed=seed)


def moments(volume: NDArray, ball: Ball) -> tuple[float, float, float]:
    """Volume over the true one, the ratio of the longest to the shortest axis, and the mean attenuation inside."""
    side = volume.shape[2]
    z, y, x = (
        (np.arange(n) - (n - 1) / 2) * PIXEL_UM - at
        for n, at in ((volume.shape[0], ball.z_um), (side, ball.y_um), (side, ball.x_um))
    )
    away = np.sqrt(z[:, None, None] ** 2 + y[:, None] ** 2 + x**2)
    near = (away < ball.radius_um + 1.5) & (volume > MU / 2)
    places = np.argwhere(near) * PIXEL_UM
    spread = np.sqrt(np.linalg.eigvalsh(np.cov(places.T)))
    inside = float(volume[away < ball.radius_um - 3 * PIXEL_UM].mean())
    return near.sum() * PIXEL_UM**3 / (4 / 3 * np.pi * ball.radius_um**3), float(spread[-1] / spread[0]), inside


@pytest.mark.parametrize("deg", [-7.0, -4.0, -1.0, 1.5, 4.0])
def test_the_tilt_is_found_with_its_sign(deg: float) -> None:
    found = prepare(scan(deg), ReconstructionSpec())
    assert found.axis.tilt_deg == pytest.approx(deg, abs=0.1)
    assert found.axis.column_px == pytest.approx(AXIS_PX, abs=0.25)
    assert found.doubts == ()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_makes_balls_round_again(method: str) -> None:
    straight, tilted = (
        reconstruct_scan(scan(deg), ReconstructionSpec.model_validate({"method": {"kind": method}})) for deg in (0, 4.0)
    )
    for ball in BALLS:
        volume, ratio, mu = moments(tilted.volume, ball)
        as_volume, as_ratio, as_mu = moments(straight.volume, ball)
        assert ratio == pytest.approx(as_ratio, abs=0.02)
        assert volume == pytest.approx(as_volume, rel=0.02)
        # cgls and sirt that end at the noise are some per cent high by themselves: no worse than on straight views.
        assert abs(mu - MU) <= abs(as_mu - MU) + 0.01 * MU
    assert tilted.quality["detector_tilt_deg"] == pytest.approx(4.0, abs=0.1)
    (said,) = (one for one in tilted.warnings if one.startswith("detector tilt"))
    assert f"the {edge_rows(4.0, COLUMNS)} uppermost" in said


def test_sphericity_of_the_analysis_is_that_of_a_straight_detector() -> None:
    from xrm_control.analysis.core import AnalysisSpec, analyze_volume

    values = []
    for deg in (0.0, 4.0):
        made = reconstruct_scan(scan(deg), ReconstructionSpec())
        rows = analyze_volume(made.volume, made.voxel_size_um, AnalysisSpec()).particles
        values.append(sorted(float(row["sphericity"]) for row in rows if not row["touches_boundary"]))
    assert len(values[0]) == len(values[1]) == len(BALLS)
    assert values[1] == pytest.approx(values[0], abs=0.01)


def test_without_it_they_are_not() -> None:
    left = reconstruct_scan(scan(4.0), ReconstructionSpec(detector_tilt_deg=0.0))
    assert max(moments(left.volume, ball)[1] for ball in BALLS) > 1.05
    assert "detector_tilt_deg" not in left.quality


@pytest.mark.parametrize("seed", range(6))
def test_a_straight_detector_is_left_alone(seed: int) -> None:
    found = prepare(scan(0.0, seed=seed), ReconstructionSpec())
    assert (found.axis.tilt_deg, found.doubts) == (0.0, ())


# A ball looks the same turned: a view of one says nothing of the tilt, whatever noise and interpolation make of it.
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("deg", [0.0, 3.0])
@pytest.mark.parametrize("ball", [Ball(5, 2, 1.5, 9.0, MU), Ball(-12, -6, -4, 6.0, MU), Ball(0, 0, 0, 12.0, MU)])
def test_one_ball_tells_no_tilt(ball: Ball, deg: float, seed: int) -> None:
    theta = np.array([-90.0, 90.0])
    exact = line_integrals([ball], theta, columns=COLUMNS, rows=ROWS, axis_px=AXIS_PX, pixel_um=PIXEL_UM, samples=2)
    seen = np.random.default_rng(seed).poisson(1000 * np.exp(-turned(exact, deg))) / 1000
    tilt = find_tilt(seen.astype(np.float32), [(0, 1)])
    assert tilt is not None
    assert (tilt.sure, tilt.doubtful) == (False, False)


def test_a_tilt_that_is_stated_is_put_right_whatever_the_views_say() -> None:
    found = prepare(scan(0.0), ReconstructionSpec(detector_tilt_deg=2.0))
    assert found.axis.tilt_deg == 2.0


def test_beside_an_axis_that_is_stated_it_is_found_too() -> None:
    spec = ReconstructionSpec(rotation_axis=AXIS_PX)
    assert prepare(scan(3.0), spec).axis.tilt_deg == pytest.approx(3.0, abs=0.1)
    assert prepare(scan(3.0).without(range(0, 40)), spec).axis.tilt_deg == 0.0


def test_half_acquisition_on_a_tilted_detector() -> None:
    theta = np.arange(0, 360, 1.5)
    made = reconstruct_scan(scan(3.0, theta, axis_px=72.0), ReconstructionSpec())
    assert made.quality["detector_tilt_deg"] == pytest.approx(3.0, abs=0.15)
    assert made.volume.shape[2] > 1.4 * COLUMNS
    for ball in BALLS:
        volume, ratio, mu = moments(made.volume, ball)
        assert (ratio, mu) == (pytest.approx(1.0, abs=0.06), pytest.approx(MU, rel=0.02))
        assert volume == pytest.approx(1.0, abs=0.06)


def test_what_is_not_sure_is_said_and_left_alone() -> None:
    # The one view is turned, its opposite is of another sample.
    whole = scan(0.0)
    other = line_integrals(
        [Ball(-b.x_um, b.y_um, -b.z_um, b.radius_um * 0.8, MU) for b in BALLS], THETA[-1:], columns=COLUMNS, rows=ROWS,
        axis_px=AXIS_PX, pixel_um=PIXEL_UM,
    )  # fmt: skip
    views = np.array(whole.projections[:])
    views[-1] = scan_of(turned(other, 8).astype(np.float32), THETA[-1:], PIXEL_UM, noise_seed=5).projections[0]
    found = prepare(ScanData(**{**vars(whole), "projections": views}), ReconstructionSpec())
    assert found.axis.tilt_deg == 0.0


def test_parts_are_the_whole() -> None:
    tilted = scan(4.0)
    whole = reconstruct_scan(tilted, ReconstructionSpec())
    prepared = prepare(tilted, ReconstructionSpec())
    part, _ = reconstruct_rows(tilted, ReconstructionSpec(), prepared, (30, 41))
    assert part == pytest.approx(whole.volume[30:41], abs=2e-4 * MU * 20)
    views, rows, columns = tilted.projections.shape
    assert len(parts_of(ReconstructionSpec(), (views, rows, columns))) == 1


def test_what_is_prepared_goes_through_a_file() -> None:
    prepared = prepare(scan(4.0), ReconstructionSpec())
    again = Prepared.from_arrays(prepared.as_arrays())
    assert (again.axis.tilt_deg, again.doubts) == (prepared.axis.tilt_deg, ())
    old = {name: value for name, value in prepared.as_arrays().items() if name not in ("tilt_deg", "doubts")}
    assert Prepared.from_arrays(old).axis.tilt_deg == 0.0


def test_levelling_undoes_scipys_turning() -> None:
    view = line_integrals(BALLS, np.zeros(1), columns=COLUMNS, rows=ROWS, axis_px=AXIS_PX, pixel_um=PIXEL_UM)
    back = levelled(turned(view, 5).astype(np.float32), 5.0)
    inner = np.s_[:, 8:-8, 8:-8]
    assert back[inner] == pytest.approx(view[inner], abs=0.03)
    assert float(np.abs(back - view)[inner].mean()) < 0.002
    assert reach_px(5, ROWS, COLUMNS) >= edge_rows(5, COLUMNS) + 8


def test_of_too_few_rows_nothing_is_said() -> None:
    assert find_tilt(np.ones((2, 8, 64), np.float32), [(0, 1)]) is None
    assert find_tilt(np.ones((2, 64, 64), np.float32), [(0, 1)]) is None
    assert find_tilt(np.ones((2, 64, 64), np.float32), []) is None


def one_ball(deg: float) -> ScanData:
    """Of a single sphere opposite views tell no tilt."""
    ball = [Ball(0.0, 0.0, 0.0, 9.0, MU)]
    exact = line_integrals(ball, THETA, columns=COLUMNS, rows=ROWS, axis_px=AXIS_PX, pixel_um=PIXEL_UM, samples=2)
    return scan_of(turned(exact, deg).astype(np.float32), THETA, PIXEL_UM, noise_seed=1)


def test_a_tilt_that_is_known_is_taken_where_views_do_not_tell_it() -> None:
    assert prepare(one_ball(3.0), ReconstructionSpec()).axis.tilt_deg == 0.0
    known = prepare(one_ball(3.0), ReconstructionSpec(known_tilt_deg=3.0))
    assert known.axis.tilt_deg == 3.0
    # Too little to matter stays where it is.
    assert prepare(one_ball(0.1), ReconstructionSpec(known_tilt_deg=0.1)).axis.tilt_deg == 0.0
    stated = prepare(one_ball(3.0), ReconstructionSpec(known_tilt_deg=3.0, rotation_axis=AXIS_PX))
    assert stated.axis.tilt_deg == 3.0


def test_views_that_say_something_else_than_the_calibration_are_believed_and_that_is_said() -> None:
    found = prepare(scan(4.0), ReconstructionSpec(known_tilt_deg=-2.0))
    assert found.axis.tilt_deg == pytest.approx(4.0, abs=0.15)
    assert "calibrated as -2.00" in " ".join(found.doubts)
    assert not any("calibrated" in one for one in prepare(scan(4.0), ReconstructionSpec(known_tilt_deg=4.1)).doubts)
