"""What an item of a queue can be, and which ways lead from one to the other."""

from __future__ import annotations

from enum import StrEnum


class ItemState(StrEnum):
    """Where an item of a queue is.

    waiting: its turn will come (also of one whose run has begun); running: a process carries it out; held: instrument
    or workers are waited for; paused: somebody has stopped it, and it can be gone on with; done: complete; incomplete:
    ended, with something missing; failed: ended by an error; refused: it was never begun, because of its recipe or the
    envelope; expired: it did not fit before its deadline, or into its budget; skipped, removed: somebody wanted that.
    """

    WAITING = "waiting"
    RUNNING = "running"
    HELD = "held"
    PAUSED = "paused"
    DONE = "done"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    REFUSED = "refused"
    EXPIRED = "expired"
    SKIPPED = "skipped"
    REMOVED = "removed"


AHEAD = (ItemState.WAITING, ItemState.RUNNING, ItemState.HELD, ItemState.PAUSED)
"""There is still something to do."""
IN_HAND = (ItemState.RUNNING, ItemState.HELD)
"""Whoever runs the queue has it in hand."""
GOOD = (ItemState.DONE,)
UNDONE = (ItemState.INCOMPLETE, ItemState.FAILED, ItemState.REFUSED, ItemState.EXPIRED, ItemState.SKIPPED)
"""It has come to an end that is not a full success."""

_ENDED_RUN = (ItemState.DONE, ItemState.INCOMPLETE, ItemState.FAILED, ItemState.REFUSED, ItemState.EXPIRED)
_AGAIN = (ItemState.WAITING, ItemState.REMOVED)

WAYS: dict[ItemState, tuple[ItemState, ...]] = {
    # To itself: it is left for later, with the reason.
    ItemState.WAITING: (
        ItemState.WAITING,
        ItemState.RUNNING,
        ItemState.SKIPPED,
        ItemState.EXPIRED,
        ItemState.REFUSED,
        ItemState.REMOVED,
    ),
    ItemState.RUNNING: (ItemState.WAITING, ItemState.HELD, ItemState.PAUSED, ItemState.SKIPPED, *_ENDED_RUN),
    ItemState.HELD: (ItemState.RUNNING, ItemState.WAITING, ItemState.PAUSED, ItemState.SKIPPED, ItemState.EXPIRED),
    ItemState.PAUSED: (
        ItemState.WAITING,
        ItemState.RUNNING,
        ItemState.SKIPPED,
        ItemState.EXPIRED,
        ItemState.REFUSED,
        ItemState.REMOVED,
    ),
    # What is there is not done anew, and what it made is not taken off the page.
    ItemState.DONE: (),
    ItemState.INCOMPLETE: _AGAIN,
    ItemState.FAILED: _AGAIN,
    ItemState.REFUSED: _AGAIN,
    ItemState.EXPIRED: _AGAIN,
    ItemState.SKIPPED: _AGAIN,
    ItemState.REMOVED: (ItemState.WAITING,),
}
"""The legal ways from each state."""
