"""A run as a systemd service: readiness, status and a watchdog by a plain datagram, and the unit that restarts it.

The watchdog is kicked only while the run's event loop answers and the run really progresses. One that hangs is ended by
systemd, started again, and goes on where it stood.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from xrm_control.core.clock import stopwatch
from xrm_control.core.errors import DataError
from xrm_control.core.events import (
    AnyEvent,
    ConditionViolated,
    EventStream,
    FrameKept,
    RunFolderMade,
    RunHeld,
    StateEntered,
)
from xrm_control.core.states import ENDING, ENDS, WORKING, RunState
from xrm_control.processing.achieved import ended_by_the_machine
from xrm_control.storage.journal import JournalReader
from xrm_control.storage.run_folder import RunFolder
from xrm_control.storage.run_order import in_order

# Without an event for longer than this, and three exposures, a run that works does not progress.
_QUIET_S = 600.0


@dataclass(frozen=True)
class Manager:
    """The service manager that started this process. watchdog_s: it wants a sign of life that often; None: none."""

    address: str
    watchdog_s: float | None

    @classmethod
    def of(cls, environment: dict[str, str], process: int) -> Manager | None:
        """As the environment says; None where no manager listens to this process."""
        address = environment.get("NOTIFY_SOCKET", "")
        if address[:1] not in ("/", "@"):
            return None
        every = environment.get("WATCHDOG_USEC", "")
        ours = environment.get("WATCHDOG_PID", str(process)) == str(process)
        return cls(address, int(every) / 1e6 if every.isdecimal() and int(every) > 0 and ours else None)

    def tell(self, *lines: str) -> None:
        """Send lines such as ``READY=1``. A manager that does not listen changes nothing."""
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as one,
        ):
            one.setblocking(False)
            one.sendto("\n".join(lines).encode(), address)


class Progress:
    """Whether a run progresses, from its events. now_s: the wall clock; longest_s: its longest exposure."""

    def __init__(self, now_s: Callable[[], float], longest_s: float) -> None:
        self._now_s, self._allowed_s = now_s, _QUIET_S + 3 * longest_s
        self._heard_s = now_s()
        self._state = RunState.IDLE

    def hear(self, event: AnyEvent) -> None:
        """Whatever happens is progress."""
        self._heard_s = self._now_s()
        if isinstance(event, StateEntered):
            self._state = event.state

    def is_made(self) -> bool:
        """Whether it is; who waits for beam or people, or computes at the end, progresses while it can be asked."""
        return self._state not in WORKING or self._now_s() - self._heard_s <= self._allowed_s


class ServiceListener:
    """Tells a manager how a run is, and kicks its watchdog from a thread of its own."""

    def __init__(self, manager: Manager, progress: Progress) -> None:
        self._manager, self._progress = manager, progress
        self._loop = asyncio.get_running_loop()
        self._answered = threading.Event()
        self._over = threading.Event()
        self._state, self._frames = RunState.IDLE, 0
        self._answered.set()
        if manager.watchdog_s is not None:
            threading.Thread(target=self._kick, args=(manager.watchdog_s / 3,), name="watchdog", daemon=True).start()

    def hear(self, event: AnyEvent) -> None:
        """See `EventStream`."""
        self._progress.hear(event)
        match event:
            case RunFolderMade():
                self._manager.tell("READY=1", f"STATUS={event.path}")
            case StateEntered(state=state):
                self._state = state
                stopping = ("STOPPING=1",) if state in (*ENDING, *ENDS) and state is not RunState.FINISHING else ()
                self._manager.tell(*stopping, self._status())
            case FrameKept():
                self._frames += 1
                self._manager.tell(self._status())
            case RunHeld() | ConditionViolated():
                self._manager.tell(f"STATUS={self._state}: {_line(event.text)}")
            case _:
                pass

    def close(self) -> None:
        """Nothing is kicked any more."""
        self._over.set()

    def _status(self) -> str:
        return f"STATUS={self._state}, {self._frames} frames"

    def _kick(self, every_s: float) -> None:
        while not self._over.wait(every_s):
            if self._answered.is_set() and self._progress.is_made():
                self._manager.tell("WATCHDOG=1")
            self._answered.clear()
            # A loop that is closed already is asked nothing.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._answered.set)


def _line(text: str) -> str:
    return " ".join(text.split())[:200]


@contextlib.contextmanager
def told_to_manager(events: EventStream, longest_s: float) -> Iterator[None]:
    """While the block runs, the service manager, where there is one, hears of the run."""
    manager = Manager.of(dict(os.environ), os.getpid())
    if manager is None:
        yield
        return
    listener = ServiceListener(manager, Progress(stopwatch(), longest_s))
    events.subscribe(listener.hear, "the service manager")
    try:
        yield
    finally:
        listener.close()


def left_behind(out: Path, recipe_sha256: str) -> Path | None:
    """The newest run of a recipe in `out`, if it died or was ended by the machine.

    None if it came to another end, or somebody wanted it to end.
    """
    for path in reversed(in_order(one.parent for one in out.glob("*/journal.sqlite") if one.is_file())):
        try:
            with JournalReader.open(RunFolder.open(path).journal) as journal:
                ours, state = journal.run().recipe_sha256 == recipe_sha256, journal.state()
                wanted = state is not None and state.state is RunState.ABORTED and not ended_by_the_machine(journal)
        except DataError:
            # What cannot be read is not gone on with by itself.
            continue
        if ours:
            over = state is not None and state.state in (RunState.DONE, RunState.FAILED, RunState.PAUSED)
            return None if over or wanted else path
    return None


def unit(recipe: Path, out: Path, name: str) -> str:
    """A systemd unit that carries a recipe out, ends what hangs, and goes on with what died."""
    program = (
        f"{sys.executable} -m xrm_control.cli run {_quoted(recipe.resolve())} --out {_quoted(out.resolve())} --go-on"
    )
    return f"""# xrm_control: {name}. `systemctl start` begins the run, or goes on with one of this recipe that died.
# Not to be enabled: a machine that starts again goes on by `systemctl start`, when somebody has looked at it.
[Unit]
Description=xrm_control run of {name}
StartLimitIntervalSec=1h
StartLimitBurst=5

[Service]
Type=notify
NotifyAccess=main
ExecStart={program}
WorkingDirectory={str(recipe.resolve().parent).replace("%", "%%")}
# A run that hangs is told to stop, safe, and killed if it does not; then it is started again, and goes on. One that
# ends by itself, also with an error, is over.
WatchdogSec=5min
WatchdogSignal=SIGTERM
TimeoutAbortSec=60
TimeoutStartSec=10min
TimeoutStopSec=3min
Restart=on-abnormal
RestartSec=10
KillMode=mixed
"""


def _quoted(path: Path) -> str:
    text = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{text}"'
