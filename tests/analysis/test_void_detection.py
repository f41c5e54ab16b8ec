"""Voids that are put into a volume are found as often as those that the specimen has."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pytest
from scipy import stats

from tests.analysis.phantoms import MU, VOXEL_UM, ball, render
from xrm_control.analysis.core import analyze_volume
from xrm_control.analysis.spec import AnalysisSpec
from xrm_control.analysis.void_detection import TRIED, found_from_um
from xrm_control.contracts.quality import QualityMetrics, VoidDetection

SHAPE = (80, 96, 96)
PLACES = [(x, y, z) for z, y, x in itertools.product((-10, 10), (-13, 0, 13), (-13, 0, 13))]


def volume(void_um: float, snr: float, fwhm: float, seed: int) -> np.ndarray:
    """18 balls of 10 um, each with a void of this diameter somewhere; 0: none."""
    rng = np.random.default_rng(seed)
    bodies = [ball(*place, 5.0) for place in PLACES]
    if void_um:
        for place in PLACES:
            way = rng.standard_normal(3)
            x, y, z = np.array(place) + way / np.linalg.norm(way) * rng.uniform(0, 5.0 - void_um / 2 - 2 * VOXEL_UM)
            bodies.append(ball(x, y, z, void_um / 2, -1.0))
    return render(bodies, SHAPE, snr=snr, fwhm_voxels=fwhm, seed=seed)


@cache
def stated(snr: float, fwhm: float) -> QualityMetrics:
    """Of a bed without voids."""
    return analyze_volume(volume(0, snr, fwhm, 1), VOXEL_UM, AnalysisSpec(seed=1)).quality


@pytest.mark.parametrize(("snr", "fwhm"), [(10.0, 2.0), (6.0, 2.0), (10.0, 3.0)])
def test_no_more_is_promised_than_is_found_of_voids_that_are_there(snr: float, fwhm: float) -> None:
    """At the size that is nearest to even chances: binomial, both counts at once. Of the largest, nearly all."""
    sizes = stated(snr, fwhm).void_detection
    even = min(sizes, key=lambda one: abs(one.found / one.tried - 0.5))
    table = [[even.found, even.tried - even.found], [_found(even.diameter_um, snr, fwhm), 0]]
    table[1][1] = len(PLACES) - table[1][0]
    chance = float(np.asarray(stats.fisher_exact(table, alternative="greater"))[1])
    assert chance > 0.02
    assert _found(sizes[-1].diameter_um, snr, fwhm) >= len(PLACES) - 1


def _found(void_um: float, snr: float, fwhm: float) -> int:
    result = analyze_volume(volume(void_um, snr, fwhm, 2), VOXEL_UM, AnalysisSpec(seed=1))
    return len({row["particle_id"] for row in result.voids if row["kind"] != "open"})


def test_more_blur_hides_larger_voids() -> None:
    sharp, soft = (stated(*how).void_pod_90_um or 0 for how in ((10.0, 2.0), (10.0, 3.0)))
    assert 0 < sharp < soft


def test_all_of_the_last_size_are_found_and_intervals_hold_the_share() -> None:
    sizes = stated(10.0, 2.0).void_detection
    assert [one.diameter_um for one in sizes] == sorted(one.diameter_um for one in sizes)
    assert sizes[-1].found == TRIED
    assert sizes[0].found < TRIED / 4
    for one in sizes:
        assert one.low <= one.found / one.tried <= one.high
    assert sizes[-1].low > 0.9


def test_in_a_mask_what_the_least_size_leaves_is_found() -> None:
    """Without blur and noise a void of eight voxels is one; a ball of that volume is 2.5 voxels across."""
    mask = (render([ball(*place, 5.0) for place in PLACES], SHAPE, snr=None, fwhm_voxels=0.0) > MU / 2).astype(float)
    sizes = analyze_volume(mask, VOXEL_UM, AnalysisSpec(seed=1)).quality.void_detection
    by_size = {round(one.diameter_um / VOXEL_UM, 1): one.found / one.tried for one in sizes}
    assert by_size[2.0] < 0.5
    assert by_size[max(by_size)] == 1
    assert max(by_size) <= 3.5


@pytest.mark.parametrize(
    ("found", "expected"),
    [((0, 10, 36), 1.5 + 0.5 * (32.4 - 10) / 26), ((36,), 1.0), ((0, 20), None), ((), None), ((0, 34, 20), 1.477)],
)
def test_nine_of_ten_lies_between_the_sizes_tried(found: tuple[int, ...], expected: float | None) -> None:
    sizes = [
        VoidDetection(diameter_um=1 + 0.5 * number, tried=36, found=hits, low=0, high=1)
        for number, hits in enumerate(found)
    ]
    assert found_from_um(sizes, 0.9) == (None if expected is None else pytest.approx(expected, abs=2e-3))


@pytest.mark.parametrize(
    ("found", "pod_90_um", "limit_um", "expected"),
    [
        ((0, 36), 1.4, 1.2, 1.4),
        ((0, 20), None, 1.4, 1.5),
        ((0, 0), None, 3.0, 3.0),
        ((), None, 1.2, 1.2),
        ((), None, None, None),
    ],
)
def test_no_share_is_stated_of_voids_that_are_often_missed(
    found: tuple[int, ...], pod_90_um: float | None, limit_um: float | None, expected: float | None
) -> None:
    tried = tuple(
        VoidDetection(diameter_um=1 + 0.5 * number, tried=36, found=hits, low=0, high=1)
        for number, hits in enumerate(found)
    )
    quality = QualityMetrics(void_detection=tried, void_pod_90_um=pod_90_um, void_detection_limit_um=limit_um)
    assert quality.voids_seen_from_um == expected
