"""The disk fails at the n-th call that changes a file: the instrument is safe, nothing kept is lost, no false success.

The judge stands below the program (tests/storms/failing_disk.c) and beside it (the instrument's own state when the
program lets go of it). A real full file system and /dev/full check the judge.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from tests.storms.failing_disk import (
    HANGS_AFTER_S,
    PARTS,
    Ending,
    Fault,
    Server,
    compile_shim,
    compiled,
)
from tests.system.conftest import SHORT, write_recipe
from xrm_control.contracts.results import RESULTS
from xrm_control.core.states import RunState, Verdict
from xrm_control.storage.durable import sha256_file
from xrm_control.storage.journal import JournalReader

# The shortest run that measures particles and ends with 0.
SHORTEST: dict[str, Any] = {
    "instrument": {**SHORT["instrument"], "noise": False},
    "mosaic": {"columns": 1, "rows": 1, "flats": 1, "darks": 1},
    "scan": {"projections": 31, "useful_diameter_um": 16, "references": {"kind": "both", "count": 1}, "darks": 1},
    "reconstruction": {"rows": [56, 72]},
    "analysis": {"threshold": {"kind": "fixed", "level_per_um": 0.03}},
}
FRAMES = (1 + 1 + 1) + (31 + 2 + 1)
# One that does the same things fewer times, for the dose that lets each of its calls fail.
BRIEF: dict[str, Any] = {
    **SHORTEST,
    "scan": {"projections": 21, "useful_diameter_um": 10, "references": {"kind": "before", "count": 1}, "darks": 1},
}
BRIEF_FRAMES = (1 + 1 + 1) + (21 + 1 + 1)

# One of each kind, at the beginning, in the middle and near the end of each part.
FEW = [
    Fault("journal", "EIO", 3),
    Fault("journal", "ENOSPC", 250),
    Fault("journal", "EIO", 400, once=True),
    Fault("journal", "EROFS", 700),
    Fault("log", "EIO", 1),
    Fault("log", "ENOSPC", 40),
    Fault("frame", "EROFS", 2),
    Fault("frame", "ENOSPC", 60),
    Fault("frame", "EIO", 120, once=True),
    Fault("volume", "ENOSPC", 5),
    Fault("volume", "EIO", 200),
    Fault("report", "EROFS", 1),
    Fault("report", "ENOSPC", 7),
    Fault("disk", "EIO", 300),
    Fault("disk", "ENOSPC", 800),
]
# Every n-th call of the full dose, from which to which; 1 is all of them.
STEP = int(os.environ.get("XRM_STORM_STEP", "1"))
FIRST = int(os.environ.get("XRM_STORM_FIRST", "1"))
LAST = int(os.environ.get("XRM_STORM_LAST", "1000000"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("shim")
    with compiled(folder, write_recipe(folder, **SHORTEST)) as one:
        yield one


@pytest.fixture(scope="module")
def brief_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("brief")
    with compiled(folder, write_recipe(folder, **BRIEF)) as one:
        yield one


def faults_of(ending: Ending, out: Path, fault: Fault, frames: int = FRAMES) -> list[str]:
    """Everything that a run on a failing disk must not do, and did."""
    found = []
    if ending.hung:
        return ["hung"]
    if ending.traceback:
        found.append(f"a traceback reached the user: {ending.traceback.strip().splitlines()[-1]}")
    for look in ending.left:
        if look["open"]:
            found.append(f"shutter open at {look['when']}")
        if any(look["moving"].values()):
            found.append(f"axes moving at {look['when']}: {look['moving']}")
    found += ending.broken
    of_log = fault.part == "log" or (fault.once and fnmatch(ending.first.partition(" ")[2], PARTS["log"]))
    if of_log and ending.code not in (0, 5):
        found.append(f"a log that cannot be written ended the run: {ending.code} {ending.error}")
    if ending.code not in (0, 5) and not ending.error and not ending.traceback:
        found.append(f"exit {ending.code} without a word")
    folders = list(out.iterdir())
    if ending.code == 1 and "disk is full" in ending.error and "xrm resume" not in ending.error:
        found.append(f"nobody is told how to go on: {ending.error}")
    if any("[Errno" in reason for reason in [ending.error, *_reasons(out)]):
        found.append(f"a reason without its file: {[ending.error, *_reasons(out)]}")
    if len(folders) == 1 and (folders[0] / "journal.sqlite").exists():
        found += lost(ending, folders[0], frames)
    elif ending.kept or ending.code in (0, 5):
        found.append("frames were acknowledged without a journal")
    return found


def _reasons(out: Path) -> list[str]:
    """What the run's verdict gives as its reasons, where there is one."""
    found = next(out.glob("*/results.json"), None)
    return list(RESULTS.read(found).verdict.reasons) if found else []


def _set_aside(folder: Path) -> bool:
    """Whether the run calls itself incomplete, because of its region, by name."""
    if not (folder / "results.json").is_file():
        return False
    verdict = RESULTS.read(folder / "results.json").verdict
    return verdict.status is Verdict.INCOMPLETE and any("roi-01 is set aside" in reason for reason in verdict.reasons)


def lost(ending: Ending, folder: Path, frames: int) -> list[str]:
    """What was acknowledged and is not there, and a success that is none; 5: with a doubt, or incomplete."""
    try:
        with JournalReader.open(folder / "journal.sqlite") as journal:
            stored = {plan.frame_id for plan, _ in journal.stored_frames()}
            accounting, state = journal.accounting(), journal.state()
            artifacts = list(journal.artifacts().values())
            # Those that were rejected later too: their files stay.
            committed = journal._connection.execute("SELECT path, sha256 FROM committed").fetchall()
            # Written, and its flush failed: nobody can be told whether it lasts. What was kept is still there.
            last = journal._connection.execute("SELECT frame_id FROM rejected ORDER BY rowid DESC LIMIT 1").fetchall()
    except Exception as error:  # noqa: BLE001  a journal without its tables yet is none; a damaged one is a loss
        return [f"the journal cannot be read: {error}"] if ending.kept else []
    known = stored | {name for (name,) in last}
    found = [f"{name} was acknowledged and is not committed" for name in ending.kept if name not in known]
    for name, sha256 in committed:
        if not (folder / name).is_file() or sha256_file(folder / name) != sha256:
            found.append(f"{name} is committed and not there as committed")
    if ending.code in (0, 5):
        if not accounting.complete or accounting.kept != frames or state is None or state.state != RunState.DONE:
            found.append(f"exit {ending.code} with {accounting} in state {state}")
        kinds = {artifact.kind for artifact in artifacts}
        of_region = set() if ending.code == 5 and _set_aside(folder) else {"volume", "handoff", "analysis"}
        if not {"results", "report"} | of_region <= kinds:
            found.append(f"exit {ending.code} with {sorted(kinds)} only")
        for artifact in artifacts:
            path = folder / artifact.path
            if not path.is_file() or sha256_file(path) != artifact.sha256:
                found.append(f"exit {ending.code}, and {artifact.path} is not there as recorded")
    return found


@pytest.mark.parametrize("fault", FEW, ids=str)
def test_a_failing_disk_leaves_the_instrument_safe_and_nothing_lost(runs: Server, tmp_path: Path, fault: Fault) -> None:
    ending = runs.run(fault, tmp_path / "runs")
    assert ending.refused, f"the fault was never met: {ending.calls} calls only"
    assert faults_of(ending, tmp_path / "runs", fault) == [], f"{ending.first}: {ending.code} {ending.error}"


def test_without_a_fault_the_run_is_complete(runs: Server, tmp_path: Path) -> None:
    fault = Fault("disk", "EIO", 0)
    ending = runs.run(fault, tmp_path / "runs")
    assert (ending.code, ending.refused) == (0, 0)
    assert ending.calls > 500
    assert len(set(ending.kept)) == FRAMES
    assert faults_of(ending, tmp_path / "runs", fault) == []


@pytest.mark.soak
def test_without_a_fault_the_brief_run_is_complete(brief_runs: Server, tmp_path: Path) -> None:
    fault = Fault("disk", "EIO", 0)
    ending = brief_runs.run(fault, tmp_path / "runs")
    assert (ending.code, ending.refused, len(set(ending.kept))) == (0, 0, BRIEF_FRAMES)
    assert faults_of(ending, tmp_path / "runs", fault, BRIEF_FRAMES) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, in memory, of 24 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("this user may not mount a file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("frames", [2, pytest.param(20, marks=pytest.mark.soak), FRAMES])
def test_a_disk_that_others_fill(runs: Server, small_disk: Path, frames: int) -> None:
    """The real thing: no shim, and the file system says how much it has left."""
    fault = Fault("disk", "EIO", 0, fill_after=frames)
    ending = runs.run(fault, small_disk / "runs")
    assert ending.code not in (0, 5), f"{ending.code} {ending.error}"
    assert faults_of(ending, small_disk / "runs", fault) == [], f"{ending.code} {ending.error}"


@pytest.mark.parametrize(
    ("part", "error", "at", "told"),
    [
        ("journal", "EIO", 300, "disk I/O error"),
        ("journal", "EDQUOT", 300, "the disk quota of"),
        pytest.param("frame", "EROFS", 50, "read-only", marks=pytest.mark.soak),
    ],
)
def test_the_command_says_what_failed_and_ends(tmp_path: Path, part: str, error: str, at: int, told: str) -> None:
    """`xrm run` itself, from start to end, with the shim below it: one message, no traceback, no hang."""
    shim = compile_shim(tmp_path)
    if shim is None:
        pytest.skip("no C compiler")
    recipe, out = write_recipe(tmp_path, **SHORTEST), tmp_path / "runs"
    out.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "xrm_control.cli", "run", str(recipe), "--out", str(out)],
        env={**os.environ, "LD_PRELOAD": str(shim), **Fault(part, error, at).environment(out)},
        capture_output=True,
        text=True,
        timeout=HANGS_AFTER_S,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "error:" in done.stderr.splitlines()[-1]
    assert told in done.stderr.splitlines()[-1].lower() or told in done.stderr.splitlines()[-1]


# Alone, the n-th call of the disk is some call of a part: the series of the whole disk has those of all parts.
SERIES = [*itertools.product(PARTS, ("EIO", "ENOSPC", "EROFS"), [False]), ("disk", "EIO", True)]


@pytest.mark.soak
@pytest.mark.parametrize(("part", "error", "once"), SERIES, ids=lambda value: str(value))
def test_every_call_of_a_run_may_fail(brief_runs: Server, tmp_path: Path, part: str, error: str, once: bool) -> None:
    """n = 1, 2, 3 ... until three runs in a row end before their n-th call: a slow machine draws fewer previews."""
    wrong, tried, unmet = [], 0, 0
    for at in range(FIRST, LAST + 1, STEP):
        fault, out = Fault(part, error, at, once), tmp_path / str(at)
        ending = brief_runs.run(fault, out)
        wrong += [f"{fault} ({ending.first}): {text}" for text in faults_of(ending, out, fault, BRIEF_FRAMES)]
        subprocess.run(["rm", "-r", str(out)], check=True)
        tried, unmet = (tried + 1, 0) if ending.refused else (tried, unmet + 1)
        if unmet == 3:
            break
    print(f"{part} {error}{' alone' if once else ''}: {tried} faults, one in {STEP} calls, {len(wrong)} wrong")
    assert not wrong, "\n".join([f"{len(wrong)} faults", *wrong])
    assert tried > 0
