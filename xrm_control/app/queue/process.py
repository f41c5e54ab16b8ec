"""The process that carries an item out: started here, or found still living after the queue's own process had died."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from xrm_control.app.queue.ending import DIED, code_on_record
from xrm_control.core.errors import StorageError, XrmError
from xrm_control.storage.durable import storage_error
from xrm_control.storage.ownership import like_its_folder
from xrm_control.storage.queue_folder import ItemFolder, leave
from xrm_control.storage.run_folder import RunFolder

# Without the working directory among the places that are imported from.
PROGRAM = (sys.executable, "-P", "-m", "xrm_control.cli")
_LONGEST_ANSWER = 4_000_000


class Living(Protocol):
    """A process that carries an item out."""

    def poll(self) -> int | None:
        """Its exit code, minus the signal that ended it; None while it lives."""
        ...

    def interrupt(self) -> None:
        """Let it end in the safe state, as by Ctrl-C."""
        ...

    def said(self) -> str:
        """What it has printed."""
        ...


class Started:
    """A process of its own, with a session of its own: it outlives the one that started it, and holds the item's lock
    while it lives.
    """

    def __init__(self, place: ItemFolder, arguments: Sequence[str], program: Sequence[str] = PROGRAM) -> None:
        self._answer = place.path / "answer.json"
        lock = place.take()
        try:
            with self._answer.open("wb") as answer, place.output.open("ab") as output:
                like_its_folder(self._answer, answer.fileno())
                like_its_folder(place.output, output.fileno())
                self._process = subprocess.Popen(
                    [*program, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=answer,
                    stderr=output,
                    pass_fds=(lock,),
                    start_new_session=True,
                )
            # It is there, and has the lock; without its number the file says that somebody unknown has it.
            with suppress(StorageError):
                place.sign(lock, self._process.pid)
        except OSError as error:
            raise storage_error("no process can be started", place.path, error) from error
        finally:
            leave(lock)

    def poll(self) -> int | None:
        return self._process.poll()

    def interrupt(self) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)

    def said(self) -> str:
        try:
            with self._answer.open("r", encoding="utf-8", errors="replace") as file:
                return file.read(_LONGEST_ANSWER)
        except OSError:
            return ""


class Found:
    """A process that somebody else had started: nobody can wait for it, but the kernel knows while it has the lock."""

    def __init__(self, place: ItemFolder) -> None:
        self._place = place

    def poll(self) -> int | None:
        if holder(self._place) is not None:
            return None
        run = self._place.run()
        try:
            code = None if run is None else code_on_record(run)
        except XrmError:
            code = None
        return DIED if code is None else int(code)

    def interrupt(self) -> None:
        process = holder(self._place)
        if process is not None and process.isdecimal():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(int(process), signal.SIGINT)

    def said(self) -> str:
        return ""


def holder(place: ItemFolder) -> str | None:
    """The process that carries an item out, by the item's lock or its run's; None when none does."""
    found = place.holder()
    if found is not None and found.isdecimal():
        return found
    run: Path | None = place.run()
    with suppress(StorageError):
        return (None if run is None else RunFolder(run).holder()) or found
    return found
