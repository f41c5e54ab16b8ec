"""The morning page as data: a view of a queue's items and of what their runs show."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from xrm_control.contracts.morning import Evidence, Morning, MorningItem, Totals
from xrm_control.contracts.queue import Item, QueueSettings
from xrm_control.core.queue_states import AHEAD, ItemState
from xrm_control.core.states import RunState
from xrm_control.storage.queue_folder import Contents, ItemFolder, QueueFolder

MOSAIC_PICTURE, PARTICLE_PICTURE = "mosaic.jpg", "particle.jpg"


def morning(
    folder: QueueFolder,
    contents: Contents,
    settings: QueueSettings,
    evidence: Mapping[int, Evidence],
    written: datetime,
    *,
    running: bool,
    problems: Sequence[str] = (),
) -> Morning:
    """evidence: of the items whose runs were begun, by number; problems: besides items that cannot be used."""
    folders = folder.folders()
    items = tuple(
        _item(folder.path, folders[number], item, evidence.get(number)) for number, item in contents.items.items()
    )
    damaged = [f"item {number}: {what}" for number, what in contents.damaged.items()]
    return Morning(
        queue=str(folder.path),
        written=written,
        running=running,
        end=settings.end,
        budget=settings.budget,
        unsafe=settings.unsafe,
        ahead_s=settings.ahead_s,
        items=items,
        totals=_totals(items),
        sittings=settings.sittings,
        problems=(*problems, *damaged),
        next=tuple(_next_of_queue(folder.path, items, contents, settings, running=running)),
    )


def _item(queue: Path, place: ItemFolder, item: Item, evidence: Evidence | None) -> MorningItem:
    run = None if evidence is None else place.path / evidence.run

    def there(path: Path | None) -> str | None:
        return path.relative_to(queue).as_posix() if path is not None and path.is_file() else None

    pictures = [there(place.path / name) for name in (MOSAIC_PICTURE, PARTICLE_PICTURE)]
    return MorningItem(
        number=item.number,
        name=item.name,
        folder=place.path.relative_to(queue).as_posix(),
        state=item.state,
        reason=item.reason,
        at_um=item.at_um,
        priority=item.priority,
        deadline=item.deadline,
        budget=item.budget,
        cost=item.cost,
        evidence=evidence,
        report=there(None if run is None else run / "report.html"),
        mosaic=there(None if run is None else run / "mosaic.png"),
        pictures=tuple(name for name in pictures if name is not None),
        warnings=item.warnings,
        next=tuple(_next(queue, place, item, run)),
        history=item.history,
    )


def _next(queue: Path, place: ItemFolder, item: Item, run: Path | None) -> Iterator[str]:
    """What to do about an item, as commands to copy."""
    where, number = f"--queue {shlex.quote(str(queue))}", item.number
    match item.state:
        case ItemState.DONE:
            if run is not None:
                yield f"xrm verify {shlex.quote(str(run))}"
        case ItemState.INCOMPLETE:
            if run is not None:
                yield f"xrm status {shlex.quote(str(run))}"
            yield f"xrm queue add {shlex.quote(str(place.recipe))} {where}"
        case ItemState.FAILED:
            if run is not None:
                yield f"xrm status {shlex.quote(str(run))}"
            yield f"xrm queue retry {number} {where}"
        case ItemState.REFUSED:
            yield f"xrm check {shlex.quote(str(place.recipe))}"
            yield f"xrm queue retry {number} {where}"
        case ItemState.EXPIRED:
            yield f"xrm queue retry {number} {where} && xrm queue move {number} --deadline none {where}"
        case ItemState.SKIPPED:
            yield f"xrm queue retry {number} {where}"
        case ItemState.WAITING | ItemState.RUNNING | ItemState.HELD | ItemState.PAUSED | ItemState.REMOVED:
            # The queue goes on with them.
            return


def next_of_run(run: Path, state: RunState | None, *, alive: bool) -> tuple[str, ...]:
    """What to do about a run that is no queue's, as commands to copy."""
    where = shlex.quote(str(run))
    if alive:
        return (f"xrm status {where} --watch",)
    if state is RunState.DONE:
        return (f"xrm verify {where}",)
    return (f"xrm status {where}", f"xrm resume {where}")


def _next_of_queue(
    queue: Path, items: Sequence[MorningItem], contents: Contents, settings: QueueSettings, *, running: bool
) -> Iterator[str]:
    where = f"--queue {shlex.quote(str(queue))}"
    if settings.unsafe is not None:
        yield f"xrm queue set --safe {where}"
    if running:
        yield f"xrm queue list {where}"
    elif any(item.state in AHEAD for item in items):
        yield f"xrm queue run {where}"
    for number in contents.damaged:
        recipes = sorted(queue.glob(f"items/{number:04d}_*/recipe.yaml"))
        if recipes:
            yield f"xrm queue add {shlex.quote(str(recipes[0]))} {where}"


def _totals(items: Sequence[MorningItem]) -> Totals:
    begun = [(item, item.evidence) for item in items if item.evidence is not None]
    totals = Totals()
    for item, told in begun:
        totals = Totals(
            planned_s=totals.planned_s + item.cost.total_s,
            used_s=totals.used_s + told.used_s,
            planned_beam_s=totals.planned_beam_s + item.cost.beam_s,
            beam_s=totals.beam_s + told.beam_s,
            planned_dose_gy=totals.planned_dose_gy + item.cost.dose_gy,
            dose_gy=totals.dose_gy + told.dose_gy,
            standing_s=totals.standing_s + told.standing_s,
            retaken=totals.retaken + told.retaken,
            particles=totals.particles + told.particles,
            frames=totals.frames + told.outcomes,
        )
    return totals
