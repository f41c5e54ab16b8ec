"""The morning page: one HTML page on a queue, in the report's style; it needs nothing but itself."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from xrm_control.contracts.morning import Evidence, Morning, MorningItem
from xrm_control.core.queue_states import AHEAD, GOOD, UNDONE, ItemState
from xrm_control.core.states import RoiState
from xrm_control.reporting.formatting import MISSING, duration, figure, group
from xrm_control.reporting.pages import page
from xrm_control.reporting.sections.components import Cell, Table, table
from xrm_control.reporting.sections.summary import Headline, Verdict

_MOST_PICTURE_BYTES = 200_000
# A clock that was set back is no virtual time.
_MOST_AHEAD_S = 5.0


@dataclass(frozen=True)
class Link:
    """A file of an item, as a link from the page."""

    text: str
    to: str


@dataclass(frozen=True)
class Thumbnail:
    """A picture inside the page, that leads to what it is of."""

    uri: str
    to: str | None
    alt: str


@dataclass(frozen=True)
class Card:
    """One item as the page shows it."""

    title: str
    state: str
    good: bool
    reason: str
    facts: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    links: tuple[Link, ...]
    pictures: tuple[Thumbnail, ...]
    next: tuple[str, ...]


def build_page(morning: Morning, queue: Path) -> str:
    """The page as text. queue: the folder that it will lie in, from which pictures are taken."""
    shown = [item for item in morning.items if item.state is not ItemState.REMOVED]
    done = [_card(item, queue) for item in shown if item.state in GOOD]
    undone = [_card(item, queue) for item in shown if item.state in UNDONE]
    ahead = [_card(item, queue) for item in shown if item.state in AHEAD]
    return page(
        "morning.html",
        title=Path(morning.queue).name,
        written=_moment(morning.written),
        simulated=morning.ahead_s > _MOST_AHEAD_S,
        verdict=verdict(morning, shown),
        headlines=headlines(morning, shown),
        groups=[
            ("done", "Done", done),
            ("problems", "Not done, and why", undone),
            ("ahead", "Still ahead", ahead),
        ],
        plan=_against_plan(shown),
        sittings=_sittings(morning),
        story=_story(shown),
        problems=morning.problems,
        removed=", ".join(f"{item.number} ({item.name})" for item in morning.items if item not in shown),
        next=morning.next,
    )


def verdict(morning: Morning, shown: list[MorningItem]) -> Verdict:
    """The night in a word, and why it is no better."""
    done = sum(item.state in GOOD for item in shown)
    word = f"{done} of {len(shown)} done" if shown else "nothing in the queue"
    if morning.running:
        word += ", and the queue goes on"
    reasons = [
        f"item {item.number} ({item.name}): {item.state}: {item.reason}" for item in shown if item.state in UNDONE
    ]
    left = [item for item in shown if item.state in AHEAD]
    if left and not morning.running:
        reasons.append(f"{len(left)} still ahead: {', '.join(f'{item.number} ({item.name})' for item in left)}")
    if morning.unsafe is not None:
        reasons.insert(0, f"THE INSTRUMENT WAS NOT LEFT SAFE, look at it first: {morning.unsafe}")
    return Verdict(word, not reasons and not morning.problems, tuple(reasons))


def headlines(morning: Morning, shown: list[MorningItem]) -> tuple[Headline, ...]:
    """The numbers that are asked for first."""
    totals = morning.totals
    resumed = sum(item.evidence.resumed for item in shown if item.evidence is not None)
    frames = totals.frames
    return (
        Headline(str(sum(item.state in GOOD for item in shown)), "items done", f"of {len(shown)}"),
        Headline(duration(totals.used_s), "instrument time", f"planned {duration(totals.planned_s)}"),
        Headline(duration(totals.standing_s), "of that held or paused"),
        Headline(duration(totals.beam_s), "beam used", f"planned {duration(totals.planned_beam_s)}"),
        Headline(
            f"{figure(totals.dose_gy)} Gy", "surface dose, all scans", f"planned {figure(totals.planned_dose_gy)} Gy"
        ),
        Headline(group(frames.kept + frames.retaken), "frames kept", f"of {group(frames.planned)}"),
        Headline(group(totals.retaken), "retaken exposures"),
        Headline(group(totals.particles), "particles measured"),
        Headline(str(resumed), "runs gone on with"),
    )


def _card(item: MorningItem, queue: Path) -> Card:
    told = item.evidence
    links = [Link(name, quote(path)) for name, path in (("report", item.report), ("mosaic", item.mosaic)) if path]
    if told is not None:
        links.append(Link("run", f"{quote(item.folder)}/{quote(told.run)}/"))
    if (queue / item.folder / "output.log").is_file():
        links.append(Link("what it printed", f"{quote(item.folder)}/output.log"))
    return Card(
        title=f"{item.number} · {item.name}",
        state=str(item.state),
        good=item.state in GOOD,
        reason="" if item.state in GOOD else item.reason,
        facts=_facts(item, told),
        notes=_notes(item, told),
        links=tuple(links),
        pictures=tuple(_thumbnails(item, queue)),
        next=item.next,
    )


def _facts(item: MorningItem, told: Evidence | None) -> tuple[tuple[str, str], ...]:
    cost = item.cost
    found = [("priority", str(item.priority))] if item.priority else []
    if item.at_um is not None:
        found.append(("on the holder at", f"{item.at_um[0]:g}, {item.at_um[1]:g} µm"))
    if item.deadline is not None:
        found.append(("deadline", _moment(item.deadline)))
    if told is None:
        return (*found, ("planned", f"{duration(cost.total_s)}, {cost.frames} frames"))
    frames = told.outcomes
    found += [
        ("time", f"{duration(told.used_s)}, planned {duration(cost.total_s)}"),
        ("held or paused", duration(told.standing_s)),
        ("beam", f"{duration(told.beam_s)}, planned {duration(cost.beam_s)}"),
        ("surface dose, all scans", f"{figure(told.dose_gy)} Gy, planned {figure(cost.dose_gy)} Gy"),
        (
            "frames",
            f"{frames.kept} kept at once, {frames.retaken} when retaken, {frames.missing} missing,"
            f" {frames.not_reached} not reached",
        ),
        ("retaken exposures", str(told.retaken)),
        ("particles", f"{told.particles}, whole {told.whole_particles}"),
        ("regions", f"{sum(one.state == RoiState.REPORTED for one in told.regions)} of {len(told.regions)} measured"),
    ]
    return tuple(found)


def _notes(item: MorningItem, told: Evidence | None) -> tuple[str, ...]:
    """What an operator should know besides, a sentence each."""
    notes = list(item.warnings)
    if told is None:
        return tuple(notes)
    for hold in told.holds:
        until = MISSING if hold.to_s is None else duration(hold.to_s - hold.from_s)
        notes.append(f"held at {duration(hold.from_s)} for {until}: {hold.reason}")
    notes += [
        f"{one.name}: {one.state or 'begun'}: {one.reason}"
        for one in told.regions
        if one.state != RoiState.REPORTED and one.reason not in item.reason
    ]
    if told.resumed:
        notes.append(f"gone on with {told.resumed} time(s)")
    notes += [f"verdict {told.verdict}: {reason}" for reason in told.reasons if reason not in item.reason]
    return tuple(dict.fromkeys((*notes, *told.problems)))


def _thumbnails(item: MorningItem, queue: Path) -> list[Thumbnail]:
    found: list[Thumbnail] = []
    for path in item.pictures:
        try:
            data = (queue / path).read_bytes()
        except OSError:
            continue
        if len(data) > _MOST_PICTURE_BYTES or not data.startswith(b"\xff\xd8\xff"):
            continue
        of_mosaic = path.endswith("mosaic.jpg")
        to = item.mosaic if of_mosaic else item.report
        found.append(
            Thumbnail(
                f"data:image/jpeg;base64,{base64.b64encode(data).decode('ascii')}",
                None if to is None else quote(to),
                f"{'Mosaic' if of_mosaic else 'A particle'} of {item.name}",
            )
        )
    return found


def _against_plan(shown: list[MorningItem]) -> Table:
    rows: list[tuple[str | Cell, ...]] = []
    for item in shown:
        told, cost = item.evidence, item.cost
        rows.append(
            (
                str(item.number),
                item.name,
                Cell(str(item.state), "good" if item.state in GOOD else "bad" if item.state in UNDONE else ""),
                duration(cost.total_s),
                MISSING if told is None else duration(told.used_s),
                MISSING if told is None else duration(told.standing_s),
                duration(cost.beam_s),
                MISSING if told is None else duration(told.beam_s),
                figure(cost.dose_gy),
                MISSING if told is None else figure(told.dose_gy),
                MISSING if told is None else str(told.retaken),
            )
        )
    times = ("time planned", "used", "held", "beam planned", "used", "dose planned (Gy)", "used (Gy)", "retaken")
    head = ("", "item", "state", *times)
    return table(head, rows)


def _sittings(morning: Morning) -> Table:
    rows: list[tuple[str | Cell, ...]] = [
        (
            _moment(one.begun),
            "it goes on"
            if one.ended is None and morning.running
            else MISSING
            if one.ended is None
            else _moment(one.ended),
            one.how or MISSING,
        )
        for one in morning.sittings
    ]
    return table(("the queue was run from", "to", "ended"), rows)


def _story(shown: list[MorningItem]) -> Table:
    """All that happened to the items, in the order of time."""
    entries = sorted(
        ((entry.utc, item.number, item.name, entry) for item in shown for entry in item.history),
        key=lambda one: (one[0], one[1]),
    )
    rows: list[tuple[str | Cell, ...]] = [
        (_moment(utc), f"{number} ({name})", str(entry.state), entry.by, entry.reason)
        for utc, number, name, entry in entries
    ]
    return table(("when", "item", "state", "by", "why"), rows)


def _moment(moment: datetime) -> str:
    # With its zone: when clocks are put back an hour of the night comes twice.
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S %Z}"
