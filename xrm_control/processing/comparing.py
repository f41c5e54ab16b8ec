"""A file of a run against its record, and the files that no record names."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from xrm_control.core.errors import StorageError
from xrm_control.core.states import RoiState
from xrm_control.processing.soundness import Soundness
from xrm_control.storage.audit import JournalAudit
from xrm_control.storage.durable import PART_SUFFIX, sha256_file
from xrm_control.storage.ownership import may_read
from xrm_control.storage.records import Artifact
from xrm_control.storage.reserve import RESERVE
from xrm_control.storage.run_folder import RunFolder
from xrm_control.storage.run_order import NUMBER

_LOCK = ".lock"
_ASIDE = (_LOCK, RESERVE, NUMBER, "log.jsonl", "quarantine", "commands")
# What a region that is set aside may have come to.
_HALF_MADE = ("preview.png", "volume.ome.tif", "volume-16bit.tif", "handoff.json")

Judged = tuple[Soundness, str]


def compare(folder: RunFolder, name: str, size: int, sha256: str, audit: JournalAudit) -> Judged | None:
    """What is wrong with a file that is recorded; None for nothing."""
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        return Soundness.ALTERED, "its record leads out of the run's folder"
    path = folder.path / name
    try:
        about = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return Soundness.MISSING, "is not there"
    except PermissionError as error:
        return Soundness.NOT_COVERED, f"cannot be looked at: {error.strerror}"
    except OSError as error:
        return Soundness.ALTERED, f"cannot be looked at: {error.strerror}"
    if not stat.S_ISREG(about.st_mode):
        return Soundness.ALTERED, "is no file any more"
    try:
        now = sha256_file(path)
    except StorageError as error:
        # Whoever may not read it knows nothing of it.
        return Soundness.ALTERED if may_read(path) else Soundness.NOT_COVERED, error.what
    if now == sha256:
        return None
    other = audit.known_as(now)
    if other == name:
        return Soundness.ALTERED, "is an earlier version of itself"
    if other is not None:
        return Soundness.ALTERED, f"holds what {other} should hold"
    change = f"{about.st_size} bytes in place of {size}" if about.st_size != size else f"the same {size} bytes long"
    return Soundness.ALTERED, f"is not what was recorded; {change}"


@dataclass(frozen=True)
class Unrecorded:
    """Judges the files that no record names. done: the run has come to its good end; rois: where each region stands."""

    folder: RunFolder
    audit: JournalAudit
    artifacts: Mapping[str, Artifact]
    rois: Mapping[str, RoiState]
    done: bool

    def files(self) -> Iterator[str]:
        """Their paths in the run's folder; the journal and what SQLite puts beside it are none of them."""
        for path in _files(self.folder.path):
            journal = path.startswith(self.folder.journal.name)
            if not journal and path not in self.artifacts and self.audit.committed_hash(path) is None:
                yield path

    def judge(self, path: PurePosixPath) -> Judged:
        """What such a file is."""
        top = path.parts[0]
        if top in _ASIDE or path.name == _LOCK:
            return Soundness.ASIDE, "does not count"
        if top == self.folder.checks.name:
            return Soundness.ASIDE, "a view taken to be compared, of a try that died"
        if any(part.endswith(PART_SUFFIX) for part in path.parts):
            return Soundness.UNFINISHED, "its writing never ended: it does not count"
        if not self._is_of_the_run(path):
            return Soundness.ADDED, "no record names it"
        if top == self.folder.reanalyses.name:
            return Soundness.UNFINISHED, "of a re-analysis that was not finished"
        if not self.done:
            return Soundness.UNFINISHED, "was written, and is not recorded yet"
        if not self.audit.chained or (self.rois.get(top) is RoiState.QUARANTINED and path.name in _HALF_MADE):
            return Soundness.NOT_COVERED, "nothing vouches for it"
        return Soundness.ADDED, "no record names it, and the run has ended"

    def _is_of_the_run(self, path: PurePosixPath) -> bool:
        """Whether the run itself may have written a file of that name."""
        folder, reanalyses = self.folder, self.folder.reanalyses.name
        match path.parts:
            case (name,):
                own = (folder.recipe, folder.plan, folder.truth, folder.mosaic_tiff, folder.mosaic_png, folder.rois)
                sums = (folder.results, folder.particles, folder.voids, folder.columns, folder.report)
                return name in {one.name for one in (*own, *sums)}
            case ("frames", _, _):
                under_way = self.audit.open_attempts()
                return str(path) in {folder.relative(folder.frame_path(*one)) for one in under_way}
            case (top, key, *_) if top == reanalyses:
                return folder.relative(folder.reanalysis(key).report) not in self.artifacts
            case (roi, _):
                return roi in self.rois or roi in {plan.roi for plan in self.audit.open_frames()}
            case _:
                return False


def _files(folder: Path) -> Iterator[str]:
    """Every file below a folder, by its path in it, sorted within each folder."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        # A link to a folder is not gone into: it is a thing of its own.
        for name in sorted([*names, *(name for name in folders if Path(place, name).is_symlink())]):
            yield Path(place, name).relative_to(folder).as_posix()
