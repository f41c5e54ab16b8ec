"""Processes that the window starts: one to a request, its end on file; a number that is another's now is not it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from xrm_control.core.clock import pause, stopwatch
from xrm_control.core.errors import CommandRefusal, DataError
from xrm_control.dashboard.guests import NOTE, Guests, Note, lives

ASKED = ("check", "nothing.yaml")


def ended(guests: Guests, request: str) -> Note:
    """The note of a process that has ended; its code is written by a thread of this one."""
    waited_s = stopwatch()
    while (note := guests.asked(request, ASKED)) is None or note.exit is None:
        if waited_s() > 60:
            raise TimeoutError(request)
        pause(0.05)
    return note


def test_what_was_asked_for_is_started_once_and_its_end_is_on_file(tmp_path: Path) -> None:
    guests = Guests(tmp_path)
    assert guests.asked("one", ASKED) is None
    process = guests.start("one", ASKED)
    process.wait()
    guests.began("one", "a-run")
    note = ended(guests, "one")
    assert note == Note(arguments=ASKED, process=process.pid, run="a-run", exit=2)
    assert "nothing.yaml" in guests.words("one")
    # Whoever comes after a restart of the server finds the same.
    assert Guests(tmp_path).asked("one", ASKED) == note
    assert [request for request, _ in guests.notes()] == ["one"]


def test_a_request_is_for_one_thing(tmp_path: Path) -> None:
    guests = Guests(tmp_path)
    guests.start("one", ASKED).wait()
    with pytest.raises(CommandRefusal, match="for something else"):
        guests.asked("one", ("check", "other.yaml"))


@pytest.mark.parametrize("text", ["", "{", '{"arguments": 1}', '{"arguments": ["run"], "more": 1}'])
def test_a_note_that_cannot_be_read_starts_nothing(tmp_path: Path, text: str) -> None:
    guests = Guests(tmp_path)
    (tmp_path / ".window").mkdir()
    (tmp_path / ".window" / "one.json").write_text(text)
    with pytest.raises(DataError, match=r"one\.json"):
        guests.asked("one", ASKED)
    assert list(guests.notes()) == []


@pytest.mark.parametrize("process", [None, os.getpid(), 2**22 + 1], ids=["never started", "another's number", "gone"])
def test_who_does_not_live(process: int | None) -> None:
    assert not lives(Note(arguments=ASKED, process=process))


def test_who_lives() -> None:
    said = Path("/proc/self/cmdline").read_bytes().split(b"\0")[:-1]
    assert lives(Note(arguments=tuple(os.fsdecode(word) for word in said[-2:]), process=os.getpid()))


def test_a_note_comes_back_as_it_was(tmp_path: Path) -> None:
    note = Note(arguments=ASKED, process=4, run="r", exit=0)
    assert NOTE.read(NOTE.write(tmp_path / "note.json", note)) == note
