"""Commands to a run that is carried out elsewhere: by its mailbox, on clocks that nobody stops."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.session.scripted import SMALL
from tests.system.conftest import write_recipe
from xrm_control import app
from xrm_control.contracts.commands import Abort, Add, Command, Continue, Pause, Reply
from xrm_control.core.errors import CommandRefusal, Interrupted
from xrm_control.core.events import AnyEvent, FrameKept, RunFolderMade
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.states import RunState
from xrm_control.storage.inbox import Inbox
from xrm_control.storage.run_folder import RunFolder

pytestmark = pytest.mark.usefixtures("white_figures", "searched_once")


def until_paused(path: Path) -> None:
    state = None
    while state is not RunState.PAUSED:
        threading.Event().wait(0.02)
        now = app.status(path).state
        state = None if now is None else now.state


def carried_out(folder: Path, speed: str, *commands: Command) -> tuple[Path, list[str]]:
    """A run to which, from its second frame on, somebody sends commands one after the other; what was answered."""
    answers: list[str] = []

    def send(path: Path) -> None:
        for command in commands:
            if isinstance(command, Continue):
                until_paused(path)
            try:
                answers.append(app.send(path, command, within_s=120.0))
            except CommandRefusal as error:
                answers.append(f"refused: {error}")

    threads: list[threading.Thread] = []

    def hear(event: AnyEvent) -> None:
        if isinstance(event, FrameKept) and not threads and event.frame != "mosaic/dark_0000":
            (path,) = (folder / "runs").iterdir()
            threads.append(threading.Thread(target=send, args=(path,)))
            threads[0].start()

    try:
        app.run(app.load(write_recipe(folder, **SMALL)), folder / "runs", speed, hear)
    finally:
        threads[0].join()
    (path,) = (folder / "runs").iterdir()
    return path, answers


def test_a_pause_by_the_mailbox(tmp_path: Path) -> None:
    path, answers = carried_out(tmp_path, "10", Pause(), Continue(), Add(x_um=900.0, y_um=0.0))
    assert answers[:2] == ["pauses after the frame in flight", "goes on"]
    assert app.status(path).total.complete
    with pytest.raises(CommandRefusal, match="nobody carries the run out"):
        app.send(path, Pause())


def test_an_abort_by_the_mailbox(tmp_path: Path) -> None:
    with pytest.raises(Interrupted, match="abort by"):
        carried_out(tmp_path, "10", Abort())
    (path,) = (tmp_path / "runs").iterdir()
    state = app.status(path).state
    assert state is not None
    assert state.state is RunState.ABORTED


def test_virtual_time_stands_still_for_people(tmp_path: Path) -> None:
    """Paused in virtual time the run neither goes on nor runs out of things to wait for."""
    loaded, threads = app.load(write_recipe(tmp_path, **SMALL)), list[threading.Thread]()

    def hear(event: AnyEvent) -> None:
        if isinstance(event, FrameKept) and not threads:
            (path,) = (tmp_path / "runs").iterdir()
            # The run waits until the letter is found: in virtual time it would have ended by then.
            Inbox(RunFolder(path)).post(Pause())
            threading.Event().wait(0.5)
            threads.append(threading.Thread(target=go_on, args=(path,)))
            threads[0].start()

    def go_on(path: Path) -> None:
        until_paused(path)
        threading.Event().wait(0.5)
        app.send(path, Continue(), within_s=120.0)

    outcome = app.run(loaded, tmp_path / "runs", None, hear)
    threads[0].join()
    assert outcome.exit_code == ExitCode.PARTLY
    (pause,) = outcome.results.pauses
    assert pause.to_s == pytest.approx(pause.from_s, abs=0.5)


def test_sent_before_the_run_listens_it_is_heard_all_the_same(tmp_path: Path) -> None:
    """From the moment on that the run holds its folder, a command is one to a run that lives."""
    asked: list[str] = []

    def hear(event: AnyEvent) -> None:
        if isinstance(event, RunFolderMade):
            asked.append(Inbox(RunFolder(Path(event.path))).post(Abort()))

    with pytest.raises(Interrupted, match="abort by"):
        app.run(app.load(write_recipe(tmp_path, **SMALL)), tmp_path / "runs", "10", hear)
    (path,) = (tmp_path / "runs").iterdir()
    reply = Inbox(RunFolder(path)).reply(asked[0])
    assert reply is not None
    assert reply.accepted, reply.text
    assert app.status(path).total.kept == 0


def test_the_same_request_is_carried_out_once(tmp_path: Path) -> None:
    """A browser that asks again, because it heard no answer, is given the first one."""
    path, _ = carried_out(tmp_path, "10", Pause(), Continue())
    inbox = Inbox(RunFolder(path))
    number = inbox.post(Pause(), "Ada", "a-request-1")
    assert inbox.sent("a-request-1") == number
    assert "Ada by " in inbox.read(number).by
    inbox.answer(number, Reply(accepted=False, text="too late"))
    for _ in range(2):
        with pytest.raises(CommandRefusal, match="too late"):
            app.send(path, Pause(), request="a-request-1")
    assert inbox.waiting() == ()
