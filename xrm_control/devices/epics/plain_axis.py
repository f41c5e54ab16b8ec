"""An axis that is no motor record: an output PV that takes the target, and a read-back PV that tells the position.

Such a pair (a piezo behind an ao and an ai) has no DMOV, no limits and no STOP. A move counts as done when the
read-back has stayed within the tolerance of the target for `settle_s`, `done` (if there is one) says so, the output
still holds what was written, and the connection was never lost.
"""

from __future__ import annotations

import math

from xrm_control.core.clock import Clock
from xrm_control.core.errors import (
    InstrumentUnreachable,
    LimitReached,
    MotionInterrupted,
    MotionStalled,
    SafetyRefusal,
)
from xrm_control.devices.epics.answers import no_number
from xrm_control.devices.epics.axis_map import PlainAxisMap
from xrm_control.devices.epics.pv_map import PvMap
from xrm_control.devices.epics.registry import Registry
from xrm_control.devices.protocols import AxisDescription, AxisReading

# Beyond twice the planned duration and this, a motion that does not arrive has failed; never before so long by the
# wall clock.
_GRACE_S, _FLOOR_WALL_S = 2.0, 5.0
_POLL_S = 0.01
# Outputs are doubles that may pass through single precision.
_SAME = 1e-6


class PlainAxis:
    """See `protocols.Axis`."""

    def __init__(self, name: str, axis: PlainAxisMap, pv_map: PvMap, registry: Registry, clock: Clock) -> None:
        self.name = name
        self._map = axis
        self._about = axis.describe()
        self._setpoint, self._readback = pv_map.full(axis.setpoint), pv_map.full(axis.readback)
        self._full = pv_map.full
        self._done = () if axis.done is None else (pv_map.full(axis.done.pv),)
        self._registry = registry
        self._clock = clock
        # Where the read-back was last heard of.
        self._heard = math.nan

    @property
    def reading_pvs(self) -> tuple[str, ...]:
        """What `read` asks for."""
        return (self._setpoint, self._readback, *self._done)

    def watch(self) -> None:
        """Follow the read-back by monitor: how long a move may take need not be asked for."""

        def hear(value: object) -> None:
            self._heard = self._stage(value)

        self._registry.watch(self._readback, hear)

    async def examine(self) -> AxisDescription:
        """Is it fit to be trusted? Returns the axis. Raises SafetyRefusal when read-back or output is no number."""
        setpoint, position, _ = await self._look()
        for pv, value in ((self._setpoint, setpoint), (self._readback, position)):
            if not math.isfinite(value):
                raise SafetyRefusal(
                    f"axis {self.name}: its position is not a number",
                    where=pv,
                    value=value,
                    remedy="look at the controller, or correct axes.*.setpoint and readback in the PV map",
                )
        return self._about

    async def move(self, target: float) -> float:
        """See `Axis.move`."""
        about = self._about
        self._refuse_outside(target)
        epoch = self._registry.epoch
        duration_s = about.move_duration_s(
            self._heard if math.isfinite(self._heard) else self._farthest(target), target
        )
        allowed_s = max(2 * duration_s + _GRACE_S, self._clock.wall_s(_FLOOR_WALL_S))
        deadline_s = self._clock.now_s() + allowed_s
        try:
            await self._registry.write(self._setpoint, float(self._map.to_motor(target)), within_s=allowed_s)
        except InstrumentUnreachable as lost:
            await self._never_taken(target, epoch, lost)
        inside_since_s: float | None = None
        while True:
            setpoint, position, done = await self._look()
            now_s = self._clock.now_s()
            self._unbroken(epoch)
            self._still_ours(target, setpoint, position)
            if done is not False and abs(position - target) <= about.tolerance:
                inside_since_s = now_s if inside_since_s is None else inside_since_s
                if now_s - inside_since_s >= about.settle_s:
                    return position
            else:
                inside_since_s = None
            if now_s > deadline_s and not math.isfinite(position):
                raise no_number(self._readback, position)
            if now_s > deadline_s and inside_since_s is None:
                raise MotionStalled(
                    f"the axis did not come to rest at {target:.3f} {about.units}",
                    where=f"axis {self.name} ({self._readback})",
                    value=f"{position:.3f} {about.units}" + ("" if done is not False else ", not done"),
                    limit=f"within {about.tolerance:g} {about.units} for {about.settle_s:g} s, in {allowed_s:.0f} s",
                    remedy="look for an obstacle and at the controller; the retry policy tries the move again",
                )
            await self._clock.sleep(self._clock.wall_s(_POLL_S))

    async def read(self) -> AxisReading:
        """See `Axis.read`. Without a `done` it moves as long as the read-back is away from the output."""
        setpoint, position, done = await self._look()
        away = not abs(position - setpoint) <= self._about.tolerance
        return AxisReading(position, away if done is None else not done)

    def halt(self) -> None:
        """Say stop, from any thread, and wait for nothing; without a stop PV `stop` is what stops it."""
        if self._map.stop is not None:
            self._registry.command(self._full(self._map.stop.pv), self._map.stop.value)

    async def stop(self) -> None:
        """See `Axis.stop`: its own stop, or the read-back as target. Raises MotionStalled if it moves on."""
        about = self._about
        self.halt()
        if self._map.stop is None:
            await self._hold_here()
        deadline_s = self._clock.now_s() + max(about.settle_s + _GRACE_S, self._clock.wall_s(_FLOOR_WALL_S))
        last, still_since_s, held = math.nan, self._clock.now_s(), False
        while True:
            setpoint, position, done = await self._look(urgent=True)
            now_s = self._clock.now_s()
            if done is False or not abs(position - last) <= about.tolerance:
                last, still_since_s = position, now_s
            elif done or now_s - still_since_s >= max(about.settle_s, self._clock.wall_s(_POLL_S)):
                if done or held or abs(position - setpoint) <= about.tolerance:
                    return
                # As a motor record does: the target becomes where it stopped. A server that was late may have looked
                # like an axis at rest: therefore it is looked at again afterwards.
                await self._hold_here()
                held, still_since_s = True, now_s
            if now_s > deadline_s:
                raise MotionStalled(
                    "the axis does not come to rest after it was stopped",
                    where=f"axis {self.name} ({self._readback})",
                    value=f"{position:.3f} {about.units}",
                    remedy="use the emergency stop of the stage controller",
                )
            await self._clock.sleep(self._clock.wall_s(_POLL_S))

    async def _hold_here(self) -> None:
        """The read-back becomes the target, unless the axis is at its target already."""
        setpoint, position, _ = await self._look(urgent=True)
        if math.isfinite(position) and not abs(position - setpoint) <= self._about.tolerance:
            self._registry.command(self._setpoint, float(self._map.to_motor(position)))

    async def _look(self, *, urgent: bool = False) -> tuple[float, float, bool | None]:
        """Output and read-back in stage units, and what `done` says, None without it."""
        setpoint, position, *rest = await self._registry.read(*self.reading_pvs, urgent=urgent)
        done = self._map.done.is_good(rest[0], self._registry.choices(*self._done)) if self._map.done else None
        # Within the read-back's deadband no monitor tells of it.
        self._heard = self._stage(position)
        return self._stage(setpoint), self._heard, done

    def _stage(self, value: object) -> float:
        return self._map.to_stage(value) if isinstance(value, int | float) else math.nan

    def _still_ours(self, target: float, setpoint: float, position: float) -> None:
        about = self._about
        slack = max(_SAME * abs(target), about.tolerance / 2)
        if not abs(setpoint - target) <= slack:
            raise MotionInterrupted(
                "the output does not hold what was written",
                where=f"axis {self.name} ({self._setpoint})",
                value=f"target now {setpoint:.3f} {about.units}, axis at {position:.3f} {about.units}",
                limit=f"commanded {target:.3f} {about.units}",
                remedy="find out who controls the stage besides this run, or whether the output's own limits"
                " (DRVH, DRVL) cut the target",
            )

    async def _never_taken(self, target: float, epoch: int, lost: InstrumentUnreachable) -> None:
        """The write was not completed: a lost IOC, or an output that stays busy; then the axis is stopped."""
        try:
            await self._look(urgent=True)
        except InstrumentUnreachable:
            raise lost from None
        self._unbroken(epoch)
        await self.stop()
        raise MotionStalled(
            f"the output never reported that {target:.3f} {self._about.units} was reached; the axis was stopped",
            where=f"axis {self.name} ({self._setpoint})",
            remedy="look at the stage controller",
        ) from lost

    def _unbroken(self, epoch: int) -> None:
        if self._registry.epoch != epoch:
            raise InstrumentUnreachable(
                "the connection was lost in the middle of the motion",
                where=f"axis {self.name} ({self._setpoint})",
                remedy="the position is read anew once the IOC is back",
            )

    def _farthest(self, target: float) -> float:
        """The limit that is farther from the target."""
        return max((self._about.low_limit, self._about.high_limit), key=lambda limit: abs(limit - target))

    def _refuse_outside(self, target: float) -> None:
        about = self._about
        if not (math.isfinite(target) and about.low_limit <= target <= about.high_limit):
            raise LimitReached(
                "the target lies outside the limits; nothing was moved",
                where=f"axis {self.name} ({self._setpoint})",
                value=f"{target:.3f} {about.units}",
                limit=f"[{about.low_limit:g}, {about.high_limit:g}] {about.units}",
                remedy="keep the target inside the limits",
            )


def urgent_pvs(axis: PlainAxisMap, pv_map: PvMap) -> list[str]:
    """Full names of what stopping needs."""
    return [pv_map.full(name) for name in axis.pvs]
