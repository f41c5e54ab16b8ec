"""The verdict on the lot in words: for the end of a run, for `xrm status` and for the report's first screen."""

from __future__ import annotations

from xrm_control.contracts.lot import LotDecision, LotVerdict

_WORDS = {
    LotDecision.ACCEPT: "Lot accepted",
    LotDecision.REJECT: "Lot rejected",
    LotDecision.INCONCLUSIVE: "Lot: inconclusive",
}
_MARKS = {LotDecision.ACCEPT: "good", LotDecision.REJECT: "bad", LotDecision.INCONCLUSIVE: "open"}


def lot_word(lot: LotVerdict) -> str:
    """The decision as a heading."""
    return _WORDS[lot.decision]


def lot_mark(decision: LotDecision) -> str:
    """The class of style that shows it."""
    return _MARKS[decision]


def lot_why(lot: LotVerdict) -> tuple[str, ...]:
    """What speaks against a decision, and what would bring one."""
    more = lot.more_regions
    asks = () if more is None or lot.decision is LotDecision.REJECT else (f"{more} more regions would decide",)
    return (*lot.doubts, *asks)


def lot_lines(lot: LotVerdict) -> tuple[str, ...]:
    """The verdict for a terminal, a line each: the lot's, then each quantity's."""
    why = lot_why(lot)
    head = lot.decision.upper() + (f": {'; '.join(why)}" if why else "")
    return (head, *(line.text for line in lot.lines))
