"""An axis of the stage as a motor record, believed only when every sign of a finished motion agrees.

A put-completion says little: it comes after a refused target, after a stop by someone else, after a stall and after
exhausted retries. So a move counts as done when the completion has come, the connection has never been lost, DMOV is
1, LVIO and both limit switches are 0, MSTA shows neither problem nor stall nor lost controller, VAL is still what was
written, and a fresh RBV is within the tolerance. Names: EPICS motorRecord documentation.
"""

from __future__ import annotations

import math
from dataclasses import replace

from xrm_control.core.clock import Clock
from xrm_control.core.errors import (
    DeviceError,
    InstrumentUnreachable,
    LimitReached,
    MotionInterrupted,
    MotionStalled,
    SafetyRefusal,
    XrmError,
)
from xrm_control.devices.epics import axis_limits, record_units
from xrm_control.devices.epics.answers import TimedOut, no_number
from xrm_control.devices.epics.pv_map import AxisMap
from xrm_control.devices.epics.registry import Registry
from xrm_control.devices.protocols import AxisDescription, AxisReading

_FIELDS = (
    "VAL",
    "RBV",
    "DMOV",
    "LVIO",
    "HLS",
    "LLS",
    "MSTA",
    "STOP",
    "SPMG",
    "SET",
    "OFF",
    "DIR",
    "MRES",
    "HLM",
    "LLM",
    "DHLM",
    "DLLM",
    "EGU",
    "VELO",
    "ACCL",
)
# MSTA bits, counted from 0: slip or stall 6, problem 9, communication error 12.
_STALL, _PROBLEM, _NO_CONTROLLER = 1 << 6, 1 << 9, 1 << 12
# What stopping needs, on a circuit of its own.
_STOPPING = ("STOP", "SPMG", "DMOV", "RBV")
# Beyond twice the planned duration and this, a motion that does not end has failed.
_GRACE_S = 10.0
_POLL_S = 0.02
# Of the wall clock: how long an axis may take to come to rest besides its own deceleration; when STOP is said again;
# how long DMOV must have been 1, and RBV the same; and so while the record still owes the completion of a move.
_REST_S, _AGAIN_S, _STILL_S, _OWED_S = 5.0, 0.25, 0.3, 1.0
# An axis that travels on after its deceleration and this, for so many STOPs in a row, does not hear them.
_DEAF_S, _UNHEARD = 1.0, 3
_GO = (3, "Go")


class EpicsAxis:
    """See `protocols.Axis`."""

    def __init__(
        self, name: str, axis: AxisMap, record: str, registry: Registry, clock: Clock, encoder: str | None = None
    ) -> None:
        self.name = name
        self._map = axis
        self._about = axis.describe()
        self._pv = pvs(record)
        self._registry = registry
        self._clock = clock
        self._encoder = encoder
        self._at_limit = {"HLS": False, "LLS": False}
        # As the record has them; 0 until they are heard of.
        self._speed = {"VELO": 0.0, "ACCL": 0.0}
        self._spmg: object = "Go"

    @property
    def reading_pvs(self) -> tuple[str, ...]:
        """What `read` asks for."""
        return (self._pv["RBV"], self._pv["DMOV"], *self._encoders())

    def watch(self) -> None:
        """Follow switches and speed by monitor: neither a reading nor a move need ask for them."""

        def switched(value: object) -> None:
            self._spmg = self._registry.spoken(self._pv["SPMG"], value)

        self._registry.watch(self._pv["SPMG"], switched)
        for field in self._at_limit:
            self._registry.watch(
                self._pv[field], lambda value, field=field: self._at_limit.update({field: bool(value)})
            )
        for field in self._speed:
            self._registry.watch(
                self._pv[field], lambda value, field=field: self._speed.update({field: abs(float(value))})
            )

    async def examine(self) -> AxisDescription:
        """Is the record fit to be trusted? Returns the axis with the limits in force. Raises SafetyRefusal."""
        fields = ("EGU", "SPMG", "SET", "HLM", "LLM", "DHLM", "DLLM", "MSTA")
        egu, spmg, set_, hlm, llm, dhlm, dllm, msta = await self._read(*fields)
        self._with_controller(int(msta))
        if self._map.motor_units and egu != self._map.motor_units:
            raise self._unfit(
                "EGU", egu, self._map.motor_units, "correct axes.*.motor_units and per_motor_unit in the map"
            )
        if (scale := record_units.misfit(self._map, egu)) is not None:
            raise self._unfit("EGU", scale.value, scale.limit, scale.remedy)
        if set_ not in (0, "Use"):
            raise self._unfit(
                "SET", set_, "Use", "a write would redefine the position instead of moving: set SET to Use"
            )
        if spmg not in _GO:
            raise self._unfit(
                "SPMG", spmg, "Go", "somebody has stopped or paused this axis: set SPMG to Go when it is safe"
            )
        misfit = axis_limits.of_record(self._map, (dllm, dhlm), (llm, hlm))
        if misfit is not None:
            raise SafetyRefusal(
                misfit.what,
                where=", ".join((f"axis {self.name}", *(self._pv[field] for field in misfit.fields))),
                value=misfit.value,
                limit=misfit.limit,
                remedy=misfit.remedy,
            )
        if self._encoder is not None:
            rbv, at = await self._registry.read(self._pv["RBV"], self._encoder)
            self._agreed(self._map.to_stage(rbv), self._by_encoder(at), SafetyRefusal)
        return self._about

    async def move(self, target: float) -> float:
        """See `Axis.move`."""
        self._refuse_outside(target)
        if self._spmg not in _GO:
            await self._refuse_held()
        value = self._map.to_motor(target)
        epoch = self._registry.epoch
        allowed_s = 2 * self._as_set().move_duration_s(self._longest_way_from(target), target) + _GRACE_S
        allowed_s = max(allowed_s, self._clock.wall_s(_GRACE_S))
        try:
            await self._registry.write(self._pv["VAL"], float(value), within_s=allowed_s)
        except TimedOut as lost:
            await self._never_done(target, allowed_s, epoch, lost)
        return await self._verified(target, value, epoch)

    async def read(self) -> AxisReading:
        """See `Axis.read`."""
        rbv, dmov, *at = await self._registry.read(*self.reading_pvs)
        low, high = self._at_limit["LLS"], self._at_limit["HLS"]
        if self._map.direction < 0:
            low, high = high, low
        return AxisReading(self._by_encoder(at[0]) if at else self._map.to_stage(rbv), not dmov, low, high)

    def halt(self) -> None:
        """Say STOP, from any thread, and wait for nothing. Raises InstrumentUnreachable."""
        self._registry.command(self._pv["STOP"], 1)

    async def stop(self) -> None:
        """See `Axis.stop`. Raises MotionStalled if it moves on, after STOP and then SPMG have been tried."""
        about = self._as_set()
        patience_s = about.speed / about.acceleration + about.settle_s + self._clock.wall_s(_REST_S)
        deaf_s = patience_s - self._clock.wall_s(_REST_S - _DEAF_S)
        refusals: dict[str, str] = {}
        if await self._comes_to_rest("STOP", 1, refusals, patience_s, deaf_s):
            return
        stopped = await self._comes_to_rest("SPMG", "Stop", refusals, self._clock.wall_s(_REST_S))
        text = "the axis stopped only after SPMG was set to Stop" if stopped else "the axis does not come to rest"
        raise MotionStalled(
            "; ".join((text, *(f"{field}: {what}" for field, what in refusals.items()))),
            where=f"axis {self.name}, {self._pv['STOP']}, {self._pv['SPMG']}",
            limit=f"slower {deaf_s:.1f} s after STOP, and at rest within {patience_s:.1f} s",
            remedy="use the emergency stop of the stage controller"
            if not stopped
            else "look at the record before SPMG is set to Go again",
        )

    async def _comes_to_rest(
        self,
        field: str,
        value: float | str,
        refusals: dict[str, str],
        patience_s: float,
        deaf_s: float = math.inf,
    ) -> bool:
        """Command a stop again and again until the axis stands and no move is owed; False after `patience_s`, and after
        `deaf_s` where it travels on whatever is commanded, or where the command is refused.

        It stands when DMOV is 1 and RBV stays where it is for longer than a record takes from one look at its motor to
        the next: DMOV alone may flicker. A move whose write is still on its way on the other circuit may begin after
        the first STOP.
        """
        began_s = self._clock.now_s()
        said_s, rest_s, unheard = -math.inf, math.inf, 0
        seen = said_at = rest_at = math.nan
        while (now_s := self._clock.now_s()) - began_s <= patience_s:
            if now_s - said_s >= self._clock.wall_s(_AGAIN_S):
                travels = abs(seen - said_at) > self._about.tolerance and now_s - began_s >= deaf_s
                unheard = unheard + 1 if travels else 0
                if unheard >= _UNHEARD:
                    return False
                said_s, said_at = now_s, seen
                try:
                    self._registry.command(self._pv[field], value)
                except DeviceError as error:
                    refusals[field] = error.what
            done, rbv = await self._registry.read(self._pv["DMOV"], self._pv["RBV"], urgent=True)
            seen = self._map.to_stage(rbv)
            if not done or abs(seen - rest_at) > self._about.tolerance:
                if not done and field in refusals:
                    return False
                rest_s, rest_at = math.inf, math.nan
            elif rest_s == math.inf:
                # The first look only: what a server has queued for the record would begin now.
                rest_s, rest_at = now_s, seen
            else:
                owes = self._registry.busy(self._pv["VAL"])
                if now_s - rest_s >= self._clock.wall_s(_OWED_S if owes else _STILL_S):
                    return True
            await self._clock.sleep(self._clock.wall_s(_POLL_S))
        return False

    async def _read(self, *fields: str) -> tuple:
        return await self._registry.read(*(self._pv[field] for field in fields))

    async def _verified(self, target: float, value: float, epoch: int) -> float:
        """The signs after the completion; returns the read-back in stage units."""
        fields = ("VAL", "RBV", "DMOV", "LVIO", "HLS", "LLS", "MSTA")
        names = (*(self._pv[field] for field in fields), *self._encoders())
        val, rbv, dmov, lvio, hls, lls, msta, *at = await self._registry.read(*names)
        about, position = self._about, self._map.to_stage(rbv)
        where = f"axis {self.name} ({self._pv['VAL']})"
        reached = f"{position:.3f} {about.units}"
        self._unbroken(epoch)
        self._with_controller(int(msta))
        if not math.isfinite(position):
            raise no_number(self._pv["RBV"], rbv)
        # It stays as it is until the next real motion: a refused target shows by VAL, which falls back.
        if lvio and abs(self._map.to_stage(val) - self._map.to_stage(value)) > about.tolerance / 2:
            raise LimitReached(
                "the motor record refused the target: soft limit (LVIO)",
                where=where,
                value=f"{target:.3f} {about.units}",
                limit=f"[{about.low_limit:g}, {about.high_limit:g}] {about.units} in the map; HLM, LLM in the record",
                remedy="keep the target inside the limits",
            )
        if hls or lls:
            raise LimitReached(
                "a hard limit switch ended the motion",
                where=where,
                value=reached,
                limit="high limit switch (HLS)" if hls else "low limit switch (LLS)",
                remedy="look at the stage before moving it again",
            )
        if not (dmov and abs(self._map.to_stage(val) - self._map.to_stage(value)) <= about.tolerance / 2):
            raise MotionInterrupted(
                "somebody else stopped or moved the axis" if dmov else "somebody else is moving the axis",
                where=where,
                value=f"target now {self._map.to_stage(val):.3f} {about.units}, axis at {reached}",
                limit=f"commanded {target:.3f} {about.units}",
                remedy="find out who controls the stage besides this run",
            )
        if int(msta) & (_STALL | _PROBLEM) or not abs(position - target) <= about.tolerance:
            raise MotionStalled(
                f"the axis stopped short of {target:.3f} {about.units}",
                where=where,
                value=f"{reached}, MSTA {int(msta):#x}",
                limit=f"within {about.tolerance:g} {about.units} of the target",
                remedy="look for an obstacle; the move is tried again as the retry policy says",
            )
        if not at:
            return position
        encoder = self._by_encoder(at[0])
        self._agreed(position, encoder)
        if not abs(encoder - target) <= about.tolerance:
            raise MotionStalled(
                f"by its encoder the axis stopped short of {target:.3f} {about.units}",
                where=f"axis {self.name} ({self._encoder})",
                value=f"{encoder:.3f} {about.units}, the record says {reached}",
                limit=f"within {about.tolerance:g} {about.units} of the target",
                remedy="look for slip, and at axes.*.readback in the PV map",
            )
        return encoder

    async def _never_done(self, target: float, allowed_s: float, epoch: int, lost: InstrumentUnreachable) -> None:
        """No completion in time: a lost IOC, or an axis that never arrives; the latter is stopped."""
        try:
            await self._read("DMOV")
        except InstrumentUnreachable:
            raise lost from None
        self._unbroken(epoch)
        await self.stop()
        await self._refuse_held()
        raise MotionStalled(
            f"the axis never reported the end of its motion to {target:.3f} {self._about.units}; it was stopped",
            where=f"axis {self.name} ({self._pv['DMOV']})",
            limit=f"{allowed_s:.0f} s",
            remedy="look at the stage controller",
        ) from lost

    async def _refuse_held(self) -> None:
        """Raise MotionInterrupted while somebody holds the axis by SPMG: no move would begin, or end."""
        (spmg,) = await self._read("SPMG")
        if spmg not in _GO:
            raise MotionInterrupted(
                "somebody has stopped or paused the axis: SPMG is not Go",
                where=f"axis {self.name} ({self._pv['SPMG']})",
                value=spmg,
                limit="Go",
                remedy="set SPMG to Go when it is safe to move",
            )

    def _unbroken(self, epoch: int) -> None:
        if self._registry.epoch != epoch:
            raise InstrumentUnreachable(
                "the connection was lost in the middle of the motion",
                where=f"axis {self.name} ({self._pv['VAL']})",
                remedy="the position is read anew once the IOC is back",
            )

    def _with_controller(self, msta: int) -> None:
        if msta & _NO_CONTROLLER:
            raise InstrumentUnreachable(
                "the IOC has lost the motor controller (MSTA communication error)",
                where=f"axis {self.name} ({self._pv['MSTA']})",
                value=f"{msta:#x}",
                remedy="look at the controller and its cable",
            )

    def _as_set(self) -> AxisDescription:
        """The axis with the speed and acceleration that its record has now; the map's own are for planning."""
        scale, velo, accl = self._map.per_motor_unit, self._speed["VELO"], self._speed["ACCL"]
        if not (math.isfinite(velo) and velo > 0):
            return self._about
        acceleration = velo * scale / accl if math.isfinite(accl) and accl > 0 else self._about.acceleration
        return replace(self._about, speed=velo * scale, acceleration=acceleration)

    def _encoders(self) -> tuple[str, ...]:
        return () if self._encoder is None else (self._encoder,)

    def _by_encoder(self, value: object) -> float:
        """Its reading in stage units; NaN for what is no number."""
        about = self._map.readback
        return about.to_stage(value) if about is not None and isinstance(value, int | float) else math.nan

    def _agreed(self, position: float, encoder: float, error: type[XrmError] = MotionStalled) -> None:
        """The record and the encoder must say the same."""
        about = self._map.readback
        if about is not None and not abs(position - encoder) <= about.agrees_within:
            raise error(
                "the axis has slipped: its encoder and its motor record disagree",
                where=f"axis {self.name} ({self._encoder}, {self._pv['RBV']})",
                value=f"{encoder:.3f} and {position:.3f} {self._about.units}",
                limit=f"{about.agrees_within:g} {self._about.units} apart",
                remedy="look at the stage, then reference the axis; or correct axes.*.readback in the PV map",
            )

    def _longest_way_from(self, target: float) -> float:
        """The limit that is farther from the target: no move takes longer than from there."""
        low, high = self._about.low_limit, self._about.high_limit
        return high if high - target > target - low else low

    def _refuse_outside(self, target: float) -> None:
        about = self._about
        if not (math.isfinite(target) and about.low_limit <= target <= about.high_limit):
            raise LimitReached(
                "the target lies outside the limits; nothing was moved",
                where=f"axis {self.name} ({self._pv['VAL']})",
                value=f"{target:.3f} {about.units}",
                limit=f"[{about.low_limit:g}, {about.high_limit:g}] {about.units}",
                remedy="keep the target inside the limits",
            )

    def _unfit(self, field: str, value: object, limit: str, remedy: str) -> SafetyRefusal:
        text = f"axis {self.name}: the motor record is not ready to be used"
        return SafetyRefusal(text, where=f"{self._pv['VAL']}, {field}", value=value, limit=limit, remedy=remedy)


def urgent_pvs(record: str) -> list[str]:
    """Full names of what stopping needs."""
    return [f"{record}.{field}" for field in _STOPPING]


def pvs(record: str) -> dict[str, str]:
    """Field -> PV of a motor record, those that are used here."""
    return {field: record if field == "VAL" else f"{record}.{field}" for field in _FIELDS}
