"""The run's mailbox: commands as files in ``commands/``, each answered once and kept in ``commands/answered/``.

A letter is whole or not there. Whoever may write into the run's folder may send one; of those that carry the run out
only the owner's letters count. A thread looks for them on the wall clock, so that a letter is found whatever the run's
clock and event loop are doing.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import datetime, timedelta

from xrm_control.contracts.commands import LETTER, REPLY, Command, Letter, Reply
from xrm_control.core.clock import pause, utc_now
from xrm_control.core.errors import DataError, StorageError
from xrm_control.core.user import user_at_host
from xrm_control.storage.durable import make_folder, storage_error, write_durable
from xrm_control.storage.run_folder import RunFolder

Deliver = Callable[[str, Letter], Future[Reply]]

_WRITTEN = "%Y%m%dT%H%M%S%fZ"
_TIME = re.compile(r"\d{8}T\d{12}Z")
_LOOK_EVERY_S = 0.05
_LATE_LOOKS = 100
_LONGEST_BYTES = 65_536


class Inbox:
    """The mailbox of one run, for those who send and for the one who answers."""

    def __init__(self, folder: RunFolder) -> None:
        self._path = folder.path / "commands"
        self._answered = self._path / "answered"

    @staticmethod
    def written(command: Command, on_behalf_of: str = "", request: str = "") -> tuple[str, Letter]:
        """A command as a letter of this process's user, and its number; numbers sort by time.

        on_behalf_of: whoever has told this process; request: the sender's name for it, of letters, digits and -.
        """
        now = utc_now()
        user = user_at_host()
        by = f"{on_behalf_of} by {user}" if on_behalf_of else user
        letter = Letter(command=command, by=by[:200], sent_utc=now.isoformat(timespec="milliseconds"))
        return f"{now:{_WRITTEN}}-{request or secrets.token_hex(3)}", letter

    def sent(self, request: str) -> str | None:
        """The number of the letter that its sender called `request`; None where there is none."""
        for place in (self._path, self._answered):
            for path in place.glob(f"*-{request}.json"):
                # Another's name may end with this one.
                if path.stem.partition("-")[2] == request:
                    return path.stem
        return None

    def letter(self, number: str) -> Letter | None:
        """A letter that was sent, whether it is answered or not; None where it cannot be read any more."""
        for place in (self._path, self._answered):
            with contextlib.suppress(DataError):
                return LETTER.read(place / f"{number}.json")
        return None

    def post(self, command: Command, on_behalf_of: str = "", request: str = "") -> str:
        """Send a command; returns the letter's number. Raises StorageError."""
        number, letter = self.written(command, on_behalf_of, request)
        make_folder(self._path)
        number = self._behind_the_others(number)
        write_durable(self._path / f"{number}.json", LETTER.text(letter).encode())
        return number

    def _behind_the_others(self, number: str) -> str:
        """The number, or one behind all that wait, where the clock was set back since they were sent."""
        time, _, name = number.partition("-")
        latest = max((other.partition("-")[0] for other in self.waiting()), default=time)
        if latest < time or not _TIME.fullmatch(latest):
            return number
        return f"{datetime.strptime(latest, _WRITTEN) + timedelta(microseconds=1):{_WRITTEN}}-{name}"

    def reply(self, number: str) -> Reply | None:
        """The answer to a letter; None while there is none. Raises DataError when it cannot be read."""
        path = self._answered / f"{number}.reply.json"
        return REPLY.read(path) if path.is_file() else None

    def waiting(self) -> tuple[str, ...]:
        """The numbers of the letters that nobody has answered, the oldest first. Raises StorageError."""
        try:
            names = os.listdir(self._path)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise storage_error("cannot look for commands", self._path, error) from error
        return tuple(sorted(name.removesuffix(".json") for name in names if name.endswith(".json")))

    def read(self, number: str) -> Letter:
        """An unanswered letter. Raises DataError for what is none, or comes from another user."""
        path = self._path / f"{number}.json"
        try:
            about = path.lstat()
        except OSError as error:
            raise DataError("cannot be read", where=path.name, value=error.strerror) from error
        if not stat.S_ISREG(about.st_mode) or about.st_size > _LONGEST_BYTES:
            raise DataError("is no letter", where=path.name, value=f"{about.st_size} bytes", limit="a small file")
        if about.st_uid not in (0, os.getuid()):
            raise DataError(
                "comes from another user", where=path.name, value=f"uid {about.st_uid}", limit=f"uid {os.getuid()}"
            )
        return LETTER.read(path)

    def answer(self, number: str, reply: Reply) -> None:
        """Put a letter away, with its answer. Raises StorageError."""
        make_folder(self._answered)
        path = self._path / f"{number}.json"
        try:
            path.rename(self._answered / path.name)
        except OSError as error:
            raise storage_error("cannot be put away", path, error) from error
        write_durable(self._answered / f"{number}.reply.json", REPLY.text(reply).encode(), replace=True)


@contextlib.contextmanager
def delivered(inbox: Inbox, deliver: Deliver) -> Iterator[None]:
    """While the block runs, each letter is handed to `deliver`, in a thread, and answered when its reply is there.

    What is no letter is refused. The thread is not waited for; letters that it finds no time for stay where they are.
    """
    over = threading.Event()
    asked: dict[str, Future[Reply]] = {}

    def ask() -> None:
        for number in inbox.waiting():
            if number not in asked:
                asked[number] = _asked(inbox, number, deliver)

    def answer() -> None:
        # Also where the answer cannot be written, a command is carried out once: it stays among those asked.
        for number, reply in asked.items():
            if reply.done() and not reply.cancelled() and number in inbox.waiting():
                error = reply.exception()
                inbox.answer(number, reply.result() if error is None else Reply(accepted=False, text=str(error)))

    def watch() -> None:
        late = 0
        # What has just ended the run is answered too; a command whose answer never comes is not waited for.
        while not over.wait(_LOOK_EVERY_S) or (
            late < _LATE_LOOKS and not all(reply.done() for reply in asked.values())
        ):
            # A disk that fails ends no run by way of its mailbox: the run's own records will meet it.
            with contextlib.suppress(StorageError):
                if over.is_set():
                    late += 1
                    pause(_LOOK_EVERY_S)
                else:
                    ask()
                answer()
        with contextlib.suppress(StorageError):
            answer()

    threading.Thread(target=watch, name="commands", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _asked(inbox: Inbox, number: str, deliver: Deliver) -> Future[Reply]:
    try:
        return deliver(number, inbox.read(number))
    except (DataError, RuntimeError) as error:
        # RuntimeError: the event loop that it is for has just been closed.
        refused: Future[Reply] = Future()
        refused.set_result(Reply(accepted=False, text=str(error)))
        return refused
