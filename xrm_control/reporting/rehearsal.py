"""The page of a rehearsal: one HTML page, in the report's style, that says on its first line that it is no data."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote

from xrm_control.contracts.account import Account
from xrm_control.contracts.rehearsal import Night, Quantiles, Rehearsal, RehearsedItem
from xrm_control.core.states import Verdict as Ended
from xrm_control.reporting.formatting import MISSING, duration, figure, group
from xrm_control.reporting.morning import Card, Link, Thumbnail
from xrm_control.reporting.pages import page
from xrm_control.reporting.sections.components import Cell, Table, table
from xrm_control.reporting.sections.summary import Headline, Verdict

_MOST_PICTURES, _MOST_PICTURE_BYTES = 13, 400_000
_GB = 1e9


def build_page(found: Rehearsal, folder: Path) -> str:
    """The page as text. folder: the rehearsal's, in which it will lie and from which pictures are taken."""
    return page(
        "rehearsal.html",
        title=Path(found.of).name,
        written=f"{found.written.astimezone():%Y-%m-%d %H:%M:%S}",
        images=found.images,
        storm=found.storm,
        verdict=_verdict(found),
        headlines=_headlines(found),
        left_out=found.left_out,
        cards=[_card(item, folder) for item in found.items],
        stages=[(item.name, _stages(item.nights[0].account)) for item in found.items],
        extremes=_extremes(found),
        nights=_nights(found),
        faults=[(item.name, item.nights[0].faults) for item in found.items if item.nights[0].faults],
    )


def whole(night: Night) -> bool:
    """Whether a night came to all that was asked for."""
    return night.account.verdict is Ended.COMPLETE and not night.error


def spread(time: Quantiles) -> str:
    """The quantiles in words."""
    return f"{duration(time.p50_s)} (10 %: {duration(time.p10_s)}, 90 %: {duration(time.p90_s)})"


def _verdict(found: Rehearsal) -> Verdict:
    nights = [(item, night) for item in found.items for night in item.nights]
    good = sum(whole(night) for _, night in nights)
    reasons = [
        f"{item.name}, seed {night.seed}: {night.account.verdict or 'no verdict'}: {reason}"
        for item, night in nights
        if not whole(night)
        for reason in (night.account.reasons or (night.error,))
    ]
    return Verdict(f"Rehearsed: {good} of {len(nights)} complete", good == len(nights), tuple(dict.fromkeys(reasons)))


def _headlines(found: Rehearsal) -> tuple[Headline, ...]:
    firsts = [item.nights[0].account for item in found.items]
    planned_s = sum(item.plan.total_s for item in found.items)
    frames = sum((one.outcomes.kept + one.outcomes.retaken for one in firsts), 0)
    particles = [one.particles for one in firsts if one.particles is not None]
    return (
        Headline(duration(found.time.p50_s), "instrument time, median", f"planned {duration(planned_s)}"),
        Headline(duration(found.time.p90_s), "not exceeded with 90 %"),
        Headline(f"{figure(sum(one.disk_bytes for one in firsts) / _GB)} GB", "disk"),
        Headline(f"{figure(sum(one.dose_gy for one in firsts))} Gy", "surface dose, all scans"),
        Headline(group(frames), "frames kept", f"of {group(sum(one.outcomes.planned for one in firsts))}"),
        Headline(group(sum(one.retaken for one in firsts)), "retaken exposures"),
        Headline(duration(sum(one.standing_s for one in firsts)), "time held"),
        Headline(group(sum(particles)) if particles else MISSING, "particles measured"),
    )


def _card(item: RehearsedItem, folder: Path) -> Card:
    night = item.nights[0]
    found, plan = night.account, item.plan
    links = [Link("run of the twin", f"{quote(night.run)}/")] if night.run else []
    if night.run and (folder / night.run / "report.html").is_file():
        links.insert(0, Link("its report", f"{quote(night.run)}/report.html"))
    notes = [item.start.note, *item.notes]
    notes += [f"held at {duration(hold.from_s)} {_for(hold.from_s, hold.to_s)}: {hold.reason}" for hold in found.holds]
    notes += [f"{stage.name}: {stage.reason}" for stage in found.stages if stage.reason]
    frames = found.outcomes
    return Card(
        title=f"{item.number} · {item.name}",
        state=str(found.verdict or found.state or MISSING),
        good=whole(night),
        reason=night.error,
        facts=(
            ("instrument", item.instrument),
            ("time", f"{spread(item.time)}; {item.time.of}"),
            ("planned", duration(plan.total_s)),
            ("disk", f"{figure(found.disk_bytes / _GB)} GB, planned {figure(plan.disk_bytes / _GB)} GB"),
            ("surface dose", f"{figure(found.dose_gy)} Gy, planned {figure(plan.dose_gy)} Gy"),
            (
                "frames",
                f"{frames.kept} kept at once, {frames.retaken} when retaken, {frames.missing} missing,"
                f" {frames.not_reached} not reached",
            ),
        ),
        notes=tuple(dict.fromkeys(notes)),
        links=tuple(links),
        pictures=tuple(_pictures(night, folder)),
        next=(),
    )


def _for(begin_s: float, end_s: float | None) -> str:
    return "to its end" if end_s is None else f"for {duration(end_s - begin_s)}"


def _pictures(night: Night, folder: Path) -> list[Thumbnail]:
    if night.run is None:
        return []
    run = folder / night.run
    found: list[Thumbnail] = []
    for path in (run / "mosaic.png", *sorted(run.glob("roi-*/preview.png")))[:_MOST_PICTURES]:
        if path.is_file() and path.stat().st_size <= _MOST_PICTURE_BYTES:
            uri = f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
            to = quote(path.relative_to(folder).as_posix())
            found.append(Thumbnail(uri, to, f"{path.parent.name} {path.stem}, simulated"))
    return found


def _stages(found: Account) -> Table:
    rows: list[tuple[str | Cell, ...]] = [
        (
            stage.name,
            duration(stage.begin_s),
            duration(stage.seconds),
            duration(stage.standing_s),
            str(stage.outcomes.kept + stage.outcomes.retaken),
            str(stage.retaken),
            str(stage.outcomes.missing),
            f"{figure(stage.bytes / 1e6)}",
            figure(stage.dose_gy),
            stage.reason,
        )
        for stage in found.stages
    ]
    head = ("stage", "begins", "lasts", "time held", "kept", "retaken", "missing", "MB", "Gy", "")
    return table(head, rows)


def _extremes(found: Rehearsal) -> Table:
    rows: list[tuple[str | Cell, ...]] = [
        (item.name, axis, figure(low), figure(high))
        for item in found.items
        for axis, (low, high) in item.nights[0].account.extremes.items()
    ]
    return table(("item", "axis", "lowest (µm, °)", "highest (µm, °)"), rows)


def _nights(found: Rehearsal) -> Table:
    rows: list[tuple[str | Cell, ...]] = [
        (
            item.name,
            str(night.seed),
            Cell(str(night.account.verdict or night.account.state or MISSING), "good" if whole(night) else "bad"),
            duration(night.account.total_s),
            duration(night.account.standing_s),
            str(night.account.retaken),
            str(night.account.outcomes.missing),
            str(len(night.faults)),
            duration(night.wall_s),
        )
        for item in found.items
        for night in item.nights
    ]
    return table(("item", "seed", "verdict", "time", "time held", "retaken", "missing", "faults", "played in"), rows)
