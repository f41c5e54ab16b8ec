"""One owner on this machine: the kernel says who, and frees what a dead process held."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys

import pytest

from xrm_control.core.errors import InstrumentLocked
from xrm_control.devices.machine_lock import MachineLock

HOLD = """
import sys, threading
from xrm_control.devices.machine_lock import MachineLock
lock = MachineLock()
lock.take(sys.argv[1:])
print("held", flush=True)
threading.Event().wait()
"""


@pytest.fixture
def names() -> list[str]:
    return [f"5064/T{secrets.token_hex(4)}:{part}" for part in ("X", "Y", "Shutter")]


def holder(names: list[str]) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, *names], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
def test_what_another_process_holds_is_refused_until_it_dies(names: list[str], ending: signal.Signals) -> None:
    lock = MachineLock()
    with holder(names) as process:
        with pytest.raises(InstrumentLocked, match=f"by process {process.pid}"):
            lock.take(names)
        process.send_signal(ending)
        process.wait()
    lock.take(names)
    assert lock.held
    lock.release()


def test_a_stopped_process_still_holds(names: list[str]) -> None:
    """Continued, it would go on where it was."""
    with holder(names) as process:
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(InstrumentLocked):
            MachineLock().take(names)
        process.kill()


def test_two_sessions_of_one_process_are_two(names: list[str]) -> None:
    first, second = MachineLock(), MachineLock()
    first.take(names)
    with pytest.raises(InstrumentLocked, match=f"by process {os.getpid()}"):
        second.take(names[:1])
    assert not second.held
    first.release()
    second.take(names)
    second.release()


def test_of_instruments_that_share_a_part_only_one_is_had_and_the_other_leaves_nothing_behind(names: list[str]) -> None:
    first, second, third = MachineLock(), MachineLock(), MachineLock()
    first.take(names[2:])
    with pytest.raises(InstrumentLocked):
        second.take(names)
    third.take(names[:2])
    first.release()
    third.release()


def test_a_child_process_does_not_inherit_it(names: list[str]) -> None:
    lock = MachineLock()
    lock.take(names)
    with subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()"]) as child:
        lock.release()
        lock.take(names)
        lock.release()
        child.kill()
