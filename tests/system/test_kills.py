"""SIGKILL before any call that changes a file; then `resume`: the run ends as if nothing had happened.

The call is counted, and the process killed, by a library below the program (tests/storms/failing_disk.c), so every
boundary between two steps of making something durable is one of the places. The instrument is one that stands still and
has no noise: a frame depends on its pose alone, and what the run measures must be the same to the last bit.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tifffile

from tests.storms.failing_disk import Ending, Fault, Server, compiled
from tests.system.conftest import write_recipe
from tests.system.test_failing_disk import FIRST, LAST, SHORTEST, STEP
from xrm_control import app
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.geometry import Pose
from xrm_control.core.states import RunState
from xrm_control.processing.soundness import Soundness
from xrm_control.storage.durable import sha256_bytes, sha256_file
from xrm_control.storage.journal import JournalReader

# Flats before and after would be weighted by the time of each view, which a pause changes.
STILL: dict[str, Any] = {
    **SHORTEST,
    "instrument": {**SHORTEST["instrument"], "still": True},
    "scan": {**SHORTEST["scan"], "references": {"kind": "before", "count": 1}},
}
FRAMES = (1 + 1 + 1) + (31 + 1 + 1)
# Of about 2300 calls: while the journal is made, at every step of keeping a frame, in the scan, between views that were
# odd and come again at its end, while the volume is written, at each step after it.
FEW = [15, 40, 95, 180, *range(263, 271), 400, 700, 1000, 1400, 1520, 1545, 1740, 1880, 2020, 2120, 2230]
# What a run that goes on may have taken in vain: the frame in flight.
IN_FLIGHT = 1
MEASURED = ("volume.ome.tif", "labels.ome.tif", "particles.csv", "voids.csv", "columns.json")
REPEATED = "the same picture as the frame before"
NOT_BEGUN = "holds no journal.sqlite"


@dataclass(frozen=True)
class Outcome:
    """What a run found: each frame's pose and picture, and the files that hold what was measured.

    retaken: by frame the attempts that came to nothing, but for those that the checks take for a repeated picture:
    without noise two poses may show the same.
    """

    frames: dict[str, tuple[Pose, str]]
    files: dict[str, str]
    retaken: Counter[str]


def outcome(folder: Path) -> Outcome:
    with JournalReader.open(folder / "journal.sqlite") as journal:
        stored = journal.stored_frames()
        names = [plan.frame_id for plan in journal.planned_frames()]
        retaken = Counter(str(name) for name in names for why in journal.rejections(name).values() if why != REPEATED)
    frames = {
        str(plan.frame_id): (frame.exposure.actual, sha256_bytes(tifffile.imread(folder / frame.path).tobytes()))
        for plan, frame in stored
    }
    files = [folder / "roi-01" / name for name in MEASURED]
    files += [folder / "particles.csv", folder / "voids.csv", folder / "rois.json", folder / "mosaic.ome.tif"]
    return Outcome(frames, {str(path.relative_to(folder)): sha256_file(path) for path in files}, retaken)


@dataclass(frozen=True)
class Before:
    """What the kills have found: kept: path -> sha256 of the frames committed by then, by the first of several.

    odd: how often, over all kills, a frame that was looked at and not believed waited for its next exposure.
    """

    kept: dict[str, str]
    odd: Counter[str]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("shim")
    with compiled(folder, write_recipe(folder, **STILL)) as one:
        yield one


@pytest.fixture(scope="module")
def whole(runs: Server, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, int]:
    """The run that nobody kills, and how many calls it makes."""
    out = tmp_path_factory.mktemp("whole") / "runs"
    ending = runs.run(Fault("disk", "SIGKILL", 0), out)
    assert ending.code == 0
    return outcome(next(out.iterdir())), ending.calls


def problems(whole: Outcome, before: Before, ending: Ending, folder: Path, kills: int = 1) -> list[str]:
    """What a run that was killed and gone on with must not show, and shows."""
    if (ending.code, ending.error, ending.traceback) != (0, "", ""):
        return [f"resume ends with {ending.code}: {ending.error} {ending.traceback}"]
    now, found = outcome(folder), list(ending.broken)
    with JournalReader.open(folder / "journal.sqlite") as journal:
        accounting, state = journal.accounting(), journal.state()
    if not accounting.complete or accounting.kept != FRAMES or state is None or state.state is not RunState.DONE:
        found.append(f"{accounting} in state {state}")
    # One that was odd when the kill came is doubted once more: what it was held against is forgotten.
    if (anew := now.retaken - whole.retaken - before.odd).total() > IN_FLIGHT * kills:
        found.append(f"taken anew, and not without a kill: {dict(anew)}")
    verified = app.verify(folder)
    if verified.exit_code is not ExitCode.OK:
        found += [f"verified: {one}" for one in verified.findings if one.state is not Soundness.ASIDE]
    found += [f"{name} is another frame" for name in whole.frames if now.frames.get(name) != whole.frames[name]]
    found += [f"{name} is another file" for name in whole.files if now.files.get(name) != whole.files[name]]
    return found


def killed(runs: Server, at: int, out: Path) -> Before | None:
    """A run that is killed before its `at`-th call; what it had by then, None where it ends before that call."""
    ending = runs.run(Fault("disk", "SIGKILL", at), out)
    if ending.code == 0:
        return None
    assert (ending.code, ending.hung) == (-9, False), f"killed at call {at}: {ending}"
    return found_by(out)


def found_by(out: Path) -> Before:
    """What the journal of the run below `out` holds; nothing before there is a journal."""
    try:
        with JournalReader.open(next(out.iterdir()) / "journal.sqlite") as journal:
            stored = journal.stored_frames()
            waiting = {plan.frame_id for plan in journal.planned_frames()} - {plan.frame_id for plan, _ in stored}
            odd = Counter(str(name) for name in waiting if set(journal.rejections(name).values()) - {REPEATED})
            return Before({frame.path: frame.sha256 for _, frame in stored}, odd)
    except (StopIteration, ValueError, sqlite3.Error):
        return Before({}, Counter())


def gone_on(runs: Server, whole: Outcome, before: Before, out: Path, kills: int = 1) -> list[str]:
    folders = list(out.iterdir())
    if not folders:
        return []
    (folder,) = folders
    ending = runs.resume(Fault("disk", "SIGKILL", 0), out)
    if not before.kept and ending.code == 2:
        # Killed before there was a journal: nothing had been taken, and it says so.
        return [] if not list(folder.glob("frames/*/*.tif")) else [f"refused: {ending.error}"]
    lost = [name for name, sha256 in before.kept.items() if sha256_file(folder / name) != sha256]
    return [f"{name} was committed and is not there" for name in lost] + problems(whole, before, ending, folder, kills)


@pytest.mark.parametrize("at", FEW)
def test_killed_and_resumed_it_ends_as_if_nothing_had_happened(
    runs: Server, whole: tuple[Outcome, int], tmp_path: Path, at: int
) -> None:
    before = killed(runs, at, tmp_path / "runs")
    assert before is not None, "that call was never made"
    assert gone_on(runs, whole[0], before, tmp_path / "runs") == []


@pytest.mark.parametrize(("first", "then"), [(500, 60), (900, 150), (1300, 300)])
def test_killed_while_it_resumes_it_is_resumed_again(
    runs: Server, whole: tuple[Outcome, int], tmp_path: Path, first: int, then: int
) -> None:
    before = killed(runs, first, tmp_path / "runs")
    assert runs.resume(Fault("disk", "SIGKILL", then), tmp_path / "runs").code == -9
    assert before is not None, "that call was never made"
    before = Before(before.kept, before.odd + found_by(tmp_path / "runs").odd)
    assert gone_on(runs, whole[0], before, tmp_path / "runs", kills=2) == []


@pytest.mark.soak
def test_killed_before_every_call_it_is_resumed(runs: Server, whole: tuple[Outcome, int], tmp_path: Path) -> None:
    """XRM_STORM_FIRST, _LAST, _STEP: of which calls. With -s a dose that is cut short counts as far as it came."""
    found: dict[int, list[str]] = {}
    kills = 0
    for at in range(FIRST, min(LAST, whole[1]) + 1, STEP):
        out = tmp_path / f"at-{at}"
        before = killed(runs, at, out)
        if before is None:
            # A run makes a few calls more or less than another one.
            break
        kills += 1
        wrong = gone_on(runs, whole[0], before, out)
        print(f"kill {kills}, before call {at}: {len(before.kept)} frames kept", *wrong, flush=True)
        if wrong:
            found[at] = wrong
        else:
            shutil.rmtree(out)
    print(f"{kills} kills, {len(found)} of them ended otherwise")
    assert kills > 0
    assert found == {}
