"""Ctrl-C, SIGTERM, a closed terminal: safe state, read back, and a run folder that says how far it came."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storms.forked_cli import ForkedCli, forked_cli
from tests.system.conftest import SEED, SLAB, write_recipe
from xrm_control.core.events import RoiStateEntered, SafeStateVerified, StageBegun, StateEntered
from xrm_control.core.states import RunState, Verdict
from xrm_control.core.user import user_at_host
from xrm_control.storage.journal import JournalReader

MOMENTS = [
    (signal.SIGINT, StateEntered.kind, RunState.HOMING),
    (signal.SIGINT, StageBegun.kind, "mosaic"),
    (signal.SIGINT, StateEntered.kind, RunState.PICKING),
    (signal.SIGINT, StageBegun.kind, "roi-01 projections"),
    (signal.SIGTERM, StageBegun.kind, "roi-01 projections"),
    (signal.SIGHUP, StageBegun.kind, "roi-01 references"),
    (signal.SIGINT, RoiStateEntered.kind, "roi-01: reconstructing"),
    (signal.SIGINT, RoiStateEntered.kind, "roi-01: analysing"),
]


@pytest.fixture(scope="module")
def cli() -> Iterator[ForkedCli]:
    with forked_cli(SEED) as one:
        yield one


@pytest.mark.parametrize(("number", "kind", "text"), MOMENTS)
def test_an_interrupt_ends_in_the_safe_state(
    cli: ForkedCli, tmp_path: Path, number: signal.Signals, kind: str, text: str
) -> None:
    recipe, fifo = write_recipe(tmp_path, **SLAB), tmp_path / "stderr"
    os.mkfifo(fifo)
    pid = cli.start(["run", str(recipe), "--out", str(tmp_path / "runs")], {}, Path(os.devnull), fifo)
    watchdog = threading.Timer(600, os.kill, (pid, signal.SIGKILL))
    watchdog.start()
    lines = []
    with fifo.open() as stderr:
        for line in stderr:
            lines.append(line)
            if kind in line and text in line:
                os.kill(pid, number)
                os.kill(pid, number)  # an impatient operator presses twice
    code = cli.wait(pid)
    watchdog.cancel()
    said = "".join(lines)
    assert code == 130, said
    assert "Traceback" not in said
    (folder,) = (tmp_path / "runs").iterdir()
    with JournalReader.open(folder / "journal.sqlite") as journal:
        events = [record for _, record in journal.events()]
        state = journal.state()
        summary = journal.summary()
    assert state is not None
    assert state.state == RunState.ABORTED
    assert f"(process of {user_at_host()})" in state.reason
    safe = [event for event in events if event.kind == SafeStateVerified.kind]
    assert safe
    assert safe[-1].data["shutter_closed"] is True
    assert all(safe[-1].data["axes_at_rest"].values())
    assert json.loads((folder / "results.json").read_text())["verdict"]["status"] == Verdict.ABORTED
    assert summary.total.kept + summary.total.open + summary.total.missing == summary.total.planned
