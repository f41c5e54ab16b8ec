"""What happens to the instrument."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from xrm_control.core.events.base import Event
from xrm_control.core.states import Level


@dataclass(frozen=True)
class InstrumentEvent(Event):
    """Base of all that happens to the instrument."""


@dataclass(frozen=True)
class InstrumentBegun(InstrumentEvent):
    """Its devices are being connected."""

    kind: ClassVar[str] = "instrument.begun"

    name: str

    @property
    def text(self) -> str:
        return f"reaching the {self.name}"


@dataclass(frozen=True)
class InstrumentReached(InstrumentEvent):
    """It is connected, and this run's to command."""

    kind: ClassVar[str] = "instrument.reached"
    level: ClassVar[Level] = Level.DEBUG

    name: str

    @property
    def text(self) -> str:
        return f"reached the {self.name}"


@dataclass(frozen=True)
class InstrumentLost(InstrumentEvent):
    """It does not answer any more. where: the frame or stage at which that was noticed."""

    kind: ClassVar[str] = "instrument.lost"
    level: ClassVar[Level] = Level.WARNING

    where: str
    problem: str

    @property
    def text(self) -> str:
        return self.problem


@dataclass(frozen=True)
class InstrumentAwaited(InstrumentEvent):
    """Why it cannot be gone on with yet, where that is something else than what was told before."""

    kind: ClassVar[str] = "instrument.awaited"
    level: ClassVar[Level] = Level.WARNING

    where: str
    problem: str

    @property
    def text(self) -> str:
        return f"still waited for: {self.problem}"


@dataclass(frozen=True)
class SourceDown(InstrumentEvent):
    """There is no beam at the start."""

    kind: ClassVar[str] = "source.down"
    level: ClassVar[Level] = Level.WARNING

    @property
    def text(self) -> str:
        return "no beam yet; the first exposure waits for it"


@dataclass(frozen=True)
class MoveStalled(InstrumentEvent):
    """An axis stopped short of its target, for the `attempt`-th time. where: the frame or stage it moved for."""

    kind: ClassVar[str] = "move.stalled"
    level: ClassVar[Level] = Level.WARNING

    where: str
    attempt: int
    problem: str

    @property
    def text(self) -> str:
        return self.problem


@dataclass(frozen=True)
class MoveInterrupted(InstrumentEvent):
    """Somebody or something else stopped or moved an axis, for the `attempt`-th time."""

    kind: ClassVar[str] = "move.interrupted"
    level: ClassVar[Level] = Level.WARNING

    where: str
    attempt: int
    problem: str

    @property
    def text(self) -> str:
        return self.problem


@dataclass(frozen=True)
class DeviceTriedAgain(InstrumentEvent):
    """A device did not do what it was told, for the `attempt`-th time, and is tried again."""

    kind: ClassVar[str] = "device.again"
    level: ClassVar[Level] = Level.WARNING

    where: str
    attempt: int
    problem: str

    @property
    def text(self) -> str:
        return self.problem


@dataclass(frozen=True)
class ShutterStaysOpen(InstrumentEvent):
    """The shutter did not close between two stages."""

    kind: ClassVar[str] = "shutter.stuck"
    level: ClassVar[Level] = Level.ERROR

    problem: str

    @property
    def text(self) -> str:
        return self.problem


@dataclass(frozen=True)
class SafeStateVerified(InstrumentEvent):
    """The run has left the instrument safe, as its read-backs say. axes_at_rest: by axis."""

    kind: ClassVar[str] = "safe.verified"

    axes_at_rest: Mapping[str, bool]
    shutter_closed: bool

    @property
    def text(self) -> str:
        return "axes at rest, shutter closed, read back"


@dataclass(frozen=True)
class SafeStateFailed(InstrumentEvent):
    """The run could not leave the instrument safe, or could not verify that it is."""

    kind: ClassVar[str] = "safe.failed"
    level: ClassVar[Level] = Level.ERROR

    problem: str
    axes_at_rest: Mapping[str, bool]
    shutter_closed: bool

    @property
    def text(self) -> str:
        return f"the safe state is NOT reached: {self.problem}"


@dataclass(frozen=True)
class SafeStateLeft(InstrumentEvent):
    """Another controls the instrument: how it is left is theirs to say."""

    kind: ClassVar[str] = "safe.left"
    level: ClassVar[Level] = Level.WARNING

    @property
    def text(self) -> str:
        return "the instrument is not this run's: nothing is commanded"
