"""The process that carries an item of a queue out, forked instead of started: what it imports is there already.

It is what an exec would make of it, as far as a queue can tell: open files but those that it is given are closed,
signals are as at the start of a program, and the disk that fails below it (`failing_disk.c`) counts anew.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import IO

from xrm_control.app.queue import process


def fork_items(main: Callable[[], object], begin: Callable[[int, int], object]) -> None:
    """Queues that are run by this process, or by one that it forks, fork their items. begin: takes the numbers of the
    files for output and errors, and makes them its own.
    """

    class Forked:
        """What a queue needs of `subprocess.Popen`."""

        def __init__(
            self,
            arguments: Sequence[str],
            *,
            stdin: int,
            stdout: IO[bytes],
            stderr: IO[bytes],
            pass_fds: Sequence[int],
            start_new_session: bool,
        ) -> None:
            self._code: int | None = None
            self.pid = os.fork()
            if self.pid:
                return
            code = 1
            with suppress(BaseException):
                sys.argv = ["xrm", *arguments[len(process.PROGRAM) :]]
                code = _carried_out(main, lambda: begin(stdout.fileno(), stderr.fileno()), pass_fds)
            # Without unwinding the queue's own blocks, which are on this stack as well.
            ctypes.CDLL(None).exit(code)

        def poll(self) -> int | None:
            if self._code is None:
                found, status = os.waitpid(self.pid, os.WNOHANG)
                self._code = os.waitstatus_to_exitcode(status) if found else None
            return self._code

        def send_signal(self, number: int) -> None:
            if self.poll() is None:
                os.kill(self.pid, number)

    # The module's own, and nobody else's.
    setattr(process, "subprocess", SimpleNamespace(Popen=Forked, DEVNULL=subprocess.DEVNULL))  # noqa: B010


def _carried_out(main: Callable[[], object], begin: Callable[[], object], given: Sequence[int]) -> int:
    for number, handler in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGTERM, signal.SIG_DFL),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        signal.signal(number, handler)
    begin()
    for descriptor in [int(name) for name in os.listdir("/proc/self/fd")]:
        if descriptor > 2 and descriptor not in given:
            with suppress(OSError):
                os.close(descriptor)
    try:
        main()
        code: object = 0
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else 1
