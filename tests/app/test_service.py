"""A run as a service: a socket of this test is the manager that listens; systemd itself judges the unit."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.session.scripted import SMALL, Night
from tests.system.conftest import write_recipe
from xrm_control import app
from xrm_control.app.service import Manager, Progress, ServiceListener, left_behind, unit
from xrm_control.core.events import FrameMissing, RunAborted, RunFolderMade, RunHeld, StateEntered
from xrm_control.core.frame_id import FrameId
from xrm_control.core.states import RunState
from xrm_control.storage.journal import Journal

pytestmark = pytest.mark.usefixtures("white_figures")


class Listening:
    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        found: list[str] = []
        while True:
            try:
                found += self._socket.recv(65_536).decode().splitlines()
            except BlockingIOError:
                return found

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[tuple[Manager, Listening]]:
    address = str(tmp_path / "notify")
    listening = Listening(address)
    yield Manager(address, 0.15), listening
    listening.close()


ENVIRONMENTS: list[tuple[dict[str, str], Manager | None]] = [
    ({}, None),
    ({"NOTIFY_SOCKET": "nonsense"}, None),
    ({"NOTIFY_SOCKET": "/run/x"}, Manager("/run/x", None)),
    ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "2000000"}, Manager("@x", 2.0)),
    ({"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "7"}, Manager("/run/x", 2.0)),
    ({"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "8"}, Manager("/run/x", None)),
    ({"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "never"}, Manager("/run/x", None)),
]


@pytest.mark.parametrize(("environment", "found"), ENVIRONMENTS)
def test_who_listens(environment: dict[str, str], found: Manager | None) -> None:
    assert Manager.of(environment, 7) == found


def test_a_manager_that_is_not_there_changes_nothing(tmp_path: Path) -> None:
    Manager(str(tmp_path / "nobody"), None).tell("READY=1")


PROGRESS = [
    (RunState.SCANNING, 600, True),
    (RunState.SCANNING, 604, False),
    (RunState.HELD, 80_000, True),
    (RunState.PAUSED, 80_000, True),
    (RunState.FINISHING, 80_000, True),
    (RunState.CONNECTING, 700, False),
]


@pytest.mark.parametrize(("state", "quiet_s", "made"), PROGRESS)
def test_what_counts_as_progress(state: RunState, quiet_s: float, made: bool) -> None:
    now = [0.0]
    progress = Progress(lambda: now[0], longest_s=1.0)
    progress.hear(StateEntered(state))
    now[0] = quiet_s
    assert progress.is_made() == made
    progress.hear(FrameMissing(FrameId.flat("roi-01", 1), "x"))
    assert progress.is_made()


def test_it_is_kicked_while_the_loop_answers_and_not_while_it_hangs(manager: tuple[Manager, Listening]) -> None:
    telling, listening = manager

    async def session() -> tuple[list[str], list[str], list[str]]:
        listener = ServiceListener(telling, Progress(lambda: 0.0, 1.0))
        listener.hear(RunFolderMade("/runs/x"))
        listener.hear(StateEntered(RunState.SCANNING))
        listener.hear(RunHeld("beam lost\nat roi-01"))
        loop, answered = asyncio.get_running_loop(), threading.Event()
        for _ in range(20):
            await loop.run_in_executor(None, answered.wait, 0.05)
        alive = listening.heard()
        # The loop stands: nothing is kicked once its last answer is used up.
        answered.wait(0.3)
        listening.heard()
        answered.wait(0.6)
        hung = listening.heard()
        listener.close()
        await loop.run_in_executor(None, answered.wait, 0.3)
        listening.heard()
        await loop.run_in_executor(None, answered.wait, 0.3)
        return alive, hung, listening.heard()

    alive, hung, over = asyncio.run(session())
    assert alive[:4] == [
        "READY=1",
        "STATUS=/runs/x",
        "STATUS=scanning, 0 frames",
        "STATUS=scanning: beam lost at roi-01",
    ]
    assert "WATCHDOG=1" in alive
    assert "WATCHDOG=1" not in hung
    assert over == []


def test_a_whole_run_tells_how_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listening = Listening(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "300000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    heard: list[str] = []
    over = threading.Event()

    def listen() -> None:
        # A socket takes only so many datagrams before somebody reads them.
        while not over.wait(0.01):
            heard.extend(listening.heard())

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        night = Night(tmp_path)
    finally:
        over.set()
        thread.join()
        listening.close()
    assert heard[0] == "READY=1"
    assert str(night.folder) in heard[1]
    assert "STATUS=scanning, 12 frames" in heard
    assert "WATCHDOG=1" in heard
    assert heard.index("STATUS=done, 16 frames") > heard.index("STOPPING=1")

    # Who came to an end is not gone on with by itself; who died is, and only where the recipe is the same.
    sha256 = app.load(write_recipe(tmp_path, **SMALL)).recipe.sha256()
    assert left_behind(night.folder.parent, sha256) is None
    with Journal.open(night.folder / "journal.sqlite") as journal:
        journal.set_state(RunState.SCANNING, t_s=1e4, utc="2026-01-01T00:00:00+00:00")
    assert left_behind(night.folder.parent, sha256) == night.folder
    assert left_behind(night.folder.parent, "0" * 64) is None
    for name, goes_on in (("SIGTERM", True), ("abort by somebody", False), ("Ctrl-C", False)):
        with Journal.open(night.folder / "journal.sqlite") as journal:
            journal.set_state(RunState.ABORTED, t_s=2e4, utc="2026-01-01T00:00:00+00:00")
            journal.record_event(RunAborted.kind, f"ended by {name}", t_s=2e4)
        assert (left_behind(night.folder.parent, sha256) is not None) is goes_on
    assert left_behind(tmp_path / "nowhere", sha256) is None


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    recipe = tmp_path / "a night at 50 %" / "x.yaml"
    recipe.parent.mkdir()
    path = tmp_path / "xrm-night.service"
    path.write_text(unit(recipe, tmp_path / "runs", "night"))
    judged = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True, timeout=60,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
    )  # fmt: skip
    ours = [line for line in (judged.stdout + judged.stderr).splitlines() if path.name in line]
    assert ours == []
