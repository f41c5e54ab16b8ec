"""Several sessions want one instrument: never two have it, and nobody's death locks it for the others.

Judges: the sessions' own records on the machine's clock (tests/storms/starters.py says what holding means), and the
server, which tells by whose targets it was commanded in turn.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import epics
import pytest

from tests.ca_relay import relay
from tests.devices.benches import epics_map
from tests.ioc_process import ROOT, environment_for, free_port, running_ioc
from tests.storms import dumb_ioc
from tests.storms.observer import share_context
from tests.storms.races import KINDS, Race, Verdict, commanded_out_of_turn
from tests.storms.starters import Zygote, zygote

SPEED = 20.0
MACHINES = 3
# Every n-th race of the full dose, from which on; 1 is all of them; with 5 or 7 each kind still comes.
STEP = int(os.environ.get("XRM_STORM_STEP", "1"))
FIRST = int(os.environ.get("XRM_STORM_FIRST", "0"))


@dataclass
class Track:
    """Where races are run: an IOC, and how each machine reaches it."""

    zygote: Zygote
    map: Any
    machines: list[dict[str, str]]
    speed: float
    claim_only: bool
    targets: list[float]
    held: str = ""  # the PV that holds the axis: a session of the race before may have had to set it

    def race(self, folder: Path, kind: str, seed: int, *, machines: int = MACHINES) -> Verdict:
        self.targets.clear()
        if self.held:
            assert epics.caput(self.held, "Go", wait=True, timeout=60) == 1
        race = Race(
            self.zygote,
            self.map.model_dump(mode="json"),
            self.machines[:machines],
            folder,
            self.speed,
            claim_only=self.claim_only,
        )
        verdict = race.run(kind, seed)
        claims = {one.name: len(one.said("claimed")) for one in verdict.histories}
        verdict.wrong += commanded_out_of_turn(list(self.targets), claims)
        return verdict


@contextmanager
def _listening(pv: str) -> Iterator[list[float]]:
    """Every value that a plain client of the server hears of."""
    found: list[float] = []
    share_context()
    channel = epics.PV(pv, auto_monitor=True, callback=lambda value=0.0, **_: found.append(float(value)))
    assert channel.wait_for_connection(60)
    try:
        yield found
    finally:
        channel.disconnect()


@pytest.fixture(scope="module")
def caproto() -> Iterator[Track]:
    """The simulated IOC, which refuses a second owner by itself; machines beyond the first reach it through relays.

    The lock of one machine goes by the server's port as it is seen from there, so a relay makes another machine.
    """
    with ExitStack() as stack:
        ioc = stack.enter_context(running_ioc(speed=SPEED))
        ports = [free_port() for _ in range(MACHINES - 1)]
        for port in ports:
            stack.enter_context(relay(port, ioc.port))
        machines = [environment_for(port) for port in (ioc.port, *ports)]
        targets = stack.enter_context(_listening(f"{ioc.prefix}Sample:X.VAL"))
        held = f"{ioc.prefix}Sample:X.SPMG"
        yield Track(stack.enter_context(zygote()), epics_map(ioc.prefix), machines, SPEED, False, targets, held)


@pytest.fixture(scope="module")
def softioc() -> Iterator[Track]:
    """The real server with PVs that decide nothing, and every session as on a machine of its own."""
    pytest.importorskip("softioc")
    with ExitStack() as stack:
        # Its port is one of those that this process looks at.
        with running_ioc(speed=SPEED) as ioc:
            port, prefix = ioc.port, f"{ioc.prefix[:-1]}D:"
        environment = environment_for(port)
        process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "tests.storms.dumb_ioc", prefix],
                cwd=ROOT,
                env={**environment, "EPICS_CAS_INTF_ADDR_LIST": "127.0.0.1", "EPICS_CAS_SERVER_PORT": str(port)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        stack.callback(process.kill)
        assert process.stdout is not None
        while "ready" not in (line := process.stdout.readline()):
            assert line, "the softioc ended"
        targets = stack.enter_context(_listening(f"{prefix}Target"))
        pv_map = dumb_ioc.pv_map(prefix, epics_map(prefix))
        yield Track(stack.enter_context(zygote()), pv_map, [environment], 1.0, True, targets)


def judged(verdict: Verdict) -> None:
    assert not verdict.wrong, f"{verdict.kind}: {verdict.wrong}\n{verdict.told()}"


@pytest.mark.parametrize("kind", ["plain", "threads", "kill holder", "stop holder"])
def test_one_owner_on_one_machine(caproto: Track, tmp_path: Path, kind: str) -> None:
    judged(caproto.race(tmp_path, kind, 1, machines=1))


@pytest.mark.parametrize("kind", KINDS)
def test_one_owner_among_machines(caproto: Track, tmp_path: Path, kind: str) -> None:
    judged(caproto.race(tmp_path, kind, 2))


@pytest.mark.parametrize("kind", ["plain", "stop claimant"])
def test_one_owner_on_a_server_that_decides_nothing(softioc: Track, tmp_path: Path, kind: str) -> None:
    judged(softioc.race(tmp_path, kind, 3))


@pytest.mark.soak
@pytest.mark.parametrize(("track", "races"), [("caproto", 200), ("softioc", 100)])
def test_three_hundred_races(request: pytest.FixtureRequest, tmp_path: Path, track: str, races: int) -> None:
    place: Track = request.getfixturevalue(track)
    wrong, owners, two = [], 0, 0
    numbers = range(FIRST, races, STEP)
    for number in numbers:
        folder = tmp_path / str(number)
        folder.mkdir()
        kind = KINDS[number % len(KINDS)]
        verdict = place.race(folder, kind, 1000 + number, machines=1 if number % 4 == 0 else MACHINES)
        owners += verdict.owners
        two += any("both held" in text or "in turn" in text for text in verdict.wrong)
        wrong += [f"race {number}, {kind}: {verdict.wrong}\n{verdict.told()}"] if verdict.wrong else []
    print(f"{track}: {len(numbers)} races, {owners} owners, {two} with two owners at once, {len(wrong)} wrong")
    assert not wrong, "\n\n".join(wrong)
