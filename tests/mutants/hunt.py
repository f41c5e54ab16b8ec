"""Plants one fault at a time in a copy of the tree and runs the tests that should find it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mutants.mutant import Mutant
from tests.mutants.reached import Reached

# After the room's own tests, those of whole runs.
SYSTEM = ("tests/test_app.py", "tests/cli", "tests/system/test_short_runs.py", "tests/system/test_handoff_ends.py")
LIMIT_S = 1800.0
# Of tests that enter the function of a fault, the shortest first: so many seconds of them.
MOST_S = 240.0


@dataclass(frozen=True)
class Verdict:
    """by: the test that found it, "time" where it made the tests hang, None where nothing did."""

    mutant: Mutant
    by: str | None


def groups_of(mutant: Mutant, root: Path) -> list[list[str]]:
    """Groups of tests, the nearest first: those named like the module, its room's, those of whole runs."""
    room = root / "tests" / Path(*Path(mutant.path).parts[1:-1])
    module = Path(mutant.path).stem
    near = sorted(str(one.relative_to(root)) for one in room.glob(f"test_*{module}*.py")) if room.is_dir() else []
    own = root / "tests" / mutant.room
    groups = [
        near,
        [str(own.relative_to(root))] if own.is_dir() else [],
        [one for one in SYSTEM if (root / one).exists()],
    ]
    return [group for group in groups if group]


def _not_recorded(groups: list[list[str]], reached: Reached | None, root: Path) -> list[list[str]]:
    """Of groups of tests, the files that no recording knows."""
    known = set() if reached is None else reached.files
    files = [[path for one in group for path in _files(one, root)] for group in groups]
    return [rest for group in files if (rest := [path for path in group if path not in known])]


def _files(test: str, root: Path) -> list[str]:
    place = root / test
    return sorted(str(path.relative_to(root)) for path in place.rglob("test_*.py")) if place.is_dir() else [test]


def judge(mutant: Mutant, root: Path, reached: Reached | None = None) -> Verdict:
    """Whether any test fails with it; `root` is a copy that may be written to, and is as before afterwards.

    reached: which tests enter which functions; where it knows of none, and of files that were not recorded, the nearest
    tests and those of whole runs.
    """
    known = reached.of(mutant, root, MOST_S) if reached else []
    groups = groups_of(mutant, root)
    if known:
        groups = [known, *_not_recorded(groups, reached, root)]
    file, before = root / mutant.path, mutant.plant(root)
    try:
        for group in groups:
            found = _failing(group, root)
            if found is not None:
                return Verdict(mutant, found)
        return Verdict(mutant, None)
    finally:
        file.write_text(before, encoding="utf-8")


def _failing(tests: list[str], root: Path) -> str | None:
    """The first test that fails."""
    listed = root / "tests-to-run.txt"
    listed.write_text("\n".join(tests), encoding="utf-8")
    how = ["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "--tb=no"]
    command = [sys.executable, "-B", "-m", "pytest", *how, f"@{listed}"]
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return "time"
    if done.returncode in (0, 5):
        return None
    named = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return named[0].split(" - ")[0].partition(" ")[2] if named else f"pytest ends with {done.returncode}"


@contextmanager
def copy_of(root: Path) -> Iterator[Path]:
    """The files of a checkout, in a folder of their own."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True).stdout.decode()
    with TemporaryDirectory(prefix="mutants-") as folder:
        for name in filter(None, listed.split("\0")):
            target = Path(folder, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, target)
        yield Path(folder)
