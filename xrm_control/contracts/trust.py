"""Whether the numbers of a region are to be believed: what each check found, with its numbers, and what to do."""

from __future__ import annotations

from enum import StrEnum

from xrm_control.contracts.document import Figure, Record


class TrustVerdict(StrEnum):
    """pass: nothing speaks against the numbers; doubt: something does; redo: they are wrong, take the scan again."""

    PASS = "pass"
    DOUBT = "doubt"
    REDO = "redo"


class Evidence(Record):
    """A number that a check rests on; limit: in words what is expected of it, "" where it only explains."""

    name: str
    value: Figure
    limit: str = ""


class CheckResult(Record):
    """What one check found. verdict: None where there was nothing to look at, which `reason` explains.

    source: where the limits are from; picture: a file beside quality.json that shows it, "" without one.
    """

    check: str
    verdict: TrustVerdict | None
    reason: str
    remedy: str = ""
    evidence: tuple[Evidence, ...] = ()
    source: str = ""
    picture: str = ""

    @property
    def text(self) -> str:
        """One line: reason -> what to do."""
        return f"{self.reason} -> {self.remedy}" if self.remedy else self.reason


def worst(results: tuple[CheckResult, ...]) -> TrustVerdict:
    """The verdict on all of them together."""
    order = list(TrustVerdict)
    return max((one.verdict for one in results if one.verdict is not None), key=order.index, default=TrustVerdict.PASS)
