"""The mailbox: letters are whole, in order, answered once; what is no letter is refused and harms nothing."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from xrm_control.contracts.commands import LETTER, Add, Letter, Pause, Reply, Skip, Stop
from xrm_control.storage.inbox import Inbox, delivered
from xrm_control.storage.run_folder import RunFolder

SOUND = {"version": 1, "command": {"kind": "pause"}, "by": "me@here", "sent_utc": "2026-01-01T00:00:00+00:00"}


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def answered(inbox: Inbox, *numbers: str) -> list[Reply]:
    """The replies, within five seconds."""
    for _ in range(500):
        replies = [inbox.reply(number) for number in numbers]
        if all(reply is not None for reply in replies):
            return [reply for reply in replies if reply is not None]
        threading.Event().wait(0.01)
    raise TimeoutError(numbers)


def at_once(reply: Reply) -> Future[Reply]:
    future: Future[Reply] = Future()
    future.set_result(reply)
    return future


def test_letters_come_in_order_and_are_answered(folder: RunFolder) -> None:
    inbox, heard = Inbox(folder), list[Letter]()

    def hear(number: str, letter: Letter) -> Future[Reply]:
        heard.append(letter)
        return at_once(Reply(accepted=letter.command.kind != "skip", text=letter.command.text))

    numbers = [inbox.post(command) for command in (Pause(), Skip(roi="roi-02"), Add(x_um=1, y_um=-2), Stop())]
    with delivered(inbox, hear):
        replies = answered(inbox, *numbers)
    assert [reply.text for reply in replies] == ["pause", "skip roi-02", "add (1, -2) um", "stop after this frame"]
    assert [reply.accepted for reply in replies] == [True, False, True, True]
    assert [letter.command.text for letter in heard] == [reply.text for reply in replies]
    assert inbox.waiting() == ()
    kept = sorted(path.name for path in (folder.path / "commands" / "answered").iterdir())
    assert kept == sorted([f"{n}.json" for n in numbers] + [f"{n}.reply.json" for n in numbers])


def test_letters_stay_in_order_when_the_clock_is_set_back(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox, now, back = Inbox(folder), datetime(2026, 10, 25, 3, tzinfo=UTC), timedelta(minutes=50)
    moments = [now, now - back, now - back + timedelta(seconds=1), now + timedelta(seconds=1)]
    numbers = []
    for moment in moments:
        monkeypatch.setattr("xrm_control.storage.inbox.utc_now", lambda moment=moment: moment)
        numbers.append(inbox.post(Pause(), request=f"request-{len(numbers)}"))
    assert inbox.waiting() == tuple(numbers)
    assert [inbox.sent(f"request-{n}") for n in range(4)] == numbers


def test_an_answer_that_takes_its_time_holds_up_no_other(folder: RunFolder) -> None:
    inbox, slow = Inbox(folder), Future[Reply]()
    first, second = inbox.post(Pause()), inbox.post(Stop())
    replies = {first: slow, second: at_once(Reply(accepted=True, text="at once"))}
    with delivered(inbox, lambda number, _: replies[number]):
        assert answered(inbox, second)[0].text == "at once"
        assert inbox.reply(first) is None
        slow.set_result(Reply(accepted=True, text="late"))
        assert answered(inbox, first)[0].text == "late"


def link(path: Path) -> None:
    target = path.with_name("elsewhere")
    target.write_text(json.dumps(SOUND))
    path.symlink_to(target)


def text(content: object) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.write_text(content if isinstance(content, str) else json.dumps(content))

    return make


NO_LETTERS: dict[str, tuple[Callable[[Path], None], str]] = {
    "empty": (text(""), "cannot be read"),
    "no JSON": (text("{pause"), "cannot be read"),
    "a list": (text([1]), "holds a list"),
    "no command": (text({k: v for k, v in SOUND.items() if k != "command"}), "a key is missing"),
    "an unknown command": (text({**SOUND, "command": {"kind": "dance"}}), "dance"),
    "a key too many": (text({**SOUND, "command": {"kind": "pause", "for_s": 5}}), "a key that is not known"),
    "a name that leads elsewhere": (text({**SOUND, "command": {"kind": "skip", "roi": "../roi-01"}}), "pattern"),
    "no number": (text({**SOUND, "command": {"kind": "add", "x_um": "far", "y_um": 0}}), "number"),
    "endless": (text({**SOUND, "command": {"kind": "add", "x_um": 1e999, "y_um": 0}}), "no JSON"),
    "of a newer version": (text({**SOUND, "version": 9}), "newer version"),
    "far too long": (text({**SOUND, "by": "x" * 100_000}), "is no letter"),
    "a folder": (lambda path: path.mkdir(), "is no letter"),
    "a link": (link, "is no letter"),
    "a pipe": (lambda path: os.mkfifo(path), "is no letter"),
}


@pytest.mark.parametrize(("make", "why"), NO_LETTERS.values(), ids=NO_LETTERS.keys())
def test_what_is_no_letter_is_refused(folder: RunFolder, make: Callable[[Path], None], why: str) -> None:
    inbox, asked = Inbox(folder), list[str]()
    inbox.post(Pause())  # it makes the folder
    make(folder.path / "commands" / "00-wrong.json")

    def hear(number: str, _: Letter) -> Future[Reply]:
        asked.append(number)
        return at_once(Reply(accepted=True, text="taken"))

    with delivered(inbox, hear):
        (wrong, *_) = answered(inbox, "00-wrong")
    assert not wrong.accepted
    assert why in wrong.text
    assert "00-wrong" not in asked


def test_another_user_s_letter_is_refused(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = Inbox(folder)
    number = inbox.post(Pause())
    os.chown(folder.path / "commands" / f"{number}.json", 12345, -1) if os.getuid() == 0 else monkeypatch.setattr(
        "os.getuid", lambda: 12345
    )
    with delivered(inbox, lambda *_: at_once(Reply(accepted=True, text="taken"))):
        (reply,) = answered(inbox, number)
    assert not reply.accepted
    assert "another user" in reply.text


def test_a_command_is_given_once_though_its_answer_cannot_be_written(folder: RunFolder) -> None:
    inbox, asked = Inbox(folder), list[str]()
    number = inbox.post(Pause())
    (folder.path / "commands" / "answered").write_text("in the way")

    def hear(number: str, _: Letter) -> Future[Reply]:
        asked.append(number)
        return at_once(Reply(accepted=True, text="taken"))

    with delivered(inbox, hear):
        threading.Event().wait(0.4)
        assert asked == [number]
        (folder.path / "commands" / "answered").unlink()
        assert answered(inbox, number)[0].accepted
    assert asked == [number]


def test_a_letter_is_read_as_it_was_written(folder: RunFolder) -> None:
    inbox, command = Inbox(folder), Add(x_um=-3.5, y_um=7, width_um=130, height_um=65)
    number = inbox.post(command)
    letter = inbox.read(number)
    assert letter.command == command
    assert "@" in letter.by
    assert LETTER.read(folder.path / "commands" / f"{number}.json") == letter
