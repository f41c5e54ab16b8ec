"""Connections that break, pages that are reloaded, servers that are killed, at random beside a real run, while somebody
sends commands and repeats them until they are answered. The journal and the run's files are the judges.

`make soak` does it 200 times; XRM_DISCONNECTS for another number.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.session.scripted import SMALL
from tests.system.conftest import SHORT, write_recipe
from xrm_control import app
from xrm_control.core.clock import stopwatch
from xrm_control.core.errors import XrmError
from xrm_control.core.exit_code import ExitCode
from xrm_control.dashboard.access import CLIENT_HEADER
from xrm_control.storage.journal_reader import JournalReader

DISCONNECTS = int(os.environ.get("XRM_DISCONNECTS", "200"))
PROGRAM = [sys.executable, "-m", "xrm_control.cli"]
BLOBS = {"instrument": {**SHORT["instrument"], "rendering": False}}
TROUBLES = ("drop", "drop", "reload", "reload", "kill")
WISHES: list[tuple[str, dict[str, Any]]] = [
    ("pause", {}), ("continue", {}), ("continue", {}), ("skip", {"roi": "roi-77"}), ("order", {"rois": ["roi-01"]}),
]  # fmt: skip
_PATIENCE_S = 120.0


def quiet(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """A process that says nothing."""
    nowhere = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere)


def until(true: Callable[[], object]) -> None:
    """Raises TimeoutError."""
    waited_s = stopwatch()
    while not true():
        if waited_s() > _PATIENCE_S:
            raise TimeoutError(true)
        threading.Event().wait(0.01)


@dataclass
class Server:
    """`xrm serve` in a process of its own, on a port that stays the same."""

    root: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """And wait until it listens."""
        command = [*PROGRAM, "serve", str(self.root), "--port", str(self.port), "--queue", str(self.root / "no-queue")]
        self.process = quiet(command)
        until(self.listens)

    def kill(self) -> None:
        """Without warning."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def listens(self) -> bool:
        """Whether somebody takes connections."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False


@dataclass
class Tab:
    """A page's stream, in a thread: from the last line that it has seen, again and again."""

    port: int
    run: str
    seen: list[int] = field(default_factory=list[int])
    view: dict[str, Any] = field(default_factory=dict[str, Any])
    opened: int = 0
    closed: bool = False
    _socket: socket.socket | None = None

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self._loop)
        thread.start()
        return thread

    def drop(self) -> None:
        """The connection breaks."""
        if (line := self._socket) is not None:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def reload(self) -> None:
        """All that was seen is forgotten."""
        self.seen = []
        self.drop()

    def _loop(self) -> None:
        while not self.closed:
            with suppress(OSError, http.client.HTTPException):
                self._read()
            threading.Event().wait(0.05)

    def _read(self) -> None:
        seen = self.seen
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            headers = {"Last-Event-ID": str(seen[-1])} if seen else {}
            connection.request("GET", f"/api/runs/{self.run}/stream", headers=headers)
            self._socket = connection.sock
            with connection.getresponse() as answer:
                self.opened += 1
                event = ""
                for raw in answer:
                    name, _, text = raw.decode().rstrip("\r\n").partition(": ")
                    if self.closed or seen is not self.seen:
                        return
                    if name == "event":
                        event = text
                    elif name == "id":
                        seen.append(int(text))
                    elif name == "data" and event == "run":
                        self.view = {**json.loads(text), "connection": self.opened}


@dataclass
class Sender:
    """Somebody who wants things, and asks again under the same name until there is an answer."""

    port: int
    run: str
    answers: dict[str, tuple[str, int]] = field(default_factory=dict[str, tuple[str, int]])
    asked: int = 0

    def send(self, number: int, kind: str, **more: Any) -> None:
        request = f"storm-{number:05d}"
        body = json.dumps({"command": {"kind": kind, **more}, "request": request})
        headers = {CLIENT_HEADER: "storm", "Content-Type": "application/json"}
        waited_s = stopwatch()
        while waited_s() < _PATIENCE_S:
            self.asked += 1
            with (
                suppress(OSError, http.client.HTTPException),
                closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection,
            ):
                connection.request("POST", f"/api/runs/{self.run}/commands", body, headers)
                status = connection.getresponse().status
                if status != 504:
                    self.answers[request] = kind, status
                    return
            threading.Event().wait(0.05)


@contextmanager
def living(folder: Path) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """A run of more frames than anybody waits for."""
    scan = {**SMALL["scan"], "projections": 3000}
    recipe, root = write_recipe(folder, **{**SMALL, **BLOBS, "scan": scan}), folder / "runs"
    process = quiet([*PROGRAM, "run", str(recipe), "--out", str(root), "--speed", "4"])
    try:
        until(lambda: list(root.glob("*/journal.sqlite")))
        (journal,) = root.glob("*/journal.sqlite")
        until(lambda: begun(journal.parent))
        yield journal.parent, process
    finally:
        process.kill()
        process.wait()


def begun(run: Path) -> bool:
    """Whether a frame is kept."""
    with suppress(XrmError):
        return app.status(run).total.kept > 0
    return False


def last_line(run: Path) -> int:
    with JournalReader.open(run / "journal.sqlite") as journal:
        return journal.last_event_id()


@pytest.mark.parametrize("count", [len(TROUBLES), pytest.param(DISCONNECTS, marks=pytest.mark.soak)])
def test_nothing_is_lost_and_nothing_done_twice(tmp_path: Path, count: int) -> None:
    chance, right_again_s = random.Random(count), list[float]()
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    with living(tmp_path) as (run, process):
        server = Server(run.parent, port)
        server.start()
        tab, sender = Tab(port, run.name), Sender(port, run.name)
        thread, met = tab.start(), Counter[str]()
        try:
            until(lambda: tab.view)
            for number in range(count):
                trouble = TROUBLES[number % len(TROUBLES)] if number < len(TROUBLES) else chance.choice(TROUBLES)
                met[trouble] += 1
                wanted = chance.choice(WISHES)
                sending = threading.Thread(target=sender.send, args=(number, wanted[0]), kwargs=wanted[1])
                sending.start()
                threading.Event().wait(chance.uniform(0, 0.3))
                before = tab.opened
                if trouble == "kill":
                    server.kill()
                    server.start()
                since_s = stopwatch()
                tab.reload() if trouble == "reload" else tab.drop()
                newest = last_line(run)

                def right(before: int = before, newest: int = newest) -> bool:
                    return bool(tab.view["connection"] > before and tab.seen and tab.seen[-1] >= newest)

                until(right)
                right_again_s.append(since_s())
                # Each line once and in order, on every connection.
                seen = list(tab.seen)
                assert seen == list(range(1, len(seen) + 1))
                sending.join()
            sender.send(count, "stop")
            process.wait(_PATIENCE_S)
        finally:
            tab.closed = True
            tab.drop()
            thread.join()
            server.kill()
    assert len(sender.answers) == count + 1, "somebody was never answered"
    judge(run, sender)
    right_again_s.sort()
    print(
        f"\n{dict(met)}; right again after {statistics.median(right_again_s):.2f} s (median), "
        f"{right_again_s[int(0.95 * len(right_again_s))]:.2f} s (95 %), {right_again_s[-1]:.2f} s (most); "
        f"{len(sender.answers)} commands asked for {sender.asked} times"
    )


def judge(run: Path, sender: Sender) -> None:
    """What the journal and the files say."""
    with JournalReader.open(run / "journal.sqlite") as journal:
        told = Counter(
            event.data["letter"].partition("-")[2]
            for kind in ("command.taken", "command.refused")
            for event in journal.events_of(kind)
        )
        frames = [frame for _, frame in journal.stored_frames()]
        numbers = [number for number, _ in journal.events(0, 10**6)]
    assert numbers == list(range(1, len(numbers) + 1))
    # Whatever was asked for has come to the run once, however often it was asked for.
    assert told == Counter(dict.fromkeys(sender.answers, 1))
    letters = [path.name.split("-", 1)[1] for path in (run / "commands").rglob("*.json") if ".reply" not in path.name]
    assert sorted(letters) == sorted(f"{request}.json" for request in sender.answers)
    assert frames
    # Stopped in order: nothing altered, nothing missing, no death.
    assert app.verify(run, None).exit_code is ExitCode.PARTLY
