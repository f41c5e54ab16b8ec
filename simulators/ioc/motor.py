"""A motor record as clients of Channel Access see it; what it does is in `motor_logic`.

A put to a field that moves is completed when DMOV is 1 again, and fields tell their news in a motor record's order: the
read-back before DMOV. While the axis moves it is looked at ten times a second, and at the moment when the motion ends.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from caproto import AlarmSeverity, AlarmStatus, ChannelAlarm, SkipWrite, SubscriptionType, TimeStamp

from simulators.errors import Disconnected
from simulators.ioc import pv
from simulators.ioc.motor_drive import Drive
from simulators.ioc.motor_fields import FIELDS, RANK, UNTOLD, Field
from simulators.ioc.motor_logic import ACTIVE, Motor
from simulators.ioc.pacing import IocTime

# Of the wall clock. Nobody waits for what an idle axis does; it may be moved by others, or fall silent.
_MOVING_S = 0.1
_IDLE_S = 0.5
# A motion shorter than this is waited for on the spot: an event loop sleeps no less than a millisecond.
_INSTANT_S = 2.5e-4
# Backlash moves and retries; more than these do not hold up the other records.
_INSTANT_LEGS = 20
_LATE_S = 1e-4
# From record to server, from there to each connection, and out.
_TURNS_TO_WIRE = 4
_NEWS = SubscriptionType.DBE_VALUE | SubscriptionType.DBE_ALARM
_RANGES = {
    **dict.fromkeys(("VAL", "RBV"), ("LLM", "HLM")),
    **dict.fromkeys(("DVAL", "DRBV"), ("DLLM", "DHLM")),
    "VELO": ("VBAS", "VMAX"),
}
_SHAPING = {"EGU", "PREC", "VBAS", "VMAX", "LLM", "HLM", "DLLM", "DHLM"}


class _RecordAlarm(ChannelAlarm):
    """One alarm for all fields of a record. A refused write is its client's affair, not the record's."""

    async def write(self, *, status: Any = None, severity: Any = None, **others: Any) -> None:
        if status != AlarmStatus.WRITE:
            await super().write(status=status, severity=severity, **others)


class MotorRecord:
    """The record `name` and its fields, over a drive. `pvs` to serve, `run` beside the server, `stop` from inside."""

    def __init__(self, name: str, drive: Drive, time: IocTime, *, description: str = "") -> None:
        self.name = name
        self._time = time
        self._motor = Motor(name, drive, description)
        self._motor.poll(time.now_s())
        self._motor.v.news()
        self._alarm = _RecordAlarm()
        self._record = pv.Record()
        self._fields = {field: self._make(field, spec) for field, spec in FIELDS.items()}
        self._able = pv.choice("Enable", ("Enable", "Disable"), on_put=self._enable, record="bo")
        self._turn = asyncio.Lock()
        self._wake = asyncio.Event()
        self._ended = asyncio.Event()

    def pvs(self) -> dict[str, Any]:
        """Full names of all fields; the record's own name is its VAL."""
        named = {f"{self.name}.{field}": served for field, served in self._fields.items()}
        able = {f"{self.name}_able": self._able, f"{self.name}_able.VAL": self._able}
        return {self.name: self._fields["VAL"], **named, **able}

    async def run(self) -> None:
        """Follow the axis for ever."""
        while True:
            self._wake.clear()
            try:
                async with asyncio.timeout(self._rest_s()):
                    # Woken by a put, which has just looked at the axis: only the time to rest is another.
                    await self._wake.wait()
            except TimeoutError:
                async with self._turn:
                    self._motor.poll(self._time.now_s())
                    self._catch_up()
                    await self._show()

    async def stop(self) -> None:
        """As STOP = 1, without waiting for the end. Raises `Refused` when the controller is silent."""
        async with self._turn:
            await self._command("STOP", 1)
        self._wake.set()

    def _rest_s(self) -> float:
        if not self._motor.moving:
            return _IDLE_S
        now_s = self._time.now_s()
        left_s = (self._motor.due_s(now_s) - now_s) / self._time.speed
        return min(_MOVING_S, left_s + _LATE_S) if left_s > 0.0 else 0.1 * _MOVING_S

    async def _put(self, field: str, value: Any) -> None:
        if self._motor.v["DISP"] and field != "DISP":
            raise pv.Refused(f"{self.name} is disabled")
        async with self._turn:
            await self._command(field, value)
            done = self._motor.done
        if field in ACTIVE and not done:
            self._wake.set()
            await self._ended.wait()
        if field in ACTIVE:
            # As from an IOC of EPICS, the news are on the wire before the completion.
            for _ in range(_TURNS_TO_WIRE):
                await self._time.wait_wall(0.0)
        # The record has told by itself what the field is now.
        raise SkipWrite

    async def _command(self, field: str, value: Any) -> None:
        motor = self._motor
        now_s = self._time.now_s()
        try:
            if field in ACTIVE:
                motor.announce(field, value, now_s)
                await self._show()
            motor.put(field, value, now_s)
            self._catch_up()
        except (Disconnected, ValueError) as error:
            await self._show()
            raise pv.Refused(f"{self.name}.{field}: {error}") from error
        await self._show()

    def _catch_up(self) -> None:
        """Go through motions that take no time worth sleeping."""
        motor, now_s = self._motor, self._time.now_s()
        for _ in range(_INSTANT_LEGS):
            due_s = motor.due_s(now_s)
            if not motor.moving or due_s - now_s > _INSTANT_S * self._time.speed:
                return
            while now_s < due_s:
                now_s = self._time.now_s()
            motor.poll(now_s)
            now_s = self._time.now_s()

    async def _enable(self, choice: str) -> str:
        async with self._turn:
            await self._command("DISP", int(choice == "Disable"))
        return choice

    async def _show(self) -> None:
        """Tell what has changed, the alarm with everything."""
        v = self._motor.v
        changed = v.news()
        if not changed:
            return
        if changed & _SHAPING:
            await self._shape()
        if "STAT" in changed or "SEVR" in changed:
            status, severity = AlarmStatus[v["STAT"]], AlarmSeverity[_SEVERITY[v["SEVR"]]]
            await self._alarm.write(status=status, severity=severity, publish=False)
            await self._alarm.publish(_NEWS, except_for=tuple(self._fields[field] for field in changed))
        heard = [field for field in changed if self._fields[field]._queues and field not in UNTOLD]
        stamp = TimeStamp.from_unix_timestamp(self._time.unix_s())
        for field in changed.difference(heard):
            # What `post` would do, less the news that nobody follows: half of the time of a short move.
            self._fields[field]._data.update(value=v[field], timestamp=stamp)
        for field in sorted(heard, key=RANK.__getitem__):
            await self._fields[field].post(v[field])
        if "DMOV" in changed:
            if v["DMOV"]:
                self._ended.set()
            else:
                self._ended.clear()

    async def _shape(self) -> None:
        """Units, digits and ranges that clients read beside the values."""
        for field, spec in FIELDS.items():
            if spec.kind == "double":
                await self._fields[field].write_metadata(**self._metadata(field, spec))

    def _metadata(self, field: str, spec: Field) -> dict[str, Any]:
        v = self._motor.v
        low, high = (v[name] for name in _RANGES[field]) if field in _RANGES else (0.0, 0.0)
        ends = {"lower_ctrl_limit": low, "lower_disp_limit": low, "upper_ctrl_limit": high, "upper_disp_limit": high}
        return {"units": spec.units.replace("E", v["EGU"]), "precision": v["PREC"], **ends}

    def _make(self, field: str, spec: Field) -> Any:
        value = self._motor.v[field]
        options: dict[str, Any] = {"read_only": spec.read_only}
        if not spec.read_only:
            options["on_put"] = partial(self._put, field)
        if spec.kind == "double":
            served: Any = pv.double(value, record="motor", **options)
            for name, known in self._metadata(field, spec).items():
                served._data[name] = known
        elif spec.kind == "integer":
            served = pv.integer(value, record="motor", **options)
        elif spec.kind == "choice":
            served = pv.choice(value, spec.choices, record="motor", **options)
        else:
            served = pv.text(value, **options)
            served.reported_record_type = "motor"
        served.alarm, served.record = self._alarm, self._record
        return served


_SEVERITY = {"NO_ALARM": "NO_ALARM", "MINOR": "MINOR_ALARM", "MAJOR": "MAJOR_ALARM", "INVALID": "INVALID_ALARM"}
