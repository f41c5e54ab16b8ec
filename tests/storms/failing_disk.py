"""Runs on a disk that fails: the shim `failing_disk.c` below a process that carries out one short run after the other.

`python -m tests.storms.failing_disk RECIPE` is that process, started with the shim loaded. It carries the run out once
itself, so that all is imported; then each line of JSON on its standard input is a run in a forked child, answered by a
line about how the run ended and what the instrument was doing when the program let go of it. The instrument lives in
the child's memory, out of the disk's reach. What takes most of a run's time and is done in memory alone is left out:
the specimen's shadows, growing slices, the search for particles and their measures are computed once for all that get
the same pictures, and figures stay white, though their files are written as ever.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.storms.remembered import compute_once
from xrm_control.core.events import FrameKept, FrameWithdrawn

SOURCE = Path(__file__).with_suffix(".c")
ROOT = Path(__file__).parents[2]
# 0 stands for a call that is never made: the process is killed before it.
ERRNOS = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC, "EROFS": errno.EROFS, "EDQUOT": errno.EDQUOT, "SIGKILL": 0}
# What lies where below the folder of the runs; the first part of each path is the run's own folder.
PARTS = {
    "journal": "*/journal.sqlite*",
    "log": "*/log.jsonl*",
    "frame": "*/frames/*",
    "volume": "*/roi-*",
    "report": "*/report.html*|*/results.json*",
    "disk": "*",
    # Of a queue with the item `short`: its own files, and none of the run's.
    "queue": "|".join(
        f"queue/{name}"
        for name in (
            *("queue.json*", ".lock", ".edit.lock", "morning.*", "items"),
            *(
                f"items/0001_short/{own}"
                for own in ("item.json*", ".lock", "answer.json", "output.log", "evidence.json*")
            ),
        )
    ),
}
HANGS_AFTER_S = 600.0


@dataclass(frozen=True)
class Fault:
    """The `at`-th call that changes a file of `part` fails with `error`: alone, or as the first of all that follow.

    at = 0: none does. fill_after: when so many frames are kept, something else fills the disk to its last byte, or
    `instead` is done to it, a command of the shell.
    """

    part: str
    error: str
    at: int
    once: bool = False
    fill_after: int = 0
    instead: str = ""

    def environment(self, under: Path) -> dict[str, str]:
        """As the shim takes it."""
        return {
            "FAIL_UNDER": str(under),
            "FAIL_PATHS": PARTS[self.part],
            "FAIL_KINDS": "",
            "FAIL_AT": str(self.at),
            "FAIL_ERRNO": str(ERRNOS[self.error]),
            "FAIL_ONCE": str(int(self.once)),
        }

    def __str__(self) -> str:
        return f"{self.part} {self.error} at call {self.at}{' alone' if self.once else ' and after'}"


@dataclass
class Ending:
    """How a run on a failing disk ended; `left` is what the instrument did when the program let go of it.

    broken: promises that the instrument's trace shows broken (tests/trace_invariants.py).
    """

    code: int
    error: str = ""
    traceback: str = ""
    calls: int = 0
    refused: int = 0
    first: str = ""
    hung: bool = False
    left: list[dict[str, Any]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)


def compile_shim(folder: Path) -> Path | None:
    """The shim as a library; None where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or not sys.platform.startswith("linux"):
        return None
    library = folder / "failing_disk.so"
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return library


class Server:
    """The process that carries the runs out; see the module's text."""

    def __init__(self, shim: Path, recipe: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.storms.failing_disk", str(recipe)],
            cwd=ROOT,
            env={**os.environ, "LD_PRELOAD": str(shim), "OMP_NUM_THREADS": "1", "FAIL_AT": "0", "MPLBACKEND": "Agg"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, fault: Fault, out: Path) -> Ending:
        """One run below `out`, which must not exist yet."""
        out.mkdir(parents=True)
        return self._ask(fault, out, resume=False)

    def resume(self, fault: Fault, out: Path) -> Ending:
        """Go on with the run below `out`."""
        return self._ask(fault, out, resume=True)

    def _ask(self, fault: Fault, out: Path, *, resume: bool) -> Ending:
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("no pipes")
        self._process.stdin.write(json.dumps({**asdict(fault), "out": str(out), "resume": resume}) + "\n")
        self._process.stdin.flush()
        return Ending(**json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        """End it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(30)
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def server(shim: Path, recipe: Path) -> Iterator[Server]:
    """A server for the length of a block."""
    one = Server(shim, recipe)
    try:
        yield one
    finally:
        one.close()


@contextmanager
def compiled(folder: Path, recipe: Path) -> Iterator[Server]:
    """A server with the shim made in `folder`; the test is skipped where there is no C compiler to make it."""
    shim = compile_shim(folder)
    if shim is None:
        pytest.skip("no C compiler: what fails, or kills, below the program is a library that is compiled here")
    with server(shim, recipe) as one:
        yield one


def _serve(recipe: Path) -> None:
    with tempfile.TemporaryDirectory() as known:
        _answer_all(recipe, Path(known))


def _answer_all(recipe: Path, known: Path) -> None:
    """Answer one order after the other, each by a child of its own, which finds what it needs already loaded."""
    from xrm_control import app

    loaded = app.load(recipe)
    specimen = loaded.recipe.instrument._microscope().specimen  # type: ignore[attr-defined]
    compute_once(specimen, known)
    with tempfile.TemporaryDirectory() as folder:
        _carry_out(loaded, specimen, Fault("disk", "EIO", 0), Path(folder), resume=False)
    # What is here already is not looked through and copied by each child.
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        out, resume = Path(order.pop("out")), order.pop("resume")
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            ending = _carry_out(loaded, specimen, Fault(**order), out, resume=resume)
            with os.fdopen(writing, "w") as pipe:
                pipe.write(json.dumps(asdict(ending)))
            os._exit(0)
        os.close(writing)
        watchdog = threading.Timer(HANGS_AFTER_S, os.kill, (child, signal.SIGKILL))
        watchdog.start()
        with os.fdopen(reading) as pipe:
            said = pipe.read()
        os.waitpid(child, 0)
        in_time = watchdog.is_alive()
        watchdog.cancel()
        print(said or json.dumps(asdict(Ending(-9, hung=not in_time))), flush=True)


def _carry_out(loaded: Any, specimen: Any, fault: Fault, out: Path, *, resume: bool) -> Ending:
    import ctypes
    import dataclasses
    import sqlite3
    import traceback

    from tests.trace_invariants import said_in, tolerances, violations
    from xrm_control import app
    from xrm_control.core.clock import Clock
    from xrm_control.core.errors import XrmError
    from xrm_control.core.events import AnyEvent
    from xrm_control.devices.simulated import SimulatedBackend, SimulatedInstrument

    ending = Ending(0)
    opened: list[Witnessed] = []

    class Witnessed(SimulatedInstrument):
        def now_s(self) -> float:
            return self._clock.now_s()

        def look(self, when: str) -> None:
            now_s = self.now_s()
            axes = {name: self.microscope.axis(name, now_s).moving for name in self.axes}
            ending.left.append({"when": when, "open": self.microscope.shutter(now_s).open, "moving": axes})

        async def disconnect(self) -> None:
            self.look("disconnect")
            await super().disconnect()

    def open_(self: SimulatedBackend, clock: Clock) -> SimulatedInstrument:
        microscope = self._microscope(clock.begun_s)
        # A pure function of the settings, made once for all runs.
        microscope.__dict__["specimen"] = specimen
        opened.append(Witnessed(microscope, clock))
        return opened[-1]

    def listen(event: AnyEvent) -> None:
        ending.kinds.append(event.kind)
        if event.kind == FrameKept.kind:
            ending.kept.append(event.text)
            if len(ending.kept) == fault.fill_after:
                if fault.instead:
                    subprocess.run(fault.instead, shell=True, check=True)
                else:
                    _fill(out)
        elif event.kind == FrameWithdrawn.kind:
            # Believed no more, and about to be taken again; its file stays.
            ending.kept.remove(event.text.partition(":")[0])

    # In this child alone, whatever recipe it reads.
    SimulatedBackend.open = open_
    library = ctypes.CDLL(None)
    library.failing_disk_first.restype = ctypes.c_char_p
    os.environ.update(fault.environment(out))
    library.failing_disk_arm()
    try:
        done = app.resume(next(out.iterdir()), None, listen) if resume else app.run(loaded, out, None, listen)
        ending.code = done.exit_code
    except XrmError as error:
        ending.code, ending.error = error.exit_code, str(error)
    except BaseException:  # noqa: BLE001  whatever reaches the user is what the test looks at
        ending.code, ending.traceback = 1, traceback.format_exc()
    ending.calls, ending.refused = library.failing_disk_seen(), library.failing_disk_refused()
    ending.first = (library.failing_disk_first() or b"").decode()
    for instrument in opened:
        instrument.look("end")
    os.environ["FAIL_AT"] = "0"
    library.failing_disk_arm()
    for folder in out.iterdir() if opened else ():
        # Without a journal the run has said nothing that the trace could be held against.
        with suppress(XrmError, sqlite3.DatabaseError):
            microscope = opened[-1].microscope
            trace, said = microscope.trace(opened[-1].now_s()), said_in(folder)
            if not _way_out_is_recorded(folder):
                # When frames were being taken is not on record then; what was kept and how it was exposed is.
                said = dataclasses.replace(said, taking=[(0.0, trace.ended_s)], holds=(), safe=False)
            ending.broken = violations(trace, said, tolerances(microscope))
    return ending


def _way_out_is_recorded(folder: Path) -> bool:
    from xrm_control.storage.journal import JournalReader

    with JournalReader.open(folder / "journal.sqlite") as journal:
        return any(record.kind.startswith("safe.") for _, record in journal.events(limit=100_000))


def _fill(folder: Path) -> None:
    """Write until the disk takes no byte more."""
    with open(folder.parent / "ballast", "wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096):
            pass


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
