"""What happens when a run that had ended, or died, is gone on with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xrm_control.core.events.regions import RoiEvent
from xrm_control.core.events.run import RunEvent
from xrm_control.core.states import Level


@dataclass(frozen=True)
class RunResumed(RunEvent):
    """A run that had ended or died is gone on with. It stood at stood_s, in instrument time, with so many frames open.

    adopted, closed, quarantined: frames found whole on the disk, attempts that do not count, files set aside.
    """

    kind: ClassVar[str] = "run.resumed"
    level: ClassVar[Level] = Level.WARNING

    state: str
    stood_s: float
    kept: int
    adopted: int
    closed: int
    quarantined: int

    @property
    def text(self) -> str:
        stood = f"gone on with, from {self.state} at {self.stood_s:.1f} s; {self.kept} frames are kept"
        news = {"adopted": self.adopted, "in flight and taken anew": self.closed, "files set aside": self.quarantined}
        return "".join((stood, *(f", {count} {what}" for what, count in news.items() if count)))


@dataclass(frozen=True)
class LimitsKnown(RunEvent):
    """The limits in force when the instrument was connected: lowest and highest position by axis, in um or deg."""

    kind: ClassVar[str] = "limits.known"

    limits: dict[str, list[float]]

    @property
    def text(self) -> str:
        return "limits: " + ", ".join(f"{axis} {low:g} to {high:g}" for axis, (low, high) in self.limits.items())


@dataclass(frozen=True)
class LimitsDiffer(RunEvent):
    """A limit is not what it was when the run was begun. Positions still ahead were held against those of now."""

    kind: ClassVar[str] = "limits.differ"
    level: ClassVar[Level] = Level.WARNING

    axis: str
    was: list[float]
    now: list[float]

    @property
    def text(self) -> str:
        was, now = (f"{low:g} to {high:g}" for low, high in (self.was, self.now))
        return f"limits of axis {self.axis} were {was} when the run was begun, are {now}"


@dataclass(frozen=True)
class SampleCompared(RunEvent):
    """A view taken before was taken again: the sample lies so far beside, under so much of the light of then."""

    kind: ClassVar[str] = "sample.compared"
    level: ClassVar[Level] = Level.WARNING

    frame: str
    x_um: float
    y_um: float
    correlation: float
    flux_ratio: float

    @property
    def text(self) -> str:
        beside = f"{self.x_um:+.2f}, {self.y_um:+.2f} um beside"
        return f"{self.frame} taken again: {beside}, {100 * self.flux_ratio:.1f} % of the light"


@dataclass(frozen=True)
class SampleNotCompared(RunEvent):
    """Whether it is the sample of before, where it was, cannot be told."""

    kind: ClassVar[str] = "sample.compared"
    level: ClassVar[Level] = Level.WARNING

    reason: str

    @property
    def text(self) -> str:
        return f"not compared with what was seen before: {self.reason}"


@dataclass(frozen=True)
class ScanBegunAnew(RoiEvent):
    """What was taken of a region does not go with what would follow: all of it is taken again."""

    kind: ClassVar[str] = "roi.anew"
    level: ClassVar[Level] = Level.WARNING

    frames: int
    reason: str

    @property
    def text(self) -> str:
        return f"{self.roi}: {self.frames} frames are taken again: {self.reason}"
