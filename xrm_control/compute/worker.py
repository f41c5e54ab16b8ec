"""A worker process: it takes pickled calls from a connection and sends back what they returned or raised.

It is a fresh interpreter that imports what it is sent and nothing else: never the script or notebook of whoever
started it, so a script needs no ``if __name__ == "__main__"``.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import signal
import subprocess
import sys
import traceback
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from xrm_control.compute.stillness import STILL_S, Stillness
from xrm_control.core.memory import collect_less_often

_PR_SET_PDEATHSIG = 1
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h
_NEVER = 2**31 - 1
_END_S = 5.0
_DEATH_S = 1.0
_OOM_SCORE, _GIVES_WAY = Path("/proc/self/oom_score_adj"), 1000
_BEGIN = "import sys; sys.path[:] = {path!r}; from xrm_control.compute.worker import serve; serve({descriptor})"


@dataclass(frozen=True)
class Reply:
    """What a call returned, or the error that it raised."""

    result: Any = None
    error: BaseException | None = None


class StoodStill(Exception):
    """A process does nothing any more, and does not end either."""


class WorkerProcess:
    """One process, as its owner sees it. `threads`: its share of the CPUs, told as numerical libraries have it.

    The thread that makes one must outlive it: the kernel ends the process with that thread (Linux).
    """

    def __init__(self, threads: int, still_s: float = STILL_S) -> None:
        self._still_s = still_s
        self._connection, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _BEGIN.format(path=sys.path, descriptor=theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={**os.environ, "OMP_NUM_THREADS": str(threads)},
            )

    def carry_out(self, call: bytes) -> Reply:
        """Carry out a pickled ``(function, arguments)``. Raises EOFError or OSError when the process has died, and
        StoodStill when it does nothing for long.
        """
        self._connection.send_bytes(call)
        stillness = Stillness(self._process.pid, self._still_s)
        while not self._connection.poll(stillness.every_s):
            if (how := stillness.look()) is not None:
                raise StoodStill(how)
        return pickle.loads(self._connection.recv_bytes())

    def died_of(self) -> int | None:
        """The number of the signal that ended a process whose connection broke; None where it was none."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(_DEATH_S)
            return -code if code < 0 else None
        return None

    def kill(self) -> None:
        """End it whatever it does, also one that is suspended."""
        self._process.kill()

    def terminate(self) -> None:
        """Ask it to end at once, from any thread."""
        self._process.terminate()

    def close(self) -> None:
        """Wait for the end of a process that was terminated or has died; not for one that a dead disk holds."""
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_S)


def serve(descriptor: int) -> None:
    """Carry out what comes in, until the owner is gone; runs in the process."""
    ignore_interrupts()
    _end_with_owner()
    give_way()
    keep_memory()
    collect_less_often()
    os.set_inheritable(descriptor, False)
    with Connection(descriptor) as owner:
        while True:
            try:
                call = owner.recv_bytes()
                owner.send_bytes(_carried_out(call))
            except (EOFError, OSError):
                return


def ignore_interrupts() -> None:
    """Ctrl-C reaches the whole process group; only the session decides what it means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(5)  # acquisition goes first


def give_way() -> None:
    """Where memory runs out the kernel ends what computes, which is begun anew, and not the session, which has the
    instrument. Linux only.
    """
    with contextlib.suppress(OSError, ValueError):
        present = int(_OOM_SCORE.read_text())
        _OOM_SCORE.write_text(str(max(present, _GIVES_WAY)))


def keep_memory() -> None:
    """Memory that was used once is used again: pages from the kernel anew cost a second a GB (glibc)."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, _NEVER)


def _end_with_owner() -> None:
    """A session that is killed cannot end its workers; the kernel does. Linux only."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _carried_out(call: bytes) -> bytes:
    try:
        function, arguments = pickle.loads(call)
        return pickle.dumps(Reply(function(*arguments)))
    except Exception as error:  # noqa: BLE001  whatever a call raises belongs to the one who asked for it
        error.add_note("".join(traceback.format_exception(error)))
        return _packed(error)


def _packed(error: Exception) -> bytes:
    """The error as it is, or in words where it cannot travel."""
    try:
        packed = pickle.dumps(Reply(error=error))
        pickle.loads(packed)
    except Exception:  # noqa: BLE001  what an error's own pickling may raise is up to it
        return pickle.dumps(Reply(error=RuntimeError(f"{type(error).__name__}: {error}")))
    return packed
