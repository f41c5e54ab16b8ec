"""The files of a queue: one for each item, and one for what holds for all of them."""

from __future__ import annotations

import hashlib
from datetime import datetime
from itertools import pairwise
from typing import Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from xrm_control.contracts.document import Document, JsonFile, Record
from xrm_control.core.errors import CommandRefusal
from xrm_control.core.queue_states import WAYS, ItemState

_MOVES_KEPT = 20
NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,59}$"


class Budget(Record):
    """The most that may be spent; None: no limit.

    minutes: of instrument time; dose_gy: surface dose, summed over the scans.
    """

    minutes: float | None = Field(default=None, gt=0)
    dose_gy: float | None = Field(default=None, gt=0)


class ItemCost(Record):
    """What an item costs by its plan. dose_gy: surface dose, summed over its scans; beam_s: with the shutter open."""

    total_s: float
    beam_s: float
    dose_gy: float
    frames: int
    rois: int
    disk_bytes: int
    keep_free_bytes: int


class Wish(Record):
    """What somebody wants of an item that is being carried out; after: what is still finished."""

    kind: Literal["pause", "give_way", "skip"]
    after: Literal["frame", "scan", "region"] = "frame"
    by: str
    reason: str = ""


class ItemEntry(Record):
    """A state that the item entered: when, by whom (user@host, or the queue itself) and why."""

    state: ItemState
    utc: AwareDatetime
    by: str
    reason: str = ""


class ItemMove(Record):
    """Another place, priority or deadline that an item was given: when, by whom and what was asked."""

    utc: AwareDatetime
    by: str
    asked: str


class Item(Document):
    """One recipe in a queue, with all that has happened to it.

    recipe_sha256: of the recipe's file in the item's folder; instrument: which one it needs, as a hash; at_um: where on
    the holder, added to the recipe's positions; position: place in the order among those of the same priority and
    deadline; moves: the last that were asked for; seal: SHA-256 of the rest, so that a file that was damaged or changed
    is known.
    """

    number: int = Field(ge=1)
    name: str = Field(pattern=NAME)
    source: str
    recipe_sha256: str
    instrument: str
    simulated: bool
    cost: ItemCost
    at_um: tuple[float, float] | None = None
    priority: int = Field(default=0, ge=-1000, le=1000)
    deadline: AwareDatetime | None = None
    budget: Budget = Budget()
    position: float
    wish: Wish | None = None
    warnings: tuple[str, ...] = ()
    history: tuple[ItemEntry, ...] = Field(min_length=1)
    moves: tuple[ItemMove, ...] = ()
    seal: str = ""

    @property
    def state(self) -> ItemState:
        """The present state."""
        return self.history[-1].state

    @property
    def reason(self) -> str:
        """Why it is in that state."""
        return self.history[-1].reason

    @property
    def begun(self) -> bool:
        """Whether a process was ever started for it."""
        return any(entry.state is ItemState.RUNNING for entry in self.history)

    def entered(self, state: ItemState, utc: datetime, by: str, reason: str = "") -> Self:
        """The item in another state, since `utc`, or since what came before it where the clock was set back meanwhile.

        Raises CommandRefusal where no way leads there.
        """
        if state not in WAYS[self.state]:
            raise CommandRefusal(
                f"is {self.state}, and cannot be {state}",
                where=f"item {self.number} ({self.name})",
                limit=", ".join(WAYS[self.state]) or "nothing more",
            )
        entry = ItemEntry(state=state, utc=max(utc, self.history[-1].utc), by=by, reason=reason)
        wish = self.wish if state is ItemState.RUNNING else None
        return self.model_copy(update={"history": (*self.history, entry), "wish": wish})

    def moved(self, utc: datetime, by: str, asked: str) -> tuple[ItemMove, ...]:
        """Its moves and this one."""
        return (*self.moves, ItemMove(utc=utc, by=by, asked=asked))[-_MOVES_KEPT:]

    def sealed(self) -> Self:
        """With the seal that belongs to its content."""
        return self.model_copy(update={"seal": self._digest()})

    def _digest(self) -> str:
        # Items were sealed before moves were kept.
        without = {"seal"} if self.moves else {"seal", "moves"}
        return hashlib.sha256(self.model_dump_json(exclude=without).encode()).hexdigest()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        states = [entry.state for entry in self.history]
        if states[0] is not ItemState.WAITING or any(after not in WAYS[before] for before, after in pairwise(states)):
            raise ValueError("its history is not one that an item can have")
        if self.seal and self.seal != self._digest():
            raise ValueError("it is not as it was written: damaged, or changed by hand")
        return self


class Sitting(Record):
    """A time in which the queue was run by one process; ended None: it still does, or died without an end."""

    process: int
    begun: AwareDatetime
    ended: AwareDatetime | None = None
    how: str = ""


class QueueSettings(Document):
    """What holds for all items. end: of the night; stop: somebody wants the queue to end after the item in hand;
    unsafe: why nothing may be started; ahead_s: how far the queue's time is ahead of the wall clock, in virtual time.
    """

    end: AwareDatetime | None = None
    budget: Budget = Budget()
    stop: str | None = None
    unsafe: str | None = None
    ahead_s: float = 0.0
    sittings: tuple[Sitting, ...] = ()


ITEM = JsonFile("item.json", Item)
QUEUE = JsonFile("queue.json", QueueSettings)
