"""A night on one page, over the runs of a folder and those of a queue: what went well first, then what did not.

A queue's own morning page tells of its items; this one is made of the same facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from xrm_control.app.queue.page import as_of_now
from xrm_control.contracts.morning import Evidence, Morning, MorningItem
from xrm_control.contracts.queue import ItemCost
from xrm_control.core.errors import DataError, XrmError
from xrm_control.core.queue_states import UNDONE, ItemState
from xrm_control.core.states import RoiState, RunState, Verdict
from xrm_control.dashboard.alarms import DISK_FULL
from xrm_control.dashboard.models_night import NightItem, NightQueue, NightRun, NightView, Unreadable
from xrm_control.dashboard.models_run import RunCard, RunView
from xrm_control.dashboard.queues import morning_of
from xrm_control.dashboard.runs import RunsFolder, Stamp, stamp_of
from xrm_control.dashboard.view import look
from xrm_control.processing.evidence import evidence
from xrm_control.processing.morning import next_of_run
from xrm_control.reporting.morning import verdict
from xrm_control.storage.run_folder import RunFolder

_MOST = 200
_UNKNOWN = ItemCost(total_s=0, beam_s=0, dose_gy=0, frames=0, rois=0, disk_bytes=0, keep_free_bytes=0)


def night_view(runs: RunsFolder, queue: Path | None, since: datetime, until: datetime) -> NightView:
    """Of all runs that were carried out between two moments; of the queue, what it came to in that time.

    Raises DataError for a span that ends before it begins.
    """
    if until <= since:
        raise DataError("a night ends after it has begun", where="until", value=until.isoformat())
    cards = runs.list(since=since, until=until, limit=10_000).runs
    morning = _morning(queue)
    items = {} if morning is None else _by_run(morning)
    told = [(card, _told(runs.open(card.name), card, items)) for card in cards[:_MOST] if not card.problem]
    return NightView(
        since=since,
        until=until,
        good=tuple(one for card, one in told if not card.alive and _is_good(one)),
        problems=tuple(one for card, one in told if not card.alive and not _is_good(one)),
        going_on=tuple(one for card, one in told if card.alive),
        unreadable=tuple(Unreadable(name=card.name, problem=card.problem) for card in cards if card.problem),
        items=() if morning is None else tuple(_items(morning, since, until)),
        queue=None if morning is None or queue is None else _queue(morning, queue),
        left_out=max(0, len(cards) - _MOST),
    )


def _is_good(one: NightRun) -> bool:
    return one.run.state is RunState.DONE and one.run.verdict is Verdict.COMPLETE


def _told(folder: RunFolder, card: RunCard, items: Mapping[str, MorningItem]) -> NightRun:
    run, found = _ended(folder, stamp_of(folder)) if not card.alive else (look(folder), None)
    item = items.get(card.name)
    # The disk as it is now is none of that night's.
    alarms = tuple(one for one in run.alarms if one.cause != DISK_FULL)
    run = run.model_copy(update={"name": card.name, "alarms": alarms})
    if item is not None and item.evidence is not None:
        found = item.evidence
    elif found is None:
        found = evidence(folder.path, folder.path.parent, _UNKNOWN)
    undone = tuple(one for one in found.regions if one.state is not RoiState.REPORTED)
    return NightRun(
        run=run,
        last_utc=None if card.alive else card.last_utc,
        item=None if item is None else item.number,
        used_s=found.used_s,
        standing_s=found.standing_s,
        beam_s=found.beam_s,
        dose_gy=found.dose_gy if folder.plan.is_file() else None,
        resumed=found.resumed,
        particles=card.particles,
        measured=len(found.regions) - len(undone),
        regions=len(found.regions),
        undone=undone,
        holds=found.holds,
        notes=found.problems,
        next=item.next if item is not None and item.next else next_of_run(folder.path, run.state, alive=run.alive),
    )


@lru_cache(maxsize=_MOST)
def _ended(folder: RunFolder, stamp: Stamp) -> tuple[RunView, Evidence]:
    """Read once: a page that stays open asks again and again. stamp: changes with the run."""
    return look(folder), evidence(folder.path, folder.path.parent, _UNKNOWN)


def _morning(queue: Path | None) -> Morning | None:
    if queue is None or not queue.is_dir():
        return None
    try:
        return as_of_now(queue)
    except XrmError:
        return None


def _by_run(morning: Morning) -> dict[str, MorningItem]:
    return {Path(item.evidence.run).name: item for item in morning.items if item.evidence is not None}


def _items(morning: Morning, since: datetime, until: datetime) -> list[NightItem]:
    """Those without a run, whose fate was decided in the night."""
    return [
        NightItem(
            number=item.number, name=item.name, state=str(item.state), reason=item.reason, next=item.next,
            retry=item.state in UNDONE,
        )
        for item in morning.items
        if item.evidence is None and item.state in UNDONE and since <= item.history[-1].utc < until
    ]  # fmt: skip


def _queue(morning: Morning, queue: Path) -> NightQueue:
    shown = [item for item in morning.items if item.state is not ItemState.REMOVED]
    found = verdict(morning, shown)
    return NightQueue(
        path=str(queue), said=found.word, good=found.good, reasons=found.reasons, problems=morning.problems,
        next=morning.next, morning=morning_of(queue).is_file(),
    )  # fmt: skip
