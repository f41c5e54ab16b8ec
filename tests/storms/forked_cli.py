"""`xrm` in processes that start at once: `python -m tests.storms.forked_cli` imports the program, then forks.

With a seed it also makes the powder of the simulated microscope: together that is most of what a short run costs.
Figures stay white, though their files are written as ever.

An order is a line of JSON: arguments, environment, and where standard error goes: a file, a pipe whose reader is a file
that may be taken away (`fifo`), or a terminal of its own (`pty`, the slave's path). Answers: the process id; to
{"wait": pid} how it ended. The child is an ordinary process from its own `main` on to the interpreter's end.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from xrm_control import app
from xrm_control.core.events import AnyEvent

ROOT = Path(__file__).parents[2]


class ForkedCli:
    """The process that forks them."""

    def __init__(self, seed: int | None, shim: Path | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.storms.forked_cli", *([] if seed is None else [str(seed)])],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "NO_COLOR": "1", "LD_PRELOAD": str(shim or "")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        out: Path,
        err: Path,
        *,
        terminal: bool = False,
        dies_at: tuple[str, str] | None = None,
    ) -> int:
        """`xrm ARGUMENTS` with its output in files (or named pipes); on a terminal, `err` is the terminal's path.

        dies_at: kind and text of the event with which a run kills itself.
        """
        order = {"arguments": list(arguments), "environment": dict(environment), "out": str(out), "err": str(err)}
        return int(self._ask({**order, "terminal": terminal, "dies_at": dies_at}))

    def wait(self, pid: int) -> int:
        """Its exit code, or minus the signal that killed it."""
        return int(self._ask({"wait": pid}))

    def close(self) -> None:
        """End it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(30)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _ask(self, order: dict[str, Any]) -> str:
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("no pipes")
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


@contextmanager
def forked_cli(seed: int | None = None, shim: Path | None = None) -> Iterator[ForkedCli]:
    """One for the length of a block; `seed`: of the microscope whose powder it makes; `shim`: what lies below it (the
    disk that fails, see `failing_disk`, as each order's environment says).
    """
    one = ForkedCli(seed, shim)
    try:
        yield one
    finally:
        one.close()


def _serve() -> None:
    from matplotlib.figure import Figure

    import xrm_control.session.runner  # noqa: F401  imported by a run when it begins
    from simulators.powder import make_specimen
    from simulators.specimen import SpecimenConfig
    from xrm_control.cli.main import main

    setattr(Figure, "draw", lambda *_: None)  # noqa: B010  other arguments than its own
    for seed in sys.argv[1:]:
        make_specimen(SpecimenConfig(), int(seed))
    while line := sys.stdin.readline():
        order = json.loads(line)
        if "wait" in order:
            print(os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1]), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            _become(order)
            if order["dies_at"]:
                _die_at(*order["dies_at"])
            main()
        print(pid, flush=True)


def _become(order: dict[str, Any]) -> None:
    os.environ.update(order["environment"])
    with suppress(AttributeError):
        ctypes.CDLL(None).failing_disk_arm()
    os.setsid()
    # The first terminal that a session's leader opens is the session's.
    err = os.open(order["err"], os.O_RDWR if order["terminal"] else os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    out = err if order["terminal"] else os.open(order["out"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(err if order["terminal"] else null, 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    # As the interpreter makes them at its start, for what these files are now.
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", buffering=1 if order["terminal"] else -1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    sys.argv = ["xrm", *order["arguments"]]


def _die_at(kind: str, text: str) -> None:
    """SIGKILL with this event, instead of telling it."""
    carry_out = app.run

    def listen(event: AnyEvent) -> None:
        if (event.kind, event.text) == (kind, text):
            os.kill(os.getpid(), signal.SIGKILL)

    def run(loaded: app.Loaded, out: Path, speed: str | None, _: object = None, *more: Any) -> app.Outcome:
        return carry_out(loaded, out, speed, listen, *more)

    app.run = run


if __name__ == "__main__":
    _serve()
