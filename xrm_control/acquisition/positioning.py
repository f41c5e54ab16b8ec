"""Brings the stage to a pose: within limits and envelope, all axes at once, only those that are not there yet."""

from __future__ import annotations

from collections.abc import Mapping

from xrm_control.acquisition.blade import Blade
from xrm_control.acquisition.recovery import gather_or_cancel
from xrm_control.acquisition.steps import axis_targets
from xrm_control.core.geometry import Pose
from xrm_control.devices.protocols import AxisReading, Instrument
from xrm_control.devices.safety import Guard


class Positioning:
    """Knows where each axis was seen last, so that one that has to stay is only asked whether it did."""

    def __init__(self, instrument: Instrument, guard: Guard, blade: Blade) -> None:
        self._instrument = instrument
        self._guard = guard
        self._blade = blade
        self._last_seen: dict[str, float] = {}

    def respect(self, guard: Guard) -> None:
        """Limits and envelope from here on."""
        self._guard = guard

    def seen(self, readings: Mapping[str, AxisReading]) -> None:
        """Where the axes are now, by name."""
        self._last_seen |= {name: reading.position for name, reading in readings.items()}

    def forget(self) -> None:
        """Somebody else may have moved them: ask and move all."""
        self._last_seen.clear()

    async def to(self, pose: Pose, where: str, *, blocked: bool = False) -> Pose:
        """Move all axes that are not there; returns the verified read-back. blocked: the frame there has the blade in.

        Raises SafetyRefusal for a pose that is not allowed, and what an axis raises.
        """
        self._guard.check(pose, where)
        await self._blade.before_moving(pose, blocked=blocked)
        targets = axis_targets(pose).items()
        return Pose(*await gather_or_cancel(*(self._approach(name, target) for name, target in targets)))

    async def _approach(self, name: str, target: float) -> float:
        """Move, unless the axis is there already; it is only asked when it may be."""
        axis = self._instrument.axes[name]
        tolerance = self._instrument.describe().axes[name].tolerance
        if abs(self._last_seen.get(name, target) - target) <= tolerance:
            reading = await axis.read()
            if not reading.moving and abs(reading.position - target) <= tolerance:
                self._last_seen[name] = reading.position
                return reading.position
        self._last_seen.pop(name, None)
        self._last_seen[name] = await axis.move(target)
        return self._last_seen[name]
