"""What a run says of its regions' doubts; one that nobody judged has none."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from xrm_control.contracts.quality import QUALITY, QualityDocument
from xrm_control.contracts.trust import CheckResult, TrustVerdict, worst
from xrm_control.processing.trust.doubts import doubts
from xrm_control.storage.run_folder import RunFolder


def result(check: str, verdict: TrustVerdict | None, reason: str = "a reason") -> CheckResult:
    return CheckResult(check=check, verdict=verdict, reason=reason, remedy="a remedy")


def run_with(folder: Path, *checks: tuple[CheckResult, ...]) -> RunFolder:
    run = RunFolder.create(folder, "judged", datetime(2025, 1, 2, tzinfo=UTC), "d0b7")
    for number, of in enumerate(checks, start=1):
        place = run.roi(f"roi-0{number}")
        place.path.mkdir()
        QUALITY.write(place.quality, QualityDocument(verdict=worst(of), checks=of))
    return run


def test_doubts_are_said_once_with_all_their_regions_the_gravest_first(tmp_path: Path) -> None:
    fine, motion = result("angles", TrustVerdict.PASS), result("motion", TrustVerdict.DOUBT, "jitter")
    flats = result("flats", TrustVerdict.REDO, "powder in them")
    run = run_with(tmp_path, (motion, fine), (motion, flats), (fine,))
    assert doubts(run, ("roi-01", "roi-02", "roi-03")) == (
        "to be redone: roi-02: powder in them -> a remedy",
        "roi-01, roi-02: jitter -> a remedy",
    )


@pytest.mark.parametrize(
    ("checks", "verdict"),
    [
        ((), TrustVerdict.PASS),
        ((result("angles", None),), TrustVerdict.PASS),
        ((result("angles", TrustVerdict.PASS), result("motion", TrustVerdict.DOUBT)), TrustVerdict.DOUBT),
        ((result("flats", TrustVerdict.REDO), result("motion", TrustVerdict.DOUBT)), TrustVerdict.REDO),
    ],
)
def test_the_worst_check_decides(checks: tuple[CheckResult, ...], verdict: TrustVerdict) -> None:
    assert worst(checks) is verdict


def test_a_region_of_an_earlier_version_has_no_verdict(tmp_path: Path) -> None:
    run = run_with(tmp_path, ())
    run.roi("roi-01").quality.write_text('{"snr": 12.0, "version": 1}')
    assert QUALITY.read(run.roi("roi-01").quality).verdict is None
    assert doubts(run, ("roi-01",)) == ()
