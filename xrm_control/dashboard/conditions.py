"""What a run's own instrument is like at present: how far its samples lie beside their places, and what it watches."""

from __future__ import annotations

from collections.abc import Sequence

from xrm_control.acquisition.conditions import Condition
from xrm_control.core.events import ConditionEnded, ConditionViolated, RoiMoved, RoiPlaced, SampleCompared
from xrm_control.dashboard.models_run import Beside, WatchedNow
from xrm_control.recipe.document import Recipe
from xrm_control.storage.journal_reader import JournalQueries


def beside_now(journal: JournalQueries, recipe: Recipe | None) -> Beside | None:
    """The newest of what was found; None before any."""
    kinds = (RoiPlaced.kind, RoiMoved.kind, SampleCompared.kind)
    found = [event for kind in kinds for event in journal.events_of(kind)[-1:] if "x_um" in event.data]
    if not found:
        return None
    newest = max(found, key=lambda event: event.t_s)
    return Beside(
        of=str(newest.data.get("roi") or newest.data.get("frame") or ""),
        x_um=float(newest.data["x_um"]),
        y_um=float(newest.data["y_um"]),
        allowed_um=None if recipe is None else recipe.scan.moved_allowed_um,
    )


def watched_now(journal: JournalQueries, conditions: Sequence[Condition]) -> tuple[WatchedNow, ...]:
    """Each value that is watched; those that were out of order last and have not come back say how."""
    if not conditions:
        return ()
    violated, ended = journal.events_of(ConditionViolated.kind), journal.events_of(ConditionEnded.kind)

    def out(value: str, limit: str) -> str:
        last = [one for one in violated if (one.data["condition"], one.data["limit"]) == (value, limit)][-1:]
        over = [one for one in ended if (one.data["condition"], one.data["limit"]) == (value, limit)]
        return "".join(str(one.data["value"]) for one in last if not any(end.t_s >= one.t_s for end in over))

    return tuple(WatchedNow(value=one.value, limit=one.limit, out=out(one.value, one.limit)) for one in conditions)
