"""A queue beside a plain run, on one instrument over Channel Access: it waits, says for whom, and goes on."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.app.queues import until
from tests.ioc_process import IocProcess
from tests.system.over_channel_access import FRAMES, recipe_for
from tests.system.shared_ioc import get, wait_for
from tests.system.test_queue import ended, frames_of, xrm
from xrm_control.app.queue import items, runner
from xrm_control.app.queue.clock import QueueClock
from xrm_control.app.queue.items import Wanted
from xrm_control.core.queue_states import ItemState
from xrm_control.storage.journal import JournalReader
from xrm_control.storage.queue_folder import QueueFolder

__all__ = ["ended"]


class Impatient(QueueClock):
    """Between two tries its seconds are short."""

    def elapsed_s(self) -> float:
        return 30 * super().elapsed_s()


def kept(run: Path) -> list[str]:
    with JournalReader.open(run / "journal.sqlite") as journal:
        return [plan.frame_id for plan, _ in journal.stored_frames()]


@pytest.mark.parametrize("how", ["it ends", "it is killed"])
def test_the_queue_waits_for_a_run_that_has_the_instrument(
    tmp_path: Path, fast: IocProcess, ended: list[subprocess.Popen[str]], how: str
) -> None:
    recipe = recipe_for(tmp_path, fast)
    queue = tmp_path / "queue"
    for name in ("one", "two"):
        items.add(queue, recipe, {}, Wanted(name=name))
    plain = xrm(tmp_path, "run", str(recipe), "--out", str(tmp_path / "runs"))
    ended.append(plain)
    until(lambda: get(fast, "Owner", as_string=True) != "", 300)
    told: list[str] = []

    def tell(text: str) -> None:
        told.append(text)
        if how == "it is killed" and "tried again" in text:
            plain.send_signal(signal.SIGKILL)

    runner.run(queue, tell=tell, clock=Impatient())
    assert plain.wait(600) == (-signal.SIGKILL if how == "it is killed" else 5), (tmp_path / "said.txt").read_text()
    assert any("held: " in text and "in use on this machine by process" in text for text in told), told
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
    assert how == "it is killed" or len(kept(first)) == FRAMES
    wait_for(fast, "Owner", "")
