"""Files of a run besides its frames: each is recorded with its hash, and with the hashes of what it was made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath

from xrm_control.core.errors import Altered
from xrm_control.storage.durable import sha256_file
from xrm_control.storage.journal import Journal
from xrm_control.storage.records import Artifact, ArtifactKind
from xrm_control.storage.run_folder import RunFolder

_POOLED = ("particles.csv", "voids.csv", "columns.json")
# What a file is made of, by its kind. A volume is made of frames: handoff.json names these.
_OF: Mapping[str, tuple[ArtifactKind, ...]] = {
    ArtifactKind.ROIS: (ArtifactKind.MOSAIC,),
    ArtifactKind.PICTURE: (ArtifactKind.MOSAIC, ArtifactKind.ROIS),
    ArtifactKind.ANALYSIS: (ArtifactKind.HANDOFF,),
    ArtifactKind.TABLE: (ArtifactKind.ANALYSIS,),
    ArtifactKind.RESULTS: (ArtifactKind.ROIS, ArtifactKind.TRUTH, ArtifactKind.HANDOFF, ArtifactKind.ANALYSIS),
    ArtifactKind.REPORT: (
        *(ArtifactKind.RECIPE, ArtifactKind.PLAN, ArtifactKind.ROIS, ArtifactKind.PICTURE, ArtifactKind.VOLUME),
        *(ArtifactKind.HANDOFF, ArtifactKind.ANALYSIS, ArtifactKind.RESULTS),
    ),
}


def record_file(folder: RunFolder, journal: Journal, path: Path, kind: str, t_s: float, roi: str = "") -> None:
    """Commit a durable file to the journal, unless it is recorded as it is. t_s: instrument time."""
    name, known = folder.relative(path), journal.artifacts()
    inputs = _inputs(known, name, kind, roi)
    if kind == ArtifactKind.MOSAIC:
        inputs = {frame.path: frame.sha256 for _, frame in journal.stored_frames("")}
        inputs |= hashes(known, lambda other: other.path == folder.earlier_mosaic.name)
    found = Artifact(name, sha256_file(path), path.stat().st_size, kind, t_s, roi, inputs)
    if not same(known.get(name), found, chained=journal.chained):
        journal.record_artifact(found)


def same(known: Artifact | None, found: Artifact, *, chained: bool) -> bool:
    """Whether a file is recorded already, as it is and as made of the same."""
    return known is not None and known.sha256 == found.sha256 and (not chained or known.inputs == found.inputs)


def recorded(folder: RunFolder, known: Artifact | None) -> bool:
    """Whether a file that was recorded is there, and is what was recorded."""
    if known is None:
        return False
    path = folder.path / known.path
    return path.is_file() and path.stat().st_size == known.bytes and sha256_file(path) == known.sha256


def altered(folder: RunFolder, known: Mapping[str, Artifact], most_bytes: int) -> list[str]:
    """Paths of recorded files, of at most so many bytes, that are there and are not what was recorded."""
    return [
        path
        for path, artifact in sorted(known.items())
        if artifact.bytes <= most_bytes and (folder.path / path).is_file() and not recorded(folder, artifact)
    ]


def require_recorded(folder: RunFolder, artifacts: Iterable[Artifact | None]) -> None:
    """Raise Altered for a file that is not what was recorded, or not there; what was never recorded (None) passes."""
    for artifact in artifacts:
        if artifact is not None and not recorded(folder, artifact):
            raise Altered(
                "is not what was recorded, and nothing is made of it",
                where=str(folder.path / artifact.path),
                limit=f"sha256 {artifact.sha256[:12]}...",
                remedy=f"`xrm verify {folder.path}` says what else is wrong, and what to do",
            )


def _inputs(known: Mapping[str, Artifact], name: str, kind: str, roi: str) -> dict[str, str]:
    made_of = _OF.get(kind, ())

    def fits(other: Artifact) -> bool:
        if other.path == name or other.kind not in made_of:
            return False
        if kind == ArtifactKind.ANALYSIS:
            return other.roi == roi
        return kind != ArtifactKind.TABLE or PurePosixPath(other.path).name in _POOLED

    return hashes(known, fits)


def hashes(known: Mapping[str, Artifact], wanted: Callable[[Artifact], bool]) -> dict[str, str]:
    """Path -> SHA-256 of the recorded files that are wanted."""
    return {path: artifact.sha256 for path, artifact in sorted(known.items()) if wanted(artifact)}
