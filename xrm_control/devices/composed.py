"""An instrument made of single devices: it names them, and what it can besides; the rest is here."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol, runtime_checkable

from xrm_control.core.errors import DeviceError, InstrumentUnreachable
from xrm_control.devices.protocols import (
    Axis,
    Blocker,
    Camera,
    Controlled,
    HasBlocker,
    HearsAborts,
    InstrumentDescription,
    KnowsTruth,
    OffersValues,
    SafeState,
    ShowsStatus,
    Shutter,
    Source,
    WatchesSettings,
)


@runtime_checkable
class Halts(Protocol):
    """A device that can be told to become safe at once: an axis stops, a shutter closes, an exposure ends."""

    def halt(self) -> None:
        """From any thread; waits for nothing and verifies nothing."""
        ...


class ComposedInstrument(Controlled, WatchesSettings, OffersValues, ShowsStatus, HearsAborts, HasBlocker, KnowsTruth):
    """Four axes, a camera, a shutter and a source; those of them that are `Halts` are halted when a run must stop. An
    opaque blade, where there is one, is brought out of the beam then.

    A subclass says how it is reached (`connect`, `disconnect`) and overrides the capabilities that it has.
    """

    def __init__(
        self,
        description: InstrumentDescription,
        *,
        axes: Mapping[str, Axis],
        camera: Camera,
        shutter: Shutter,
        source: Source,
        blocker: Blocker | None = None,
    ) -> None:
        self._description = description
        self.axes, self.camera, self.shutter, self.source = axes, camera, shutter, source
        self._blocker = blocker

    @property
    def blocker(self) -> Blocker | None:
        """See `HasBlocker.blocker`."""
        return self._blocker

    def describe(self) -> InstrumentDescription:
        """See `Instrument.describe`."""
        return self._description

    async def connect(self) -> None:
        """See `Instrument.connect`; what needs no connection is there."""

    async def disconnect(self) -> None:
        """See `Instrument.disconnect`."""

    async def home(self) -> None:
        """See `Instrument.home`."""
        if self.blocker is not None:
            await self.blocker.set(False)
        for axis in self.axes.values():
            await axis.move(0.0)

    def halt(self) -> None:
        """See `Instrument.halt`."""
        self.halt_devices()

    def halt_devices(self) -> None:
        """The shutter first; a device that cannot be told keeps none of the others from it."""
        for device in (self.shutter, *self.axes.values(), self.camera):
            if isinstance(device, Halts):
                with suppress(DeviceError, InstrumentUnreachable, OSError, RuntimeError):
                    device.halt()

    async def make_safe(self) -> SafeState:
        """See `Instrument.make_safe`. Tries everything, whatever fails, and reports what did."""
        self.halt_devices()
        problems: list[str] = []
        at_rest: dict[str, bool] = {}
        for name, axis in self.axes.items():
            try:
                await axis.stop()
                at_rest[name] = not (await axis.read()).moving
            except (DeviceError, InstrumentUnreachable) as error:
                at_rest[name] = False
                problems.append(str(error))
        closed = False
        try:
            await self.shutter.set(False)
            closed = not await self.shutter.is_open()
        except (DeviceError, InstrumentUnreachable) as error:
            problems.append(str(error))
        if self.blocker is not None:
            try:
                await self.blocker.set(False)
            except (DeviceError, InstrumentUnreachable) as error:
                problems.append(str(error))
        return SafeState(at_rest, closed, tuple(problems))
