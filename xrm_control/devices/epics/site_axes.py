"""What an examination says of the axes: readiness, limits, speed, backlash, deadband, offsets, encoders."""

from __future__ import annotations

from dataclasses import replace

from xrm_control.core.findings import Finding
from xrm_control.devices.backend import Needs
from xrm_control.devices.epics import axis_limits, record_units
from xrm_control.devices.epics.axis_map import AxisMap, PlainAxisMap, PositionMap
from xrm_control.devices.epics.pv_map import PvMap
from xrm_control.devices.epics.site_snapshot import Snapshot

# Fields of a motor record that a run can do without, and an examination looks at.
EXTRAS = ("DISP", "VELO", "ACCL", "BDST", "RDBD", "RTRY", "OFF", "DIR", "TWV", "MRES")
# MSTA bits, counted from 0: slip or stall 6, problem 9, communication error 12.
_MSTA = ((6, "slip or stall"), (9, "problem"), (12, "the controller is lost"))
# A motion may take so much longer than the map plans.
_SLOWER, _SLOWER_S = 1.5, 1.0


def findings(pv_map: PvMap, site: Snapshot, needs: Needs) -> list[Finding]:
    """All of them, for every axis of the map."""
    found: list[Finding] = []
    for name, about in pv_map.axes.items():
        one = _Motor(name, about, pv_map, site, needs) if isinstance(about, AxisMap) else None
        found += one.findings() if one else _Plain(name, about, pv_map, site, needs).findings()  # type: ignore[arg-type]
    return found


def extras(pv_map: PvMap) -> list[str]:
    """Full names of what only an examination looks at."""
    found = []
    for about in pv_map.axes.values():
        if isinstance(about, AxisMap):
            found += [f"{pv_map.full(about.record)}.{field}" for field in EXTRAS]
        else:
            setpoint = pv_map.full(about.setpoint).partition(".")[0]
            found += [f"{setpoint}.{field}" for field in (*axis_limits.OUTPUT_LIMITS, "EGU")]
    return found


class _Axis:
    def __init__(self, name: str, about: AxisMap | PlainAxisMap, site: Snapshot, needs: Needs) -> None:
        self._name, self._about, self._site = name, about, site
        self._own = needs.limits.get(name)
        self._travel = needs.travel.get(name) or self._own or about.limits

    def _finding(self, topic: str, problems: list[tuple[str, str]], text: str) -> Finding:
        """One finding of all problems (what, remedy)."""
        what = f"axis {self._name}: {topic}"
        if not problems:
            return Finding(what, True, text)
        remedies = dict.fromkeys(remedy for _, remedy in problems)
        return Finding(what, False, "; ".join(problem for problem, _ in problems), "; ".join(remedies))

    def _units(self, found: object) -> list[tuple[str, str]]:
        wanted = self._about.motor_units
        if wanted and found is not None and found != wanted:
            return [(f"EGU is {found!r}, the map says {wanted!r}", "correct axes.*.motor_units and per_motor_unit")]
        if (scale := record_units.misfit(self._about, found)) is not None:
            return [(f"EGU is {scale.value}, and not {scale.limit}", scale.remedy)]
        return []

    def _outside(self, low: float, high: float) -> list[tuple[str, str]]:
        """The recipe's own limits against those in force."""
        if self._own is None or low <= self._own[0] < self._own[1] <= high:
            return []
        own = f"[{self._own[0]:g}, {self._own[1]:g}] {self._about.units}"
        return [(f"the recipe's {own} lie outside [{low:g}, {high:g}]", f"narrow safety.{self._name} in the recipe")]


class _Motor(_Axis):
    def __init__(self, name: str, about: AxisMap, pv_map: PvMap, site: Snapshot, needs: Needs) -> None:
        super().__init__(name, about, site, needs)
        self._motor = about
        self._record = pv_map.full(about.record)
        self._full = pv_map.full

    def findings(self) -> list[Finding]:
        if not self._site.has(self._pv("RBV")):
            return []
        found = [self._ready(), self._speed(), self._backlash(), self._deadband(), self._offset()]
        if self._motor.readback is not None:
            found.append(self._encoder(self._motor.readback))
        return found

    def _pv(self, field: str) -> str:
        return self._record if field == "VAL" else f"{self._record}.{field}"

    def _value(self, field: str) -> object:
        return self._site.value(self._pv(field))

    def _number(self, field: str) -> float | None:
        return self._site.number(self._pv(field))

    def _ready(self) -> Finding:
        about, problems = self._motor, self._units(self._value("EGU"))
        if self._value("SPMG") not in (None, 3, "Go"):
            problems.append(
                (f"SPMG is {self._value('SPMG')}: stopped or paused", "set SPMG to Go when it is safe to move")
            )
        if self._value("SET") not in (None, 0, "Use"):
            problems.append((f"SET is {self._value('SET')}: a write would redefine the position", "set SET to Use"))
        if self._number("DMOV") == 0:
            problems.append(("the axis is moving", "wait, or find out who moves it"))
        msta = int(self._number("MSTA") or 0)
        problems += [
            (f"MSTA {msta:#x}: {text}", "look at the controller and its cable")
            for bit, text in _MSTA
            if msta & (1 << bit)
        ]
        problems += [
            (f"at the {text} limit switch ({field})", "look at the stage, and move it off the switch by hand")
            for field, text in (("HLS", "high"), ("LLS", "low"))
            if self._number(field)
        ]
        problems += self._limits()
        position = self._number("RBV")
        at = "?" if position is None else f"{about.to_stage(position):g}"
        return self._finding(
            "limits, units, ready", problems, f"[{about.limits[0]:g}, {about.limits[1]:g}] {about.units}, at {at}"
        )

    def _limits(self) -> list[tuple[str, str]]:
        about = self._motor
        dial, user = self._pair(axis_limits.DIAL_LIMITS), self._pair(axis_limits.USER_LIMITS)
        if dial is None or user is None:
            return [("its limits cannot be read (DLLM, DHLM, LLM, HLM)", "look at the motor record")]
        return [*self._outside(*about.limits), *_told(axis_limits.of_record(about, dial, user))]

    def _pair(self, fields: tuple[str, str]) -> tuple[float, float] | None:
        """Low and high in the record's units; None where one of them is no number."""
        low, high = (self._number(field) for field in fields)
        return None if low is None or high is None else (low, high)

    def _speed(self) -> Finding:
        about = self._motor
        velo, accl = self._number("VELO"), self._number("ACCL")
        topic = "speed"
        if velo is None:
            return self._finding(topic, [], "VELO is not served")
        speed = velo * about.per_motor_unit
        if speed <= 0:
            return self._finding(topic, [(f"VELO is {velo:g}: it would never arrive", "set VELO of the record")], "")
        acceleration = speed / accl if accl else about.acceleration
        described = about.describe()
        low, high = self._travel
        planned_s = described.move_duration_s(low, high)
        takes_s = replace(described, speed=speed, acceleration=acceleration).move_duration_s(low, high)
        text = (
            f"VELO {speed:g} {about.units}/s, the map plans with {about.speed:g}:"
            f" [{low:g}, {high:g}] takes {takes_s:.1f} s instead of {planned_s:.1f} s"
        )
        slow = takes_s > _SLOWER * planned_s + _SLOWER_S
        remedy = "set VELO and ACCL of the record, or speed and acceleration in the PV map: the plan's times are wrong"
        return self._finding(topic, [(text, remedy)] if slow else [], f"VELO {speed:g} {about.units}/s")

    def _backlash(self) -> Finding:
        """With BDST the record goes beyond the target first, and refuses what it would have to go through."""
        about, topic = self._motor, "backlash"
        bdst, low, high = self._number("BDST"), self._number("LLM"), self._number("HLM")
        if not bdst or low is None or high is None or self._number("DHLM") == 0 == self._number("DLLM"):
            return self._finding(topic, [], f"BDST {bdst or 0:g}")
        if self._value("DIR") in ("Neg", 1):
            bdst = -bdst
        ends = sorted(about.to_motor(end) for end in self._travel)
        over = ends[0] - bdst if bdst > 0 else ends[1] - bdst
        text = f"BDST {bdst:g}: moves to {ends[0] if bdst > 0 else ends[1]:g} go by way of {over:g}"
        refused = over < low if bdst > 0 else over > high
        remedy = "the record refuses them: give its limits room for BDST, reduce BDST, or narrow the recipe"
        problem = [(f"{text}, beyond the limits [{low:g}, {high:g}]", remedy)] if refused else []
        return self._finding(topic, problem, text)

    def _deadband(self) -> Finding:
        about = self._motor
        rdbd = self._number("RDBD")
        if rdbd is None:
            return self._finding("retry deadband", [], "RDBD is not served")
        within = abs(rdbd) * about.per_motor_unit
        text = f"RDBD {within:g} {about.units}, tolerance {about.tolerance:g}"
        remedy = "the record is content before the map is: reduce RDBD, or raise axes.*.tolerance"
        return self._finding("retry deadband", [(text, remedy)] if within > about.tolerance else [], text)

    def _offset(self) -> Finding:
        off, direction = self._number("OFF") or 0.0, self._value("DIR")
        text = f"OFF {off:g}, DIR {direction}"
        found = self._finding("offset and direction", [], text)
        if off == 0 and direction in (None, 0, "Pos"):
            return found
        return replace(found, remedy="the map's offset and direction come on top of the record's: compare both")

    def _encoder(self, about: PositionMap) -> Finding:
        pv = self._full(about.pv)
        reading, rbv = self._site.number(pv), self._number("RBV")
        if reading is None or rbv is None:
            problem = (f"{pv} is not a number", "look at the encoder, or correct axes.*.readback in the PV map")
            return self._finding("encoder", [problem], "")
        position, motor = about.to_stage(reading), self._motor.to_stage(rbv)
        text = f"{position:g} {self._motor.units}, the record says {motor:g}"
        remedy = "reference the axis, or correct axes.*.readback (per_motor_unit, direction, offset) in the PV map"
        away = abs(position - motor) > about.agrees_within
        return self._finding(
            "encoder", [(f"{text}; may differ by {about.agrees_within:g}", remedy)] if away else [], text
        )


class _Plain(_Axis):
    def __init__(self, name: str, about: PlainAxisMap, pv_map: PvMap, site: Snapshot, needs: Needs) -> None:
        super().__init__(name, about, site, needs)
        self._plain = about
        self._setpoint, self._readback = pv_map.full(about.setpoint), pv_map.full(about.readback)
        self._done = pv_map.full(about.done.pv) if about.done else ""

    def findings(self) -> list[Finding]:
        about, site = self._plain, self._site
        if not site.has(self._setpoint) or not site.has(self._readback):
            return []
        record = self._setpoint.partition(".")[0]
        problems = self._units(site.value(f"{record}.EGU")) + self._outside(*about.limits)
        numbers = {pv: site.number(pv) for pv in (self._setpoint, self._readback)}
        problems += [
            (f"{pv} is {site.value(pv)!r}, which is no number", "look at the controller, or correct the PV map")
            for pv, number in numbers.items()
            if number is None
        ]
        low, high = (site.number(f"{record}.{field}") for field in axis_limits.OUTPUT_LIMITS)
        if low is not None and high is not None:
            problems += _told(axis_limits.of_output(about, (low, high)))
        position, target = numbers[self._readback], numbers[self._setpoint]
        if position is not None and target is not None and self._done == "":
            away = abs(about.to_stage(position) - about.to_stage(target))
            if away > about.tolerance:
                text = f"the read-back is {away:g} {about.units} from the output"
                problems.append((text, "wait until it has arrived; else its loop is open, or the scale is wrong"))
        at = "?" if position is None else f"{about.to_stage(position):g}"
        text = f"[{about.limits[0]:g}, {about.limits[1]:g}] {about.units}, at {at}"
        return [self._finding("limits, units, ready", problems, text)]


def _told(misfit: axis_limits.Misfit | None) -> list[tuple[str, str]]:
    """As a problem of a finding."""
    if misfit is None:
        return []
    text = f"{misfit.what}: {misfit.value}, and not {misfit.limit} ({', '.join(misfit.fields)})"
    return [(text, misfit.remedy)]
