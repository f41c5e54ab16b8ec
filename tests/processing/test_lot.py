"""The verdict on a run's lot: what of the regions' quality goes into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.lots import Powder, draw
from tests.system.conftest import write_recipe
from xrm_control import app
from xrm_control.contracts.lot import LotDecision, LotVerdict
from xrm_control.contracts.quality import QualityMetrics
from xrm_control.contracts.trust import CheckResult, TrustVerdict
from xrm_control.processing.lot import lot_verdict

LOT = draw(Powder(), 7)
DOUBTED = QualityMetrics(
    verdict=TrustVerdict.DOUBT, checks=(CheckResult(check="drift", verdict=TrustVerdict.DOUBT, reason="it drifts"),)
)


def judged(folder: Path, quality: dict[str, QualityMetrics], measured: tuple[str, ...]) -> LotVerdict:
    line = {"quantity": "voided_share", "at_most": 0.5}
    recipe = app.load(write_recipe(folder, specification=[line])).recipe
    found = lot_verdict(recipe, LOT.rows, quality, measured, LOT.mosaic)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("seen_from_um", "told"),
    [((1.2, 0.8), "1.2 um"), ((0.8, 1.2, None), "1.2 um"), ((None, 0.5), "0.5 um"), ((None, None), ""), ((), "")],
)
def test_voids_are_spoken_of_as_far_as_the_worst_region_sees_them(
    tmp_path: Path, seen_from_um: tuple[float | None, ...], told: str
) -> None:
    quality = {
        f"roi-{n:02d}": QualityMetrics(void_detection_limit_um=one) for n, one in enumerate(seen_from_um, start=1)
    }
    text = judged(tmp_path, quality, (*quality, "roi-09")).lines[0].text
    assert ("and more alone" in text) == bool(told)
    assert told in text


@pytest.mark.parametrize(
    ("quality", "measured", "doubts"),
    [
        ({"roi-01": QualityMetrics()}, ("roi-01",), ()),
        ({"roi-01": DOUBTED}, ("roi-01",), ("the numbers of roi-01 are in doubt (doubt): it drifts",)),
        ({"roi-01": DOUBTED, "roi-02": QualityMetrics()}, ("roi-02",), ()),
        ({}, (), ("no region was measured",)),
    ],
)
def test_a_region_in_doubt_withholds_the_decision(
    tmp_path: Path, quality: dict[str, QualityMetrics], measured: tuple[str, ...], doubts: tuple[str, ...]
) -> None:
    found = judged(tmp_path, quality, measured)
    assert found.doubts == doubts
    assert (found.decision is LotDecision.INCONCLUSIVE) == bool(doubts)


def test_without_a_specification_there_is_no_verdict(tmp_path: Path) -> None:
    assert lot_verdict(app.load(write_recipe(tmp_path)).recipe, LOT.rows, {}, (), LOT.mosaic) is None
