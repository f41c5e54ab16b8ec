"""Commands in a process that is forked for them: bounded in memory, and ended when they hang."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess

MOST_CPU_S = 2.0
_MOST_WALL_S = 40.0  # a busy machine is no fault; what waits for nothing is
_MOST_BYTES = 2 << 30


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code, what it said, seconds of the processor, and a traceback if there was one."""

    code: int
    out: str = ""
    err: str = ""
    cpu_s: float = 0.0
    traceback: str = ""


class Worker:
    """A forked process that carries one command out after another; a new one after a hang."""

    def __init__(self) -> None:
        self._pipe: Connection | None = None
        self._process: ForkProcess | None = None

    def run(self, arguments: list[str]) -> Ended:
        """`xrm ARGUMENTS`, as from a terminal."""
        if self._pipe is None:
            self._start()
        assert self._pipe is not None
        self._pipe.send(arguments)
        if self._pipe.poll(_MOST_WALL_S):
            try:
                return self._pipe.recv()
            except EOFError:
                self.close()
                return Ended(-1, traceback="the process died")
        self.close()
        return Ended(-1, traceback=f"no end within {_MOST_WALL_S:g} s", cpu_s=_MOST_WALL_S)

    def close(self) -> None:
        """End the process."""
        if self._process is not None and self._process.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
            self._process.join()
        self._pipe = self._process = None

    def _start(self) -> None:
        here, there = multiprocessing.Pipe()
        process = multiprocessing.get_context("fork").Process(target=_serve, args=(there,), daemon=True)
        process.start()
        self._process = process
        there.close()
        self._pipe = here


def _serve(pipe: Connection) -> None:
    with open("/proc/self/statm", encoding="ascii") as file:
        own = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (own + _MOST_BYTES, own + _MOST_BYTES))
    while True:
        try:
            arguments = pipe.recv()
        except EOFError:
            return
        pipe.send(carried_out(arguments))


def carried_out(arguments: list[str], carry_out: Callable[[], int] | None = None) -> Ended:
    """A command in this process, its words caught."""
    from xrm_control.cli import main

    out, err = io.StringIO(), io.StringIO()
    before, sys.argv = sys.argv, ["xrm", *arguments]
    since = time.process_time()
    trace, code = "", -1
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = (carry_out or main._carry_out)()
    except BaseException:  # noqa: BLE001  whatever escapes is what is looked for
        trace = traceback.format_exc()
    finally:
        sys.argv = before
    return Ended(code, out.getvalue(), err.getvalue(), time.process_time() - since, trace)
