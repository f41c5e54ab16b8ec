"""Averaging of few photons, against Poisson's formulas and edges whose place is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import convolve1d, gaussian_filter1d
from scipy.stats import poisson

from tests.reconstruction.phantoms import Ball, line_integrals, scan_of
from xrm_control.reconstruction import preprocess
from xrm_control.reconstruction.averaging import AREAS_PX, REACH_PX, CountNoise
from xrm_control.reconstruction.pipeline import ReconstructionSpec, reconstruct_scan
from xrm_control.reconstruction.preprocess import PreprocessSpec, Transmission, transmission
from xrm_control.reconstruction.running_flat_field import RunningFlatField

BEAM, LEAST = 1000.0, 8.0
WANTED = 2.5 * LEAST
OFF = PreprocessSpec(faint_quanta=0)


def seen(photons: NDArray[Any], gain: float = 1.0, read: float = 0.3) -> Transmission:
    """Views (n, rows, columns) of so many photons a pixel, by a camera of so many counts for each."""
    quantum = max(gain, read)
    floor = np.full(photons.shape[1:], 0.5 * quantum / (gain * BEAM), np.float32)
    return Transmission(np.asarray(photons / BEAM, np.float32), floor, gain, read, 0, 0, 0, dark_counts=read)


def integrals(found: Transmission, spec: PreprocessSpec | None = None) -> NDArray[np.float32]:
    """(n, rows, columns)"""
    return preprocess.line_integrals(found, spec or PreprocessSpec(faint_quanta=LEAST)).sinograms.transpose(1, 0, 2)


@pytest.mark.parametrize("photons", [0.5, 1.0, 2.0, 5.0, 10.0, 16.0])
def test_a_dark_disc_is_as_thick_as_it_is(photons: float) -> None:
    """Before: bias and spread as Poisson's formula has them; after: at most what the least that is asked for leaves."""
    across = np.hypot(*np.mgrid[-24:25, -24:25])
    expected = np.where(across < 18, photons, BEAM)
    random = np.random.default_rng(5)
    found = seen(random.poisson(expected, (60, 49, 49)))
    inside, true = across < 8, np.log(BEAM / photons)
    counts = np.arange(200)
    share, value = poisson.pmf(counts, photons), np.log(BEAM / np.maximum(counts, 0.5))
    bias = float((share * value).sum()) - true
    before, after = integrals(found, OFF)[:, inside], integrals(found)[:, inside]
    assert before.mean() - true == pytest.approx(bias, abs=0.02)
    assert before.var() == pytest.approx((share * value**2).sum() - (true + bias) ** 2, rel=0.05)
    assert abs(after.mean() - true) < min(1 / (2 * LEAST), abs(bias))
    assert after.std() < min(1 / np.sqrt(LEAST), before.std())


@pytest.mark.parametrize("gain", [1.0, 7.0])
def test_where_photons_suffice_no_bit_changes(gain: float) -> None:
    random = np.random.default_rng(2)
    photons = random.poisson(np.linspace(80, 900, 40), (6, 30, 40))
    assert photons.min() > 30
    found = seen(photons, gain)
    told = preprocess.line_integrals(found, PreprocessSpec())
    assert told.sinograms.tobytes() == preprocess.line_integrals(found, OFF).sinograms.tobytes()
    assert not told.averaged.any()


def test_one_dark_corner_leaves_the_rest_alone() -> None:
    expected = np.full((50, 60), 300.0)
    expected[:12, :12] = 2
    found = seen(np.random.default_rng(3).poisson(expected, (4, 50, 60)))
    changed = integrals(found) != integrals(found, OFF)
    assert changed[:, :8, :8].mean() > 0.95
    assert not (changed & (expected > 100)).any()


def test_transmissions_of_nobody_knows_how_many_quanta_stay() -> None:
    found = replace(seen(np.full((2, 20, 20), 3.0)), gain_counts=0.0, read_counts=0.0, dark_counts=0.0)
    assert np.array_equal(integrals(found), integrals(found, OFF))


@pytest.mark.parametrize("read", [0.0, 3.0])
def test_windows_are_those_of_the_formula(read: float) -> None:
    """Pyramids written out, at least their reach from the border."""
    gain = 2.0
    random = np.random.default_rng(4)
    photons = random.poisson(np.geomspace(0.05, 60, 64), (3, 40, 64)).astype(float)
    counts = gain * photons + random.normal(0, read, photons.shape)
    pyramids = [np.minimum(np.arange(1, 2 * n), np.arange(2 * n - 1, 0, -1)) / n**2 for n in (1, 2, 4)]
    means = [convolve1d(convolve1d(counts, one, axis=1), one, axis=2) for one in pyramids]
    expected = np.maximum(means[2], 0.1 * gain)
    dark = max(read**2 - gain**2, 0)
    area = np.clip(WANTED * (gain * expected + dark) / expected**2, 1, AREAS_PX[-1])
    mean = np.apply_along_axis(lambda at: np.interp(at[0], AREAS_PX, at[1:]), 0, np.stack([area, *means]))
    least = 0.5 * np.maximum(gain / area, np.sqrt(dark / area))
    truth = np.log(gain * BEAM / np.maximum(mean, least))
    found = integrals(seen(counts / gain, gain, read))
    inner = (slice(None), slice(REACH_PX, -REACH_PX), slice(REACH_PX, -REACH_PX))
    assert np.abs(found - truth)[inner].max() < 1e-3


@pytest.mark.parametrize(
    ("gain", "dark", "quanta", "counts"), [(1, 0, 20, 20.0), (7, 0, 20, 140.0), (0, 5, 16, 20.0), (1, 2, 12, 15.17)]
)
def test_counts_that_are_as_sure_as_quanta(gain: float, dark: float, quanta: float, counts: float) -> None:
    assert CountNoise(gain, dark).counts_of(quanta) == pytest.approx(counts, abs=0.01)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 9), (2, 3, 2), (1, 40, 5)])
def test_small_frames_have_their_mean(shape: tuple[int, int, int]) -> None:
    found = integrals(seen(np.full(shape, 4.0)))
    assert np.abs(found - np.log(BEAM / 4)).max() < 1e-5


@pytest.mark.parametrize("dark_photons", [1.0, 5.0])
@pytest.mark.parametrize("along", [1, 2])
def test_an_edge_stays_where_it_is(dark_photons: float, along: int) -> None:
    """Of a block in the beam, blurred by a pixel; the place where half of the light passes."""
    edge = gaussian_filter1d(np.where(np.arange(60) < 30, BEAM, dark_photons), 1.0)
    views = np.broadcast_to(edge[:, None] if along == 1 else edge, (1, 60, 60))
    for spec in (OFF, PreprocessSpec()):
        profile = np.exp(-integrals(seen(views), spec)).mean(axis=(0, 3 - along))
        assert np.interp(-0.5, -profile, np.arange(60)) == pytest.approx(29.5, abs=0.01)


def test_a_wedge_keeps_its_slope_and_its_foot() -> None:
    """From 400 photons to 2, by 5 % a pixel; the integral of its mean is low by what the window's width makes of it."""
    columns = np.arange(140)
    true = np.clip(0.05 * (columns - 20), 0, 5.3) + np.log(BEAM / 400)
    photons = np.broadcast_to(BEAM * np.exp(-true), (1, 40, 140))
    found = integrals(seen(photons)).mean(axis=(0, 1))
    assert np.array_equal(found[:70], integrals(seen(photons), OFF).mean(axis=(0, 1))[:70])
    assert np.abs(found - true).max() < 0.02
    at = np.interp([3.0, 4.0, 5.0], found[20:120], columns[20:120])
    assert np.abs(at - np.interp([3.0, 4.0, 5.0], true[20:120], columns[20:120])).max() < 0.3


THETA = np.linspace(-90, 90, 61)
BED = line_integrals(
    [Ball(3, -2, 0, 6, 0.09), Ball(-7, 6, 4, 4, 0.09)], THETA, columns=64, axis_px=31.2, pixel_um=0.5, rows=40
)
THICK = np.asarray(BED + 5.0 * (np.abs(THETA) > 75)[:, None, None], np.float32)


def test_a_view_a_slab_and_the_scan_are_the_same_bytes() -> None:
    scan = scan_of(THICK, THETA, 0.5, noise_seed=3, photons=400.0)
    told = preprocess.line_integrals(transmission(scan))
    assert told.averaged[np.abs(THETA) > 75, :, 0].mean() > 60
    whole = told.sinograms
    before = replace(scan, flats=scan.flats[:5], flat_time_s=scan.flat_time_s[:5])
    streamed = RunningFlatField(before.flats, before.darks)
    expected = preprocess.line_integrals(transmission(before)).sinograms
    for view in (0, 30, 60):
        assert streamed.line_integrals_of(scan.projections[view], view).tobytes() == expected[:, view].tobytes()
    part = transmission(scan, rows=slice(10, 30), references=preprocess.references_of(scan))
    slab = preprocess.line_integrals(part).sinograms
    own = slice(preprocess.HALO_ROWS, -preprocess.HALO_ROWS)
    assert slab[own].tobytes() == whole[10:30][own].tobytes()


def test_the_result_says_what_was_averaged() -> None:
    sound = reconstruct_scan(scan_of(BED, THETA, 0.5, noise_seed=3, photons=4000.0))
    assert not [name for name in sound.quality if name.startswith("averaged")]
    scan = scan_of(THICK, THETA, 0.5, noise_seed=3, photons=400.0)
    few = reconstruct_scan(scan)
    dark = float((np.abs(THETA) > 75).mean())
    assert few.quality["averaged_fraction"] == pytest.approx(dark, rel=0.02)
    assert few.quality["averaged_fraction_worst_view"] == pytest.approx(1.0)
    # 400 photons exp(-5): 2.7, so windows of some 7.4 pixels.
    assert few.quality["averaged_width_px"] == pytest.approx(2.1, abs=0.4)
    off = reconstruct_scan(scan, ReconstructionSpec(preprocess=OFF))
    assert "averaged_fraction" not in off.quality
