"""A run over Channel Access that is told to end while something moves: the axis stops, the shutter closes, at once.

Ctrl-C is typed at a terminal, a closed terminal is closed, and the witness is a client beside the run (tests/storms).
"""

from __future__ import annotations

import os
import statistics
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.devices.benches import epics_map
from tests.ioc_process import running_ioc
from tests.storms.forked_cli import forked_cli
from tests.storms.signals import STATES, WAYS, Stop, Storm
from xrm_control.core.states import RunState

# Slow enough that a rotation of 45 degrees takes half a second.
SPEED = 4.0
# An axis is on its way in each.
FEW = [
    ("Ctrl-C", RunState.SCANNING),
    ("SIGTERM", RunState.HOMING),
    ("SIGHUP", RunState.ALIGNING),
    ("AbortScan", RunState.MOSAICKING),
    ("closed terminal", RunState.SCANNING),
    ("reader gone", RunState.SCANNING),
]
DOSE = 50
# Every n-th run of the full dose, from which on; 1 is all of them; with 2, 4 or 5 each state still comes.
STEP = int(os.environ.get("XRM_STORM_STEP", "1"))
FIRST = int(os.environ.get("XRM_STORM_FIRST", "0"))


@pytest.fixture(scope="module")
def storm() -> Iterator[Storm]:
    with running_ioc(speed=SPEED, specimen="nmc811") as ioc, forked_cli() as cli:
        one = Storm(ioc, cli, epics_map(ioc.prefix), SPEED)
        yield one
        one.close()


@pytest.mark.parametrize(("way", "state"), FEW)
def test_a_run_that_is_told_to_end_stops_at_once(storm: Storm, tmp_path: Path, way: str, state: str) -> None:
    found = storm.stop(tmp_path, way, state, 1)
    assert not found.wrong, f"{found}"
    assert found.moving, "nothing was on its way"


@pytest.mark.soak
@pytest.mark.parametrize("way", WAYS)
def test_fifty_of_each_in_all_states(storm: Storm, tmp_path: Path, way: str) -> None:
    stops: list[Stop] = []
    for number in range(FIRST, DOSE, STEP):
        folder = tmp_path / str(number)
        folder.mkdir()
        stops.append(storm.stop(folder, way, STATES[number % len(STATES)], number))
    wrong = [stop for stop in stops if stop.wrong]
    print(f"{way}: {len(stops)} runs, {sum(bool(stop.moving) for stop in stops)} with an axis on its way")
    print(f"  states {dict(Counter(stop.state for stop in stops))}")
    for name, times in (
        ("STOP seen by the server", [stop.stopped_s for stop in stops if stop.stopped_s is not None]),
        ("axis at rest", [stop.at_rest_s for stop in stops if stop.at_rest_s is not None]),
        ("shutter closed", [stop.closed_s for stop in stops if stop.closed_s is not None]),
        ("this machine late by", [stop.late_s for stop in stops]),
    ):
        if times:
            print(f"  {name}: median {statistics.median(times):.3f} s, worst {max(times):.3f} s of {len(times)}")
    assert not wrong, "\n".join(map(str, wrong))
