"""Commands to a run: sent to whoever carries it out, and answered by it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from xrm_control.app.runs import Outcome, resume
from xrm_control.contracts.commands import Abort, Add, Command, Continue, Order, Pause, Reply, Skip, Stop, Until
from xrm_control.core.clock import pause, stopwatch
from xrm_control.core.errors import CommandRefusal, CommandUnanswered, StorageError
from xrm_control.core.events import Listener
from xrm_control.core.states import RunState
from xrm_control.storage.inbox import Inbox
from xrm_control.storage.journal import JournalReader
from xrm_control.storage.run_folder import RunFolder

__all__ = ["Abort", "Add", "Command", "Continue", "Order", "Pause", "Skip", "Stop", "Until", "go_on", "send"]

ANSWERED_WITHIN_S = 20.0
_LOOK_EVERY_S, _LATE_S = 0.02, 1.0
_WAITS = "waits until the run is gone on with: `xrm continue`"


def send(
    path: Path, command: Command, within_s: float = ANSWERED_WITHIN_S, on_behalf_of: str = "", request: str = ""
) -> str:
    """What a run says to a command. Of a run that nobody carries out, places to add, regions to skip and their
    order wait for whoever goes on with it.

    on_behalf_of: whoever wants it, where that is not this process's user; request: what the sender calls it; sent again
    under the same name, it is not done again, and has the same answer. An abort that cannot be written is sent as a
    signal, to a process of this machine.

    Raises CommandRefusal with the reason; CommandUnanswered when no answer came in time; StorageError.
    """
    folder = RunFolder.open(path)
    inbox = Inbox(folder)
    known = inbox.sent(request) if request else None
    if known is not None and (letter := inbox.letter(known)) is not None and letter.command != command:
        raise CommandRefusal(
            "this request was for something else",
            where=request,
            value=command.text,
            limit=letter.command.text,
            remedy="give each request a name of its own",
        )
    if known is None and folder.holder() is None:
        state = _state(folder)
        if state is RunState.DONE or not isinstance(command, Add | Skip | Order | Until):
            raise CommandRefusal(
                "nobody carries the run out",
                where=str(folder.path),
                value=state or "not begun",
                remedy="start its recipe anew" if state is RunState.DONE else "`xrm continue` goes on with it",
            )
        inbox.post(command, on_behalf_of, request)
        return _WAITS
    if known is not None and folder.holder() is None and inbox.reply(known) is None:
        return _WAITS
    try:
        number = known or inbox.post(command, on_behalf_of, request)
    except StorageError as error:
        if isinstance(command, Abort) and _interrupted(folder):
            return f"the run is told to end by a signal, as its mailbox takes no command: {error}"
        raise
    reply = _reply(folder, inbox, number, within_s)
    if not reply.accepted:
        raise CommandRefusal(reply.text, where=folder.name)
    return reply.text


def _interrupted(folder: RunFolder) -> bool:
    """Whether the process that carries a run out was told to end, as Ctrl-C does: a disk that is full must not keep
    anybody from making the instrument safe.
    """
    process = folder.holder() or ""
    if not process.isdecimal() or int(process) == os.getpid():
        return False
    try:
        os.kill(int(process), signal.SIGINT)
    except OSError:
        return False
    return True


def _reply(folder: RunFolder, inbox: Inbox, number: str, within_s: float) -> Reply:
    waited_s, ended_s = stopwatch(), None
    while (reply := inbox.reply(number)) is None:
        # Who has just ended the run by it is still answered.
        ended_s = ended_s or (waited_s() if folder.holder() is None else None)
        if waited_s() > (within_s if ended_s is None else ended_s + _LATE_S):
            raise CommandUnanswered(
                "the run has not answered" if ended_s is None else "the run has ended meanwhile, and has not answered",
                where=str(folder.path),
                value=f"{waited_s():.0f} s",
                remedy="`xrm status` tells whether it lives; the command stays in its mailbox",
            )
        pause(_LOOK_EVERY_S)
    return reply


def go_on(path: Path, speed: str | None = None, listener: Listener | None = None) -> Outcome | str:
    """Go on with a run that is paused: what it says, where a process carries it out; else how it ended, carried out by
    this one.
    """
    if RunFolder.open(path).holder() is None:
        return resume(path, speed, listener)
    return send(path, Continue())


def _state(folder: RunFolder) -> RunState | None:
    with JournalReader.open(folder.journal) as journal:
        state = journal.state()
    return None if state is None else state.state
