"""Whether each region's numbers are to be believed: every check, with its numbers beside their limits."""

from __future__ import annotations

from xrm_control.contracts.trust import CheckResult, TrustVerdict
from xrm_control.reporting.formatting import MISSING, figure
from xrm_control.reporting.run_data import RunData
from xrm_control.reporting.sections.components import Cell, Section, table

_STATUS = {TrustVerdict.PASS: "good", TrustVerdict.DOUBT: "bad", TrustVerdict.REDO: "bad"}


def trust_section(run: RunData) -> Section | None:
    """None for a run whose regions nobody judged."""
    rows: list[tuple[str | Cell, ...]] = [
        (region.name, check.check.replace("_", " "), _verdict(check), _found(check), _numbers(check), check.source)
        for region in run.regions
        for check in region.quality.checks
    ]
    if not rows:
        return None
    head = ("region", "check", "verdict", "found; what to do", "numbers [limits]", "source of the limits")
    lead = "Every check of every region, those that speak against its numbers first."
    return Section("trust", "Are the numbers to be believed?", (lead,), (table(head, rows),))


def _verdict(check: CheckResult) -> Cell:
    return Cell(MISSING) if check.verdict is None else Cell(check.verdict, _STATUS[check.verdict])


def _found(check: CheckResult) -> str:
    return f"{check.reason}. {check.remedy}" if check.remedy else check.reason


def _numbers(check: CheckResult) -> str:
    return "; ".join(
        f"{one.name} {figure(one.value)}" + (f" [{one.limit}]" if one.limit else "") for one in check.evidence
    )
