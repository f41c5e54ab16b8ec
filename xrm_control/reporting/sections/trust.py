"""Whether each region's numbers are to be believed: every check, with its numbers beside their limits."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from xrm_control.contracts.trust import CheckResult, TrustVerdict
from xrm_control.reporting.figures.style import CSS_PX_PER_INCH, PNG_DPI, Picture
from xrm_control.reporting.formatting import MISSING, figure
from xrm_control.reporting.run_data import RunData
from xrm_control.reporting.sections.components import Cell, Section, Shown, table

_STATUS = {TrustVerdict.PASS: "good", TrustVerdict.DOUBT: "bad", TrustVerdict.REDO: "bad"}


_MOST_PICTURES = 12
_PNG, _SIZE_AT = b"\x89PNG\r\n\x1a\n", 16


def evidence_pictures(run: RunData) -> tuple[Shown, ...]:
    """Of the checks that speak against the numbers, or tell more, the first 12; one that is not there is left out."""
    return tuple(shown for shown, _ in zip(_pictures(run), range(_MOST_PICTURES), strict=False))


def _pictures(run: RunData) -> Iterator[Shown]:
    for region in run.regions:
        for check in region.quality.checks:
            if check.verdict is None or Path(check.picture).name in ("", ".."):
                continue
            name = f"{region.name}, {check.check.replace('_', ' ')}"
            picture = _picture(region.tables / Path(check.picture).name, name)
            if picture is not None:
                yield Shown(picture, f"{name}: {check.reason}")


def _picture(path: Path, alt: str) -> Picture | None:
    try:
        data = path.read_bytes()
        if not data.startswith(_PNG):
            return None
        width, height = struct.unpack_from(">II", data, _SIZE_AT)
    except (OSError, struct.error):
        return None
    shrunk = CSS_PX_PER_INCH / PNG_DPI
    return Picture(data, "image/png", round(width * shrunk), round(height * shrunk), alt)


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
