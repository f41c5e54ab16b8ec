"""Ctrl-C, SIGTERM, a closed terminal: safe state, read back, and a run folder that says how far it came."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from xrm_control.core.events import RoiStateEntered, SafeStateVerified, StageBegun, StateEntered
from xrm_control.core.states import RunState, Verdict
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


@pytest.mark.parametrize(("number", "kind", "text"), MOMENTS)
def test_an_interrupt_ends_in_the_safe_state(
    recipe: Path, tmp_path: Path, number: signal.Signals, kind: str, text: str
) -> None:
    command = [sys.executable, "-m", "xrm_control.cli", "run", str(recipe), "--out", str(tmp_path / "runs")]
    environment = {**os.environ, "NO_COLOR": "1"}
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        watchdog = threading.Timer(600, process.kill)
        watchdog.start()
        lines = []
        for line in process.stderr or ():
            lines.append(line)
            if kind in line and text in line:
                process.send_signal(number)
                process.send_signal(number)  # an impatient operator presses twice
        process.wait()
        watchdog.cancel()
    said = "".join(lines)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    (folder,) = (tmp_path / "runs").iterdir()
    with JournalReader.open(folder / "journal.sqlite") as journal:
        events = [record for _, record in journal.events()]
        state = journal.state()
        summary = journal.summary()
    assert state is not None
    assert state.state == RunState.ABORTED
    safe = [event for event in events if event.kind == SafeStateVerified.kind]
    assert safe
    assert safe[-1].data["shutter_closed"] is True
    assert all(safe[-1].data["axes_at_rest"].values())
    assert json.loads((folder / "results.json").read_text())["verdict"]["status"] == Verdict.ABORTED
    assert summary.total.kept + summary.total.open + summary.total.missing == summary.total.planned
