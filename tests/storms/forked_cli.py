"""`xrm` in processes that start at once: `python -m tests.storms.forked_cli` imports the program, then forks.

With a seed it also makes the powder of the simulated microscope: together that is most of what a short run costs.
Figures stay white, though their files are written as ever.

An order is a line of JSON: arguments, environment, and where standard error goes: a file, a pipe whose reader is a file
that may be taken away (`fifo`), or a terminal of its own (`pty`, the slave's path). Answers: the process id; to
{"wait": pid} how it ended. The child is an ordinary process from its own `main` on to the interpreter's end.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.once import powders_once
from tests.storms.forked_items import fork_items
from tests.storms.remembered import compute_once, leave_figures_white
from xrm_control import app
from xrm_control.core.events import AnyEvent

ROOT = Path(__file__).parents[2]


class ForkedCli:
    """The process that forks them."""

    def __init__(self, seed: int | None, shim: Path | None = None, known: Path | None = None) -> None:
        more = [str(one) for one in (seed, known) if one is not None]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.storms.forked_cli", *more],
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
def forked_cli(seed: int | None = None, shim: Path | None = None, known: Path | None = None) -> Iterator[ForkedCli]:
    """One for the length of a block; `seed`: of the microscope whose powder it makes; `shim`: what lies below it (the
    disk that fails, see `failing_disk`, as each order's environment says); `known`: a folder with the recipe of a short
    run, `short.yaml`, whose shadows and measures are remembered there (`remembered`), and the items of queues are
    forked as well.
    """
    one = ForkedCli(seed, shim, known)
    try:
        yield one
    finally:
        one.close()


def _serve() -> None:
    import xrm_control.session.runner  # noqa: F401  imported by a run when it begins
    from simulators.powder import make_specimen
    from simulators.specimen import SpecimenConfig
    from xrm_control.cli.main import main

    leave_figures_white()
    powders_once()
    for seed in sys.argv[1:2]:
        make_specimen(SpecimenConfig(), int(seed))
    for known in sys.argv[2:3]:
        _remember(Path(known))
        fork_items(main, _begin)
    # What is here already is not looked through, copied and taken apart at the end of each child, which takes a second.
    gc.collect()
    gc.freeze()
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


def _remember(known: Path) -> None:
    """What a short run makes of its specimen is known from here on."""
    loaded = app.load(known / "short.yaml")
    compute_once(loaded.recipe.instrument._microscope().specimen, known)  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory() as folder:
        app.run(loaded, Path(folder), None)


def _become(order: dict[str, Any]) -> None:
    os.environ.update(order["environment"])
    sys.argv = ["xrm", *order["arguments"]]
    os.setsid()
    if order["terminal"]:
        # The first terminal that a session's leader opens is the session's.
        terminal = os.open(order["err"], os.O_RDWR)
        _speak(terminal, terminal, terminal)
    else:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        _speak(
            os.open(os.devnull, os.O_RDONLY), os.open(order["out"], flags, 0o644), os.open(order["err"], flags, 0o644)
        )
    with suppress(AttributeError):
        ctypes.CDLL(None).failing_disk_arm()


def _begin(out: int, err: int) -> None:
    """As a program of its own, with a session of its own."""
    os.setsid()
    _speak(os.open(os.devnull, os.O_RDONLY), out, err)
    with suppress(AttributeError):
        ctypes.CDLL(None).failing_disk_arm()


def _speak(in_: int, out: int, err: int) -> None:
    os.dup2(in_, 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    # As the interpreter makes them at its start, for what these files are now.
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", buffering=1 if os.isatty(1) else -1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)


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
