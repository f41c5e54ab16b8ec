"""Whether each region's numbers are to be believed: its certificate, every check with value, limit and verdict."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from xrm_control.contracts.trust import CheckResult, TrustVerdict
from xrm_control.reporting.figures.style import CSS_PX_PER_INCH, PNG_DPI, Picture
from xrm_control.reporting.formatting import MISSING, figure
from xrm_control.reporting.run_data import RegionData, RunData
from xrm_control.reporting.sections.components import Cell, Section, Shown, Table, table

_STATUS = {TrustVerdict.PASS: "good", TrustVerdict.DOUBT: "bad", TrustVerdict.REDO: "bad"}
_MOST_PICTURES = 12
_THUMBNAIL = 0.5  # of its natural size
_PNG, _SIZE_AT = b"\x89PNG\r\n\x1a\n", 16
_HEAD = ("check", "verdict", "measure", "value", "limit", "found; what to do", "evidence", "source of the limits")


def evidence_pictures(run: RunData) -> tuple[Shown, ...]:
    """Of the checks that speak against the numbers, the first 12; one that is not there is left out."""
    return tuple(shown for shown, _ in zip(_speaking(run), range(_MOST_PICTURES), strict=False))


def _speaking(run: RunData) -> Iterator[Shown]:
    for region in run.regions:
        for check in region.quality.checks:
            picture = _picture_of(region, check)
            if check.verdict in (TrustVerdict.DOUBT, TrustVerdict.REDO) and picture is not None:
                yield Shown(picture, f"{picture.alt}: {check.reason}")


def _picture_of(region: RegionData, check: CheckResult) -> Picture | None:
    """None where it has none, or names a file elsewhere."""
    if check.verdict is None or Path(check.picture).name in ("", ".."):
        return None
    return _picture(region.tables / Path(check.picture).name, f"{region.name}, {check.check.replace('_', ' ')}")


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
    tables = tuple(_certificate(region) for region in run.regions if region.quality.checks)
    if not tables:
        return None
    lead = "Every check of every region, those that speak against its numbers first."
    return Section("trust", "Certificate: are the numbers to be believed?", (lead,), tables)


def _certificate(region: RegionData) -> Table:
    """A row for each number that has a limit; the first one says what was found and shows it."""
    rows: list[tuple[str | Cell, ...]] = []
    for check in region.quality.checks:
        limited = [(one.name, figure(one.value), one.limit) for one in check.evidence if one.limit]
        first, *more = limited or [("", "", "")]
        shown = _thumbnail(region, check)
        rows.append((check.check.replace("_", " "), _verdict(check), *first, _found(check), shown, check.source))
        rows.extend(("", "", *one, "", "", "") for one in more)
    verdict = region.quality.verdict
    return table(_HEAD, rows, f"{region.name}: {MISSING if verdict is None else verdict}")


def _thumbnail(region: RegionData, check: CheckResult) -> Cell:
    picture = _picture_of(region, check)
    if picture is None:
        return Cell("")
    width, height = (round(_THUMBNAIL * size) for size in (picture.width_px, picture.height_px))
    return Cell("", picture=replace(picture, width_px=width, height_px=height))


def _verdict(check: CheckResult) -> Cell:
    return Cell(MISSING) if check.verdict is None else Cell(check.verdict, _STATUS[check.verdict])


def _found(check: CheckResult) -> str:
    """With the numbers that only explain."""
    said = f"{check.reason}. {check.remedy}" if check.remedy else check.reason
    more = "; ".join(f"{one.name} {figure(one.value)}" for one in check.evidence if not one.limit)
    return f"{said} ({more})" if more else said
