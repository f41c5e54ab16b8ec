"""IOCs that the tests of a file share, and somebody else at their controls."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import epics

from tests.ioc_process import IocProcess

# Slow enough that a thread hits the middle of a motion or an exposure.
SLOW, FAST = 4.0, 40.0


@contextmanager
def undone(ioc: IocProcess) -> Iterator[None]:
    """No fault before nor afterwards, nobody's instrument, and the motor record as it was."""
    put(ioc, "Sim:Clear", 1)
    before = {name: get(ioc, name) for name in ("Sample:Theta.HLM", "Sample:Theta.RTRY")}
    # Where the test before ended without a verified safe state, the dead-man frees the instrument.
    wait_for(ioc, "Owner", "", within_s=60)
    yield
    put(ioc, "Sim:Clear", 1)
    for name, value in before.items():
        put(ioc, name, value)


def get(ioc: IocProcess, name: str, *, as_string: bool = False) -> Any:
    """However busy the machine is."""
    epics.ca.use_initial_context()
    return epics.caget(ioc.prefix + name, use_monitor=False, as_string=as_string, timeout=120)


def put(ioc: IocProcess, name: str, value: Any) -> None:
    """Somebody else at the controls."""
    epics.ca.use_initial_context()
    assert epics.caput(ioc.prefix + name, value, wait=True, timeout=120) == 1


def wait_for(ioc: IocProcess, name: str, value: str, within_s: float = 60.0) -> None:
    found = epics.PV(ioc.prefix + name)
    for _ in range(int(within_s / 0.02)):
        if found.get(as_string=True, use_monitor=False, timeout=60) == value:
            return
        threading.Event().wait(0.02)
    raise AssertionError(f"{name} never became {value}")
