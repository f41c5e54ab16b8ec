"""Frames held against the journal once, then read by the row: what changed since is never read as if it had not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.scan_on_disk import scan_job
from xrm_control.core.errors import DataError, StorageError
from xrm_control.core.states import FrameKind
from xrm_control.processing.scans import RunScan
from xrm_control.processing.volumes import VolumeJob, make_part, prepare_parts
from xrm_control.storage import frames
from xrm_control.storage.frames import read_frame
from xrm_control.storage.run_folder import RunFolder
from xrm_control.storage.verified_frames import VerifiedFrames

ROWS = slice(5, 9)


@pytest.fixture
def scan(tmp_path: Path) -> RunScan:
    return scan_job(tmp_path, rows_at_a_time=4).scan


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes were hashed, frame by frame."""
    sizes: list[int] = []
    whole = frames.sha256_bytes

    def counted(data: bytes) -> str:
        sizes.append(len(data))
        return whole(data)

    monkeypatch.setattr(frames, "sha256_bytes", counted)
    return sizes


def test_each_is_hashed_once_and_read_as_it_is(scan: RunScan, hashed: list[int]) -> None:
    views = scan.stored(FrameKind.PROJECTION)
    folder = RunFolder.open(scan.run)
    true = np.stack([read_frame(folder, frame) for frame in views])
    hashed.clear()
    files = VerifiedFrames(scan.run)
    for rows in (ROWS, slice(0, 48), slice(47, 48), slice(None), slice(3, 3)):
        assert np.array_equal(files.read(views, [7, 2, 2], rows), true[[7, 2, 2], rows])
    assert len(hashed) == 2
    files.look_through(views)
    hashed.clear()
    assert np.array_equal(VerifiedFrames(scan.run, files.seen).read(views), true)
    assert hashed == []


def _flipped(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-3, os.SEEK_END)
        file.write(b"\xff")


def _replaced(path: Path) -> None:
    other = path.with_name("other.tif")
    data = bytearray(path.read_bytes())
    data[-3] ^= 0xFF
    other.write_bytes(bytes(data))
    said = path.stat()
    os.utime(other, ns=(said.st_atime_ns, said.st_mtime_ns))
    other.replace(path)


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def _a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


CHANGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a byte of it changed": (_flipped, "not what was committed"),
    "another one of the same size and time": (_replaced, "not what was committed"),
    "shorter by a byte": (_cut, "not what was committed"),
    "gone": (Path.unlink, "is gone"),
    "a folder": (_a_folder, "no regular file"),
}


@pytest.mark.parametrize(("change", "said"), CHANGES.values(), ids=CHANGES)
def test_what_changed_since_is_refused(scan: RunScan, change: Callable[[Path], None], said: str) -> None:
    """Although none of the rows that are asked for did."""
    views = scan.stored(FrameKind.PROJECTION)
    files = VerifiedFrames(scan.run)
    files.look_through(views)
    change(scan.run / views[3].path)
    with pytest.raises((DataError, StorageError), match=said):
        files.read(views, [2, 3], ROWS)
    with pytest.raises((DataError, StorageError), match=said):
        VerifiedFrames(scan.run).look_through(views)


def test_the_same_content_in_another_file_is_the_same_frame(scan: RunScan, hashed: list[int]) -> None:
    views = scan.stored(FrameKind.PROJECTION)
    files = VerifiedFrames(scan.run)
    files.look_through(views)
    before, path = files.read(views, [3], ROWS), scan.run / views[3].path
    hashed.clear()
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data)
    assert np.array_equal(files.read(views, [3], ROWS), before)
    assert len(hashed) == 1


def test_parts_of_a_volume_hash_no_frame_again(scan: RunScan, tmp_path: Path, hashed: list[int]) -> None:
    spec = scan_job(tmp_path / "again", rows_at_a_time=4).reconstruction
    hashed.clear()
    job = prepare_parts(VolumeJob(scan, spec, scan.shape, tmp_path / "parts"))
    assert len(hashed) == len(scan.frames)
    hashed.clear()
    for rows in job.parts[:3]:
        make_part(job, rows)
    assert hashed == []
