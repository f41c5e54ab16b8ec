"""Paths that SQLite does not take are refused before anything is made there, and told where they are met."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from tests.session.scripted import SMALL
from tests.system.conftest import write_recipe
from xrm_control.app.queue import items
from xrm_control.core.clock import utc_now
from xrm_control.core.errors import DataError
from xrm_control.storage.journal import Journal, JournalReader
from xrm_control.storage.path_length import JOURNAL
from xrm_control.storage.records import RunRecord
from xrm_control.storage.run_folder import RunFolder

RUN = RunRecord("r", "r", "0" * 64, "simulated", True, "2026-01-01T00:00:00+00:00")


def of_length(folder: Path, length: int) -> Path:
    """A folder whose path has so many bytes."""
    while (left := length - len(str(folder)) - 1) > 0:
        folder /= "d" * (left if left <= 200 else min(150, left - 2))
    assert len(str(folder)) == length
    return folder


@pytest.mark.parametrize("length", [480, 489, 490, 600])
def test_a_journal_is_made_or_the_length_is_told(tmp_path: Path, length: int) -> None:
    """SQLite itself is the judge of what may be."""
    folder = of_length(tmp_path, length)
    folder.mkdir(parents=True)
    if length + len(f"/{JOURNAL}") <= 504:
        Journal.create(folder / JOURNAL, RUN).close()
        JournalReader.open(folder / JOURNAL).close()
        return
    with pytest.raises(DataError, match=r"too long for a journal .*limit 504 bytes"):
        Journal.create(folder / JOURNAL, RUN)
    (folder / JOURNAL).touch()
    with pytest.raises(DataError, match="too long for a journal"):
        JournalReader.open(folder / JOURNAL)


def test_nothing_is_made_of_a_run(tmp_path: Path) -> None:
    folder = of_length(tmp_path, 500)
    with pytest.raises(DataError, match="too long for a journal"):
        RunFolder.create(folder, "short", utc_now(), secrets.token_hex(2))
    assert not folder.exists()


def test_a_link_to_a_long_path_is_no_shorter(tmp_path: Path) -> None:
    folder = of_length(tmp_path, 500)
    folder.mkdir(parents=True)
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(DataError, match="too long for a journal"):
        RunFolder.create(tmp_path / "link", "short", utc_now(), secrets.token_hex(2))


def test_a_queue_says_so_when_an_item_is_added_and_not_at_night(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="too long for a journal"):
        items.add(of_length(tmp_path, 400), write_recipe(tmp_path, **SMALL))
