"""What the mosaic promised against what was found, region by region."""

from __future__ import annotations

from collections.abc import Mapping

from xrm_control.contracts.quality import QualityMetrics
from xrm_control.contracts.rois import RoiRecord
from xrm_control.contracts.trust import CheckResult, Evidence, TrustVerdict
from xrm_control.core.events import ExpectationCorrected
from xrm_control.processing.expectation import expectations, found_in
from xrm_control.processing.trust.checks.expected import EXPECTED, FOUND


def roi(number: int, expected: int) -> RoiRecord:
    return RoiRecord(
        name=f"roi-{number:02d}", x_um=0, y_um=0, z_um=0, width_um=60, height_um=60, reason="",
        expected_particles=expected,
    )  # fmt: skip


def quality(expected: int, found: int) -> QualityMetrics:
    counted = {EXPECTED: expected, FOUND: found}
    evidence = tuple(Evidence(name=name, value=value) for name, value in counted.items())
    check = CheckResult(check="expected_particles", verdict=TrustVerdict.PASS, reason="", evidence=evidence)
    return QualityMetrics(checks=(check,))


def told(measured: Mapping[str, QualityMetrics]) -> list[tuple[int, float | None, int | None]]:
    rois = (roi(1, 40), roi(2, 30), roi(3, 20))
    return [(one.expected, one.corrected, one.found) for one in expectations(rois, measured)]


def test_nothing_is_corrected_before_something_was_measured() -> None:
    assert told({}) == [(40, None, None), (30, None, None), (20, None, None)]


def test_the_first_corrects_the_later_ones() -> None:
    assert told({"roi-01": quality(40, 30)}) == [(40, None, 30), (30, 22.5, None), (20, 15.0, None)]


def test_each_corrects_with_all_before_it() -> None:
    measured = {"roi-01": quality(40, 30), "roi-02": quality(30, 33)}
    assert told(measured) == [(40, None, 30), (30, 22.5, 33), (20, 18.0, None)]


def test_one_that_could_not_be_compared_corrects_nothing() -> None:
    assert found_in(QualityMetrics()) is None
    assert told({"roi-01": QualityMetrics(), "roi-02": quality(30, 15)}) == [
        (40, None, None),
        (30, None, 15),
        (20, 10.0, None),
    ]


def test_it_is_told_in_a_line() -> None:
    event = ExpectationCorrected("roi-01", 40, 30, "roi-02 30 -> 22")
    assert event.text == "roi-01 holds 30 whole particles, 40 expected; so roi-02 30 -> 22"
