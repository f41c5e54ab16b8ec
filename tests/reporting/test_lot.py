"""The verdict on the lot in words."""

from __future__ import annotations

from xrm_control.contracts.lot import LotDecision, LotLine, LotVerdict
from xrm_control.reporting.lot import lot_lines, lot_mark, lot_why, lot_word

OPEN = LotLine(
    quantity="voided_share",
    limits="at most 0.2",
    value=0.18,
    guard=(0.12, 0.26),
    decision=LotDecision.INCONCLUSIVE,
    reason="not decided at these error rates: 5 more regions like these would decide",
    alpha=0.05,
    beta=0.05,
    more_regions=5,
)


def test_lines() -> None:
    lot = LotVerdict(decision=LotDecision.INCONCLUSIVE, lines=(OPEN,), regions=4)
    assert lot_lines(lot) == (
        "INCONCLUSIVE: 5 more regions would decide",
        "voided_share 0.18 [0.12, 0.26], at most 0.2: INCONCLUSIVE: not decided at these error rates: 5 more regions "
        "like these would decide",
    )
    assert lot_word(lot) == "Lot: inconclusive"


def test_a_rejected_lot_asks_for_nothing_more() -> None:
    lot = LotVerdict(decision=LotDecision.REJECT, lines=(OPEN,), regions=4)
    assert lot_why(lot) == ()


def test_each_decision_has_its_look() -> None:
    assert [lot_mark(decision) for decision in LotDecision] == ["good", "bad", "open"]
