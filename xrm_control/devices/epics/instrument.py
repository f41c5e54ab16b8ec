"""The instrument behind Channel Access: its parts, how it is reached, and how it is made safe."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from xrm_control.core.clock import Clock
from xrm_control.core.errors import SafetyRefusal, XrmError
from xrm_control.devices.epics import beam, blocker, camera, exposure, scan_status, shutter, supervision
from xrm_control.devices.epics.exposure import ExposureWatch
from xrm_control.devices.epics.fitness import refuse_unfit
from xrm_control.devices.epics.inventory import all_pvs, commanded_pvs, urgent_pvs
from xrm_control.devices.epics.parts import make_axis, make_frames
from xrm_control.devices.epics.pv_map import PvMap
from xrm_control.devices.epics.registry import Registry
from xrm_control.devices.epics.watched import WatchedValues
from xrm_control.devices.protocols import Axis, Disturbance, InstrumentDescription, Observation, RunStatus, SafeState


class EpicsInstrument:
    """See `protocols.Instrument`."""

    def __init__(self, pv_map: PvMap, clock: Clock) -> None:
        self._map = pv_map
        self._description = pv_map.describe()
        self._registry = registry = Registry(
            all_pvs(pv_map),
            clock,
            pv_map.channel_access,
            [*urgent_pvs(pv_map), *supervision.urgent_pvs(pv_map)],
            exposure.optional_pvs(pv_map),
        )
        self._axes = {name: make_axis(name, pv_map, registry, clock) for name in pv_map.axes}
        self.axes: Mapping[str, Axis] = self._axes
        self.shutter = shutter.EpicsShutter(pv_map, registry, clock)
        self.blocker = None if pv_map.blocker is None else blocker.EpicsBlocker(pv_map.blocker, pv_map, registry, clock)
        self.source = beam.EpicsSource(pv_map, registry)
        cam = pv_map.full(pv_map.camera.prefix)
        frames = make_frames(pv_map, registry)
        self._exposures = ExposureWatch(pv_map, registry)
        self.camera = camera.EpicsCamera(pv_map.camera, cam, frames, registry, clock, self._exposures, self._look_ahead)
        self._supervision = supervision.Supervision(pv_map, registry, clock, self._lock_names)
        about = pv_map.scan_status
        self._scan_status = scan_status.ScanStatusPVs(pv_map.full(about.prefix), registry, clock) if about else None
        self._values = WatchedValues(pv_map, clock)
        self._on_abort: Callable[[str], None] | None = None
        self._watching = False
        # What had been written when the safe state was last verified.
        self._safe_at: int | None = None

    @property
    def in_control(self) -> bool:
        """See `Instrument.in_control`."""
        return self._supervision.in_control

    def describe(self) -> InstrumentDescription:
        """See `Instrument.describe`."""
        return self._description

    async def connect(self) -> None:
        """See `Instrument.connect`; also how a lost instrument is looked at again before it is believed."""
        await self._registry.connect()
        refuse_unfit(self._map, self._registry)
        if not self._watching:
            for one in self._axes.values():
                one.watch()
        await self._supervision.start()
        if self._scan_status is not None:
            self._scan_status.forget()
            if not self._watching:
                self._scan_status.watch(self._aborted, self.halt)
        self._watching = True
        problems: list[SafetyRefusal] = []
        axes = dict(self._description.axes)
        for name, one in self._axes.items():
            try:
                axes[name] = await one.examine()
            except SafetyRefusal as refusal:
                problems.append(refusal)
        self._description = replace(self._description, axes=axes)
        if len(problems) == 1:
            raise problems[0]
        if problems:
            raise SafetyRefusal("; ".join(str(problem) for problem in problems), where="motor records")
        await self.camera.examine()
        self._exposures.watch()
        await self._exposures.remember()
        await self._values.connect()

    async def disconnect(self) -> None:
        """See `Instrument.disconnect`. Unless the safe state was verified last, the dead-man is left to do its work."""
        try:
            await self._supervision.stop(disarm=self._safe_at == self._registry.written)
        except XrmError:
            # An IOC that has gone frees the owner itself.
            pass
        finally:
            self._registry.close()
            self._values.close()

    async def home(self) -> None:
        """See `Instrument.home`."""
        if self.blocker is not None:
            await self.blocker.set(False)
        for one in self.axes.values():
            await one.move(0.0)

    def settings_changed(self) -> tuple[Disturbance, ...]:
        """See `Instrument.settings_changed`."""
        return self._exposures.settings_changed()

    def watch(self, names: Sequence[str]) -> None:
        """See `Instrument.watch`."""
        self._values.watch(names)

    async def observe(self, name: str) -> Observation:
        """See `Instrument.observe`."""
        return await self._values.observe(name)

    def observed(self, name: str, since_s: float, until_s: float) -> tuple[Observation, ...]:
        """See `Instrument.observed`."""
        return self._values.observed(name, since_s, until_s)

    def halt(self) -> None:
        """See `Instrument.halt`."""
        if not self._supervision.in_control:
            return
        for part in (self.shutter, *self._axes.values(), self.camera):
            with contextlib.suppress(XrmError):
                part.halt()

    async def make_safe(self) -> SafeState:
        """See `Instrument.make_safe`. All commands go out at once; each is then read back."""
        # What this session knows is fresh, or it looks before it commands.
        if not self._supervision.lapsed:
            self.halt()
        await self._supervision.look_again()
        problems: list[str] = []

        async def attempt(action: Awaitable[None]) -> bool:
            try:
                await action
            except XrmError as error:
                problems.append(str(error))
                return False
            return True

        self.halt()
        closed, *at_rest = await asyncio.gather(
            attempt(self.shutter.set(False)), *(attempt(one.stop()) for one in self._axes.values())
        )
        if self.blocker is not None:
            # At rest and dark: nothing is in its way.
            await attempt(self.blocker.set(False))
        state = SafeState(dict(zip(self._axes, at_rest, strict=True)), closed, tuple(dict.fromkeys(problems)))
        self._safe_at = self._registry.written if state.verified else None
        return state

    def sign_of_life(self) -> None:
        """See `Instrument.sign_of_life`."""
        self._supervision.sign_of_life()

    async def stand_down(self) -> None:
        """See `Instrument.stand_down`."""
        if self._safe_at == self._registry.written:
            # An IOC that has gone sees to it itself.
            with contextlib.suppress(XrmError):
                await self._supervision.stand_down()

    def truth(self) -> None:
        """See `Instrument.truth`: nobody knows it."""
        return

    def announce(self, status: RunStatus) -> None:
        """See `Instrument.announce`."""
        if self._scan_status is not None and self._watching and self.in_control:
            self._scan_status.show(status)

    def on_abort(self, callback: Callable[[str], None]) -> None:
        """See `Instrument.on_abort`."""
        self._on_abort = callback

    def _look_ahead(self) -> None:
        """Ask, when an exposure is over, for all that is looked at after it; its frame is fetched meanwhile."""
        readings = (axis.reading_pvs for axis in self._axes.values())
        self._registry.look_ahead(*readings, self.shutter.reading_pvs, self.source.reading_pvs)

    def _lock_names(self) -> list[str]:
        """What is locked on this machine: each with the server that has it."""
        return [f"{self._registry.port(pv)}/{pv}" for pv in commanded_pvs(self._map)]

    def _aborted(self, who: str) -> None:
        if self._on_abort is not None:
            self._on_abort(who)
