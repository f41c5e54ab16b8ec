"""A list of runs put in order: the one begun last first, or by one of its columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from enum import StrEnum

from xrm_control.core.states import RunState, Verdict
from xrm_control.dashboard.models_run import RunCard

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_Key = tuple[str, int]


class RunOrder(StrEnum):
    """What a list of runs is ordered by."""

    BEGUN = "begun"
    RECIPE = "recipe"
    SAMPLE = "sample"
    STATE = "state"
    FRAMES = "frames"
    PARTICLES = "particles"
    VERDICT = "verdict"


def in_order(cards: Iterable[RunCard], order: RunOrder, *, descending: bool) -> list[RunCard]:
    """Of those that are alike the one begun last first; those that state nothing to go by stand at the end."""
    found = sorted(cards, key=lambda card: (begun(card), card.name), reverse=True)
    if order is RunOrder.BEGUN:
        return found if descending else found[::-1]
    keyed = [(_KEYS[order](card), card) for card in found]
    stated = [(key, card) for key, card in keyed if key is not None]
    stated.sort(key=lambda one: one[0], reverse=descending)
    return [card for _, card in stated] + [card for key, card in keyed if key is None]


def begun(card: RunCard) -> datetime:
    """When a run was begun, by its journal: its name is what somebody has made of it. Of a journal that cannot be read,
    the time in its name.
    """
    for text in (card.started_utc, card.name.partition("_")[0]):
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            continue
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return _LONG_AGO


def _text(words: str) -> _Key | None:
    return (words.casefold(), 0) if words else None


def _number(value: int | None) -> _Key | None:
    return None if value is None else ("", value)


_KEYS: dict[RunOrder, Callable[[RunCard], _Key | None]] = {
    RunOrder.RECIPE: lambda card: _text(card.recipe_name or card.name),
    RunOrder.SAMPLE: lambda card: _text(card.sample),
    RunOrder.STATE: lambda card: (
        _number(-1) if card.died else None if card.state is None else _number(list(RunState).index(card.state))
    ),
    RunOrder.FRAMES: lambda card: _number(card.kept),
    RunOrder.PARTICLES: lambda card: _number(card.particles),
    RunOrder.VERDICT: lambda card: None if card.verdict is None else _number(list(Verdict).index(card.verdict)),
}
