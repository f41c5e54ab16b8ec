"""The queue as the server tells of it."""

from __future__ import annotations

from datetime import datetime

from xrm_control.contracts.document import Record


class QueueItem(Record):
    """An item of the queue. begins, ends: by plan, None for what is over or will not be begun; obstacle: why it will
    not be; run: the name of its run, "" before there is one; actions: what can be done with it: move, skip, retry.
    """

    number: int
    name: str
    state: str
    reason: str
    priority: int
    deadline: datetime | None
    begins: datetime | None
    ends: datetime | None
    seconds: float
    obstacle: str
    run: str
    actions: tuple[str, ...]


class QueueView(Record):
    """The queue as it stands. ahead: in the order of their turn; over: what has ended; runner: the process that runs
    it, "" when nobody does; remarks: what there is to say of the whole; morning: whether its page is there.
    """

    path: str
    runner: str
    ahead: tuple[QueueItem, ...]
    over: tuple[QueueItem, ...]
    ends: datetime | None
    seconds: float
    remarks: tuple[str, ...]
    morning: bool


class Move(Record):
    """Where an item is to stand: before another one, after another one, or first of all."""

    before: int | None = None
    after: int | None = None
    first: bool = False
