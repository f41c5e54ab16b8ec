"""What a viewer is told: every line once and in order, whenever it comes and however often it goes."""

from __future__ import annotations

import asyncio
import http.client
import json
import random
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.dashboard.conftest import listening
from xrm_control.core.clock import Clock, utc_now
from xrm_control.core.states import Level, RunState
from xrm_control.dashboard.watching import Watch
from xrm_control.storage.journal import Journal
from xrm_control.storage.records import RunRecord
from xrm_control.storage.run_folder import RunFolder


@dataclass
class Heard:
    """One server-sent event."""

    name: str
    id: str
    data: str


def heard(address: str, run: str, after: int, last_event_id: str = "") -> Generator[Heard]:
    """The stream of a run, from line `after` on, until the caller has enough."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    connection.request("GET", f"/api/runs/{run}/stream?after={after}", headers=headers)
    answer = connection.getresponse()
    assert answer.status == 200
    fields: dict[str, str] = {}
    try:
        for raw in answer:
            line = raw.decode().rstrip("\r\n")
            if not line:
                if "data" in fields:
                    yield Heard(fields.get("event", ""), fields.get("id", ""), fields["data"])
                fields = {}
            elif not line.startswith(":"):
                name, _, text = line.partition(": ")
                fields[name] = text
    finally:
        answer.close()
        connection.close()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[tuple[RunFolder, Journal]]:
    """A run's folder whose journal the test writes."""
    folder = RunFolder(tmp_path / "runs" / "20260101T000000Z_night_0000")
    folder.path.mkdir(parents=True)
    record = RunRecord(folder.name, "night", "0" * 64, "simulated", True, "2026-01-01T00:00:00+00:00")
    with Journal.create(folder.journal, record) as journal:
        journal.set_state(RunState.CONNECTING, t_s=0.0)
        yield folder, journal


def write(journal: Journal, count: int) -> None:
    for number in range(count):
        journal.record_event("frame.retaken", f"line <b>{number}</b>", t_s=float(number), level=Level.WARNING, data={})


def test_a_viewer_that_goes_and_comes_misses_nothing_and_hears_nothing_twice(
    journal: tuple[RunFolder, Journal], tmp_path: Path
) -> None:
    folder, writer = journal
    draw, seen = random.Random(5), list[int]()
    with listening(tmp_path / "runs", tmp_path) as address:
        while len(seen) < 400:
            write(writer, draw.randint(1, 40))
            wanted = draw.randint(1, 60)
            stream = heard(address, folder.name, 0, str(seen[-1]) if seen else "")
            for event in stream:
                if event.name == "line":
                    assert json.loads(event.data)["id"] == int(event.id)
                    seen.append(int(event.id))
                    wanted -= 1
                if wanted == 0 or len(seen) >= writer.last_event_id():
                    break
            stream.close()
    assert seen == list(range(1, len(seen) + 1))


def test_what_is_new_comes_by_itself_and_what_is_not_does_not(
    journal: tuple[RunFolder, Journal], tmp_path: Path
) -> None:
    folder, writer = journal
    states: list[str] = []
    with listening(tmp_path / "runs", tmp_path) as address:
        for event in heard(address, folder.name, 0):
            if event.name == "run":
                states.append(json.loads(event.data)["state"])
                if states[-1] == "connecting":
                    writer.set_state(RunState.HOMING, t_s=1.0)
                elif states[-1] == "homing":
                    break
    assert states == ["connecting"] * (len(states) - 1) + ["homing"]


def test_a_server_that_was_killed_goes_on_where_it_was(journal: tuple[RunFolder, Journal], tmp_path: Path) -> None:
    folder, writer = journal
    seen: list[int] = []
    for _ in range(3):
        write(writer, 25)
        with listening(tmp_path / "runs", tmp_path) as address:
            stream = heard(address, folder.name, 0, str(seen[-1]) if seen else "")
            for event in stream:
                seen += [int(event.id)] if event.name == "line" else []
                if len(seen) == writer.last_event_id():
                    break
            stream.close()
    assert seen == list(range(1, 76))


def test_five_viewers_cost_one_look(journal: tuple[RunFolder, Journal], tmp_path: Path) -> None:
    folder, writer = journal
    write(writer, 5)
    with listening(tmp_path / "runs", tmp_path) as address:
        streams = [heard(address, folder.name, 0) for _ in range(5)]
        told = [next(event for event in stream if event.name == "run").data for stream in streams]
        for stream in streams:
            stream.close()
    assert len(set(told)) == 1


def test_whoever_dies_is_seen_though_no_row_tells_of_it(journal: tuple[RunFolder, Journal]) -> None:
    """A look that costs nothing finds it, long before the one that is made anyway."""
    folder, _ = journal

    async def looks() -> list[tuple[bool, int]]:
        seen = []
        with ThreadPoolExecutor(1) as disk:
            watch = Watch(folder, disk, Clock(utc_now()))
            with folder.lock():
                await watch._look(anyway=True)
                seen.append((json.loads(watch.parts["run"])["alive"], watch.version))
            await watch._look(anyway=False)
            seen.append((json.loads(watch.parts["run"])["alive"], watch.version))
        return seen

    assert asyncio.run(looks()) == [(True, 1), (False, 2)]


def test_a_folder_that_is_gone_is_told_at_once_and_so_is_its_return(
    journal: tuple[RunFolder, Journal], tmp_path: Path
) -> None:
    folder, _ = journal
    away = folder.path.with_name("moved")
    heard_of: list[str] = []
    with listening(tmp_path / "runs", tmp_path) as address:
        for event in heard(address, folder.name, 0):
            heard_of += [event.name] if event.name in ("run", "trouble") and event.name not in heard_of[-1:] else []
            if heard_of == ["run"] and folder.path.exists():
                folder.path.rename(away)
            elif event.name == "trouble":
                assert "no longer there" in json.loads(event.data)["what"]
                away.rename(folder.path)
            elif heard_of == ["run", "trouble", "run"]:
                break
    assert heard_of == ["run", "trouble", "run"]
