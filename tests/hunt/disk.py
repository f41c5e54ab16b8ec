"""A disk that is watched: every call of the program that lasts is a step, in order, and a step can go wrong.

Steps: an fsync, a write, a name that is given, a transaction of a journal that begins or is committed. At a chosen step
the call fails (EIO, ENOSPC, EROFS), once or from then on; or the process is killed there: what is on the disk at that
instant is laid aside as the run's folder, and whatever the dying process still does is lost. A power cut also takes
what was not flushed: content since a file's last fsync, names since their folder's; and of a drive that answers out of
its cache what it was told to flush since the journal's last commit. A process that dies or ends flushes nothing: what
it left is still to be lost in a later sitting. An fsync that fails loses the content that it was to save, as Linux
does. Nothing is really flushed; folders belong in memory.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from xrm_control.storage import durable
from xrm_control.storage import journal as journals
from xrm_control.storage.durable import sha256_file

ERRORS = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC, "EROFS": errno.EROFS}
_SQLITE = {
    errno.EIO: ("disk I/O error", "SQLITE_IOERR"),
    errno.ENOSPC: ("database or disk is full", "SQLITE_FULL"),
    errno.EROFS: ("attempt to write a readonly database", "SQLITE_READONLY"),
}
_FULL_SYNC = 2
_NEVER_LOST = ("journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm", "run.lock", "log.jsonl")


class Killed(BaseException):
    """The process is dead; whatever it still does happens nowhere."""


@dataclass(frozen=True)
class Trouble:
    """At step number `at` of the night, and at the `times - 1` that follow, the call fails with `error`."""

    error: str
    at: int
    times: int = 1


@dataclass
class Disk:
    """Watches `root`. `kill_at`: the step before which the process dies; `power`: and with it the machine.
    flushes: from each of these steps on the first fsync of a file fails. between: it dies where a frame has its name
    and no commit; unlisted: where a new folder is not flushed yet. refuses: the next write of a frame fails.

    written_on: a journal to which the disk had refused itself for another reason than that it was full, and in which
    the same process began or ended a transaction after that.
    left: where the folder is as the dead process left it. published: by name, the hashes of all that was given it;
    unrecorded: the names that were given since the journal's last commit; torn: those of before a power cut, which may
    be half of themselves until they are given again. orphan: the frame, relative to the folder, that has its name and
    no commit.
    """

    root: Path
    chance: random.Random
    troubles: tuple[Trouble, ...] = ()
    flushes: tuple[int, ...] = ()
    kill_at: int | None = None
    power: bool = False
    between: bool = False
    unlisted: bool = False
    refuses: bool = False
    steps: int = 0
    dead: bool = False
    left: Path | None = None
    failed: int = 0
    unflushed: int = 0
    names: list[str] = field(default_factory=list)
    _lock: Any = field(default_factory=threading.RLock)
    _synced: dict[int, tuple[int, int]] = field(default_factory=dict)
    _in_cache: set[int] = field(default_factory=set)
    published: dict[str, set[str]] = field(default_factory=dict)
    unrecorded: set[str] = field(default_factory=set)
    torn: set[str] = field(default_factory=set)
    orphan: str | None = None
    written_on: str | None = None
    _listed: dict[str, dict[str, int]] = field(default_factory=dict)
    _journal: sqlite3.Connection | None = None
    _cold: bool = True

    def mount(self) -> None:
        """Another process comes. After a power cut, and at first, all that is there is on the disk."""
        self.dead, self._journal, self.orphan, self.refuses, self.written_on = False, None, None, False, None
        if not self._cold:
            return
        self._cold = False
        self._synced.clear()
        self._in_cache.clear()
        self._listed.clear()
        for folder, _, files in os.walk(self.root):
            self._listed[folder] = _listing(folder)
            for name in files:
                self._flushed(os.stat(os.path.join(folder, name)))

    def step(self, name: str, *, new_folder: bool = False) -> None:
        """One more step, before it is done; new_folder: it flushes the name of a folder that nobody has flushed.

        Raises OSError where it is to fail, Killed where nobody does it.
        """
        if self.dead:
            raise Killed
        self.steps += 1
        self.names.append(name)
        if self.kill_at is not None and self.steps >= self.kill_at and self._is_due(name, new_folder):
            self.dead, self.kill_at = True, None
            self.left = self._as_left()
            raise Killed
        if self.refuses and name.startswith("write ") and name.endswith(".tif.part") and "_at_" not in name:
            self.refuses = False
            self.failed += 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        late = [at for at in self.flushes if at <= self.steps]
        if late and name.startswith("fsync ") and "." in name:
            self.flushes = tuple(at for at in self.flushes if at != late[0])
            self.failed += 1
            self.unflushed += 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        for trouble in self.troubles:
            if trouble.at <= self.steps < trouble.at + trouble.times:
                self.failed += 1
                raise OSError(ERRORS[trouble.error], os.strerror(ERRORS[trouble.error]))

    def _is_due(self, name: str, new_folder: bool) -> bool:
        """Whether this step is the one that a death waits for: the commit of a frame that has its name, or the flush of
        what holds a new folder.
        """
        if self.unlisted:
            return new_folder
        return not self.between or (name in ("BEGIN", "COMMIT") and self.orphan is not None)

    # what is on the disk

    def _holds_new_folder(self, path: str) -> bool:
        if not os.path.isdir(path):
            return False
        known = self._listed.get(path, {})
        with os.scandir(path) as entries:
            return any(one.is_dir() and one.name not in known for one in entries)

    def _flushed(self, status: os.stat_result) -> None:
        self._synced[status.st_ino] = (status.st_size, status.st_mtime_ns)

    def synced(self, descriptor: int) -> None:
        """An fsync has succeeded."""
        status, path = os.fstat(descriptor), os.readlink(f"/proc/self/fd/{descriptor}")
        if os.path.isdir(path):
            self._listed[path] = _listing(path)
        else:
            self._flushed(status)
            self._in_cache.add(status.st_ino)

    def _as_left(self) -> Path:
        """The folder as it is found afterwards, beside the one of which the dead process still dreams."""
        target = self.root.with_name(f"{self.root.name}+")
        self._cold = self.power
        if self.power:
            self.torn |= self.unrecorded
        for folder, _, files in os.walk(self.root):
            place = target / os.path.relpath(folder, self.root)
            if self.power and folder != str(self.root) and self._name_lost(folder):
                continue
            place.mkdir(parents=True, exist_ok=True)
            for name in files:
                self._leave(Path(folder, name), place / name)
        if not self.power:
            self._remember(target)
        return target

    def _remember(self, target: Path) -> None:
        """What is flushed of the folder as it is found, as it was of the one that the process had."""
        for folder, folders, files in os.walk(self.root):
            place, listed = target / os.path.relpath(folder, self.root), self._listed.get(folder)
            if listed is not None:
                known = {name for name in (*folders, *files) if name in listed}
                self._listed[str(place)] = {name: os.stat(place / name).st_ino for name in known}
            for name in files:
                before, after = os.stat(os.path.join(folder, name)), os.stat(place / name)
                if self._synced.get(before.st_ino) == (before.st_size, before.st_mtime_ns):
                    self._flushed(after)
                if before.st_ino in self._in_cache:
                    self._in_cache.add(after.st_ino)

    def _leave(self, source: Path, target: Path) -> None:
        if not target.parent.is_dir():
            return
        safe = source.name.startswith("journal.sqlite") or source.name in _NEVER_LOST or not self.power
        status = source.stat()
        if not safe and self._name_lost(str(source)):
            listed = self._listed.get(str(source.parent), {})
            before = [name for name, inode in listed.items() if inode == status.st_ino]
            if not before:
                return
            target = target.with_name(before[0])
        flushed = self._synced.get(status.st_ino) == (status.st_size, status.st_mtime_ns)
        if flushed and status.st_ino in self._in_cache:
            flushed = self.chance.random() < 0.5
        if safe or flushed:
            if source.suffix == ".tif":
                os.link(source, target)
            else:
                shutil.copy2(source, target)
        else:
            # Nobody flushed it: it may be whole, short or empty, or of its length and zeros from somewhere on.
            content = source.read_bytes()
            kept = content[: self.chance.choice((0, len(content) // 2, len(content)))]
            target.write_bytes(kept.ljust(len(content), b"\0") if self.chance.random() < 0.5 else kept)
        if self.power and source.name == "journal.sqlite-wal" and self._careless():
            os.truncate(target, status.st_size // 2)

    def _name_lost(self, path: str) -> bool:
        """Whether a name was given and its folder not flushed; and the disk had not come to it by itself."""
        folder, name = os.path.split(path)
        # What a name stood for before it was given anew is gone from memory: of those the new one is found.
        return name not in self._listed.get(folder, {}) and self.chance.random() < 0.7

    def _careless(self) -> bool:
        """Whether the journal's writer does not wait for the disk."""
        if self._journal is None:
            return False
        with contextlib.suppress(sqlite3.Error):
            return int(self._journal.execute("PRAGMA synchronous").fetchone()[0]) < _FULL_SYNC
        return False

    # the seams

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """The calls of this process go through here as long as the block lasts."""
        disk, within = self, f"{self.root}{os.sep}"

        def ours(descriptor: int) -> str | None:
            path = os.readlink(f"/proc/self/fd/{descriptor}")
            return path if path.startswith(within) else None

        def fsync(descriptor: int) -> None:
            path = ours(descriptor)
            if path is None:
                return
            with disk._lock:
                try:
                    disk.step(f"fsync {os.path.basename(path)}", new_folder=disk._holds_new_folder(path))
                except OSError:
                    if os.path.isfile(path) and os.path.basename(path) not in _NEVER_LOST:
                        os.truncate(path, os.fstat(descriptor).st_size // 2)
                    raise
                disk.synced(descriptor)

        def write(descriptor: int, data: Any, real: Callable[..., int] = os.write) -> int:
            path = ours(descriptor)
            if path is None:
                return real(descriptor, data)
            with disk._lock:
                disk.step(f"write {os.path.basename(path)}")
                return real(descriptor, data)

        def renaming(real: Callable[..., None]) -> Callable[..., None]:
            def rename(source: Any, target: Any, **words: Any) -> None:
                if not str(target).startswith(within):
                    real(source, target, **words)
                    return
                with disk._lock:
                    name = os.path.basename(target)
                    disk.step(f"rename {name}")
                    if os.path.isfile(source):
                        disk.published.setdefault(name, set()).add(sha256_file(Path(source)))
                        disk.unrecorded.add(name)
                        disk.torn.discard(name)
                        if name.endswith(".tif") and f"{os.sep}frames{os.sep}" in str(target):
                            disk.orphan = os.path.relpath(target, disk.root)
                    real(source, target, **words)

            return rename

        class Watched(sqlite3.Connection):
            refused: str | None = None

            def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
                if sql.startswith(("BEGIN", "COMMIT")):
                    with disk._lock:
                        disk._journal = self
                        try:
                            disk.step(sql.partition(" ")[0])
                        except OSError as error:
                            text, name = _SQLITE[error.errno or 0]
                            failure = sqlite3.OperationalError(text)
                            failure.sqlite_errorname = name
                            if error.errno != errno.ENOSPC:
                                self.refused = f"{name} at {sql} in step {disk.steps}"
                            raise failure from error
                        done = super().execute(sql, *arguments)
                        # Whoever asks begins a transaction too, and writes nothing.
                        if self.refused is not None and sql != "BEGIN":
                            disk.written_on = f"{sql} in step {disk.steps}, after {self.refused}"
                        if sql.startswith("COMMIT"):
                            disk._in_cache.clear()
                            disk.unrecorded.clear()
                            disk.orphan = None
                        return done
                if disk.dead and sql.startswith("PRAGMA journal_mode"):
                    raise Killed
                return super().execute(sql, *arguments)

        real_connect = sqlite3.connect

        class _Sqlite:
            def __getattr__(self, name: str) -> Any:
                return getattr(sqlite3, name)

            def connect(self, *arguments: Any, **words: Any) -> sqlite3.Connection:
                return real_connect(*arguments, factory=Watched, **words)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "fsync", fsync)
            patch.setattr(os, "write", write)
            patch.setattr(os, "replace", renaming(os.replace))
            patch.setattr(durable, "_rename_exclusive", renaming(durable._rename_exclusive))
            patch.setattr(journals, "sqlite3", _Sqlite())
            yield


def _listing(folder: str) -> dict[str, int]:
    return {entry.name: entry.inode() for entry in os.scandir(folder)}
