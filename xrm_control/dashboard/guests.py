"""Processes that the window starts: what was asked for is on file, so that no request starts two of them.

A note and what the process says lie in ``root/.window``. The process knows nothing of the window and outlives it.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from xrm_control.app.queue.process import PROGRAM
from xrm_control.contracts.document import Document, JsonFile
from xrm_control.core.errors import CommandRefusal, XrmError
from xrm_control.storage.durable import make_folder, storage_error, write_durable

_LONGEST_WORDS = 4000


class Note(Document):
    """One request. process: its number, once it was started; run: the name of the run that it began; exit: its code."""

    arguments: tuple[str, ...]
    process: int | None = None
    run: str | None = None
    exit: int | None = None


NOTE: JsonFile[Note] = JsonFile("note.json", Note)


@dataclass(frozen=True)
class Guests:
    """The requests of a window whose runs are in `root`."""

    root: Path
    _lock: threading.Lock = field(default_factory=threading.Lock, compare=False)

    def asked(self, request: str, arguments: Sequence[str]) -> Note | None:
        """What became of a request; None when it is new.

        Raises CommandRefusal where it was for something else, DataError for a note that cannot be read.
        """
        path = self._path(request)
        if not path.exists():
            return None
        note = NOTE.read(path)
        if note.arguments != tuple(arguments):
            raise CommandRefusal(
                "this request was for something else", where=request, remedy="give each request a name of its own"
            )
        return note

    def start(self, request: str, arguments: Sequence[str], niceness: int = 0) -> subprocess.Popen[bytes]:
        """Start the program with these arguments. Raises StorageError."""
        path = self._path(request)
        make_folder(path.parent)
        # Whoever comes second with the same request finds this, whatever becomes of this process.
        write_durable(path, NOTE.text(Note(arguments=tuple(arguments))).encode())
        try:
            with path.with_suffix(".txt").open("wb") as output:
                process = subprocess.Popen(
                    [*PROGRAM, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=output,
                    start_new_session=True,
                )
        except OSError as error:
            raise storage_error("no process can be started", path, error) from error
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process.pid, niceness)
        self._add(request, process=process.pid)
        # Somebody has to take note of its end, or the kernel keeps it.
        threading.Thread(target=self._see_out, args=(request, process), daemon=True).start()
        return process

    def once(self, request: str, arguments: Sequence[str], act: Callable[[], str]) -> str:
        """What comes of an act in this process, in words; asked for again, what came of it then, and nothing is done.

        Raises CommandRefusal where it failed then, or where this process ended in the midst of it; whatever `act`
        raises; StorageError.
        """
        note = self.asked(request, arguments)
        if note is not None:
            if note.exit != 0:
                said = self.words(request) or "this was asked for before, and nobody knows what became of it"
                raise CommandRefusal(said, where=request, remedy="look whether it was done before you ask anew")
            return self.words(request)
        path = self._path(request)
        make_folder(path.parent)
        write_durable(path, NOTE.text(Note(arguments=tuple(arguments))).encode())
        try:
            said = act()
        except XrmError as error:
            write_durable(path.with_suffix(".txt"), str(error).encode())
            self._add(request, exit=1)
            raise
        write_durable(path.with_suffix(".txt"), said.encode())
        self._add(request, exit=0)
        return said

    def began(self, request: str, run: str) -> None:
        """The run that came of a request."""
        self._add(request, run=run)

    def words(self, request: str) -> str:
        """What the process said, the end of it."""
        try:
            return self._path(request).with_suffix(".txt").read_text("utf-8", "replace")[-_LONGEST_WORDS:].strip()
        except OSError:
            return ""

    def notes(self) -> Iterator[tuple[str, Note]]:
        """All requests that can be read, the newest first."""
        for path in sorted(self._path("x").parent.glob("*.json"), key=_age):
            with suppress(XrmError):
                yield path.stem, NOTE.read(path)

    def _see_out(self, request: str, process: subprocess.Popen[bytes]) -> None:
        code = process.wait()
        with suppress(XrmError):
            self._add(request, exit=code)

    def _add(self, request: str, **known: int | str) -> None:
        path = self._path(request)
        with self._lock:
            note = NOTE.read(path).model_copy(update=known)
            write_durable(path, NOTE.text(note).encode(), replace=True)

    def _path(self, request: str) -> Path:
        return self.root / ".window" / f"{request}.json"


def lives(note: Note) -> bool:
    """Whether the process of a request is there; its number may be another's by now."""
    if note.process is None:
        return False
    try:
        said = Path(f"/proc/{note.process}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return [os.fsencode(word) for word in note.arguments] == said[-len(note.arguments) - 1 : -1]


def _age(path: Path) -> float:
    """So that the newest come first."""
    try:
        return -path.stat().st_mtime
    except OSError:
        return 0.0
