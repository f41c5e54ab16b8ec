"""What the session may ask of an instrument, whatever stands behind it.

Every method that waits is a coroutine and waits through the clock. A motion or an exposure that returns has been
verified by a fresh read-back; anything else is raised as a `DeviceError` that names device, value and limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.states import RunState


@dataclass(frozen=True)
class AxisDescription:
    """An axis as its controller describes it; lengths in `units` (um or deg), times in s."""

    units: str
    low_limit: float
    high_limit: float
    speed: float
    acceleration: float
    settle_s: float
    backlash: float
    tolerance: float

    def move_duration_s(self, start: float, target: float) -> float:
        """Time of one move: trapezoidal velocity, take-up of the backlash when moving down, settling."""
        if start == target:
            return self.settle_s
        if target < start and self.backlash > 0:
            return self._travel_s(start - target + self.backlash) + self._travel_s(self.backlash) + self.settle_s
        return self._travel_s(abs(target - start)) + self.settle_s

    def _travel_s(self, distance: float) -> float:
        ramp = self.speed**2 / self.acceleration
        if distance < ramp:
            return 2 * math.sqrt(distance / self.acceleration)
        return distance / self.speed + self.speed / self.acceleration


@dataclass(frozen=True)
class CameraDescription:
    """A camera: pixels on the sample at binning 1, its read-out time by binning, and the counts of a full pixel.

    counts_per_photon, offset_counts: what a detected photon and the dark add; None where nobody has said.
    """

    width_px: int
    height_px: int
    pixel_size_um: float
    readout_s: Mapping[int, float]
    full_scale: int = 65_535
    counts_per_photon: float | None = None
    offset_counts: float = 0.0

    def binned_pixel_um(self, binning: int) -> float:
        """Pixel size on the sample in um at this binning."""
        return self.pixel_size_um * binning

    @property
    def field_of_view_um(self) -> float:
        """Width of the field of view on the sample in um."""
        return self.width_px * self.pixel_size_um


@dataclass(frozen=True)
class InstrumentDescription:
    """What planning needs to know of an instrument, without moving anything; flux in detected photons.

    clearance_um: along the beam from the rotation axis to the nearest optic; None where nobody has said. blocker_s: how
    long the opaque blade takes into the beam or out of it; None: there is none.
    """

    name: str
    axes: Mapping[str, AxisDescription]
    camera: CameraDescription
    shutter_s: float
    energy_kev: float
    flux_per_um2_s: float
    clearance_um: float | None = None
    blocker_s: float | None = None


@dataclass(frozen=True)
class AxisReading:
    """A fresh read-back of an axis."""

    position: float
    moving: bool
    at_low_limit: bool = False
    at_high_limit: bool = False


@dataclass(frozen=True)
class CameraSettings:
    """Settings as read back from the camera."""

    binning: int
    exposure_s: float
    shape: tuple[int, int]


DisturbanceKind = Literal["beam", "shutter", "axis", "camera"]


@dataclass(frozen=True)
class Disturbance:
    """Something that changed, or was not as commanded, while a frame was exposed.

    what: one clause with values, "axis theta moved from 12.000 to 12.400 deg"; where: device or PV.
    """

    kind: DisturbanceKind
    what: str
    where: str


@dataclass(frozen=True)
class CameraFrame:
    """One image (rows, columns), its unique id, and when it was exposed in instrument time.

    disturbances: what the backend noticed between begin and end of the exposure, however short it was (latched by
    monitors). An axis that moved, a shutter that was not still, beam below the map's floor, a camera that was not set
    as `Camera.configure` left it. A frame that has any is taken again.
    """

    image: NDArray[np.generic]
    unique_id: int
    started_s: float
    ended_s: float
    disturbances: tuple[Disturbance, ...] = ()


@dataclass(frozen=True)
class SourceReading:
    """The source: whether beam is delivered, its flux relative to nominal, and whether the interlock permits beam."""

    available: bool
    flux_relative: float
    permit: bool = True


@dataclass(frozen=True)
class SafeState:
    """The safe state as read back: axes at rest, shutter closed."""

    axes_at_rest: Mapping[str, bool]
    shutter_closed: bool
    problems: tuple[str, ...] = field(default=())

    @property
    def verified(self) -> bool:
        """Whether every axis stands still and the shutter is closed."""
        return self.shutter_closed and all(self.axes_at_rest.values()) and not self.problems


@dataclass(frozen=True)
class RunStatus:
    """How far a run has come, for the operators' screens. Times in s of instrument time; remaining_s as planned."""

    run: str
    state: RunState
    images_collected: int
    images_total: int
    elapsed_s: float
    remaining_s: float


class Axis(Protocol):
    """One axis of the stage. x, y, z in um, theta in degrees."""

    name: str

    async def move(self, target: float) -> float:
        """Move to `target` and return the verified read-back. Raises LimitReached, MotionStalled, MotionInterrupted."""
        ...

    async def read(self) -> AxisReading:
        """A fresh reading."""
        ...

    async def stop(self) -> None:
        """Stop now; returns when the axis stands still."""
        ...


class Camera(Protocol):
    """The detector."""

    async def configure(self, binning: int, exposure_s: float) -> CameraSettings:
        """Set binning and exposure; returns what the camera says it has set."""
        ...

    async def expose(self) -> CameraFrame:
        """Expose and read one frame, with what disturbed it. Raises FrameLost.

        The unique id is the camera's own counter, as it is: whether it is the next one is for the caller to judge.
        """
        ...


class Shutter(Protocol):
    """The beam shutter."""

    async def set(self, open_: bool) -> None:
        """Open or close, verified by read-back. Raises ShutterStuck."""
        ...

    async def is_open(self) -> bool:
        """A fresh reading."""
        ...


class Blocker(Protocol):
    """An opaque blade that an actuator brings into the beam in the plane of the sample, over a part of the field.

    Out of the beam is its rest position. Whoever commands it sees to it that no axis moves while it is in.
    """

    async def set(self, in_: bool) -> None:
        """Into the beam or out of it, verified by read-back. Raises BlockerStuck."""
        ...

    async def is_in(self) -> bool:
        """A fresh reading: False only when it is known to be out."""
        ...


class Source(Protocol):
    """The X-ray source."""

    async def read(self) -> SourceReading:
        """A fresh reading."""
        ...


class Controlled(Protocol):
    """Whether this session may command the instrument, and lives; where nobody else can have it, always.

    A dead-man in the instrument makes it safe when the session gives no sign of life for too long.
    """

    @property
    def in_control(self) -> bool:
        """Whether this session has taken control, and nobody else since: only then may anything be commanded."""
        return True

    def sign_of_life(self) -> None:
        """The session works, though it asks the instrument for nothing: called at each step of what computes for long
        between two frames, and by nothing that goes on while the session hangs. From any thread; raises nothing."""

    async def stand_down(self) -> None:
        """Nothing more will be commanded: a dead-man is disarmed where `make_safe` was verified and nothing was
        commanded since, or else left as it is. Control stays this session's for as long as nobody else takes it. What
        is commanded after all arms the dead-man first. Raises nothing."""


class WatchesSettings(Protocol):
    """Notices that somebody gave positions another meaning; where nothing tells, nothing is noticed."""

    def settings_changed(self) -> tuple[Disturbance, ...]:
        """What the first `connect` found and somebody has changed since, of what gives positions their meaning: offset,
        direction and step size of an axis, and whether a write moves it or redefines its position.

        Kind "axis", for as long as it lasts: set back, it is gone. To connect again does not make it right: an IOC that
        was started anew with another offset is told of too. Returns at once from what monitors say, raises nothing.
        """
        return ()


@dataclass(frozen=True)
class Observation:
    """A value of the instrument's surroundings as seen at instrument time t_s.

    age_s: since it was last posted, or has been watched without; 0 where an instrument posts nothing. problem: why it
    cannot be believed, in a clause.
    """

    value: float | str | None
    t_s: float
    age_s: float = 0.0
    problem: str = ""


class OffersValues(Protocol):
    """Values that may be watched besides; an instrument that has none offers none."""

    def watch(self, names: Sequence[str]) -> None:
        """These will be asked for: follow them from the connection on. Called before `connect`, once."""

    async def observe(self, name: str) -> Observation:
        """A fresh reading. What cannot be read, or believed, is an observation with a problem."""
        return Observation(None, 0.0, problem="the instrument offers no such value")

    def observed(self, name: str, since_s: float, until_s: float) -> tuple[Observation, ...]:
        """What was seen of a value after since_s and until until_s, each change of it, in order. At once."""
        return ()


class ShowsStatus(Protocol):
    """Screens on which operators see how far a run is; without screens nothing is shown."""

    def announce(self, status: RunStatus) -> None:
        """Show the operators how far the run has come. Returns at once, best effort, and raises nothing."""


class HearsAborts(Protocol):
    """A panel on which operators end a run; without one nobody is called."""

    def on_abort(self, callback: Callable[[str], None]) -> None:
        """Call `callback` with the name of who asks (``AbortScan``) when an operator's panel asks to end the run.

        It may be called from any thread, and more than once.
        """


class HasBlocker(Protocol):
    """Light that is no beam is measured behind an opaque blade; most instruments have none."""

    @property
    def blocker(self) -> Blocker | None:
        """The blade; None without one."""
        return None


class KnowsTruth(Protocol):
    """A simulated instrument, which knows its sample."""

    def truth(self) -> Mapping[str, Any] | None:
        """What a simulated instrument knows of its sample; None for a real one."""
        return None


class Instrument(Controlled, WatchesSettings, OffersValues, ShowsStatus, HearsAborts, HasBlocker, KnowsTruth, Protocol):
    """A microscope: four axes, a camera, a shutter and a source.

    `devices.composed` makes one of single devices. What it can besides are capabilities of their own, with defaults.
    """

    @property
    def axes(self) -> Mapping[str, Axis]: ...
    @property
    def camera(self) -> Camera: ...
    @property
    def shutter(self) -> Shutter: ...
    @property
    def source(self) -> Source: ...

    def describe(self) -> InstrumentDescription:
        """Static facts; moves nothing."""
        ...

    async def connect(self) -> None:
        """Reach every device, also anew after it was lost; all that are missing are reported at once.

        Moves nothing. Looks again at everything that may have changed meanwhile: `describe` then says what is found.
        Raises InstrumentUnreachable; InstrumentLocked when another process controls the instrument, and then nothing
        may be commanded, not even the safe state; SafetyRefusal when the limits found cannot be worked with.
        """
        ...

    async def disconnect(self) -> None:
        """Leave orderly: stop the heartbeat, free the instrument for others. May follow anything, also a failed
        `connect`, and then frees nothing that is not its own. A dead-man is disarmed only where `make_safe` was
        verified and nothing was commanded since. Raises nothing."""
        ...

    async def home(self) -> None:
        """Bring the axes to a known position (0, 0, 0, 0)."""
        ...

    def halt(self) -> None:
        """Command at once, and wait for nothing: axes stop, shutter closes, the exposure ends.

        From any thread, also within a signal handler, and whatever else is under way. Raises nothing and verifies
        nothing: `make_safe` does. Commands nothing where the instrument is another's.
        """
        ...

    async def make_safe(self) -> SafeState:
        """`halt`, then read back until all axes stand and the shutter is closed; a blade is brought out of the beam.

        Raises InstrumentLocked when the instrument has become another's; then nothing was commanded.
        """
        ...
