"""What to do about a file of a run that is not sound: which command makes it anew, from what is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from xrm_control.processing.soundness import Soundness
from xrm_control.storage.records import Artifact, ArtifactKind

_COPY = "put it back from a copy"
_OF_VOLUMES = (ArtifactKind.VOLUME, ArtifactKind.PREVIEW, ArtifactKind.HANDOFF)


@dataclass(frozen=True)
class Remedies:
    """For one run. run: its folder as typed; resumable: whether it can be gone on with; over: regions that are done;
    unsound: paths in it that are not what was recorded; artifacts: all that is recorded.
    """

    run: str
    resumable: bool
    over: Collection[str]
    unsound: Collection[str]
    artifacts: Mapping[str, Artifact]

    def of_frame(self, roi: str) -> str:
        """`roi` is "" for the mosaic's."""
        if self.resumable and roi not in self.over:
            return f"{_COPY}, or `xrm resume {self.run}` takes it again"
        return f"{_COPY}; what was made of it before has hashes of its own"

    def of(self, known: Artifact) -> str:
        """Of a recorded file."""
        match known.kind:
            case ArtifactKind.REPORT | ArtifactKind.RESULTS | ArtifactKind.TABLE if self._sound(ArtifactKind.ANALYSIS):
                return f"`xrm report {self.run}` writes it anew"
            case ArtifactKind.ANALYSIS if self._sound(ArtifactKind.VOLUME, known.roi):
                return f"{_COPY}, or `xrm reanalyze {self.run}` measures the volumes anew, beside what is there"
            case kind if kind in _OF_VOLUMES and known.roi and self._frames_sound(known.roi):
                name = f"{known.roi}.ome.tif"
                return f"{_COPY}, or `xrm reconstruct {self.run}/{known.roi} --out {name}` makes the volume anew"
            case ArtifactKind.REANALYSIS:
                return "remove its folder, and give the same `xrm reanalyze` again"
            case _:
                return _COPY

    def _sound(self, kind: ArtifactKind, roi: str | None = None) -> bool:
        of_it = [one for one in self.artifacts.values() if one.kind == kind and roi in (None, one.roi)]
        handed = [one for one in self.artifacts.values() if one.kind == ArtifactKind.HANDOFF and roi in (None, one.roi)]
        return not any(one.path in self.unsound for one in (*of_it, *handed))

    def _frames_sound(self, roi: str) -> bool:
        return not any(path.startswith(f"frames/{roi}/") for path in self.unsound)


def of_unrecorded(state: Soundness, run: str, *, of_reanalysis: bool = False) -> str:
    """Of a file that no record names."""
    match state:
        case Soundness.ADDED:
            return "take it out of the folder: it is none of the run's"
        case Soundness.UNFINISHED if of_reanalysis:
            return "the same `xrm reanalyze` goes on with it"
        case Soundness.UNFINISHED:
            return f"`xrm resume {run}` goes on, `xrm report {run}` sums up what there is"
        case _:
            return ""
