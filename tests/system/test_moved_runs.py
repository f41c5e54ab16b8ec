"""A run's folder that somebody moves while the run writes into it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.app.queues import until
from tests.session.scripted import SMALL
from tests.system.conftest import write_recipe
from xrm_control import app
from xrm_control.core.exit_code import ExitCode
from xrm_control.storage.journal import JournalReader

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("moved_at", ["mosaic/flat_0000", "roi-01/dark_0000"])
def test_what_the_journal_knows_stays_beside_it(tmp_path: Path, moved_at: str) -> None:
    """Where the folder had been nothing is made anew but a report; the run ends, and is gone on with where it is."""
    recipe, runs, moved = write_recipe(tmp_path, **SMALL), tmp_path / "runs", tmp_path / "moved"
    process = subprocess.Popen(
        [sys.executable, "-m", "xrm_control.cli", "run", str(recipe), "--out", str(runs), "--speed", "5"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until(lambda: list(runs.glob(f"*/frames/{moved_at}.tif")) or process.poll() is not None)
        next(runs.iterdir()).rename(moved)
        _, said = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == ExitCode.FAILURE, said
    assert "the run's folder is not where it was" in said.splitlines()[-1]
    assert "Traceback" not in said
    assert not list(runs.rglob("*.tif"))
    with JournalReader.open(moved / "journal.sqlite") as journal:
        assert all((moved / frame.path).is_file() for _, frame in journal.stored_frames())
    assert app.resume(moved).exit_code == ExitCode.PARTLY
    assert app.status(moved).total.complete
