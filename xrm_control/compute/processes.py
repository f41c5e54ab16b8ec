"""Work in processes of its own: a crash or a leak there does not touch the night's run."""

from __future__ import annotations

import asyncio
import pickle
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import Field

from xrm_control.compute.executor import Compute, Workers
from xrm_control.compute.stillness import STILL_S
from xrm_control.compute.worker import Reply, StoodStill, WorkerProcess
from xrm_control.core.cpus import cpus
from xrm_control.core.errors import WorkersLost

Result = TypeVar("Result")

_TRIES = 3


class Processes(Compute):
    """Some fresh processes (a fork would break Channel Access and locks)."""

    kind: Literal["processes"] = "processes"
    workers: int = Field(default=1, ge=1, le=64)

    @property
    def processes(self) -> int:
        """See `Compute.processes`."""
        return self.workers

    def open(self, tell: Callable[[str], None] | None = None) -> Workers:
        """See `Compute.open`."""
        return ProcessWorkers(self.workers, tell)


_MEMORY = "it may lack memory: give fewer workers, a higher binning or fewer rows"
_LIBRARY = "a library that computes crashed: update it, or choose another method; the frames are safe on the disk"
_STILL = "look at the disks, and at who suspends processes here; the frames are safe, `xrm resume` computes the rest"
_SIGNALS: dict[int, tuple[str, str]] = {
    signal.SIGKILL: ("killed, as the system does where memory runs out", _MEMORY),
    signal.SIGBUS: ("a file in memory could not be read: cut short, or its disk fails", "check the disk"),
    signal.SIGSEGV: ("it crashed", _LIBRARY),
    signal.SIGABRT: ("it crashed", _LIBRARY),
    signal.SIGILL: ("it crashed: this processor lacks what a library uses", _LIBRARY),
    signal.SIGFPE: ("it crashed", _LIBRARY),
    signal.SIGTERM: ("somebody ended it", "ask who ends processes here"),
    signal.SIGXCPU: ("its share of the processor is used up", "raise the limit (`ulimit -t`)"),
}


@dataclass(frozen=True)
class _Death:
    """Of a process, by the number of a signal, or killed as it stood still."""

    signal: int | None = None
    still: str = ""

    @property
    def how(self) -> str:
        """In words."""
        if self.still:
            return f"it {self.still}, and was killed"
        if self.signal is None:
            return "it ended by itself"
        named = {one.value: one.name for one in signal.Signals}
        why = _SIGNALS.get(self.signal, ("", ""))[0] or (signal.strsignal(self.signal) or "").lower()
        return f"{named.get(self.signal, f'signal {self.signal}')}, {why}"

    @property
    def remedy(self) -> str:
        """What to do."""
        if self.still:
            return _STILL
        return _SIGNALS.get(self.signal or 0, ("", _MEMORY))[1]


class ProcessWorkers(Workers):
    """A thread for each process: it starts one when there is work, and waits for its replies; one that does nothing for
    `still_s` is killed, and its work begun anew.
    """

    def __init__(self, count: int, tell: Callable[[str], None] | None, still_s: float = STILL_S) -> None:
        self._still_s = still_s
        self._share, self._tell = max(1, cpus() // count), tell
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="compute")
        self._lock = threading.Lock()
        self._idle: list[WorkerProcess] = []
        self._all: set[WorkerProcess] = set()
        self._stopped = False

    async def run(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """See `Workers.run`. Raises WorkersLost for work whose process dies each time."""
        call, died = pickle.dumps((function, arguments)), _Death()
        for attempt in range(_TRIES):
            if attempt and self._tell is not None:
                self._tell(
                    f"a process that computes died ({died.how}); a new one takes its place and its work is begun anew"
                )
            reply = await asyncio.get_running_loop().run_in_executor(self._threads, self._carry_out, call)
            if isinstance(reply, _Death):
                died = reply
                continue
            if reply.error is not None:
                raise reply.error
            return reply.result
        raise WorkersLost(
            f"a process died at this work, {getattr(function, '__name__', 'a call')}: {died.how}",
            where="compute",
            value=f"{_TRIES} times",
            remedy=died.remedy,
        )

    def stop(self) -> None:
        """See `Workers.stop`."""
        with self._lock:
            self._stopped = True
            processes = tuple(self._all)
            self._all.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        for process in processes:
            process.close()

    def _carry_out(self, call: bytes) -> Reply | _Death:
        """The reply of a process, or how it died. Runs in a thread."""
        process = self._taken()
        try:
            reply = process.carry_out(call)
        except StoodStill as stood:
            process.kill()
            return self._without(process, _Death(still=str(stood)))
        except (EOFError, OSError):
            return self._without(process, _Death(process.died_of()))
        with self._lock:
            self._idle.append(process)
        return reply

    def _without(self, process: WorkerProcess, death: _Death) -> Reply | _Death:
        """After a process has died, or was given up."""
        with self._lock:
            self._all.discard(process)
        process.terminate()
        process.close()
        return Reply(error=_stopped()) if self._stopped else death

    def _taken(self) -> WorkerProcess:
        """A process that has nothing to do, or a new one."""
        with self._lock:
            if self._stopped:
                raise _stopped()
            if self._idle:
                return self._idle.pop()
            process = WorkerProcess(self._share, self._still_s)
            self._all.add(process)
            return process


def _stopped() -> WorkersLost:
    return WorkersLost("the workers were stopped", where="compute")
