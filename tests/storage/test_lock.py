"""The lock of a run: asked about by anybody, taken away by nobody."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from xrm_control.core.errors import LockUnknown, ResourceLocked, StorageError
from xrm_control.storage.lock import hold_lock, lock_holder

HOLDER = """
import sys
from pathlib import Path
from xrm_control.storage.lock import hold_lock
with hold_lock(Path(sys.argv[1]), "the run"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    assert lock_holder(path) is None
    assert not path.exists()
    with hold_lock(path, "the run"):
        assert lock_holder(path) == str(os.getpid())
        assert lock_holder(path) == str(os.getpid())
        with pytest.raises(ResourceLocked, match="Ctrl-C"), hold_lock(path, "the run"):
            pass
    assert lock_holder(path) is None


def test_a_dead_holder_holds_nothing_though_its_name_is_there(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert lock_holder(path) == str(holder.pid)
        os.kill(holder.pid, signal.SIGSTOP)  # stopped is not dead
        assert lock_holder(path) == str(holder.pid)
        os.waitpid(holder.pid, os.WUNTRACED)
        told = ""
        try:
            with hold_lock(path, "the run"):
                pass
        except ResourceLocked as error:
            told = str(error)
        os.kill(holder.pid, signal.SIGKILL)
    assert "which a signal has suspended" in told
    assert f"`kill -CONT {holder.pid}`" in told
    assert path.read_text().split()[0] == str(holder.pid)
    assert lock_holder(path) is None


def test_a_holder_that_has_not_written_its_name_yet(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    path.touch()
    whole = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    with path.open("r+") as file:
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, whole)
        assert lock_holder(path) == "unknown"


def test_who_asks_never_keeps_anybody_from_starting(tmp_path: Path) -> None:
    """Thousands of questions against two thousand starts: with a lock that is tried and given back some are refused."""
    path = tmp_path / ".lock"
    over = threading.Event()
    answers: set[str | None] = set()

    def ask() -> None:
        while not over.is_set():
            answers.add(lock_holder(path))

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for thread in asking:
        thread.start()
    try:
        for _ in range(2000):
            with hold_lock(path, "the run"):
                pass
    finally:
        over.set()
        for thread in asking:
            thread.join()
    assert answers <= {None, "unknown", str(os.getpid())}


def test_a_file_that_cannot_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    code = errno.ENOLCK
    (tmp_path / ".lock").touch()
    monkeypatch.setattr(fcntl, "fcntl", refuse)
    # Nobody has signed it, and nobody can take it there.
    assert lock_holder(tmp_path / ".lock") is None
    (tmp_path / ".lock").write_text("4711\n")
    with pytest.raises(LockUnknown, match=r"process 4711.*look on that machine"):
        lock_holder(tmp_path / ".lock")
    with pytest.raises(StorageError, match=r"No locks available.*local disk"), hold_lock(tmp_path / ".lock", "it"):
        pass
    code = errno.EIO
    with pytest.raises(StorageError, match="cannot be asked who holds it"):
        lock_holder(tmp_path / ".lock")


def test_a_lock_that_cannot_be_signed_is_not_held(tmp_path: Path) -> None:
    """By the kernel's limit of the size of files: who held it before must not be named in its place."""
    path = tmp_path / ".lock"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with pytest.raises(StorageError, match=r"cannot say who holds it.*file-size limit"), hold_lock(path, "the run"):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert lock_holder(path) is None


HERE, BOOT = os.uname().nodename, Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def installation() -> str:
    """As the file says, where there is one."""
    path = Path("/etc/machine-id")
    return (path.read_text().strip() if path.exists() else "") or "-"


ID = installation()


@pytest.mark.parametrize(
    ("signature", "ours"),
    [
        ("4711", True),  # an earlier version's
        (f"4711 {HERE} {BOOT} {ID}", True),
        (f"4711 {HERE} other-boot {ID}", True),  # this machine, before it was started anew
        (f"4711 container {BOOT} other-id", True),  # the same kernel, whose locks it shares
        (f"4711 other other-boot {ID}", False),  # a copy of this machine's disk
        (f"4711 {HERE} other-boot other-id", False),  # a machine of the same name
        ("4711 other - -", False),
        ("4711 oth", True),  # torn by a power cut: it says nothing
    ],
)
def test_a_lock_that_seems_free_and_was_never_let_go_of(tmp_path: Path, signature: str, ours: bool) -> None:
    path = tmp_path / ".lock"
    path.write_text(f"{signature}\n")
    if ours:
        assert lock_holder(path) is None
        with hold_lock(path, "the run"):
            assert lock_holder(path) == str(os.getpid())
        return
    with pytest.raises(LockUnknown, match=rf"process 4711 on (other|{HERE}) held it.*look on that machine"):
        lock_holder(path)
    with pytest.raises(LockUnknown), hold_lock(path, "the run"):
        pass
    assert path.read_text() == f"{signature}\n"


def test_another_machine_that_holds_it_is_named(tmp_path: Path) -> None:
    """As NFS tells of it: the kernel says that it is taken, the file by whom."""
    path = tmp_path / ".lock"
    with hold_lock(path, "the run"):
        path.write_text("4711 other other-boot other-id\n")
        assert lock_holder(path) == "4711 on other"
        with pytest.raises(ResourceLocked, match="in use by process 4711 on other"), hold_lock(path, "the run"):
            pass
