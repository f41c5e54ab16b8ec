"""Listeners are guests: whatever one does, the others hear everything and whoever emits goes on."""

from __future__ import annotations

import pytest

from xrm_control.core.events import AnyEvent, EventStream, ListenerFailed, ListenerLost, RowsReconstructed
from xrm_control.core.states import Level


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("cannot even be printed")


class Broken:
    """A listener that raises at some of its events."""

    def __init__(self, error: BaseException, *at: int) -> None:
        self.error, self.at, self.heard = error, at, 0

    def __call__(self, event: AnyEvent) -> None:
        self.heard += 1
        if not self.at or self.heard in self.at:
            raise self.error


ERRORS = [
    OSError(32, "Broken pipe"),
    ValueError("I/O operation on closed file"),
    SystemExit(1),
    Unprintable(),
    KeyError(),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_that_raises_is_counted_and_named_once_to_the_others(error: BaseException, place: int) -> None:
    before: list[AnyEvent] = []
    after: list[AnyEvent] = []
    broken = Broken(error)
    guests = [before.append, after.append]
    stream = EventStream(lambda: 7.0)
    for name, guest in enumerate([*guests[:place], broken, *guests[place:]]):
        stream.subscribe(guest, "the display" if guest is broken else f"guest {name}")
    for number in range(5):
        stream.emit(RowsReconstructed("roi-01", number, 5))
    stream.sum_up()
    for heard in (before, after):
        rows = [event.done for event in heard if isinstance(event, RowsReconstructed)]
        assert rows == [0, 1, 2, 3, 4]
        (told,) = [event for event in heard if isinstance(event, ListenerFailed)]
        assert (told.level, told.t_s, told.listener) == (Level.WARNING, 7.0, "the display")
        assert type(error).__name__ in told.text
        (lost,) = [event for event in heard if isinstance(event, ListenerLost)]
        assert (lost.listener, lost.events) == ("the display", 5)
    assert broken.heard == 6  # it is asked again each time, but for the news of itself
    assert stream.failures == {"the display": 6}


def test_all_broken_at_once_end_nothing() -> None:
    stream = EventStream(lambda: 0.0)
    broken = [Broken(OSError("no")) for _ in range(6)]
    for number, guest in enumerate(broken):
        stream.subscribe(guest, f"guest {number}")
    for _ in range(100):
        stream.emit(RowsReconstructed("roi-01", 0, 5))
    assert all(count >= 100 for count in stream.failures.values())
    assert max(guest.heard for guest in broken) <= 100 + len(broken)


def test_one_that_recovers_hears_on() -> None:
    stream = EventStream(lambda: 0.0)
    broken, heard = Broken(OSError("full"), 2, 3), []
    stream.subscribe(broken, "the log")
    stream.subscribe(heard.append)
    for number in range(6):
        stream.emit(RowsReconstructed("roi-01", number, 6))
    assert broken.heard == 6
    assert stream.failures == {"the log": 2}
    assert [type(event) for event in heard].count(ListenerFailed) == 1
