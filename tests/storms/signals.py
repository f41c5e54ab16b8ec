"""A run over Channel Access that is told to end while something moves, and when the instrument obeyed.

Witness is a plain client of the server. Stopping is the STOP field of each axis that moved, by the server's own stamp;
rest is its DMOV; closing is the shutter's command and its read-back. A motion that had ended by itself needs no STOP.
"""

from __future__ import annotations

import json
import os
import random
import select
import shutil
import signal
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import epics

from tests.ioc_process import IocProcess
from tests.storms.forked_cli import ForkedCli
from tests.storms.observer import Change, Latency, Observer
from tests.storms.starters import now_s
from tests.system.conftest import write_recipe
from xrm_control.core.events import RunInterrupted, SafeStateVerified, StateEntered
from xrm_control.core.states import RunState
from xrm_control.storage.journal import JournalReader

AXES = {"x": "X", "y": "Y", "z": "Z", "theta": "Theta"}
# In these an axis is on its way for most of the time.
MOVING = (RunState.HOMING, RunState.MOSAICKING, RunState.ALIGNING, RunState.REFERENCING, RunState.SCANNING)
TURNING = (RunState.ALIGNING, RunState.SCANNING)
STATES = (*MOVING, RunState.PICKING, RunState.CHECKING, RunState.FINISHING, RunState.HELD)
WAYS = ("Ctrl-C", "SIGTERM", "SIGHUP", "AbortScan", "closed terminal", "reader gone")
STOPS_WITHIN_S = 0.3
# How often the IOC looks at an axis that moves, and at its shutters.
_LOOKED_AT_S, _POSTED_EVERY_S = 0.1, 0.2
SLOW_UM_S = 300.0
# In um and degrees.
FAR = 1.0
_STARTS_WITHIN_S, _ENDS_WITHIN_S = 300.0, 600.0
# A busy machine is no fault of the program's.
_ANSWERS_WITHIN_S = 120.0
# The program, the server and the client that listens wake one after the other.
_WAKINGS = 3
RUN: dict[str, Any] = {
    "mosaic": {"columns": 2, "rows": 1, "flats": 1, "darks": 1},
    "scan": {"projections": 7, "references": {"kind": "both", "count": 1}, "darks": 1},
}


@dataclass
class Stop:
    """What was seen of one run that was told to end; times are seconds of the wall clock after that."""

    way: str
    state: str
    moving: list[str] = field(default_factory=list)
    stopped_s: float | None = None
    at_rest_s: float | None = None
    closed_s: float | None = None
    late_s: float = 0.0
    code: int = 0
    ended_in: str = ""
    wrong: list[str] = field(default_factory=list)
    said: str = ""


class Storm:
    """An IOC, a client beside it, and runs that are told to end."""

    def __init__(self, ioc: IocProcess, cli: ForkedCli, pv_map: Any, speed: float) -> None:
        self._ioc, self._cli, self._map, self._speed = ioc, cli, pv_map, speed
        names = [f"Sample:{axis}.{name}" for axis in AXES.values() for name in ("DMOV", "STOP", "VAL", "RBV")]
        self._observer = Observer(ioc.prefix, [*names, "Shutter:Fast", "Shutter:Fast_RBV", "Scan:ScanStatus", "Owner"])
        self._latency = Latency()

    def close(self) -> None:
        """End what watches."""
        self._latency.close()
        self._observer.close()

    def stop(self, folder: Path, way: str, state: str, seed: int) -> Stop:
        """One run below `folder`, told to end in `state` in this `way`."""
        found = Stop(way, state)
        self._prepare(state)
        instrument = {"backend": "epics", "map": self._map.model_dump(mode="json")}
        recipe = write_recipe(folder, **RUN, instrument=instrument)
        terminal = _Terminal(folder, way in ("Ctrl-C", "closed terminal"), fifo=way == "reader gone")
        self._observer.forget()
        pid = self._cli.start(
            ["run", str(recipe), "--out", str(folder / "runs")],
            self._ioc.environment,
            folder / "out.txt",
            terminal.path,
            terminal=terminal.is_terminal,
        )
        watchdog = threading.Timer(_STARTS_WITHIN_S + _ENDS_WITHIN_S, _kill, (pid,))
        watchdog.start()
        try:
            if not self._await(state):
                found.wrong.append(f"the run never came to {state}")
            threading.Event().wait(random.Random(seed).uniform(0.0, 0.05))
            self._tell(found, pid, terminal)
            found.code = self._cli.wait(pid)
        finally:
            watchdog.cancel()
            _kill(pid)
        found.said = terminal.said()
        self._look_back(found)
        self._look_into(found, folder / "runs")
        return found

    def _prepare(self, state: str) -> None:
        """No fault is on; x is slow enough to be met on its way, and homing has far to go."""
        self._put("Sim:Clear", 1)
        self._put("Sample:X.VELO", SLOW_UM_S)
        self._observer.wait_for(lambda now: not now.get("Owner"), 10.0)
        if state == RunState.HOMING:
            for axis, value in (("X", 500.0), ("Theta", -80.0)):
                self._put(f"Sample:{axis}", value)

    def _await(self, state: str) -> bool:
        if state == RunState.HELD:
            if not self._await(RunState.SCANNING):
                return False
            self._put("Sim:Fault", json.dumps({"kind": "beam_loss", "duration_s": 1000.0}))

        def reached(now: Mapping[str, Any]) -> bool:
            way = _on_the_way(now)
            return now.get("Scan:ScanStatus") == state and (
                state not in MOVING or ("theta" in way if state in TURNING else bool(way))
            )

        return self._observer.wait_for(reached, _STARTS_WITHIN_S)

    def _tell(self, found: Stop, pid: int, terminal: _Terminal) -> None:
        found.moving = _on_the_way(self._observer.latest)
        self._told_s, self._told_unix_s = now_s(), time.clock_gettime(time.CLOCK_REALTIME)
        with suppress(ProcessLookupError):
            if found.way == "Ctrl-C":
                terminal.type(b"\x03")
            elif found.way == "SIGTERM":
                os.kill(pid, signal.SIGTERM)
            elif found.way == "SIGHUP":
                os.kill(pid, signal.SIGHUP)
            elif found.way == "AbortScan":
                epics.caput(self._ioc.prefix + "Scan:AbortScan", 1, timeout=_ANSWERS_WITHIN_S)
            else:
                terminal.close()

    def _look_back(self, found: Stop) -> None:
        """What the client beside the run has heard since."""
        told_s = self._told_s
        found.late_s = self._latency.worst_s(told_s, told_s + 2.0)
        if found.way == "reader gone":
            return
        # A button is pressed at the server, which wakes once more to tell of it.
        limit_s = STOPS_WITHIN_S + (_WAKINGS + (found.way == "AbortScan")) * found.late_s
        for name in found.moving:
            about, pv = self._map.axes[name], f"Sample:{AXES[name]}"
            brake_s = (about.speed / about.acceleration + about.settle_s) / self._speed + _LOOKED_AT_S
            rest = self._after(self._observer.since(told_s, f"{pv}.DMOV"), 1)
            stop = self._after(self._observer.since(told_s, f"{pv}.STOP"), 1)
            if rest is None or rest > limit_s + brake_s:
                found.wrong.append(f"{name} stood {rest} s after, more than {limit_s:.3f} + {brake_s:.3f} s")
            if stop is None and (rest is None or rest > limit_s):
                found.wrong.append(f"the server saw no STOP of {name}")
            if stop is not None and stop > limit_s and rest is not None and rest > limit_s:
                found.wrong.append(f"the server saw STOP of {name} {stop:.3f} s after, more than {limit_s:.3f} s")
            found.stopped_s = max((t for t in (found.stopped_s, stop) if t is not None), default=None)
            found.at_rest_s = max((t for t in (found.at_rest_s, rest) if t is not None), default=None)
        for axis in AXES.values():
            again = [c for c in self._observer.since(told_s + limit_s + 1.0, f"Sample:{axis}.DMOV") if c.value == 0]
            if again:
                found.wrong.append(f"{axis} moved again {again[0].t - told_s:.3f} s after")
        was_open = [c for c in self._observer.changes if c.name == "Shutter:Fast_RBV" and c.t < told_s]
        if was_open and was_open[-1].value == 1:
            found.closed_s = self._after(self._observer.since(told_s, "Shutter:Fast_RBV"), 0)
            allowed_s = limit_s + self._map.shutter.travel_s / self._speed + _POSTED_EVERY_S
            if found.closed_s is None or found.closed_s > allowed_s:
                found.wrong.append(f"the shutter was closed {found.closed_s} s after, more than {allowed_s:.3f} s")
        if [c for c in self._observer.since(told_s + limit_s, "Shutter:Fast_RBV") if c.value == 1]:
            found.wrong.append("the shutter opened again")
        if epics.caget(self._ioc.prefix + "Shutter:Fast_RBV", use_monitor=False, timeout=_ANSWERS_WITHIN_S) != 0:
            found.wrong.append("the shutter is open at the end")

    def _look_into(self, found: Stop, runs: Path) -> None:
        """The run folder, exit code and what was said."""
        if "Traceback" in found.said:
            found.wrong.append("a traceback was printed")
        folders = list(runs.iterdir()) if runs.is_dir() else []
        if len(folders) != 1:
            found.wrong.append(f"{len(folders)} run folders")
            return
        (folder,) = folders
        with JournalReader.open(folder / "journal.sqlite") as journal:
            records = [record for _, record in journal.events(limit=100_000)]
            state = journal.state()
        found.ended_in = state.state if state is not None else "nothing"
        states = [record.text for record in records if record.kind == StateEntered.kind]
        told = [i for i, record in enumerate(records) if record.kind == RunInterrupted.kind]
        if told:
            found.state = [r.text for r in records[: told[0]] if r.kind == StateEntered.kind][-1]
        finished = found.ended_in == RunState.DONE and found.code in (0, 5)
        if found.way == "reader gone":
            if not finished:
                found.wrong.append(f"a reader that went away ended the run: exit {found.code}, {found.ended_in}")
        elif finished and states[-2:] == [RunState.FINISHING, RunState.DONE] and not told:
            found.state = "done already"
        elif found.code != 130 or found.ended_in != RunState.ABORTED:
            found.wrong.append(f"exit {found.code} in state {found.ended_in}")
        if not any(record.kind == SafeStateVerified.kind for record in records):
            found.wrong.append("the safe state was not verified")
        for name in ("results.json", "report.html"):
            if not (folder / name).is_file():
                found.wrong.append(f"no {name}")
        shutil.rmtree(folder)

    def _after(self, changes: list[Change], value: int) -> float | None:
        """Seconds from being told to the first such value, by the server's stamp."""
        return next((c.stamp - self._told_unix_s for c in changes if c.value == value), None)

    def _put(self, name: str, value: Any) -> None:
        assert epics.caput(self._ioc.prefix + name, value, wait=True, timeout=120) == 1


class _Terminal:
    """Where a run's standard error goes: a file, a pipe with a reader, or a terminal."""

    def __init__(self, folder: Path, is_terminal: bool, *, fifo: bool) -> None:
        self.is_terminal = is_terminal
        self.path = folder / "err.txt"
        self._said: list[bytes] = []
        self._thread: threading.Thread | None = None
        if not is_terminal and not fifo:
            return
        if is_terminal:
            # Its own end stays open until the run has it, or what is said before would be lost.
            self._mine, self._its = os.openpty()
            self.path = Path(os.ttyname(self._its))
        else:
            os.mkfifo(self.path)
            self._mine = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
            self._its = os.open(self.path, os.O_WRONLY)
        self._hear, self._wake = os.pipe()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def type(self, keys: bytes) -> None:
        """At the keyboard."""
        os.write(self._mine, keys)

    def close(self) -> None:
        """The window is closed, or the reader goes away; returns when that is done."""
        if self._thread is not None and self._thread.is_alive():
            os.write(self._wake, b"x")
            self._thread.join()

    def said(self) -> str:
        """What was written, as far as it was read."""
        if self._thread is None:
            return self.path.read_text(errors="replace")
        self.close()
        return b"".join(self._said).decode(errors="replace")

    def _read(self) -> None:
        # A file that is closed while another thread reads it stays open until that has read: one thread does both.
        with suppress(OSError):
            while self._hear not in select.select([self._mine, self._hear], [], [])[0]:
                self._said.append(os.read(self._mine, 65536))
        for one in (self._mine, self._its, self._hear, self._wake):
            os.close(one)


def _on_the_way(latest: Mapping[str, Any]) -> list[str]:
    """Axes that have somewhere to go; a move of zero, and a motion that only settles, count as none."""
    found = []
    for name, axis in AXES.items():
        done, target, position = (latest.get(f"Sample:{axis}.{field}") for field in ("DMOV", "VAL", "RBV"))
        if done == 0 and target is not None and position is not None and abs(target - position) > FAR:
            found.append(name)
    return found


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
