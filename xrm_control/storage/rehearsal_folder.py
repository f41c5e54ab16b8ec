"""The folder of a rehearsal: apart from all runs, and its name says what it is."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from xrm_control.contracts.rehearsal import REHEARSAL
from xrm_control.core.errors import DataError
from xrm_control.storage.durable import (
    disk_watched,
    free_bytes,
    make_folder,
    part_path,
    publish_file,
    storage_error,
)

_MEMORY = Path("/dev/shm")
# Of what is free in memory, a night may take so much.
_SHARE = 0.25


@dataclass(frozen=True)
class RehearsalFolder:
    """One rehearsal; `path` is absolute."""

    path: Path

    @classmethod
    def create(cls, root: Path, name: str, written: datetime, token: str) -> RehearsalFolder:
        """Make ``root/<UTC time>_rehearsal-of-<name>_<token>``. StorageError when it cannot be made."""
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:60] or "recipe"
        path = root.absolute() / f"{written.astimezone(UTC):%Y%m%dT%H%M%SZ}_rehearsal-of-{stem}_{token}"
        make_folder(path)
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> RehearsalFolder:
        """An existing one, by its folder or a file in it. DataError when `path` is none."""
        place = path.absolute()
        found = cls(place if place.is_dir() else place.parent)
        if not found.document.is_file():
            raise DataError(f"is no rehearsal: it holds no {REHEARSAL.name}", where=str(path))
        return found

    @property
    def document(self) -> Path:
        return self.path / REHEARSAL.name

    @property
    def page(self) -> Path:
        return self.path / "rehearsal.html"

    @property
    def runs(self) -> Path:
        """Of the nights that are kept."""
        return self.path / "runs"

    @contextlib.contextmanager
    def stage(self, need_bytes: int, *, quickly: bool) -> Iterator[Path]:
        """A place to play a night in, gone afterwards; `quickly`: in memory where there is room, as it is no data."""
        roomy = quickly and _MEMORY.is_dir() and need_bytes < _SHARE * free_bytes(_MEMORY)
        where = _MEMORY if roomy else self.path
        with (
            disk_watched("the rehearsal", where),
            tempfile.TemporaryDirectory(prefix=".playing-", dir=where, ignore_cleanup_errors=True) as place,
        ):
            yield Path(place)

    def keep(self, run: Path) -> str:
        """Take a night's run over from where it was played, whole or not at all; returns its place in this folder.

        Raises StorageError where it cannot be kept.
        """
        make_folder(self.runs)
        target = self.runs / run.name
        if _on_one_disk(run, self.runs):
            publish_file(run, target, synced=True)
        else:
            part = part_path(target)
            try:
                _copy(run, part)
            except OSError as error:
                raise storage_error("the rehearsed run cannot be kept", Path(error.filename or part), error) from error
            # Not flushed file by file, which takes longer than a night without pictures: it is no data.
            publish_file(part, target, synced=True)
        return target.relative_to(self.path).as_posix()


def _on_one_disk(one: Path, other: Path) -> bool:
    return one.stat().st_dev == other.stat().st_dev


def _copy(run: Path, part: Path) -> None:
    part.mkdir()
    for path in sorted(run.rglob("*")):
        if path.is_dir():
            (part / path.relative_to(run)).mkdir()
        else:
            shutil.copyfile(path, part / path.relative_to(run))
