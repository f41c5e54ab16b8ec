"""Runs one command for somebody else and ends it, with all that it has started, when that one lets go.

A program of its own, of the standard library alone, started by `session.command`. Its standard input stays open as long
as the command is wanted; however the one who holds the other end dies, the kernel closes it. What the command starts
stays this process's, wherever it moves (a subreaper; Linux only, elsewhere the command's process group must do).
Standard output gets one line of JSON: the exit code, and the end of what the command said.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_SAID_BYTES = 4096  # of each stream; escaped, both still fit into a pipe that nobody reads yet
_TICK_S = 0.05
_TICKS_TO_END, _TICKS_TO_DIE = 40, 100  # after SIGTERM, and after SIGKILL


def _prctl(option: int, value: int) -> None:
    call = getattr(ctypes.CDLL(None), "prctl", None)
    if call is not None:
        call(option, value, 0, 0, 0)


class _Guard:
    """One command, its processes and the end of what it says."""

    def __init__(self, command: list[str]) -> None:
        self._wake, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self._wanted = True
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._let_go)
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        self.code: int | None = None
        self._child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            # The guard itself may be killed; then the kernel sees to the command.
            preexec_fn=lambda: _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),
        )
        self.said = {stream.fileno(): b"" for stream in (self._child.stdout, self._child.stderr) if stream is not None}

    def _let_go(self, *_: object) -> None:
        self._wanted = False

    def watch(self) -> None:
        """Until the command has ended or is not wanted any more."""
        poller = select.poll()
        for descriptor in (0, self._wake, *self.said):
            poller.register(descriptor, select.POLLIN)
        while self._wanted and self.code is None:
            for descriptor, _ in poller.poll():
                if descriptor == self._wake:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._wake, 1024)
                    self._reap()
                elif descriptor == 0:
                    self._wanted = bool(os.read(0, 1024))
                elif not self._hear(descriptor):
                    poller.unregister(descriptor)

    def end(self) -> None:
        """Nothing of the command is left: asked first, then killed."""
        for number, ticks in ((signal.SIGTERM, _TICKS_TO_END), (signal.SIGKILL, _TICKS_TO_DIE)):
            for tick in range(ticks):
                if not self._reap():
                    return
                # What is being killed may still start something.
                if tick == 0 or number == signal.SIGKILL:
                    for process in self._processes():
                        with contextlib.suppress(OSError):
                            os.kill(process, number)
                select.select([], [], [], _TICK_S)

    def hear_the_rest(self) -> None:
        """What stands in the pipes, at most what they hold."""
        for descriptor in self.said:
            os.set_blocking(descriptor, False)
            with contextlib.suppress(BlockingIOError):
                for _ in range(64):
                    if not self._hear(descriptor):
                        break

    def _hear(self, descriptor: int) -> bool:
        """Keep the end of what is said; False when nothing more will be."""
        heard = os.read(descriptor, 65536)
        self.said[descriptor] = (self.said[descriptor] + heard)[-_SAID_BYTES:]
        return bool(heard)

    def _reap(self) -> bool:
        """Take leave of what has ended; whether something is left."""
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if process == 0:
                return True
            if process == self._child.pid:
                self.code = self._child.returncode = os.waitstatus_to_exitcode(status)

    def _processes(self) -> list[int]:
        """All descendants of this process."""
        children: dict[int, list[int]] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError, ValueError, IndexError):
                # The name, in brackets, may itself hold brackets.
                parent = int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(stat.parent.name))
        found: list[int] = []
        waiting = [os.getpid()]
        while waiting:
            waiting += (young := children.get(waiting.pop(), []))
            found += young
        return found or [-self._child.pid]


def main(command: list[str]) -> None:
    """Run `command` and say how it ended."""
    try:
        guard = _Guard(command)
    except (OSError, ValueError) as error:
        report: dict[str, object] = {"trouble": getattr(error, "strerror", None) or str(error)}
    else:
        guard.watch()
        guard.end()
        guard.hear_the_rest()
        out, err = (said.decode("utf-8", "replace") for said in guard.said.values())
        report = {"code": guard.code, "out": out, "err": err}
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(report).encode("ascii"))


if __name__ == "__main__":
    main(sys.argv[1:])
