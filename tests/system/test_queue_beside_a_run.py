"""A queue beside a plain run, on one instrument over Channel Access: it waits, says for whom, and goes on."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.queues import until
from tests.ca_relay import relay
from tests.ioc_process import IocProcess, environment_for, free_port
from tests.system.over_channel_access import FRAMES, SMALL, recipe_for
from tests.system.shared_ioc import get, wait_for
from tests.system.test_queue import ended, frames_of, xrm
from xrm_control.app.queue import items, runner
from xrm_control.app.queue.clock import QueueClock
from xrm_control.app.queue.items import Wanted
from xrm_control.core.queue_states import ItemState
from xrm_control.storage.journal import JournalReader
from xrm_control.storage.queue_folder import QueueFolder

__all__ = ["ended"]

HERE, ELSEWHERE = "in use on this machine by process", "the instrument is not this session's: controlled by"
# Longer than an item needs to begin.
PROJECTIONS = 49
FRAMES_OF_PLAIN = FRAMES - 9 + PROJECTIONS


class Impatient(QueueClock):
    """Between two tries its seconds are short."""

    def elapsed_s(self) -> float:
        return 30 * super().elapsed_s()


def kept(run: Path) -> list[str]:
    with JournalReader.open(run / "journal.sqlite") as journal:
        return [plan.frame_id for plan, _ in journal.stored_frames()]


@pytest.fixture
def elsewhere(fast: IocProcess) -> Iterator[dict[str, str]]:
    """What makes a machine another one: it sees the server behind a relay, and so has a lock of its own."""
    port = free_port()
    with relay(port, fast.port):
        yield environment_for(port)


@pytest.mark.parametrize(
    ("how", "where", "owner"),
    [
        pytest.param("it ends", "here", HERE, marks=pytest.mark.soak),
        ("it is killed", "here", HERE),
        ("it ends", "elsewhere", ELSEWHERE),
        pytest.param("it is killed", "elsewhere", ELSEWHERE, marks=pytest.mark.soak),
    ],
)
def test_the_queue_waits_for_a_run_that_has_the_instrument(
    tmp_path: Path,
    fast: IocProcess,
    ended: list[subprocess.Popen[str]],
    elsewhere: dict[str, str],
    how: str,
    where: str,
    owner: str,
) -> None:
    recipe = recipe_for(tmp_path, fast)
    queue = tmp_path / "queue"
    for name in ("one", "two"):
        items.add(queue, recipe, {}, Wanted(name=name))
    machine = elsewhere if where == "elsewhere" else {}
    there = tmp_path / "there"
    there.mkdir()
    longer = recipe_for(there, fast, scan={**SMALL["scan"], "projections": PROJECTIONS})
    plain = xrm(tmp_path, "run", str(longer), "--out", str(tmp_path / "runs"), **machine)
    ended.append(plain)
    until(lambda: get(fast, "Owner", as_string=True) != "", 300)
    told: list[str] = []

    def tell(text: str) -> None:
        told.append(text)
        if how == "it is killed" and "tried again" in text:
            plain.send_signal(signal.SIGKILL)

    runner.run(queue, tell=tell, clock=Impatient())
    assert plain.wait(600) == (-signal.SIGKILL if how == "it is killed" else 5), (tmp_path / "said.txt").read_text()
    assert any("held: " in text and owner in text for text in told), "\n".join(told)
    contents = QueueFolder.open(queue).read()
    assert [item.state for item in contents.items.values()] == [ItemState.INCOMPLETE, ItemState.INCOMPLETE], told
    assert [frames_of(queue, number) for number in (1, 2)] == [FRAMES, FRAMES]
    for number in (1, 2):
        runs = [path for path in QueueFolder.open(queue).folder(number).runs.iterdir() if path.is_dir()]
        assert len(runs) == 1
        names = kept(runs[0])
        assert len(names) == len(set(names)) == FRAMES
    (first,) = (tmp_path / "runs").iterdir()
    assert len(set(kept(first))) == len(kept(first))
    assert how == "it is killed" or len(kept(first)) == FRAMES_OF_PLAIN
    wait_for(fast, "Owner", "")
