"""The run folder: one run, one folder, and the name of everything in it."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from xrm_control.core.errors import DataError, LockUnknown, StorageError
from xrm_control.core.frame_id import MOSAIC, FrameId
from xrm_control.storage.durable import (
    PART_SUFFIX,
    fsync_path,
    make_folder,
    storage_error,
    write_durable,
)
from xrm_control.storage.lock import hold_lock, lock_holder
from xrm_control.storage.ownership import like_its_folder
from xrm_control.storage.path_length import JOURNAL, require_short
from xrm_control.storage.reserve import RESERVE, give_back, keep_back
from xrm_control.storage.run_order import give_number, in_order

_TOKEN = re.compile(r"[0-9a-f]{4}")
_TAKEN = ("frames", "quarantine", "checks", "commands", "reanalyses", MOSAIC)
# The last rows of a journal, the results and a report with its pictures.
_RESERVE_BYTES = 2 * 1024 * 1024
_ROI = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class MeasuredFolder:
    """Where what was measured is: of one ROI, or of all of a run."""

    path: Path

    @property
    def particles(self) -> Path:
        return self.path / "particles.csv"

    @property
    def voids(self) -> Path:
        return self.path / "voids.csv"

    @property
    def columns(self) -> Path:
        return self.path / "columns.json"

    @property
    def results(self) -> Path:
        return self.path / "results.json"


@dataclass(frozen=True)
class RoiFolder(MeasuredFolder):
    """Where the files of one ROI are."""

    @property
    def handoff(self) -> Path:
        return self.path / "handoff.json"

    @property
    def volume(self) -> Path:
        return self.path / "volume.ome.tif"

    @property
    def preview(self) -> Path:
        return self.path / "preview.png"

    @property
    def labels(self) -> Path:
        return self.path / "labels.ome.tif"

    @property
    def quality(self) -> Path:
        return self.path / "quality.json"

    @property
    def figures(self) -> Path:
        return self.path / "figures"


@dataclass(frozen=True)
class RunFolder(MeasuredFolder):
    """The folder of one run. `path` is absolute; file names are fixed, only their folder moves."""

    @classmethod
    def create(cls, root: Path, recipe_name: str, started: datetime, token: str) -> RunFolder:
        """Make ``root/<UTC time>_<recipe name>_<token>`` durably.

        `started` needs a time zone; `token` is 4 hexadecimal digits. StorageError when it exists or cannot be made,
        DataError when its path is too long.
        """
        if started.tzinfo is None:
            raise DataError("a run's start needs a time zone", where="run folder", value=started)
        if not _TOKEN.fullmatch(token):
            raise DataError("a run's token is 4 hexadecimal digits", where="run folder", value=token)
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", recipe_name).strip("-")[:60] or "recipe"
        path = Path(root).absolute() / f"{started.astimezone(UTC):%Y%m%dT%H%M%SZ}_{stem}_{token}"
        require_short(path / JOURNAL)
        make_folder(path.parent)
        try:
            path.mkdir()
        except FileExistsError as error:
            raise StorageError("the run folder exists already", where=str(path)) from error
        except OSError as error:
            raise storage_error("cannot create the run folder", path, error) from error
        like_its_folder(path)
        fsync_path(path.parent)
        give_number(path)
        folder = cls(path)
        make_folder(folder.frames)
        return folder

    @classmethod
    def open(cls, path: Path, *, unbegun: bool = False) -> RunFolder:
        """An existing run folder; DataError, with a hint where there is one, when `path` is none.

        unbegun: also one whose run died before it had a journal.
        """
        path = Path(path).absolute()
        if not path.exists():
            raise DataError("no such run folder", where=str(path))
        folder = cls(path if path.is_dir() else path.parent)
        if folder.journal.is_file() or (unbegun and folder.recipe.is_file()):
            return folder
        if folder.path.is_dir() and (lost := folder.journal_lost()) is not None:
            raise lost
        remedy = None
        if path.is_dir():
            runs = in_order(entry.parent for entry in path.glob("*/journal.sqlite"))
            remedy = f"did you mean {runs[-1]}?" if runs else None
        raise DataError("is no run folder: it holds no journal.sqlite", where=str(path), remedy=remedy)

    def journal_lost(self) -> DataError | None:
        """Of a run whose journal is not there, or holds nothing: the error where frames say that it had been begun."""
        frame = next(self.frames.rglob("*.tif"), None)
        if frame is None:
            return None
        return DataError(
            "the journal holds nothing, and yet frames were taken: it was lost or damaged, and cannot be begun anew",
            where=str(self.journal),
            value=self.relative(frame),
            remedy=f"put {self.journal.name} and {self.journal.name}-wal back from a copy, both of one moment; or "
            "start the recipe as a run of its own: the frames stay, each a TIFF that says its angle and time",
        )

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def recipe(self) -> Path:
        return self.path / "recipe.yaml"

    @property
    def plan(self) -> Path:
        return self.path / "plan.json"

    @property
    def journal(self) -> Path:
        return self.path / JOURNAL

    @property
    def log(self) -> Path:
        return self.path / "log.jsonl"

    @property
    def truth(self) -> Path:
        return self.path / "truth.json"

    @property
    def frames(self) -> Path:
        return self.path / "frames"

    @property
    def mosaic_tiff(self) -> Path:
        return self.path / "mosaic.ome.tif"

    @property
    def earlier_mosaic(self) -> Path:
        """The mosaic of a run before that this one uses again, as it was there."""
        return self.path / "earlier_mosaic.ome.tif"

    @property
    def mosaic_png(self) -> Path:
        return self.path / "mosaic.png"

    @property
    def rois(self) -> Path:
        return self.path / "rois.json"

    @property
    def mosaic_particles(self) -> Path:
        return self.path / "mosaic_particles.csv"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def lock_file(self) -> Path:
        return self.path / ".lock"

    @property
    def checks(self) -> Path:
        """Views that were taken again to compare the sample with what was seen before."""
        return self.path / "checks"

    @property
    def quarantine(self) -> Path:
        return self.path / "quarantine"

    @property
    def reanalyses(self) -> Path:
        return self.path / "reanalyses"

    def reanalysis(self, key: str) -> RunFolder:
        """Where a re-analysis keeps what a run keeps beside its frames: regions, tables, results, report."""
        return RunFolder(self.reanalyses / key)

    def roi(self, name: str) -> RoiFolder:
        """The files of one ROI (``roi-01``). Raises DataError for what is no such name."""
        if not _ROI.fullmatch(name) or name in _TAKEN:
            raise DataError("is no name of a ROI (letters, digits, - and _)", where=str(self.path), value=name)
        return RoiFolder(self.path / name)

    def frame_path(self, frame_id: FrameId, attempt: int = 1) -> Path:
        """The file of one attempt: ``frames/roi-01/proj_0007.tif``, from the second on ``proj_0007.a2.tif``."""
        suffix = ".tif" if attempt == 1 else f".a{attempt}.tif"
        return self.frames / f"{frame_id}{suffix}"

    def relative(self, path: Path) -> str:
        """`path` relative to the run folder, with forward slashes; DataError when it lies outside."""
        try:
            return Path(path).absolute().relative_to(self.path).as_posix()
        except ValueError as error:
            raise DataError("lies outside the run folder", where=str(path), limit=str(self.path)) from error

    def lock(self) -> contextlib.AbstractContextManager[None]:
        """Hold the run for the block: ResourceLocked, naming the process, when another one has it."""
        return hold_lock(self.lock_file, "the run")

    def holder(self) -> str | None:
        """The process that carries this run out at this moment ("unknown" if it does not say); None when none does.

        Raises LockUnknown where that cannot be told, StorageError.
        """
        return lock_holder(self.lock_file)

    def may_be_held(self) -> bool:
        """Whether a process carries this run out, or may, where that cannot be told."""
        try:
            return self.holder() is not None
        except LockUnknown:
            return True

    @contextlib.contextmanager
    def room_kept(self) -> Iterator[None]:
        """Keep room for the record of an end, for the block. Raises StorageError where there is none."""
        keep_back(self.path / RESERVE, _RESERVE_BYTES)
        try:
            yield
        finally:
            self.use_reserve()

    def use_reserve(self) -> None:
        """The end is to be put on record, and the disk may be full: what was kept back is free for it."""
        give_back(self.path / RESERVE)

    def last_written(self) -> datetime | None:
        """When journal or log were last written, by the files' own times; None where there are none."""
        times = []
        for path in (self.journal, self.journal.with_name(f"{self.journal.name}-wal"), self.log):
            with contextlib.suppress(OSError):
                times.append(path.stat().st_mtime)
        return datetime.fromtimestamp(max(times), UTC) if times else None

    def write_bytes(self, path: Path, data: bytes, *, replace: bool = False) -> Path:
        """Write a file of the run durably, making its folder; StorageError when it exists (unless `replace`)."""
        self.relative(path)
        make_folder(path.parent)
        return write_durable(path, data, replace=replace)

    def write_text(self, path: Path, text: str, *, replace: bool = False) -> Path:
        """`write_bytes` of UTF-8 text."""
        return self.write_bytes(path, text.encode("utf-8"), replace=replace)

    def write_json(self, path: Path, data: object, *, replace: bool = False) -> Path:
        """`write_bytes` of JSON on one line (laid out it takes ten times as long: a powder has thousands of particles).

        Numbers that JSON does not know (NaN, infinity) become null.
        """
        return self.write_text(path, to_json(data) + "\n", replace=replace)

    def append_log(self, record: Mapping[str, Any]) -> None:
        """Add one line to log.jsonl. The log is for people; it is not flushed to the disk like the journal.

        Raises StorageError where it cannot be written.
        """
        line = (to_json(dict(record)) + "\n").encode("utf-8")
        try:
            descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            try:
                like_its_folder(self.log, descriptor)
                os.write(descriptor, line)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise storage_error("cannot write the log", self.log, error, len(line)) from error

    def quarantine_parts(self) -> list[Path]:
        """Move files whose writing never ended (`*.part`) to ``quarantine/``; returns where they are now."""
        moved: list[Path] = []
        moved_from: set[Path] = set()
        for part in sorted(self.path.rglob(f"*{PART_SUFFIX}")):
            # A folder that was half written takes what is in it along.
            if self.quarantine in part.parents or any(folder in moved_from for folder in part.parents):
                continue
            moved_from.add(part)
            moved.append(self.set_aside(part))
        return moved

    def set_aside(self, path: Path) -> Path:
        """Move a file of the run to ``quarantine/``; returns where it is now. StorageError when that fails."""
        name = self.relative(path).replace("/", "__")
        make_folder(self.quarantine)
        target = next(t for n in range(1, 1_000_000) if not (t := self.quarantine / f"{name}.{n}").exists())
        try:
            path.rename(target)
        except OSError as error:
            raise storage_error("cannot be moved to quarantine", path, error) from error
        return target


def to_json(data: object) -> str:
    """JSON text of plain data, paths and numpy numbers and arrays; NaN and infinity become null."""
    return json.dumps(_plain(data), ensure_ascii=False, allow_nan=False)


def _plain(item: object) -> object:
    if isinstance(item, Mapping):
        return {str(key): _plain(value) for key, value in item.items()}
    if isinstance(item, list | tuple):
        return [_plain(value) for value in item]
    if isinstance(item, np.ndarray | np.generic):
        return _plain(item.tolist())
    if isinstance(item, float):
        return item if math.isfinite(item) else None
    if item is None or isinstance(item, str | int | bool):
        return item
    if isinstance(item, Path):
        return item.as_posix()
    raise DataError("cannot be written as JSON", value=type(item).__name__)
