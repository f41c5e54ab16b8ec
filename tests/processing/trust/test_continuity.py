"""Views that do not follow from their neighbours, in scans whose line integrals are known in closed form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.processing.trust import faults
from tests.processing.trust.faults import AXIS_PX, PIXEL_UM, THETA, Alter, Ball, bed, integrals_of, scan
from tests.reconstruction.phantoms import line_integrals, scan_of
from xrm_control.contracts.quality import QualityMetrics
from xrm_control.contracts.trust import CheckResult, TrustVerdict
from xrm_control.processing.trust.checks.continuity import ContinuityCheck
from xrm_control.processing.trust.evidence import RegionEvidence
from xrm_control.reconstruction.scan import ScanData


def judged(scan: ScanData) -> CheckResult:
    """By what is in the views alone."""
    evidence = RegionEvidence(
        scan=scan,
        spec=faults.AUTO,
        quality=QualityMetrics(rotation_axis_px=AXIS_PX),
        particles=None,
        volume=None,
        labels=None,
        phases=None,
        roi=None,
        mosaic=None,
        sample=faults.SAMPLE,
        energy_kev=faults.ENERGY_KEV,
        field_um=faults.COLUMNS * PIXEL_UM,
        useful_diameter_um=36,
    )
    return ContinuityCheck().look(evidence)


def from_view(number: int, balls: list[Ball], others: list[Ball], axis_px: float = AXIS_PX) -> ScanData:
    """The sample is `balls` up to a view, and `others`, or about another axis, from there on."""
    before, after = integrals_of(balls)[:number], integrals_of(others, axis_px=axis_px)[number:]
    return scan_of(np.concatenate([before, after]), THETA, PIXEL_UM, noise_seed=3)


def one_moved(number: int, by_um: tuple[float, float, float]) -> ScanData:
    """The ball next to the middle of the field, which nothing leaves."""
    balls = bed(1)
    one = min(range(len(balls)), key=lambda n: np.hypot(balls[n].x_um, balls[n].z_um))
    ball = balls[one]
    there = replace(ball, x_um=ball.x_um + by_um[0], y_um=ball.y_um + by_um[1], z_um=ball.z_um + by_um[2])
    return from_view(number, balls, [*balls[:one], there, *balls[one + 1 :]])


def turned(number: int, by_deg: float) -> ScanData:
    """The rotation slips by an angle, which its encoder does not see."""
    theta = THETA + by_deg * (np.arange(len(THETA)) >= number)
    return scan_of(integrals_of(bed(2), theta), THETA, PIXEL_UM, noise_seed=4)


def repeated(*numbers: int) -> Alter:
    """Views that are the one before them, to the bit."""

    def alter(scan: ScanData) -> ScanData:
        views = np.array(scan.projections[:])
        for number in numbers:
            views[number] = views[number - 1]
        return replace(scan, projections=views)

    return alter


def stood_still(first: int, end: int) -> ScanData:
    """The stage stops turning for some views, and is where it should be afterwards."""
    theta = np.array(THETA)
    theta[first:end] = theta[first]
    return scan_of(integrals_of(bed(0), theta), THETA, PIXEL_UM, noise_seed=5)


FAULTS = {
    "a slip of 2 px in the middle": ("slip", lambda: from_view(60, bed(0), bed(0), AXIS_PX + 2)),
    "a slip of 2 px early": ("slip", lambda: from_view(25, bed(1), bed(1), AXIS_PX - 2)),
    "a slip of the rotation by 4 degrees": ("slip", lambda: turned(70, 4.0)),
    "one view elsewhere": ("slip", lambda: faults.shifted_views(lambda n: 2.0 * (n == 45))(scan())),
    "a particle that moves 2 um across": ("something moved", lambda: one_moved(60, (2.0, 0, 0))),
    "a particle that sinks 2 um": ("something moved", lambda: one_moved(50, (0, 0, 2.0))),
    "a particle that is gone": ("something moved", lambda: one_moved(70, (0, 0, 1000.0))),
    "a view twice": ("the same again", lambda: repeated(40)(scan())),
    "seven views the same": ("the same again", lambda: repeated(*range(80, 87))(scan())),
    "a stage that stood still for one view": ("the same again", lambda: stood_still(30, 32)),
    "a stage that stood still for eight": ("slip", lambda: stood_still(90, 99)),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_view_that_does_not_follow_from_its_neighbours_is_a_doubt(fault: str) -> None:
    words, made = FAULTS[fault]
    found = judged(made())
    assert found.verdict is TrustVerdict.DOUBT, found
    assert found.reason.startswith(words), found.reason


SOUND = {
    **{f"bed {seed}": (lambda seed=seed: scan(seed)) for seed in range(8)},
    "a dense bed": lambda: scan(3, 60),
    "large particles": lambda: scan(4, 10, (8.0, 14.0)),
    "one view is missing": lambda: scan().without([50]),
    "some views are missing": lambda: scan().without([20, 21, 50, 77, 78, 79]),
    **{f"golden angles, {views} views": (lambda views=views: golden(views)) for views in (71, 91, 121, 150)},
    **{f"where the strip ends, bed {seed}": (lambda seed=seed: strip_end(seed)) for seed in range(3)},
}  # fmt: skip


def golden(views: int) -> ScanData:
    """Steps of two or three sizes: the usual one of those around jumps from one to another."""
    theta = np.sort((np.arange(views) * 111.246) % 180) - 90
    return scan_of(integrals_of(bed(1), theta), theta, PIXEL_UM, noise_seed=6)


def strip_end(seed: int) -> ScanData:
    """50 um of glue that end within the field: its edge face passes through the beam face-on."""
    values = line_integrals(
        bed(seed), THETA, columns=faults.COLUMNS, rows=faults.ROWS, axis_px=AXIS_PX, pixel_um=PIXEL_UM,
        strip=(44.0, 50.0, 0.009), samples=2,
    )  # fmt: skip
    return scan_of(values, THETA, PIXEL_UM, noise_seed=6)


@pytest.mark.parametrize("seed", range(3))
def test_the_end_of_the_strip_changes_no_more_than_its_particles(seed: int) -> None:
    """Of bare strips 1.7 to 2.1 in one place; with what is the same in all rows it was 2.4 to 3.1."""
    numbers = {one.name: one.value or 0.0 for one in judged(strip_end(seed)).evidence}
    assert numbers["largest in one place"] < 2.3
    assert numbers["largest change between neighbours"] < 1.5


@pytest.mark.parametrize("case", SOUND)
def test_a_sound_scan_is_none(case: str) -> None:
    found = judged(SOUND[case]())
    assert found.verdict is TrustVerdict.PASS, found


@pytest.mark.parametrize("step", [6, 20])
def test_of_views_far_apart_nothing_is_said(step: int) -> None:
    assert judged(faults.every(step)(scan())).verdict is None


def test_powder_that_comes_into_the_field_has_not_moved() -> None:
    """Large balls beyond the sides of the field: their edges come in where nothing was the view before."""
    random = np.random.default_rng(2)
    around = [
        Ball(36 * np.cos(turn), 36 * np.sin(turn), random.uniform(-8, 8), random.uniform(7, 11), faults.MU)
        for turn in random.uniform(0, 6.28, 5)
    ]
    found = judged(scan_of(integrals_of([*bed(2, 10), *around]), THETA, PIXEL_UM, noise_seed=1))
    assert found.verdict == TrustVerdict.PASS
    (most,) = [one.value for one in found.evidence if one.name == "largest in one place"]
    assert most is not None
    assert most < 3.5
