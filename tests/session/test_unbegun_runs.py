"""Runs that died before anything was in their journal: they are begun with the recipe that they have."""

from __future__ import annotations

import contextlib
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.hunt.quick import without_processing
from tests.session.scripted import FRAMES_OF_SMALL, SMALL
from tests.system.conftest import SHORT, write_recipe
from xrm_control import app
from xrm_control.core.errors import Altered, DataError
from xrm_control.core.events import FileQuarantined
from xrm_control.core.exit_code import ExitCode
from xrm_control.storage.journal import JournalReader
from xrm_control.storage.run_folder import RunFolder
from xrm_control.storage.sealed import sealed


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A folder, and the recipe in it."""
    instrument = {"instrument": {**SHORT["instrument"], "rendering": False}}
    recipe = app.load(write_recipe(tmp_path, **{**SMALL, **instrument}))
    folder = RunFolder.create(tmp_path / "runs", "short", datetime(2025, 1, 2, tzinfo=UTC), "dead")
    folder.write_text(folder.recipe, sealed(recipe.text))
    return folder


def _empty_journal(folder: RunFolder) -> None:
    with contextlib.closing(sqlite3.connect(folder.journal)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


@pytest.mark.parametrize("left", ["no journal", "an empty file", "an empty journal", "half a plan"])
def test_it_is_begun(folder: RunFolder, left: str) -> None:
    match left:
        case "an empty file":
            folder.journal.touch()
        case "an empty journal":
            _empty_journal(folder)
        case "half a plan":
            folder.plan.with_name("plan.json.part").write_text("{")
    with without_processing():
        outcome = app.resume(folder.path)
    assert outcome.exit_code == ExitCode.OK
    assert outcome.folder == folder.path
    with JournalReader.open(folder.journal) as journal:
        assert journal.accounting().kept == FRAMES_OF_SMALL
        assert set(journal.artifacts()) >= {"recipe.yaml", "plan.json"}
        told = {event.data["path"] for event in journal.events_of(FileQuarantined.kind)}
    assert not list(folder.path.glob("*.part"))
    assert told == {folder.relative(path) for path in folder.quarantine.glob("*")}
    assert bool(told) == (left != "no journal")


def test_until_then_it_is_told_what_happened(folder: RunFolder) -> None:
    _empty_journal(folder)
    with pytest.raises(DataError, match=r"died in its first instant.*xrm resume"):
        app.status(folder.path)


@pytest.mark.parametrize("left", ["nothing", "half", "two thirds", "all but the seal", "another"])
def test_a_part_of_its_recipe_is_not_begun(folder: RunFolder, left: str) -> None:
    """A power cut may leave it: without its last parts it is another recipe, and a sound one."""
    text = folder.recipe.read_text()
    whole, _, seal = text.rpartition("\n# whole")
    lines = whole.splitlines(keepends=True)
    parts = {
        "nothing": "",
        "half": text[: len(text) // 2],
        "two thirds": "".join(lines[: 2 * len(lines) // 3]),
        "all but the seal": f"{whole}\n",
        "another": text.replace("short", "other"),
    }
    folder.recipe.write_text(parts[left])
    with pytest.raises(DataError, match=r"recipe is not whole.*start the recipe anew"):
        app.resume(folder.path)
    assert not folder.journal.exists()
    assert seal


def test_a_journal_that_is_none_is_not_written_over(folder: RunFolder) -> None:
    folder.journal.write_bytes(b"somebody's notes" * 100)
    with pytest.raises(DataError, match="journal"):
        app.resume(folder.path)
    assert folder.journal.read_bytes() == b"somebody's notes" * 100


@pytest.mark.parametrize("lost", ["emptied", "gone"])
def test_a_journal_that_was_lost_after_frames_were_taken_is_not_begun_anew(folder: RunFolder, lost: str) -> None:
    """What was measured would be taken for nothing, and scanned again."""
    with without_processing():
        app.resume(folder.path)
    folder.journal.unlink()
    if lost == "emptied":
        folder.journal.touch()
    kept = sorted(path.relative_to(folder.path) for path in folder.path.rglob("*.tif"))
    for whoever in (app.resume, app.status, app.report):
        with pytest.raises(DataError, match=r"frames were taken: it was lost or damaged.*copy"):
            whoever(folder.path)
    assert sorted(path.relative_to(folder.path) for path in folder.path.rglob("*.tif")) == kept
    assert not folder.quarantine.exists()


@pytest.mark.parametrize("change", ["numbers", "version", "gone"])
def test_results_that_were_not_recorded_are_not_told_of_a_run_that_is_done(folder: RunFolder, change: str) -> None:
    with without_processing():
        app.resume(folder.path)
    assert app.resume(folder.path).exit_code == ExitCode.OK
    text = folder.results.read_text()
    folder.results.unlink()
    if change != "gone":
        folder.results.write_text(text.replace('"tiles": ', '"tiles": 9') if change == "numbers" else "{}")
    with pytest.raises(Altered, match=r"results\.json: is not what was recorded"):
        app.resume(folder.path)
