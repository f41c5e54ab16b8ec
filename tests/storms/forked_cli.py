"""`xrm` in processes that start at once: `python -m tests.storms.forked_cli` imports the program, then forks.

An order is a line of JSON: arguments, environment, and where standard error goes: a file, a pipe whose reader is a file
that may be taken away (`fifo`), or a terminal of its own (`pty`, the slave's path). Answers: the process id; to
{"wait": pid} how it ended. The child is an ordinary process from its own `main` on to the interpreter's end.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class ForkedCli:
    """The process that forks them."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.storms.forked_cli"],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "NO_COLOR": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], out: Path, err: Path, *, terminal: bool = False
    ) -> int:
        """`xrm ARGUMENTS` with its output in files (or named pipes); on a terminal, `err` is the terminal's path."""
        order = {"arguments": list(arguments), "environment": dict(environment), "out": str(out), "err": str(err)}
        return int(self._ask({**order, "terminal": terminal}))

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
def forked_cli() -> Iterator[ForkedCli]:
    """One for the length of a block."""
    one = ForkedCli()
    try:
        yield one
    finally:
        one.close()


def _serve() -> None:
    from xrm_control.cli.main import main

    while line := sys.stdin.readline():
        order = json.loads(line)
        if "wait" in order:
            print(os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1]), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            _become(order)
            main()
        print(pid, flush=True)


def _become(order: dict[str, Any]) -> None:
    os.environ.update(order["environment"])
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


if __name__ == "__main__":
    _serve()
