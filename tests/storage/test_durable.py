"""Files are whole and durable, or not there; failing disks are real ones where they can be had."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from xrm_control.core.errors import StorageError
from xrm_control.storage.durable import (
    disk_watched,
    durable_file,
    free_bytes,
    make_folder,
    part_path,
    publish_file,
    publish_folder,
    require_free,
    sha256_bytes,
    sha256_file,
    write_durable,
)

ROOT = Path(__file__).parents[2]


def test_writes_whole_and_leaves_no_part(tmp_path: Path) -> None:
    path = write_durable(tmp_path / "a.bin", b"abc" * 1000)
    assert path.read_bytes() == b"abc" * 1000
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.bin"]


def test_calls_the_disk_in_the_order_that_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    fsync, target = os.fsync, tmp_path / "a.bin"

    def spy(descriptor: int) -> None:
        kind = "folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file"
        seen.append(f"fsync {kind}, final name {'there' if target.exists() else 'not there'}")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    write_durable(target, b"abc")
    assert seen == ["fsync file, final name not there", "fsync folder, final name there"]


def test_never_overwrites_unless_told(tmp_path: Path) -> None:
    path = write_durable(tmp_path / "a.bin", b"first")
    with pytest.raises(StorageError, match=r"a\.bin: exists already and is not overwritten"):
        write_durable(path, b"second")
    assert path.read_bytes() == b"first"
    assert write_durable(path, b"third", replace=True).read_bytes() == b"third"


def test_rename_refuses_a_target_that_appeared_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(b"new")
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(StorageError, match="exists already"):
        publish_file(tmp_path / "a.part", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert (tmp_path / "a.part").read_bytes() == b"new"


@pytest.mark.parametrize(("folder", "links"), [(False, True), (False, False), (True, True)])
def test_without_renameat2_it_still_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: bool, links: bool
) -> None:
    """Also where files cannot have a second name, as on exFAT."""

    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    if not links:
        monkeypatch.setattr("xrm_control.storage.durable.os.link", no_links)
    monkeypatch.setattr("xrm_control.storage.durable.ctypes.CDLL", lambda *_, **__: object())
    part, final = tmp_path / "a.part", tmp_path / "a"
    for path in (part, final):
        path.mkdir() if folder else path.write_bytes(path.name.encode())
    with pytest.raises(StorageError, match="exists already"):
        publish_file(part, final)
    final.rmdir() if folder else final.unlink()
    publish_file(part, final)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_publishes_a_folder_at_once(tmp_path: Path) -> None:
    part = tmp_path / "export.zarr.part"
    (part / "0").mkdir(parents=True)
    (part / "0" / "c").write_bytes(b"chunk")
    final = publish_folder(part, tmp_path / "export.zarr")
    assert (final / "0" / "c").read_bytes() == b"chunk"
    assert not part.exists()
    (tmp_path / "again.part").mkdir()
    with pytest.raises(StorageError, match="exists already"):
        publish_folder(tmp_path / "again.part", final)


def test_fsync_error_stops_and_bars_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    path = tmp_path / "a.tif"
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        with pytest.raises(StorageError, match=r"a\.tif\.part: .*disk reports an error.*not tried again.*free.*needed"):
            write_durable(path, b"abc")
    assert not path.exists()
    with pytest.raises(StorageError, match="unfinished write of this file is in the way"):
        write_durable(path, b"abc")


@pytest.mark.parametrize("own_name", [False, True])
@pytest.mark.parametrize(
    ("failure", "told"), [(OSError(errno.EIO, "error"), StorageError), (ValueError("no picture"), ValueError)]
)
def test_what_cannot_be_taken_away_hides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception, told: type[Exception], own_name: bool
) -> None:
    """The disk refuses all from some moment on: what failed first is what is told."""

    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def write() -> None:
        with durable_file(tmp_path / "a.png", "the picture", own_name=own_name) as file:
            file.write(b"abc")
            raise failure

    monkeypatch.setattr(Path, "unlink", refused)
    with pytest.raises(told) as raised:
        write()
    assert "Read-only" not in str(raised.value)
    assert not (tmp_path / "a.png").exists()


def test_file_size_limit_is_a_clear_error(tmp_path: Path) -> None:
    """A real kernel refusal in the middle of a file, without root."""
    script = (
        "import resource, sys; from pathlib import Path; from xrm_control.core.errors import StorageError\n"
        "from xrm_control.storage.durable import write_durable\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "path = Path(sys.argv[1]) / 'a.tif'\n"
        "try: write_durable(path, bytes(200_000))\n"
        "except StorageError as error: print(error)\n"
        "write_durable(path, bytes(1000)); print(sorted(p.name for p in path.parent.iterdir()))\n"
    )
    out = subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    first, second = out.stdout.splitlines()
    assert "file-size limit is reached" in first
    assert "200.0 kB needed" in first
    assert second == "['a.tif']"


FULL_DISK = """
import sys
from pathlib import Path
import numpy as np
from xrm_control.core.errors import StorageError
from xrm_control.core.geometry import Pose
from xrm_control.storage.frames import FrameStore
from xrm_control.storage.journal import Journal
from xrm_control.storage.records import Exposure, PlannedFrame, RunRecord
from xrm_control.storage.run_folder import RunFolder
from datetime import datetime, UTC
folder = RunFolder.create(Path(sys.argv[1]), "full", datetime(2025, 1, 2, tzinfo=UTC), "0a0a")
journal = Journal.create(folder.journal, RunRecord(folder.name, "full", "0" * 64, "simulated", True, ""))
pose = Pose(0, 0, 0, 0)
names = [f"roi-01/proj_{n:04d}" for n in range(200)]
plan = ["scanning", "projection", 1, pose, 1, 8, "roi-01"]
journal.plan_frames(PlannedFrame(name, *plan) for name in names)
store, stored = FrameStore(folder, journal), []
try:
    for n, name in enumerate(names):
        attempt = journal.intend(name, theta_deg=0, t_s=n)
        stored.append(store.store(name, attempt, np.full((64, 64), n, np.uint16), Exposure(pose, n, n + 1, n)))
except StorageError as error:
    print(error)
for n, frame in enumerate(stored):
    assert (store.load(frame.frame_id) == n).all()
assert [f.frame_id for _, f in journal.stored_frames()] == [f.frame_id for f in stored]
print(len(stored), journal.accounting().kept, len(list(folder.frames.rglob("*.part"))))
"""


def test_a_disk_that_fills_up_ends_the_run_and_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    """A real small file system (tmpfs in a private mount name space)."""
    shell = 'mount -t tmpfs -o size=900k tmpfs "$1" && exec "$2" -c "$3" "$1"'
    unshare = shutil.which("unshare")
    if not unshare or subprocess.run([unshare, "-rm", "mount", "-t", "tmpfs", "x", str(tmp_path)]).returncode:
        pytest.skip("no private mounts on this machine")
    command = [unshare, "-rm", "sh", "-c", shell, "sh", str(tmp_path), sys.executable, FULL_DISK]
    out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    error, counts = out.stdout.splitlines()
    assert "the disk is full" in error
    assert "free space; what was acknowledged is kept" in error
    stored, kept, parts = map(int, counts.split())
    assert 5 < stored == kept < 200
    assert parts == 0


def test_hashes_agree_with_the_standard(tmp_path: Path) -> None:
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-4, "abc"
    assert sha256_bytes(b"abc") == known == hashlib.sha256(b"abc").hexdigest()
    assert sha256_file(write_durable(tmp_path / "abc", b"abc")) == known
    with pytest.raises(StorageError, match="cannot be read"):
        sha256_file(tmp_path / "none")


def test_space_is_asked_of_the_nearest_folder_that_exists(tmp_path: Path) -> None:
    assert abs(free_bytes(tmp_path / "not" / "yet") - shutil.disk_usage(tmp_path).free) < 100e6
    require_free(tmp_path, 1000, reserve_bytes=1000)
    with pytest.raises(StorageError, match=r"not enough space .*free.*1000000\.0 GB needed and 1\.0 kB kept"):
        require_free(tmp_path, 10**15, reserve_bytes=1000)


@pytest.mark.parametrize("own_name", [False, True])
def test_a_file_written_in_a_block_is_flushed_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_name: bool
) -> None:
    fsync, target = os.fsync, tmp_path / "a.png"
    seen: list[tuple[str, bool, int]] = []

    def spy(descriptor: int) -> None:
        about = os.fstat(descriptor)
        folder = stat.S_ISDIR(about.st_mode)
        seen.append(("folder" if folder else "file", target.exists(), 0 if folder else about.st_size))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    with durable_file(target, "the picture", own_name=own_name) as file:
        file.write(b"x" * 17)
    # All of it, and then its name.
    assert seen == [("file", False, 17), ("folder", True, 0)]


def test_what_an_earlier_try_has_left_is_not_written_into(tmp_path: Path) -> None:
    target, left = tmp_path / "a.png", tmp_path / "left"
    left.write_text("perhaps not flushed")
    (tmp_path / "a.png.part").hardlink_to(left)
    with durable_file(target, "the picture") as file:
        file.write(b"new")
    assert (target.read_text(), left.read_text()) == ("new", "perhaps not flushed")


def test_each_new_folder_is_flushed_in_the_one_that_holds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[Path] = []
    fsync = os.fsync

    def spy(descriptor: int) -> None:
        flushed.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    make_folder(tmp_path / "a" / "b" / "c")
    assert flushed == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]
    # Whoever made it may have died before it was flushed.
    make_folder(tmp_path / "a" / "b")
    assert flushed[3:] == [tmp_path / "a"]


def test_folders(tmp_path: Path) -> None:
    assert make_folder(tmp_path / "a" / "b" / "c").is_dir()
    assert part_path(tmp_path / "a.tif").name == "a.tif.part"
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        make_folder(tmp_path / "file" / "below")
    with pytest.raises(StorageError, match="a file where a folder is needed"):
        make_folder(tmp_path / "file")
    with pytest.raises(StorageError, match="cannot be written"):
        write_durable(tmp_path / "none" / "a", b"")
    with pytest.raises(StorageError, match="no folder"):
        publish_folder(tmp_path / "file", tmp_path / "f")


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_what_the_disk_refuses_others_is_told_with_its_place(tmp_path: Path, code: int) -> None:
    with pytest.raises(StorageError, match="the analysis cannot go on") as told, disk_watched("the analysis", tmp_path):
        raise OSError(code, os.strerror(code))
    assert told.value.where == str(tmp_path)


def test_a_full_device_below_another_s_writer_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageError, match="the disk is full"),
        disk_watched("the analysis", tmp_path),
        open("/dev/full", "wb", buffering=0) as full,
    ):
        full.write(b"x")


def test_what_is_no_trouble_of_the_disk_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), disk_watched("the analysis", tmp_path):
        (tmp_path / "missing").read_bytes()
