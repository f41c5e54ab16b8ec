"""The verdict on a lot: decisions, doubts, how many more regions, and the declared error rates on drawn lots."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.lots import Powder, draw, truths
from xrm_control.analysis.lot import judge_lot
from xrm_control.analysis.size_classes import MosaicSizes
from xrm_control.contracts.lot import LotDecision, LotVerdict
from xrm_control.contracts.rows import Rows
from xrm_control.contracts.specification import SpecificationLine

LOT = draw(Powder(), 7)
LINES = [
    ({"quantity": "voided_share", "at_most": 0.5}, LotDecision.ACCEPT),
    ({"quantity": "voided_share", "at_most": 0.05}, LotDecision.REJECT),
    ({"quantity": "voided_share", "at_most": 0.2}, LotDecision.INCONCLUSIVE),
    ({"quantity": "D50_um", "between": [5, 8]}, LotDecision.ACCEPT),
    ({"quantity": "D50_um", "between": [8, 9]}, LotDecision.REJECT),
    ({"quantity": "Dv50_um", "at_least": 6}, LotDecision.ACCEPT),
    ({"quantity": "sphericity", "at_least": 0.95}, LotDecision.REJECT),
    ({"quantity": "equivalent_diameter_um.sigma_ln", "at_most": 0.5}, LotDecision.ACCEPT),
]


def judged(*lines: dict, rows: Rows = LOT.rows, mosaic: MosaicSizes | None = LOT.mosaic, **more: object) -> LotVerdict:
    specified = tuple(SpecificationLine.model_validate(line) for line in lines)
    return judge_lot(rows, specified, mosaic=mosaic, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("line", "decision"), LINES, ids=[f"{line}" for line, _ in LINES])
def test_lines(line: dict, decision: LotDecision) -> None:
    found = judged(line)
    assert found.lines[0].decision is decision, found.lines[0].text
    assert found.decision is decision


def test_the_lot_is_as_good_as_its_worst_line() -> None:
    good, bad, open_ = LINES[0][0], LINES[5][0] | {"at_least": 20}, LINES[2][0] | {"quantity": "voided_fraction"}
    assert judged(good, bad).decision is LotDecision.REJECT
    assert judged(good, open_).decision is LotDecision.INCONCLUSIVE


def test_a_doubt_withholds_the_decision_and_says_so() -> None:
    found = judged(LINES[0][0], doubts=("the numbers of roi-01 are in doubt",))
    assert found.decision is LotDecision.INCONCLUSIVE
    assert found.lines[0].decision is LotDecision.INCONCLUSIVE
    assert found.doubts == ("the numbers of roi-01 are in doubt",)


def test_a_coarse_tail_that_was_not_measured_decides_nothing() -> None:
    """Particles of half the field, which the mosaic has seen and no scan holds whole: by volume they are a third."""
    rng = np.random.default_rng(1)
    tail = MosaicSizes((*LOT.mosaic.diameters_um, *rng.uniform(30, 45, 12)), 2.0)
    found = judged({"quantity": "Dv50_um", "between": [2, 60]}, mosaic=tail)
    assert found.decision is LotDecision.INCONCLUSIVE
    assert "measured" in found.lines[0].reason
    assert judged({"quantity": "Dv50_um", "between": [2, 60]}).decision is LotDecision.ACCEPT


def test_what_the_mosaic_cannot_vouch_for_is_inconclusive() -> None:
    found = judged(LINES[0][0], mosaic=MosaicSizes((), 2.0, "there is no mosaic"))
    assert found.decision is LotDecision.INCONCLUSIVE
    assert "no mosaic" in found.lines[0].reason


def test_one_region_does_not_decide() -> None:
    one = draw(Powder(), 3, regions=1)
    found = judged(LINES[0][0], rows=one.rows, mosaic=one.mosaic)
    assert found.decision is LotDecision.INCONCLUSIVE
    assert found.lines[0].more_regions == 1


def test_what_was_not_measured_is_inconclusive() -> None:
    few = LOT.rows.take(range(8))
    assert judged(LINES[0][0], rows=few, mosaic=None).decision is LotDecision.INCONCLUSIVE
    assert judged({"quantity": "roughness_xy_um", "at_most": 1}).lines[0].value is None


def test_as_many_more_regions_as_it_says_decide() -> None:
    """A limit two thirds of the guard band away asks for about as many regions as halve it."""
    first = judged({"quantity": "sphericity", "at_least": 0.5}).lines[0]
    assert first.value is not None
    assert first.guard is not None
    limit = first.value - 0.6 * (first.value - (first.guard[0] or 0.0))
    asked = judged({"quantity": "sphericity", "at_least": limit})
    more = asked.lines[0].more_regions
    assert asked.decision is LotDecision.INCONCLUSIVE
    assert more is not None
    assert 4 <= more <= 12
    decided = 0
    for seed in range(10):
        larger = draw(Powder(), 100 + seed, regions=4 + more)
        truth_kept = limit + 0.9 - first.value  # the same distance below this powder's truth
        line = {"quantity": "sphericity", "at_least": truth_kept}
        decided += judged(line, rows=larger.rows, mosaic=larger.mosaic).decision is LotDecision.ACCEPT
    assert decided >= 4


@pytest.mark.parametrize("quantity", ["voided_share", "sphericity.mean"])
def test_error_rates(quantity: str) -> None:
    """60 lots at the limit, either side: 5 % are declared, 14 % beyond 99.8 % of chance; all: benchmarks.lots."""
    truth, lots = truths(Powder())[quantity], 60
    wrong = {LotDecision.ACCEPT: 0, LotDecision.REJECT: 0}
    for seed in range(lots):
        lot = draw(Powder(), 5000 + seed)
        decision = judged({"quantity": quantity, "at_most": truth}, rows=lot.rows, mosaic=lot.mosaic).decision
        if decision in wrong:
            wrong[decision] += 1
    assert max(wrong.values()) <= math.floor(0.14 * lots)
