"""Foreign programs: they end in time, with all that they have started, whatever becomes of the one who started them."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from xrm_control.core.clock import pause, stopwatch
from xrm_control.core.errors import AnalysisError
from xrm_control.processing.command import run_command

# A child, a grandchild in a session of its own, and one that was orphaned by its parent; none hears SIGTERM.
FAMILY = """
import os, pathlib, signal, sys, time
place = pathlib.Path(sys.argv[1])
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def stay(name):
    (place / name).write_text(str(os.getpid()))
    time.sleep(600)
if os.fork() == 0:
    os.setsid()
    stay("own-session")
if os.fork() == 0:
    if os.fork() == 0:
        os.setsid()
        stay("orphan")
    os._exit(0)
(place / "main").write_text(str(os.getpid()))
"""
STAYS = FAMILY + "time.sleep(600)\n"
LEAVES = FAMILY + "while len(list(place.iterdir())) < 3: time.sleep(0.05)\n"
NAMES = ("main", "own-session", "orphan")


def never() -> bool:
    return False


def run(*command: str, timeout_s: float = 60.0, stopped: Callable[[], bool] = never) -> None:
    run_command(command, name="the command", where="here", timeout_s=timeout_s, stopped=stopped)


def python(program: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", program, *arguments)


def family(place: Path, patience: float = 60) -> list[int]:
    """The processes that `FAMILY` has told of, when all of them have."""
    patience_s = stopwatch()
    while not all((place / name).is_file() and (place / name).read_text() for name in NAMES):
        assert patience_s() < patience, sorted(place.iterdir())
        pause(0.05)
    return [int((place / name).read_text()) for name in NAMES]


def alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def gone(processes: list[int]) -> bool:
    """Whether all have gone within what a busy machine needs."""
    patience_s = stopwatch()
    while any(map(alive, processes)):
        if patience_s() > 60:
            return False
        pause(0.05)
    return True


FAILURES = [
    ("import sys; print('progress'); sys.exit('no licence')", r"the command failed: no licence \(value exit code 1\)"),
    ("print('only this'); raise SystemExit(3)", r"failed: only this \(value exit code 3\)"),
    ("raise SystemExit(4)", r"failed: it said nothing \(value exit code 4\)"),
    ("import os; os.kill(os.getpid(), 9)", r"failed.*killed by signal 9"),
    ("import os; os.kill(os.getppid(), 9); import time; time.sleep(600)", r"failed.*it was killed"),
    (r"import sys; sys.exit('\x1b[2J[/x] \x07bell')", "failed: \ufffd\\[2J\\[/x\\] \ufffdbell"),
]


@pytest.mark.parametrize(("program", "said"), FAILURES)
def test_a_failure_is_told_in_its_own_words(program: str, said: str) -> None:
    with pytest.raises(AnalysisError, match=said) as told:
        run(*python(program))
    assert told.value.where == "here"


@pytest.mark.parametrize("command", ["/no/such/program", "/etc/passwd", "/tmp"])
def test_a_command_that_cannot_be_started(command: str) -> None:
    with pytest.raises(AnalysisError, match=r"the command cannot be started: .* \(value " + command):
        run(command)


def test_it_reads_nothing_and_success_says_nothing() -> None:
    run(*python("import sys; sys.exit(1 if sys.stdin.read() else 0)"))


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_command_that_talks_for_ever_fills_nothing(stream: str) -> None:
    """It is heard, so it is not stalled; only its last words are kept."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    talks = f"import sys\nfor n in range(3000): sys.{stream}.write('x' * 65536)\nsys.exit('the end')"
    with pytest.raises(AnalysisError, match="the end") as told:
        run(*python(talks))
    assert len(str(told.value)) < 1000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB; 200 MB were said
    with pytest.raises(AnalysisError, match="took too long"):
        run(*python(f"import sys\nwhile True: sys.{stream}.write('x' * 65536)"), timeout_s=2)


def test_what_takes_too_long_is_ended_with_all_that_it_has_started(tmp_path: Path) -> None:
    processes: list[int] = []
    seen = threading.Event()

    def look() -> bool:
        if not seen.is_set():
            processes.extend(family(tmp_path))
            seen.set()
        return False

    with pytest.raises(AnalysisError, match=r"was ended, it took too long \(limit 3 s .*handoff\.timeout_s"):
        run(*python(STAYS, str(tmp_path)), timeout_s=3, stopped=look)
    assert len(processes) == 3
    assert gone(processes)


def test_what_a_command_leaves_behind_is_ended_when_it_ends(tmp_path: Path) -> None:
    run(*python(LEAVES, str(tmp_path)))
    assert not any(map(alive, family(tmp_path)))


def test_a_run_that_is_stopped_takes_the_command_with_it(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match="was ended, with the run"):
        run(*python(STAYS, str(tmp_path)), stopped=lambda: bool(family(tmp_path)))
    assert not any(map(alive, family(tmp_path)))


# Signals as in a terminal: tests that run in the background are started with some of them ignored, and so are theirs.
HOST = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from xrm_control.processing.command import run_command
run_command(sys.argv[1:], name="it", where="here", timeout_s=600, stopped=lambda: False)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_command_dies_with_the_process_that_started_it(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen(python(HOST, *python(STAYS, str(tmp_path))), stderr=subprocess.DEVNULL) as host:
        processes = family(tmp_path)
        assert all(map(alive, processes))
        host.send_signal(number)
    assert gone(processes)


def test_when_the_guard_is_killed_the_command_is_too(tmp_path: Path) -> None:
    """The kernel sees to the command itself; what it had sent away into sessions of their own is out of reach then."""
    with subprocess.Popen(python(HOST, *python(STAYS, str(tmp_path))), stderr=subprocess.DEVNULL) as host:
        main, *others = family(tmp_path)
        os.kill(int(Path(f"/proc/{main}/stat").read_text().rpartition(")")[2].split()[1]), signal.SIGKILL)
        assert gone([main])
        assert host.wait(600) == 1
    for process in others:
        os.kill(process, signal.SIGKILL)
