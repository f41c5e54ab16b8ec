"""A night of several samples by the command line alone: real runs, killed in the second, and the morning page."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.app.queues import until
from tests.system.conftest import SHORT, write_recipe
from tests.system.test_failing_disk import SHORTEST
from xrm_control.app.queue import items, runner
from xrm_control.app.queue.items import Wanted
from xrm_control.contracts.morning import MORNING
from xrm_control.core.errors import DataError
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.queue_states import ItemState
from xrm_control.core.states import Verdict
from xrm_control.storage.journal import JournalReader
from xrm_control.storage.queue_folder import QueueFolder

ROOT = Path(__file__).parents[2]


def xrm(folder: Path, *arguments: str, **named: str) -> subprocess.Popen[str]:
    """The command, in a folder of the user's; `named`: variables of its environment."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **named}
    with (folder / "said.txt").open("a") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "xrm_control.cli", *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            text=True,
        )


@pytest.fixture
def ended(tmp_path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for one in started:
        if one.poll() is None:
            one.kill()
        one.wait()


def frames_of(queue: Path, number: int) -> int:
    """Frames that an item's run has kept so far."""
    with suppress(DataError, StopIteration):
        run = QueueFolder.open(queue).folder(number).run()
        if run is not None:
            with JournalReader.open(run / "journal.sqlite") as journal:
                return journal.accounting().kept
    return 0


def test_a_night_that_is_killed_in_its_second_item(tmp_path: Path, ended: list[subprocess.Popen[str]]) -> None:
    recipe = write_recipe(tmp_path, **SHORTEST)
    for number, name in enumerate(("one", "two", "three")):
        items.add(tmp_path / "queue", recipe, {}, Wanted(name=name, at_um=(0.0, 20.0 * number)))
    night = xrm(tmp_path, "queue", "run")
    ended.append(night)
    until(lambda: frames_of(tmp_path / "queue", 2) > 3, 900)
    night.send_signal(signal.SIGKILL)
    night.wait()
    os.kill(int((tmp_path / "queue" / "items" / "0002_two" / ".lock").read_text().split()[0]), signal.SIGKILL)
    until(lambda: QueueFolder.open(tmp_path / "queue").folder(2).holder() is None)

    again = xrm(tmp_path, "queue", "run")
    ended.append(again)
    assert again.wait(1200) == ExitCode.OK, (tmp_path / "said.txt").read_text()

    page = MORNING.read(tmp_path / "queue" / "morning.json")
    assert [item.state for item in page.items] == [ItemState.DONE] * 3
    assert [item.evidence and item.evidence.verdict for item in page.items] == [Verdict.COMPLETE] * 3
    assert [item.evidence and item.evidence.resumed for item in page.items] == [0, 1, 0]
    assert [len(list((tmp_path / "queue" / item.folder / "runs").iterdir())) for item in page.items] == [1, 1, 1]
    assert page.totals.frames.kept + page.totals.frames.retaken == page.totals.frames.planned == 3 * 37
    assert page.sittings[0].how == "its process died"
    html = (tmp_path / "queue" / "morning.html").read_text()
    assert "3 of 3 done" in html
    assert html.count("data:image/jpeg;base64,") == 6
    assert "Traceback" not in (tmp_path / "said.txt").read_text()


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.soak
def test_a_campaign_of_sixty_samples(tmp_path: Path) -> None:
    """72 h in virtual time, beam lost for more than an hour in each item: all is kept, memory and handles are flat."""
    queue, samples = tmp_path / "queue", 60
    lost = [{"kind": "beam_loss", "at_s": 20, "duration_s": 4200}, {"kind": "dropped_frame", "frames": [9]}]
    recipe = write_recipe(
        tmp_path, **{**SHORTEST, "instrument": {**SHORT["instrument"], "noise": False, "faults": lost}}
    )
    for number in range(samples):
        place = (0.0, 6.0 * (number - samples / 2))
        items.add(queue, recipe, {}, Wanted(name=f"sample-{number:02}", at_um=place, priority=number % 3))
    seen: list[tuple[int, int]] = []

    def tell(text: str) -> None:
        print(text)
        seen.append((resident_bytes(), len(os.listdir("/proc/self/fd"))))

    carried = runner.run(queue, None, tell)
    page = MORNING.read(queue / "morning.json")
    frames = page.totals.frames
    print(carried.how, page.totals)
    assert carried.exit_code == ExitCode.OK
    assert frames.kept + frames.retaken >= 0.99 * frames.planned
    assert page.totals.used_s > 70 * 3600
    early, late = seen[len(seen) // 4], seen[-1]
    assert late[0] - early[0] < 30_000_000
    assert late[1] <= early[1]
