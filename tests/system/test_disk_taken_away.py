"""A disk that is taken away under a run, by its own errors, by umount, by what lies below it; and that comes back.

The judges are the kernel, with ext4 on a file, and the instrument: its shutter, its axes and its trace.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.session.scripted import FRAMES_OF_SMALL, SMALL
from tests.storms.failing_disk import Fault, Server, compiled
from tests.system.conftest import write_recipe
from tests.system.test_full_disk import ENDED, mounted, status
from xrm_control.core.errors import StorageError
from xrm_control.core.exit_code import ExitCode
from xrm_control.reporting.volumes import open_stack
from xrm_control.storage.durable import sha256_file
from xrm_control.storage.formats.ome_tiff import write_volume
from xrm_control.storage.journal import JournalReader
from xrm_control.storage.run_folder import RunFolder


def do(*command: str, check: bool = True) -> str:
    return subprocess.run(command, check=check, capture_output=True, text=True).stdout.strip()


@dataclass(frozen=True)
class Disk:
    """ext4 in a file, mounted: one that the kernel makes read-only at its first error."""

    image: Path
    place: Path
    device: str

    def comes_back(self) -> None:
        """Looked through, and mounted as it was."""
        subprocess.run(["umount", str(self.place)], capture_output=True)
        do("e2fsck", "-fy", str(self.image), check=False)
        do("mount", "-o", "errors=remount-ro", self.device, str(self.place))


@pytest.fixture
def below(tmp_path: Path) -> Iterator[Path]:
    """What the disk's file lies in: it holds less than the disk promises."""
    with mounted(tmp_path / "below", "size=64m") as place:
        yield place


@pytest.fixture
def disk(tmp_path: Path, below: Path) -> Iterator[Disk]:
    image, place = below / "disk.img", tmp_path / "disk"
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("no ext4 can be made here")
    with image.open("wb") as file:
        file.truncate(200 << 20)
    do("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,nodiscard", str(image))
    place.mkdir()
    found = subprocess.run(["losetup", "-f", "--show", str(image)], capture_output=True, text=True)
    if found.returncode:
        pytest.skip("no file can be a disk here")
    one = Disk(image, place, found.stdout.strip())
    try:
        one.comes_back()
        yield one
    finally:
        do("umount", "-l", str(place), check=False)
        do("losetup", "-d", one.device, check=False)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("shim")
    with compiled(folder, write_recipe(folder, **SMALL)) as one:
        yield one


# EXT4_IOC_SHUTDOWN, without flushing its log: as a disk that is pulled out.
PULL = "import fcntl, os, struct; fcntl.ioctl(os.open('{place}', os.O_RDONLY), 0x8004587d, struct.pack('I', 2))"
MOUNT_IT = "have the disk mounted for writing"
AWAY = {
    "an error": ("echo test > /sys/fs/ext4/{name}/trigger_fs_error", MOUNT_IT),
    "pulled out": (f'python3 -c "{PULL}"', f"{MOUNT_IT}|check the disk"),
    "umount -l": ("umount -l {place}", "somebody has moved"),
    # Sparse: blocks that ext4 has given away already find no room when they are flushed.
    "no room below": ("cat /dev/zero > {below}/ballast || true", f"{MOUNT_IT}|check the disk|the disk is full"),
}
WHEN = [5, *(pytest.param(n, marks=pytest.mark.soak) for n in (1, 6, 9, FRAMES_OF_SMALL - 1, FRAMES_OF_SMALL))]


@pytest.mark.parametrize("after", WHEN)
@pytest.mark.parametrize("how", AWAY)
def test_it_ends_safely_says_why_and_goes_on_when_the_disk_is_back(
    runs: Server, disk: Disk, below: Path, how: str, after: int
) -> None:
    command, said = AWAY[how]
    command = command.format(place=disk.place, name=Path(disk.device).name, below=below)
    ended = runs.run(Fault("disk", "EIO", 0, fill_after=after, instead=command), disk.place / "runs")
    assert (ended.code, ended.traceback, ended.broken) == (ExitCode.FAILURE, "", [])
    assert not any(left["open"] or any(left["moving"].values()) for left in ended.left)
    assert any(part in ended.error for part in said.split("|")), ended.error
    assert "xrm resume" in ended.error
    (below / "ballast").unlink(missing_ok=True)
    disk.comes_back()
    (path,) = (disk.place / "runs").iterdir()
    with JournalReader.open(path / "journal.sqlite") as journal:
        committed = dict(journal._connection.execute("SELECT path, sha256 FROM committed"))
    assert len(committed) == len(ended.kept) == after
    assert status(RunFolder(path)).returncode in (0, ExitCode.DIED)
    resumed = runs.resume(Fault("disk", "EIO", 0), disk.place / "runs")
    assert (resumed.code, resumed.traceback, resumed.broken) == (ENDED, "", [])
    assert {name: sha256_file(path / name) for name in committed} == committed
    with JournalReader.open(path / "journal.sqlite") as journal:
        assert journal.accounting().kept == FRAMES_OF_SMALL


def test_a_volume_on_a_disk_that_is_pulled_out_is_an_error_and_no_signal(disk: Disk) -> None:
    """A map of it would end whoever looks at it: what is not in memory can be had from nowhere."""
    volume = np.zeros((16, 256, 256), np.float32)
    path = write_volume(disk.place / "volume.ome.tif", volume, 0.5)
    stack = open_stack(path)
    do("sync")
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    do("sh", "-c", AWAY["pulled out"][0].format(place=disk.place))
    with pytest.raises(StorageError, match=r"volume.ome.tif: the volume cannot be read"):
        stack.data[15]
