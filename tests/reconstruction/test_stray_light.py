"""Stray light behind a blade against a truth of its own: images folded with a kernel in real space, light beyond the
frame included."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import fftconvolve
from scipy.special import erf

from xrm_control.core.errors import DataError
from xrm_control.reconstruction.clean_frames import NOT_TAKEN_OFF, CleanFrames, cleaned
from xrm_control.reconstruction.preprocess import line_integrals, references_of, transmission
from xrm_control.reconstruction.scan import ScanData
from xrm_control.reconstruction.stray_light import StrayLight, kernel_transform, measured

Image = NDArray[np.float64]
GAIN, DARK, READ = 40.0, 2000.0, 3.0  # counts per photon; counts; photons
NONE = StrayLight(0.0, 0.0, 0.0, 1.0, (0.0, 0.0, 0.0))


def seen(image: Image, even: float, share: float, length_px: float) -> Image:
    """The middle third of an image as a camera with stray light sees it; even: of a beam of 1000."""
    if share:
        along = np.arange(-int(6 * length_px), int(6 * length_px) + 1)
        kernel = np.exp(-np.hypot(along[:, None], along) / length_px)
        image = (1 - share) * image + share * np.asarray(fftconvolve(image, kernel / kernel.sum(), mode="same"))
    n = len(image) // 3
    return np.maximum(image[n : 2 * n, n : 2 * n] + 1000 * even, 0)


def mirrored(image: Image) -> Image:
    return np.pad(image, len(image), mode="symmetric")


def beam(n: int = 128) -> Image:
    """1000 photons in the mean, a third darker in the corners."""
    y, x = np.mgrid[:n, :n] / (n - 1) - 0.5
    profile = 1 - 0.8 * (x**2 + y**2)
    return 1000 * profile / profile.mean()


def blade(n: int = 128, at: float = 0.5) -> Image:
    y, x = np.mgrid[:n, :n]
    return 0.5 * (1 + erf((x - at * n + 0.04 * (y - n / 2)) / 0.7))


def shots(image: Image, count: int, seed: int) -> NDArray[np.uint16]:
    random = np.random.default_rng(seed)
    photons = random.poisson(np.repeat(image[None], count, 0)) + READ * random.standard_normal((count, *image.shape))
    return np.rint(GAIN * photons + DARK).astype(np.uint16)


def references(even: float, share: float, length_px: float, seed: int = 0) -> tuple[NDArray[Any], ...]:
    """Frames behind the blade, flats, darks."""
    behind, flat = (seen(mirrored(image), even, share, length_px) for image in (beam() * blade(), beam()))
    return shots(behind, 3, seed), shots(flat, 10, seed + 100), shots(0 * flat, 5, seed + 200)


@pytest.mark.parametrize(
    ("even", "share", "length_px"),
    [(0, 0, 0), (0.005, 0, 0), (0.03, 0, 0), (0.005, 0.02, 20), (0, 0.1, 20), (0.03, 0.1, 20), (0.03, 0.1, 10)],
)
def test_what_is_measured_is_what_is_there(even: float, share: float, length_px: float) -> None:
    found = measured(*references(even, share, length_px))
    error = np.sqrt(found.covariance[0]), np.sqrt(found.covariance[2])
    assert found.even_share == pytest.approx(even, abs=3 * error[0] + 2e-4)
    assert found.share == pytest.approx(share, abs=3 * error[1] + 1e-3)
    assert found.length_px == pytest.approx(length_px, abs=3 * found.length_u_px + 0.05 * length_px)
    assert error[0] < 1e-4 + 0.2 * even + 0.1 * share
    assert (found.figures(0.5).get("spread_um") is None) == (share == 0)


def test_errors_are_as_large_as_stated() -> None:
    """Over 12 draws: the scatter of each figure, beside what is stated without what lies beyond the frame."""
    found = [measured(*references(0.01, 0.05, 20, seed)) for seed in range(12)]
    beyond = (0.06 * found[0].share) ** 2
    stated = np.sqrt(found[0].covariance[0] - beyond), np.sqrt(found[0].covariance[2] - beyond)
    scatter = np.std([(one.even_share, one.share) for one in found], axis=0)
    assert 0.5 < scatter[0] / stated[0] < 2
    assert 0.3 < scatter[1] / stated[1] < 2


def test_light_beyond_the_frame_is_within_the_stated_error() -> None:
    """Beyond the frame the beam falls off to a third in place of going on as in a mirror."""
    n = 128
    y, x = np.mgrid[: 3 * n, : 3 * n] / n - 1.5
    wide = 1000 * np.exp(-(x**2 + y**2) / 1.2)
    behind, flat = (seen(image, 0.01, 0.1, 15) for image in (wide * blade(3 * n), wide))
    found = measured(shots(behind, 3, 1), shots(flat, 10, 2), shots(0 * flat, 5, 3))
    assert found.even_counts / GAIN == pytest.approx(10, abs=3 * np.sqrt(found.covariance[0]) * 1000)
    assert found.share == pytest.approx(0.1, abs=3 * np.sqrt(found.covariance[2]))


@pytest.mark.parametrize("at", [0.02, 0.99])
def test_a_blade_that_covers_nothing_or_everything_is_refused(at: float) -> None:
    behind = shots(beam() * blade(at=at) + 10, 3, 1)
    with pytest.raises(DataError, match="does not cover a part of the field"):
        measured(behind, shots(beam() + 10, 10, 2), shots(0 * beam(), 5, 3))


def test_a_blade_that_lets_light_through_is_refused() -> None:
    behind = shots(beam() * np.maximum(blade(), 0.4), 3, 1)
    with pytest.raises(DataError, match="look whether the blade is opaque"):
        measured(behind, shots(beam(), 10, 2), shots(0 * beam(), 5, 3))


def test_the_kernels_transform_is_that_of_the_kernel() -> None:
    """Against the sum of cosines over the kernel itself."""
    n, length = 256, 9.0
    along = np.arange(-8 * n, 8 * n + 1)
    across = np.exp(-np.hypot(along[:, None], np.arange(-120, 121)) / length).sum(axis=1) / (2 * np.pi * length**2)
    for number in (0, 1, 5, 30):
        direct = float((across * np.cos(np.pi * number * along / n)).sum())
        assert kernel_transform((n, n), length)[number, 0] == pytest.approx(direct, abs=2e-3)


@pytest.mark.parametrize(("n", "length_px"), [(128, 20), (128, 5), (384, 60), (300, 47)])
def test_what_was_seen_becomes_what_was_there(n: int, length_px: float) -> None:
    """Large frames are unfolded on means of pixels."""
    random = np.random.default_rng(4)
    image = 1000 * np.exp(-1.5 * (random.uniform(0, 1, (n // 4, n // 4)) > 0.6).repeat(4, 0).repeat(4, 1).astype(float))
    stray = StrayLight(20.0, 0.1, length_px, 1000.0, (0.0, 0.0, 0.0))
    dirty = seen(mirrored(image), 0.02, 0.1, length_px)
    clean = stray.taken_off(dirty[None])[0]
    assert stray.taken_off(dirty[None], slice(11, 30))[0] == pytest.approx(clean[11:30])
    assert np.abs(dirty - image).mean() > 25
    assert clean == pytest.approx(image, abs=2.5)


def scan(stray: tuple[float, float, float]) -> tuple[ScanData, Image]:
    """Twelve views of a step wedge, and its line integrals."""
    wedge = np.repeat(np.linspace(0, 3, 8), 16)[None, :] * np.ones((128, 1))
    view = seen(mirrored(beam() * np.exp(-wedge)), *stray)
    behind, flats, darks = references(*stray)
    theta = np.linspace(-90, 90, 12)
    raw = ScanData(shots(view, 12, 7), theta, np.arange(12.0), flats, np.zeros(10), darks, 0.5)
    return cleaned(raw, behind), wedge


@pytest.mark.parametrize("stray", [(0.03, 0.0, 0.0), (0.0, 0.1, 20.0), (0.03, 0.1, 20.0)])
def test_line_integrals_are_those_of_the_sample(stray: tuple[float, float, float]) -> None:
    found, wedge = scan(stray)
    integrals = line_integrals(transmission(found)).sinograms.mean(axis=(0, 1))
    raw = replace(found, projections=np.array(_cleaned(found).frames), stray=None)
    flats, darks = references(*stray)[1:]
    before = line_integrals(transmission(replace(raw, flats=flats, darks=darks))).sinograms.mean(axis=(0, 1))
    middles = slice(8, 128, 16)
    assert np.abs(before - wedge[0])[middles].max() > 0.09
    assert integrals[middles] == pytest.approx(wedge[0][middles], abs=0.03)


def test_frames_are_cleaned_whole_whatever_is_asked_for() -> None:
    found, _ = scan((0.03, 0.1, 20.0))
    frames = found.projections
    assert isinstance(frames, CleanFrames)
    assert (frames.shape, frames.dtype, len(frames)) == ((12, 128, 128), np.float32, 12)
    whole = frames[:]
    assert np.array_equal(frames[3:5, 40:60], whole[3:5, 40:60])
    assert np.array_equal(frames[np.array([7, 2])], whole[[7, 2]])
    assert np.array_equal(frames[4], whole[4])
    assert frames[5:5].shape == (0, 128, 128)


def _cleaned(scan: ScanData) -> CleanFrames:
    assert isinstance(scan.projections, CleanFrames)
    return scan.projections


def test_a_full_pixel_stays_full_and_is_counted() -> None:
    found, _ = scan((0.03, 0.0, 0.0))
    raw = np.array(_cleaned(found).frames)
    raw[3, 10, 20] = 65535
    full = replace(found, projections=replace(_cleaned(found), frames=raw))
    assert transmission(full).saturated == 1


def test_the_noise_of_what_was_taken_off_stays() -> None:
    found, _ = scan((0.03, 0.0, 0.0))
    (stated,) = [made for made in (references_of(found),) if made is not None]
    assert stated.taken_counts == pytest.approx(30 * GAIN, rel=0.02)
    read = stated.read_counts
    assert transmission(found).dark_counts == pytest.approx(np.hypot(read, GAIN * np.sqrt(30)), rel=0.02)
    assert transmission(replace(found, stray=None)).dark_counts == read


def test_without_a_blade_a_scan_is_as_it_was_and_a_bad_one_is_told_of() -> None:
    found, _ = scan((0.0, 0.0, 0.0))
    assert cleaned(found, np.empty((0, 128, 128))) is found
    noted = cleaned(found, found.flats)
    assert noted.projections is found.projections
    assert noted.origins.notes[-1].startswith(NOT_TAKEN_OFF)


@pytest.mark.parametrize(("even", "share"), [(0.002, 0.0), (0.0, 0.005)])
def test_what_is_left_of_mu_is_what_a_wrong_share_does(even: float, share: float) -> None:
    """The slope of -ln T over a thin slab on top of a thick one, with a little light left over."""
    around, thick, thin = 0.5, 1.6, 1e-4
    left = [even + (1 - share) * np.exp(-p) + share * around for p in (thick, thick + thin)]
    lost = 1 + (np.log(left[1]) - np.log(left[0])) / thin
    stray = replace(NONE, covariance=(even**2, 0.0, share**2))
    assert stray.u_mu(np.exp(thick), around * np.exp(thick)) == pytest.approx(lost, rel=0.05)


def test_it_goes_through_a_file() -> None:
    stray = StrayLight(1.0, 0.2, 3.0, 4.0, (5.0, -6.0, 7.0), 8.0)
    assert StrayLight.from_array(stray.as_array()) == stray
