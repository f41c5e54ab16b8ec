"""Slices that grow view by view, against analytic balls, whole reconstructions and the simulated microscope."""

from __future__ import annotations

import io
from dataclasses import replace

import matplotlib.image
import numpy as np
import pytest

from simulators.microscope import Microscope, MicroscopeConfig
from simulators.specimen import SpecimenConfig, Sphere
from tests.reconstruction.phantoms import Ball, line_integrals, scan_of
from tests.reconstruction.test_simulated import BINNED_UM, Operator
from xrm_control.core.errors import DataError
from xrm_control.reconstruction import preprocess
from xrm_control.reconstruction.incremental_fbp import IncrementalFBP, OrthogonalSlices
from xrm_control.reconstruction.methods.fbp import FilteredBackProjection
from xrm_control.reconstruction.methods.fourier import FourierReconstruction
from xrm_control.reconstruction.preview_picture import preview_png
from xrm_control.reconstruction.running_flat_field import RunningFlatField

PIXEL, MU = 0.512, 0.0458
THETA = np.linspace(-90, 90, 141)
BIG = Ball(-2.0, 1.5, 1.0, 9.0, MU)
BALLS = [BIG, Ball(17, -12, -4, 5, MU), Ball(6, 18, 6, 4, MU)]
STRIP = (300.0, 12.0, 0.01)

Places = tuple[int, int, int]


def views(
    rows: int,
    columns: int,
    axis_px: float,
    theta_deg: np.ndarray = THETA,
    strip: tuple[float, float, float] | None = None,
) -> np.ndarray:
    return line_integrals(BALLS, theta_deg, columns=columns, axis_px=axis_px, pixel_um=PIXEL, rows=rows, strip=strip)


def grown(integrals: np.ndarray, order: np.ndarray, axis_px: float, theta_deg: np.ndarray = THETA, **how):
    _, rows, columns = integrals.shape
    growing = IncrementalFBP(theta_deg, rows, columns, axis_px, PIXEL, **how)
    for view in order:
        growing.add(int(view), integrals[view])
    return growing.slices()


def cut(volume: np.ndarray, at: Places) -> list[np.ndarray]:
    return [volume[at[0]], volume[:, at[1]], volume[:, :, at[2]]]


def planes(slices: OrthogonalSlices) -> list[np.ndarray]:
    return [slices.yx, slices.zx, slices.zy]


def away_um(ball: Ball, rows: int, columns: int) -> np.ndarray:
    """Distance of every voxel from the centre of a ball."""
    z = (np.arange(rows) - (rows - 1) / 2) * PIXEL - ball.z_um
    line = (np.arange(columns) - (columns - 1) / 2) * PIXEL
    return np.sqrt(
        z[:, None, None] ** 2 + (line - ball.y_um)[None, :, None] ** 2 + (line - ball.x_um)[None, None, :] ** 2
    )


def core_means(slices: OrthogonalSlices, rows: int, columns: int, radius_um: float = 6.0) -> list[float]:
    """Mean attenuation of the large ball's core in each plane."""
    inner = cut(away_um(BIG, rows, columns), slices.at)
    return [float(plane[away < radius_um].mean()) for plane, away in zip(planes(slices), inner, strict=True)]


def rms(found: list[np.ndarray], expected: list[np.ndarray]) -> float:
    """The worst plane's, in units of MU."""
    return max(float(np.sqrt(np.mean((a - b) ** 2))) for a, b in zip(found, expected, strict=True)) / MU


DETECTORS = {
    "square": (128, 128, 63.5, None),
    "odd": (65, 127, 63.0, None),
    "odd, axis off the middle": (33, 127, 55.3, None),
    "elsewhere": (64, 128, 70.25, (40, 30, 101)),
    "one row": (1, 96, 47.5, None),
}


@pytest.mark.parametrize("name", DETECTORS)
def test_all_views_give_slices_of_the_whole_volume(name: str) -> None:
    rows, columns, axis, at = DETECTORS[name]
    integrals = views(rows, columns, axis)
    slices = grown(integrals, np.arange(141), axis, at=at)
    volume = FourierReconstruction(padding=0.75).reconstruct(
        np.ascontiguousarray(integrals.transpose(1, 0, 2)), THETA, axis, PIXEL
    )
    assert slices.at == (at or (rows // 2, columns // 2, columns // 2))
    assert (slices.views, slices.planned) == (141, 141)
    assert rms(planes(slices), cut(volume, slices.at)) < 0.02
    if at is None:
        assert core_means(slices, rows, columns) == pytest.approx([MU] * 3, rel=0.01)


@pytest.mark.parametrize("kind", ["ram-lak", "parzen"])
def test_the_filter_is_the_one_asked_for(kind) -> None:
    integrals = views(8, 96, 50.0)
    slices = grown(integrals, np.arange(141), 50.0, kind=kind)
    sinograms = np.ascontiguousarray(integrals.transpose(1, 0, 2))
    volume = FilteredBackProjection(filter=kind, padding=0.75).reconstruct(sinograms, THETA, 50.0, PIXEL)
    assert rms(planes(slices), cut(volume, slices.at)) < 0.02


def test_the_order_of_views_does_not_matter() -> None:
    integrals = views(33, 96, 50.0)
    one = grown(integrals, np.arange(141), 50.0)
    other = grown(integrals, np.random.default_rng(1).permutation(141), 50.0)
    assert rms(planes(one), planes(other)) < 1e-5


def test_twice_the_line_integrals_are_twice_the_attenuation() -> None:
    integrals = views(16, 96, 47.5)
    one, two = (grown(factor * integrals, np.arange(0, 141, 3), 47.5) for factor in (1, 2))
    assert rms([2 * plane for plane in planes(one)], planes(two)) < 1e-5


PARTS = {
    "the first": np.arange(1),
    "one in the middle": np.array([61]),
    "a first tenth": np.arange(14),
    "a first half": np.arange(70),
    "nearly all": np.arange(140),
    "every eighth": np.arange(0, 141, 8),
    "every second": np.arange(0, 141, 2),
    "every second and some of the others": np.concatenate([np.arange(0, 141, 2), np.arange(1, 50, 2)]),
}


@pytest.mark.parametrize("name", PARTS)
def test_a_ball_has_its_attenuation_at_any_moment(name: str) -> None:
    """The filtered view of a ball is flat within its rim, so any mean of views is right where nothing else is."""
    integrals = line_integrals([BIG], THETA, columns=128, axis_px=61.0, pixel_um=PIXEL, rows=64)
    slices = grown(integrals, PARTS[name], 61.0)
    assert slices.views == len(PARTS[name])
    assert core_means(slices, 64, 128, 4.5) == pytest.approx([MU] * 3, rel=0.002)


@pytest.mark.parametrize(
    "theta_deg", [np.linspace(-75, 75, 117), np.arange(0, 360, 1.5), np.zeros(1), np.array([0.0, 0, 0, 90])]
)
def test_plans_of_other_kinds_end_as_the_whole_reconstruction(theta_deg: np.ndarray) -> None:
    integrals = views(8, 96, 47.5, theta_deg)
    slices = grown(integrals, np.arange(len(theta_deg)), 47.5, theta_deg)
    volume = FourierReconstruction(padding=0.75).reconstruct(
        np.ascontiguousarray(integrals.transpose(1, 0, 2)), theta_deg, 47.5, PIXEL
    )
    scale = np.abs(volume).max() / MU
    assert rms(planes(slices), cut(volume, slices.at)) < 0.02 * scale


def test_views_count_at_the_angle_where_they_were_taken() -> None:
    taken = THETA + 0.8  # where the stage stopped
    integrals = views(32, 128, 63.5, taken)
    growing = IncrementalFBP(THETA, 32, 128, 63.5, PIXEL)
    for view in range(141):
        growing.add(view, integrals[view], taken[view])
    exact = planes(grown(views(32, 128, 63.5), np.arange(141), 63.5))
    believed = planes(grown(integrals, np.arange(141), 63.5))
    assert rms(believed, exact) > 0.01  # the outer balls are 0.3 um off
    assert rms(planes(growing.slices()), exact) < 0.4 * rms(believed, exact)  # the rest is another set of angles


def test_a_strip_beyond_the_field_of_view_is_continued_as_fbp_does() -> None:
    integrals = views(24, 96, 50.0, strip=STRIP)
    sinograms = np.ascontiguousarray(integrals.transpose(1, 0, 2))
    volume = FilteredBackProjection(padding=0.75).reconstruct(sinograms, THETA, 50.0, PIXEL)
    held = grown(integrals, np.arange(141), 50.0)
    broken_off = grown(integrals, np.arange(141), 50.0, held_widths=0.0)
    assert rms(planes(held), cut(volume, held.at)) < 0.02
    assert rms(planes(broken_off), cut(volume, held.at)) > 0.05
    inside = [away < 6 for away in cut(away_um(BIG, 24, 96), held.at)]
    truth = MU + STRIP[2]  # the ball's core lies mostly in the strip of 12 um
    cores = [core & within for core, within in zip(inside, in_strip(held.at), strict=True)]
    found, wrong = (
        np.mean([plane[core].mean() for plane, core in zip(planes(slices), cores, strict=True)])
        for slices in (held, broken_off)
    )
    truth = MU + STRIP[2]
    assert found == pytest.approx(truth, rel=0.03)
    assert abs(wrong - truth) > 2 * abs(found - truth)


def in_strip(at: Places) -> list[np.ndarray]:
    line = (np.arange(96) - 47.5) * PIXEL
    volume = np.broadcast_to((np.abs(line) < STRIP[1] / 2 - 1)[None, :, None], (24, 96, 96))
    return cut(volume, at)


def test_before_the_first_view_there_is_nothing() -> None:
    slices = IncrementalFBP(THETA, 12, 16, 7.5, PIXEL).slices()
    assert (slices.views, slices.planned) == (0, 141)
    assert all(not plane.any() for plane in planes(slices))


def test_what_is_handed_out_does_not_grow_any_more() -> None:
    integrals = views(8, 32, 15.5)
    growing = IncrementalFBP(THETA, 8, 32, 15.5, PIXEL)
    growing.add(0, integrals[0])
    early = growing.slices()
    kept = early.zx.copy()
    growing.add(70, integrals[70])
    assert np.array_equal(early.zx, kept)
    assert not np.array_equal(growing.slices().zx, kept)


GOOD = np.ones((8, 32), np.float32)
HOLED = np.where(np.arange(32) == 9, np.nan, GOOD)
REFUSED = {
    "added before": (3, GOOD, None, "view 3: .*added before"),
    "beyond the plan": (141, GOOD, None, "no such view.*141"),
    "before the plan": (-1, GOOD, None, "no such view.*-1"),
    "other shape": (5, GOOD.T, None, "view 5.*shape"),
    "NaN": (5, HOLED, None, "view 5.*8 pixels are NaN"),
    "infinity": (5, np.where(np.isnan(HOLED), np.inf, HOLED), None, "view 5.*infinite"),
    "taken elsewhere": (5, GOOD, THETA[5] + 1.3, "view 5, theta_deg.*planned"),
    "measured as NaN": (5, GOOD, np.nan, "view 5, theta_deg.*planned"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_view_that_does_not_fit_is_refused_and_does_no_harm(name: str) -> None:
    view, frame, theta_deg, message = REFUSED[name]
    growing = IncrementalFBP(THETA, 8, 32, 15.5, PIXEL)
    growing.add(3, GOOD)
    before = growing.slices()
    with pytest.raises(DataError, match=message):
        growing.add(view, frame, theta_deg)
    after = growing.slices()
    assert after.views == 1
    assert all(np.array_equal(a, b) for a, b in zip(planes(before), planes(after), strict=True))
    growing.add(5, GOOD)  # taken again


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"theta_deg": np.zeros(0)}, "rows, views, columns"),
        ({"theta_deg": np.array([0.0, np.nan])}, "finite"),
        ({"rows": 0}, "no pixels"),
        ({"columns": 0}, "no pixels"),
        ({"axis_px": 32.0}, "outside the detector"),
        ({"pixel_size_um": 0.0}, "pixel size"),
        ({"at": (8, 0, 0)}, "do not meet"),
    ],
)
def test_a_plan_without_sense_is_refused(change: dict, message: str) -> None:
    plan = {"theta_deg": THETA, "rows": 8, "columns": 32, "axis_px": 15.5, "pixel_size_um": PIXEL} | change
    with pytest.raises(DataError, match=message):
        IncrementalFBP(**plan)


def test_frames_become_the_line_integrals_of_the_whole_scan() -> None:
    true = views(24, 64, 31.5)
    scan = scan_of(true, THETA, PIXEL, noise_seed=3)
    frames = np.array(scan.projections)
    frames[50, 12, 30] = 60_000  # a zinger
    flats = scan.flats.copy()
    flats[:, 5, 40] = scan.darks[:, 5, 40].mean()  # a dead pixel
    before = replace(scan, projections=frames, flats=flats[:5], flat_time_s=scan.flat_time_s[:5])
    expected = preprocess.line_integrals(preprocess.transmission(before)).sinograms
    references = RunningFlatField(before.flats, before.darks)
    for view in (0, 50, 140):
        found = references.line_integrals_of(frames[view], view)
        assert np.abs(found - expected[:, view]).max() < 1e-5
        assert np.abs(found - true[view]).max() < 0.3
        assert np.abs(found - true[view]).mean() < 0.03


def test_rings_are_left_to_the_whole_scan() -> None:
    """A median across the columns of one view would only blur it."""
    scan = scan_of(views(24, 64, 31.5), THETA, PIXEL)
    plain = RunningFlatField(scan.flats[:5], scan.darks)
    other = RunningFlatField(scan.flats[:5], scan.darks, preprocess.PreprocessSpec(ring_window_px=21))
    frame = scan.projections[20]
    assert np.array_equal(plain.line_integrals_of(frame), other.line_integrals_of(frame))


@pytest.mark.parametrize("darks", [0, 5])
def test_without_flats_the_brightest_frame_stands_in(darks: int) -> None:
    true = views(24, 128, 63.5)
    counts = np.rint(20_000 * np.exp(-true) + (100 if darks else 0)).astype(np.uint16)
    references = RunningFlatField(np.zeros((0, 24, 128)), np.full((darks, 24, 128), 100, np.uint16))
    covered = references.line_integrals_of((counts[0] * 0.8).astype(np.uint16))  # a frame that sees no air
    assert covered.min() == pytest.approx(0.0, abs=0.01)
    for view in (20, 70):
        assert np.abs(references.line_integrals_of(counts[view]) - true[view]).max() < 5e-3
    assert references.line_integrals_of((counts[70] * 0.5).astype(np.uint16)).min() > 0.6  # the beam stays


@pytest.mark.parametrize(
    ("flats", "darks", "frame", "message"),
    [
        (np.full((2, 4, 16), 900.0), np.full((2, 4, 16), 9.0), np.ones((16, 4)), "view 7: .*shape"),
        (np.full((2, 4, 16), 900.0), np.full((2, 4, 16), 9.0), np.full((4, 16), np.nan), "view 7: 64 pixels"),
        (np.full((2, 4, 16), 900.0), np.full((2, 4, 17), 9.0), None, "flats: .*references"),
        (np.full((4, 16), 900.0), np.full((2, 4, 16), 9.0), None, "flats: .*references"),
        (np.full((2, 4, 16), np.inf), np.full((2, 4, 16), 9.0), None, "flats, view 0: 64 pixels"),
        (np.full((2, 4, 16), 9.0), np.full((2, 4, 16), 9.0), None, "no beam"),
        (np.zeros((0, 4, 16)), np.full((2, 4, 16), 9.0), np.full((4, 16), 9.0), "no beam"),
    ],
)
def test_frames_without_sense_are_refused(flats, darks, frame, message: str) -> None:
    with pytest.raises(DataError, match=message):
        RunningFlatField(flats, darks).line_integrals_of(frame, 7)


def test_a_scan_of_the_simulated_microscope_grows() -> None:
    """A sphere on tape, flats before the scan alone, angles as measured."""
    sphere = Sphere(8.0, 3.0, 7.5, 14.0)
    config = MicroscopeConfig(
        seed=1,
        specimen=SpecimenConfig(preset="spheres", tape=True, spheres=(sphere,)),
        axis_offset_um=5 * BINNED_UM,
    )
    microscope = Microscope(config)
    scan = Operator(microscope).scan(THETA, z=6.0)
    mu = microscope.truth()["material"]["mu_per_um"]
    references = RunningFlatField(scan.flats[:5], scan.darks)
    centre = 63.5 + np.array([3.0, -1.5, 8.0]) / BINNED_UM  # z, y, x: 1.5 um off the axis in y
    at = tuple(round(place) for place in centre)
    growing = IncrementalFBP(THETA, 128, 128, 68.5, BINNED_UM, at=at)
    for view, frame in enumerate(np.asarray(scan.projections)):
        growing.add(view, references.line_integrals_of(frame, view), scan.theta_deg[view])
    place = np.stack(np.meshgrid(*[np.arange(128)] * 3, indexing="ij"))
    away = np.sqrt(((place - centre[:, None, None, None]) ** 2).sum(axis=0)) * BINNED_UM
    for plane, distance in zip(planes(growing.slices()), cut(away, at), strict=True):
        assert plane[distance < 5.5].mean() == pytest.approx(mu, rel=0.03)
        solid = np.count_nonzero((plane > mu / 2) & (distance < 10))
        assert 2 * np.sqrt(solid / np.pi) * BINNED_UM == pytest.approx(14.0, rel=0.03)


def picture(slices: OrthogonalSlices) -> np.ndarray:
    return matplotlib.image.imread(io.BytesIO(preview_png(slices)), format="png")


def flat_slices(rows: int, columns: int, views: int = 3) -> OrthogonalSlices:
    yx, zx, zy = (np.zeros((lines, columns), np.float32) for lines in (columns, rows, rows))
    return OrthogonalSlices(yx, zx, zy, (rows // 2, columns // 2, columns // 2), views, 141)


@pytest.mark.parametrize(
    ("rows", "columns", "panel"),
    [
        (128, 128, (384, 384)),
        (64, 127, (192, 381)),
        (8, 128, (24, 384)),
        (256, 128, (512, 256)),
        (1024, 1024, (512, 512)),
        (24, 1031, (8, 344)),
    ],
)
def test_a_picture_shows_three_slices_beside_each_other(rows: int, columns: int, panel: tuple[int, int]) -> None:
    """A bright bar a quarter of the way across the first, half across the second, three quarters across the third."""
    slices = flat_slices(rows, columns)
    shares = (0.25, 0.5, 0.75)
    for plane, share in zip(planes(slices), shares, strict=True):
        plane[:, int((share - 0.05) * columns) : int((share + 0.05) * columns)] = 1
    grey = picture(slices)
    across = (grey.shape[1] - 4 * 6) // 3
    assert (across, grey.shape[1]) == (grey.shape[1] // 3 - 8, 3 * across + 24)
    assert across == panel[1]
    for index, share in enumerate(shares):
        left, height = 6 + index * (across + 6), across if index == 0 else panel[0]
        shown = grey[20 : 20 + height, left : left + across]
        bright = np.flatnonzero((shown > 0.9).all(axis=0))
        assert bright.mean() == pytest.approx(share * across, abs=0.02 * across)
        assert len(bright) == pytest.approx(0.1 * across, abs=0.04 * across)
        assert np.count_nonzero((shown < 0.1).all(axis=0)) > 0.8 * across


def test_the_caption_says_how_far_the_scan_is() -> None:
    one, two = picture(flat_slices(64, 64, views=3)), picture(flat_slices(64, 64, views=88))
    differing = np.flatnonzero((one != two).any(axis=1))
    assert differing.min() >= len(one) - 20
