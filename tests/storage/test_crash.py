"""Killed at any moment, the run loses nothing that it acknowledged and believes nothing that is not whole."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from xrm_control.core.frame_id import FrameId
from xrm_control.core.geometry import Pose
from xrm_control.core.states import FrameKind
from xrm_control.storage.frames import FrameStore
from xrm_control.storage.journal import Journal, JournalReader
from xrm_control.storage.records import PlannedFrame, RunRecord
from xrm_control.storage.run_folder import RunFolder

ROOT = Path(__file__).parents[2]
ROUNDS = 20

# Resumes the run, then takes frames until it is killed; a line on stdout is the acknowledgement.
# With a second argument it kills itself: at the n-th call of a function on the way to the disk.
WRITER = """
import os, signal, sys
from pathlib import Path
import numpy as np
from xrm_control.core.geometry import Pose
from xrm_control.storage.frames import FrameStore
from xrm_control.storage.journal import Journal
from xrm_control.storage.records import Exposure
from xrm_control.storage.run_folder import RunFolder

folder = RunFolder.open(Path(sys.argv[1]))
with folder.lock():
    folder.quarantine_parts()
    journal = Journal.open(folder.journal)
    store = FrameStore(folder, journal)
    for frame_id, _ in journal.open_attempts():
        journal.retake(frame_id, "killed", t_s=0)
    if len(sys.argv) > 2:
        import xrm_control.storage.durable as durable
        import xrm_control.storage.frames as frames
        step, when = sys.argv[2].split()
        place = {"commit": journal, "write_durable": frames}.get(step, durable)
        real, count = getattr(place, step), [0]
        def deadly(*args, **kwargs):
            count[0] += 1
            if count[0] == 5 and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            result = real(*args, **kwargs)
            if count[0] == 5 and when == "after":
                os.kill(os.getpid(), signal.SIGKILL)
            return result
        setattr(place, step, deadly)
    for plan in journal.open_frames():
        attempt = journal.intend(plan.frame_id, theta_deg=0, t_s=plan.number)
        image = np.random.default_rng(1000 * plan.number + attempt).integers(0, 4096, (128, 128), np.uint16)
        exposure = Exposure(Pose(0, 0, 0, 0), plan.number, plan.number, attempt)
        frame = store.store(plan.frame_id, attempt, image, exposure)
        print(frame.frame_id, frame.attempt, frame.sha256, flush=True)
"""


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder.create(tmp_path, "crash", datetime(2025, 1, 2, tzinfo=UTC), "dead")
    with Journal.create(folder.journal, RunRecord(folder.name, "crash", "0" * 64, "simulated", True, "")) as journal:
        journal.plan_frames(
            PlannedFrame(
                FrameId(f"roi-01/proj_{n:04d}"), "scanning", FrameKind.PROJECTION, n, Pose(0, 0, 0, 0), 1, 8, "roi-01"
            )
            for n in range(3000)
        )
    return folder


def start(folder: RunFolder, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder.path), *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def verify(folder: RunFolder, acknowledged: dict[tuple[str, int], str]) -> None:
    """Every acknowledged frame is committed; every committed frame reads whole as the picture that was taken."""
    with JournalReader.open(folder.journal) as reader:
        stored = {(frame.frame_id, frame.attempt): (plan, frame) for plan, frame in reader.stored_frames()}
        assert reader.accounting().kept == len(stored)
        assert len(reader.open_attempts()) <= 1
    assert acknowledged.items() <= {key: frame.sha256 for key, (_, frame) in stored.items()}.items()
    assert len(stored) - len(acknowledged) <= ROUNDS  # at most the one in flight, each time
    assert not [frame.path for _, frame in stored.values() if not frame.path.endswith(".tif")]
    with Journal.open(folder.journal) as journal:
        store = FrameStore(folder, journal)
        for plan, frame in stored.values():
            chance = np.random.default_rng(1000 * plan.number + frame.attempt)
            expected = chance.integers(0, 4096, (128, 128), np.uint16)
            assert (store.load(frame.frame_id) == expected).all()


def take_lines(text: str, acknowledged: dict[tuple[str, int], str]) -> None:
    for line in text.splitlines(keepends=True):
        if line.endswith("\n"):
            frame_id, attempt, sha256 = line.split()
            acknowledged[frame_id, int(attempt)] = sha256


def test_killed_at_random_moments_nothing_acknowledged_is_lost(run: RunFolder) -> None:
    chance = random.Random(20250102)
    acknowledged: dict[tuple[str, int], str] = {}
    for _ in range(ROUNDS):
        writer = start(run)
        assert writer.stdout is not None
        for _ in range(chance.randint(1, 8)):
            take_lines(writer.stdout.readline(), acknowledged)
        with pytest.raises(subprocess.TimeoutExpired):
            writer.wait(chance.uniform(0, 0.012))
        writer.send_signal(signal.SIGKILL)
        out, error = writer.communicate()
        assert writer.returncode == -signal.SIGKILL, error
        take_lines(out, acknowledged)
    assert len(acknowledged) >= ROUNDS
    verify(run, acknowledged)


@pytest.mark.parametrize(
    ("moment", "leaves"),
    [
        ("_write_all before", "an empty part"),
        ("_write_all after", "a part"),
        ("_rename_exclusive before", "a part"),
        ("_rename_exclusive after", "a frame without commit"),
        ("fsync_path before", "a frame without commit"),
        ("write_durable after", "a frame without commit"),
        ("commit before", "a frame without commit"),
        ("commit after", "a committed frame that was not acknowledged"),
    ],
)
def test_killed_at_each_step(run: RunFolder, moment: str, leaves: str) -> None:
    acknowledged: dict[tuple[str, int], str] = {}
    out, error = start(run, moment).communicate()
    take_lines(out, acknowledged)
    assert len(acknowledged) in (3, 4), error  # the first fsync of a folder is that of frames/
    parts = [path for path in run.frames.rglob("*.part") if path.stat().st_size or "empty" in leaves]
    finals = list(run.frames.rglob("*.tif"))
    assert (len(parts), len(finals) - len(acknowledged)) == ((1, 0) if "part" in leaves else (0, 1))
    with JournalReader.open(run.journal) as reader:
        assert reader.accounting().kept - len(acknowledged) == (1 if "committed" in leaves else 0)
        assert len(reader.open_attempts()) == (0 if "committed" in leaves else 1)
    again = start(run)
    assert again.stdout is not None
    take_lines("".join(again.stdout.readline() for _ in range(3)), acknowledged)
    again.send_signal(signal.SIGKILL)
    take_lines(again.communicate()[0], acknowledged)
    verify(run, acknowledged)
