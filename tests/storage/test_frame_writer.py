"""A commit and the intent that is wanted meanwhile are one transaction: both are on the disk, or neither."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xrm_control.core.errors import DataError, StorageError
from xrm_control.core.frame_id import FrameId
from xrm_control.core.geometry import Pose
from xrm_control.storage import frames
from xrm_control.storage.chain import flaws
from xrm_control.storage.frame_writer import FrameWriter
from xrm_control.storage.frames import FrameStore
from xrm_control.storage.journal import Journal, JournalReader
from xrm_control.storage.records import Exposure
from xrm_control.storage.run_folder import RunFolder

FIRST, SECOND, UNPLANNED = (FrameId(f"roi-01/proj_{n:04d}") for n in (0, 1, 99))
IMAGE = np.arange(12, dtype=np.uint16).reshape(3, 4)
EXPOSURE = Exposure(Pose(1, 2, 3, 4), 5.0, 6.0, 77)


@pytest.fixture
def writer(folder: RunFolder, journal: Journal) -> FrameWriter:
    return FrameWriter(FrameStore(folder, journal), journal)


@contextmanager
def commits(journal: Journal) -> Iterator[list[str]]:
    """The statements that flush the disk."""
    found: list[str] = []
    journal._connection.set_trace_callback(lambda text: found.append(text) if text == "COMMIT" else None)
    yield found
    journal._connection.set_trace_callback(None)


def begun(writer: FrameWriter, journal: Journal) -> None:
    assert writer.intend(writer.want(FIRST, theta_deg=0.0, t_s=1.0)) == 1
    assert journal.open_attempts() == [(FIRST, 1)]


def test_an_intent_that_is_wanted_meanwhile_goes_with_the_commit(writer: FrameWriter, journal: Journal) -> None:
    begun(writer, journal)
    with commits(journal) as found:
        wanted = writer.want(SECOND, theta_deg=1.0, t_s=2.0)
        kept = writer.keep(FIRST, 1, IMAGE, EXPOSURE)
        assert writer.intend(wanted) == 1
    assert len(found) == 1
    assert journal.kept_frame(FIRST) == kept
    assert journal.open_attempts() == [(SECOND, 1)]


def test_an_intent_that_comes_later_has_a_commit_of_its_own(writer: FrameWriter, journal: Journal) -> None:
    begun(writer, journal)
    with commits(journal) as found:
        writer.keep(FIRST, 1, IMAGE, EXPOSURE)
        assert journal.open_attempts() == []
        assert writer.intend(writer.want(SECOND, theta_deg=1.0, t_s=2.0)) == 1
    assert len(found) == 2


def test_who_dies_before_the_commit_has_intended_nothing_more(
    writer: FrameWriter, journal: Journal, folder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is on the disk when the file has its name, and the journal does not know of it: one frame is in flight."""
    begun(writer, journal)

    def write(path: Path, data: bytes) -> Path:
        made = durable(path, data)
        shutil.copytree(folder.path, tmp_path / "died")
        return made

    durable = frames.write_durable
    monkeypatch.setattr(frames, "write_durable", write)
    wanted = writer.want(SECOND, theta_deg=1.0, t_s=2.0)
    writer.keep(FIRST, 1, IMAGE, EXPOSURE)
    assert writer.intend(wanted) == 1
    with JournalReader.open(tmp_path / "died" / folder.journal.name) as died:
        assert died.open_attempts() == [(FIRST, 1)]
        assert died.kept_frame(FIRST) is None


@pytest.mark.parametrize("image", [IMAGE[:, :0], IMAGE.astype(complex)], ids=["empty", "complex"])
def test_nothing_is_exposed_after_a_frame_that_could_not_be_written(
    writer: FrameWriter, journal: Journal, image: Any
) -> None:
    begun(writer, journal)
    wanted = writer.want(SECOND, theta_deg=1.0, t_s=2.0)
    with pytest.raises(DataError):
        writer.keep(FIRST, 1, image, EXPOSURE)
    with pytest.raises(StorageError, match="could not be written"):
        writer.intend(wanted)
    assert journal.open_attempts() == [(FIRST, 1)]


def test_an_intent_that_is_refused_costs_the_frame_before_nothing(writer: FrameWriter, journal: Journal) -> None:
    begun(writer, journal)
    wanted = writer.want(UNPLANNED, theta_deg=1.0, t_s=2.0)
    kept = writer.keep(FIRST, 1, IMAGE, EXPOSURE)
    with pytest.raises(StorageError, match="journal refuses"):
        writer.intend(wanted)
    assert journal.kept_frame(FIRST) == kept
    assert journal.open_attempts() == []
    assert writer.intend(writer.want(SECOND, theta_deg=1.0, t_s=3.0)) == 1


def test_an_intent_that_nobody_waits_for_is_not_recorded(writer: FrameWriter, journal: Journal) -> None:
    begun(writer, journal)
    writer.forget(writer.want(SECOND, theta_deg=1.0, t_s=2.0))
    writer.keep(FIRST, 1, IMAGE, EXPOSURE)
    assert journal.open_attempts() == []


def test_the_journals_links_hold_over_both(writer: FrameWriter, journal: Journal) -> None:
    begun(writer, journal)
    wanted = writer.want(SECOND, theta_deg=1.0, t_s=2.0)
    writer.keep(FIRST, 1, IMAGE, EXPOSURE)
    writer.intend(wanted)
    assert journal.chained
    assert list(flaws(journal._connection)) == []
