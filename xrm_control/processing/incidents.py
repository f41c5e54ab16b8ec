"""What went otherwise than planned in a run, from its journal: for its results, its report and its status."""

from __future__ import annotations

from xrm_control.contracts.results import Incident
from xrm_control.core.events import (
    AlertUndelivered,
    BudgetSpent,
    ConditionEnded,
    ConditionViolated,
    LimitsDiffer,
    PolicyApplied,
    RunHeld,
    RunReleased,
)
from xrm_control.storage.journal_reader import JournalQueries

_TOLD = (
    ConditionViolated,
    ConditionEnded,
    PolicyApplied,
    BudgetSpent,
    LimitsDiffer,
    AlertUndelivered,
    RunHeld,
    RunReleased,
)
# A page is read by people.
_MOST = 200


def incidents(journal: JournalQueries) -> tuple[Incident, ...]:
    """In the order of time; of very many the first."""
    found = sorted((event for kind in _TOLD for event in journal.events_of(kind.kind)), key=lambda event: event.t_s)
    return tuple(Incident(t_s=event.t_s, kind=event.kind, text=event.text) for event in found[:_MOST])
