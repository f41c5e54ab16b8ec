"""What follows on an error that nothing has helped against: the recipe's word, told once."""

from __future__ import annotations

from xrm_control.acquisition.policies import End
from xrm_control.core.errors import XrmError
from xrm_control.core.events import PolicyApplied
from xrm_control.session.context import RunContext


def end_of(run: RunContext, error: XrmError, region: str | None) -> End:
    """What follows on `error`, met while `region` was scanned (None: somewhere in the run), and has not followed yet.

    A region can be skipped only while it is scanned; elsewhere the run stops.
    """
    said = run.reactions.to(error)
    if said is None:
        return End.STOP
    failure, reaction = said
    follows = reaction.then
    if (follows is End.SKIP and region is not None) or (follows is End.NEXT_SAMPLE and region is None):
        run.events.emit(PolicyApplied(failure, follows, region or error.where or "the run", str(error)))
        return follows
    return End.STOP
