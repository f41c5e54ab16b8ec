"""A rehearsal: every item of a queue, or one recipe, played on its twin as often as is wished, and summed up."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from xrm_control.app.queue.facts import look
from xrm_control.app.recipes import Loaded, check, load
from xrm_control.app.rehearsal.playing import NOT_SAFE, Wanted, play
from xrm_control.app.rehearsal.storms import find_storm
from xrm_control.app.rehearsal.twin import twin_of
from xrm_control.contracts.queue import QUEUE
from xrm_control.contracts.rehearsal import REHEARSAL, Cost, Rehearsal, RehearsedItem
from xrm_control.core.clock import stopwatch, utc_now
from xrm_control.core.errors import RecipeError
from xrm_control.core.events import Listener
from xrm_control.processing.rehearsing import Samples, quantiles, together
from xrm_control.reporting.rehearsal import build_page
from xrm_control.storage.durable import write_durable
from xrm_control.storage.queue_folder import QueueFolder
from xrm_control.storage.rehearsal_folder import RehearsalFolder

Display = Callable[[], AbstractContextManager[Listener | None]]
_MOST_NIGHTS = 1000


@dataclass(frozen=True)
class Wish:
    """How a night is rehearsed. settings: of the recipe, as `--set` takes them; images: frames are rendered, volumes
    made and measured; nights: how often each item is played, each time with a seed of its own; storm: a name, or a file
    of faults; out: the folder that holds rehearsals.
    """

    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    images: bool = True
    nights: int = 1
    storm: str | None = None
    out: Path = Path("rehearsals")


@dataclass(frozen=True)
class _Source:
    number: int
    name: str
    loaded: Loaded


def rehearse(path: Path, wish: Wish, display: Display = nullcontext) -> tuple[Path, Rehearsal]:
    """Play a recipe, or what is ahead of a queue, and write what came of it; its folder and its document.

    No instrument is opened, locked or moved: where the axes stand is read where that disturbs nobody. `display` is
    asked for a listener to each night. Raises RecipeError and SafetyRefusal as `check` does.
    """
    if not 1 <= wish.nights <= _MOST_NIGHTS:
        raise RecipeError(
            "cannot be played so often", where="--nights", value=wish.nights, limit=f"1 to {_MOST_NIGHTS}"
        )
    passed_s, storm = stopwatch(), find_storm(wish.storm)
    sources, left_out = _sources(path, wish.settings)
    # All of them are known to be in order before the first is played.
    wanted = [(source, _wanted(source, images=wish.images)) for source in sources]
    folder = RehearsalFolder.create(wish.out, path.resolve().stem or "queue", utc_now(), secrets.token_hex(2))
    items: list[RehearsedItem] = []
    samples: list[Samples] = []
    for source, one in wanted:
        nights, times = play(one, wish.nights, storm, folder, display)
        samples.append(times)
        items.append(
            RehearsedItem(
                number=source.number,
                name=source.name,
                recipe_name=source.loaded.recipe.name,
                recipe_sha256=source.loaded.recipe.sha256(),
                instrument=one.twin.stands_for,
                start=one.twin.start,
                plan=Cost(
                    total_s=one.plan.total_s,
                    frames=sum(stage.frames for stage in one.plan.stages),
                    rois=one.plan.rois,
                    disk_bytes=one.plan.disk_bytes,
                    dose_gy=one.plan.dose_per_scan_gy * one.plan.rois,
                ),
                notes=one.twin.notes,
                nights=nights,
                time=quantiles(times),
            )
        )
    for item, later in pairwise(items):
        unsafe = sum(night.error.startswith(NOT_SAFE) for night in item.nights)
        if unsafe:
            left_out += (
                f"item {later.number} ({later.name}) and what follows: not begun after {unsafe} of {len(item.nights)} "
                f"night(s), since item {item.number} ({item.name}) was not left safe; played nevertheless",
            )
    found = Rehearsal(
        of=str(path)[:1000],
        written=utc_now(),
        images=wish.images,
        storm=wish.storm or "",
        items=tuple(items),
        left_out=left_out,
        time=quantiles(together(samples)),
        wall_s=passed_s(),
    )
    write_durable(folder.document, REHEARSAL.text(found).encode())
    write_durable(folder.page, build_page(found, folder.path).encode())
    return folder.path, found


def read(path: Path) -> Rehearsal:
    """A rehearsal by its folder. Raises DataError for what is none."""
    return REHEARSAL.read(RehearsalFolder.open(path).document)


def _wanted(source: _Source, *, images: bool) -> Wanted:
    plan = check(source.loaded)
    return Wanted(source.name, str(source.loaded.path), plan, twin_of(source.loaded.recipe, images=images), images)


def _sources(path: Path, settings: Mapping[str, str]) -> tuple[list[_Source], tuple[str, ...]]:
    """What is played, in order; and what of a queue is left out, and why."""
    if not (path.is_dir() or path.name == QUEUE.name):
        loaded = load(path, settings)
        return [_Source(1, loaded.recipe.name, loaded)], ()
    if settings:
        raise RecipeError(
            "items of a queue are rehearsed as they were added",
            where="--set",
            remedy="rehearse a recipe alone, or add it to the queue with --set",
        )
    folder = QueueFolder.open(path if path.is_dir() else path.parent)
    listing = look(folder.path)
    named = {item.number: item for item in listing.items}
    out = [f"item {number} cannot be used: {what}" for number, what in listing.damaged.items()]
    sources: list[_Source] = []
    for slot in listing.schedule.slots:
        item = named[slot.number]
        if slot.obstacle is not None:
            out.append(f"item {item.number} ({item.name}) {slot.obstacle.sentence}")
            continue
        if item.begun:
            out.append(f"item {item.number} ({item.name}) has begun, and is played from its beginning")
        sources.append(_Source(item.number, item.name, load(folder.folders()[item.number].recipe)))
    if not sources:
        raise RecipeError("nothing is ahead that could be rehearsed", where=str(path), value="; ".join(out) or None)
    return sources, tuple(out)
