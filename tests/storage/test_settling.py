"""A run killed between two steps of storing a frame: afterwards every attempt and every file has one known end."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xrm_control.core.events import AnyEvent, AttemptClosed, FileQuarantined, FrameAdopted
from xrm_control.core.frame_id import FrameId
from xrm_control.core.geometry import Pose
from xrm_control.core.states import FrameKind
from xrm_control.storage.frames import FrameStore, encode_frame
from xrm_control.storage.journal import Journal
from xrm_control.storage.records import Accounting, Exposure, PlannedFrame, RunRecord
from xrm_control.storage.run_folder import RunFolder
from xrm_control.storage.settling import Settled, settle

ROOT = Path(__file__).parents[2]
FRAMES = [FrameId.projection("roi-01", number) for number in range(6)]
FATAL = 4  # the frame whose storing is cut off, counted from 1

# Stores frames until it kills itself at the FATAL-th call of a step, before or after it.
WRITER = """
import os, signal, sys
from pathlib import Path
from tests.storage.test_settling import FATAL, exposure, picture
from xrm_control.storage import durable, frames
from xrm_control.storage.journal import Journal
from xrm_control.storage.run_folder import RunFolder

folder = RunFolder.open(Path(sys.argv[1]))
step, when = sys.argv[2:]
with folder.lock(), Journal.open(folder.journal) as journal:
    place = {"commit": journal, "intend": journal, "write_durable": frames}.get(step, durable)
    real, count = getattr(place, step), [0]

    def deadly(*arguments, **words):
        count[0] += 1
        if count[0] == FATAL and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*arguments, **words)
        if count[0] == FATAL and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(place, step, deadly)
    store = frames.FrameStore(folder, journal)
    for number, plan in enumerate(journal.open_frames()):
        attempt = journal.intend(plan.frame_id, theta_deg=0.0, t_s=number)
        store.store(plan.frame_id, attempt, picture(number), exposure(number))
"""


def picture(number: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(number).integers(0, 4096, (32, 48), np.uint16)


def exposure(number: int) -> Exposure:
    return Exposure(Pose(1.0, 2.0, 3.0, float(number)), float(number), number + 0.5, number)


def plan(name: FrameId, number: int) -> PlannedFrame:
    return PlannedFrame(name, "roi-01", FrameKind.PROJECTION, number, Pose(1, 2, 3, number), 1.0, 8, "roi-01")


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder.create(tmp_path, "died", datetime(2025, 1, 2, tzinfo=UTC), "dead")
    with Journal.create(folder.journal, RunRecord(folder.name, "died", "0" * 64, "simulated", True, "")) as journal:
        journal.plan_frames(plan(name, number) for number, name in enumerate(FRAMES))
    return folder


def settled(folder: RunFolder) -> tuple[Settled, list[AnyEvent]]:
    told: list[AnyEvent] = []
    with folder.lock(), Journal.open(folder.journal) as journal:
        return settle(folder, journal, 99.0, told.append), told


# Where storing is cut off -> frames kept afterwards, adopted, closed, files in quarantine.
WINDOWS = [
    ("intend", "after", 3, 0, 1, 0),
    ("write_durable", "before", 3, 0, 1, 0),
    ("publish_file", "before", 3, 0, 1, 1),  # a .part, whole and not renamed
    ("publish_file", "after", 4, 1, 0, 0),  # renamed and not committed
    ("commit", "before", 4, 1, 0, 0),
    ("commit", "after", 4, 0, 0, 0),
]


@pytest.mark.parametrize(("step", "when", "kept", "adopted", "closed", "aside"), WINDOWS)
def test_killed_between_two_steps(
    run: RunFolder, step: str, when: str, kept: int, adopted: int, closed: int, aside: int
) -> None:
    command = [sys.executable, "-c", WRITER, str(run.path), step, when]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    found, told = settled(run)
    assert (len(found.adopted), len(found.closed), len(found.quarantined)) == (adopted, closed, aside)
    assert {*found.adopted, *found.closed} <= {FRAMES[FATAL - 1]}
    assert [type(event) for event in told] == [FileQuarantined] * aside + [FrameAdopted] * adopted + [
        AttemptClosed
    ] * closed
    assert settled(run) == (Settled(), [])
    with Journal.open(run.journal) as journal:
        assert journal.accounting() == Accounting(6, kept=kept, open=6 - kept, retaken=closed)
        assert journal.open_attempts() == []
        store = FrameStore(run, journal)
        for number, (_, frame) in enumerate(journal.stored_frames()):
            assert frame.exposure == exposure(number)
            np.testing.assert_array_equal(store.load(frame.frame_id), picture(number))
        # The run can be gone on with: what has no outcome is taken.
        for open_frame in journal.open_frames():
            attempt = journal.intend(open_frame.frame_id, theta_deg=0.0, t_s=100.0)
            store.store(open_frame.frame_id, attempt, picture(open_frame.number), exposure(open_frame.number))
        assert journal.accounting().complete


def whole(name: FrameId, attempt: int = 1, shape: tuple[int, int] = (32, 48)) -> bytes:
    image = np.random.default_rng(7).integers(0, 4096, shape, np.uint16)
    return encode_frame(name, attempt, image, exposure(3))


def flipped(data: bytes, place: int) -> bytes:
    damaged = bytearray(data)
    damaged[place] ^= 1
    return bytes(damaged)


ORPHAN = FRAMES[3]
# A durable file of the attempt in flight -> why it is not adopted.
NOT_THIS: list[tuple[str, Callable[[], bytes], str]] = [
    ("empty", lambda: b"", "cannot be decoded"),
    ("torn", lambda: whole(ORPHAN)[:-100], "decoded|not whole"),
    ("torn early", lambda: whole(ORPHAN)[:200], "decoded|not whole"),
    ("longer", lambda: whole(ORPHAN) + b"\x00", "not whole"),
    ("another frame", lambda: whole(FRAMES[4]), "another frame"),
    ("another attempt", lambda: whole(ORPHAN, attempt=2), "another frame"),
    ("another shape", lambda: whole(ORPHAN, shape=(16, 48)), "beside it"),
    ("zeros from the middle on", lambda: whole(ORPHAN)[:2000].ljust(len(whole(ORPHAN)), b"\0"), "not whole"),
    ("a bit of a pixel", lambda: flipped(whole(ORPHAN), -100), "not whole"),
    ("a digit of its time", lambda: whole(ORPHAN).replace(b'"t_start_s": 3', b'"t_start_s": 4'), "not whole"),
    ("no frame at all", lambda: b"II*\x00" + b"\xff" * 400, "decoded|not whole"),
]


@pytest.mark.parametrize(("what", "data", "reason"), NOT_THIS, ids=[case[0] for case in NOT_THIS])
def test_a_file_that_is_not_what_was_intended_is_put_aside(
    run: RunFolder, what: str, data: Callable[[], bytes], reason: str
) -> None:
    with Journal.open(run.journal) as journal:
        FrameStore(run, journal).store(
            FRAMES[0], journal.intend(FRAMES[0], theta_deg=0, t_s=0), picture(0), exposure(0)
        )
        journal.intend(ORPHAN, theta_deg=0, t_s=3)
    content = data()
    run.frame_path(ORPHAN).write_bytes(content)
    found, told = settled(run)
    assert (found.adopted, found.closed, len(found.quarantined)) == ((), (ORPHAN,), 1)
    (closed,) = [event for event in told if isinstance(event, AttemptClosed)]
    assert re.search(reason, closed.reason)
    assert (run.path / found.quarantined[0]).read_bytes() == content
    assert not run.frame_path(ORPHAN).exists()


def test_a_file_that_no_attempt_made_is_put_aside(run: RunFolder) -> None:
    with Journal.open(run.journal) as journal:
        FrameStore(run, journal).store(
            FRAMES[0], journal.intend(FRAMES[0], theta_deg=0, t_s=0), picture(0), exposure(0)
        )
    run.frame_path(ORPHAN).write_bytes(whole(ORPHAN))
    found, _ = settled(run)
    assert found == Settled(quarantined=("quarantine/frames__roi-01__proj_0003.tif.1",))


def test_an_attempt_that_was_rejected_keeps_its_committed_file(run: RunFolder) -> None:
    with Journal.open(run.journal) as journal:
        store = FrameStore(run, journal)
        store.store(FRAMES[0], journal.intend(FRAMES[0], theta_deg=0, t_s=0), picture(0), exposure(0))
        journal.retake(FRAMES[0], "odd", t_s=1)
        journal.intend(FRAMES[0], theta_deg=0, t_s=2)
    found, _ = settled(run)
    assert found == Settled(closed=(FRAMES[0],))
    assert run.frame_path(FRAMES[0]).is_file()
