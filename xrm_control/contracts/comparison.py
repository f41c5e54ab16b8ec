"""A real night beside its rehearsal, or beside another run: what differs, and why, from the journals of both."""

from __future__ import annotations

from typing import Literal

from xrm_control.contracts.account import Account, StageAccount
from xrm_control.contracts.document import Document, Record

Aspect = Literal["stage", "time", "retaken", "missing", "dose", "disk", "flux", "verdict", "axis", "particles"]


class Deviation(Record):
    """One thing that came otherwise. stage: "" for the run as a whole; expected, found: in words, with units;
    because: what the journals tell of it; unexplained: what is left that nothing explains, "" for nothing.
    """

    stage: str
    what: Aspect
    expected: str
    found: str
    because: tuple[str, ...] = ()
    unexplained: str = ""


class StagePair(Record):
    """A stage as it was expected, and as it came; None where it was not begun."""

    name: str
    expected: StageAccount | None
    found: StageAccount | None


class Comparison(Document):
    """Of the run `found` with `expected`; rehearsed: whether that is a rehearsal, or another run; notes: what limits
    the comparison; incidents: holds, conditions and policies of the run, a line each.
    """

    expected: Account
    found: Account
    rehearsed: bool
    notes: tuple[str, ...] = ()
    stages: tuple[StagePair, ...]
    deviations: tuple[Deviation, ...]
    incidents: tuple[str, ...] = ()

    @property
    def unexplained(self) -> tuple[Deviation, ...]:
        """Those of which something is left that nothing explains."""
        return tuple(one for one in self.deviations if one.unexplained)
