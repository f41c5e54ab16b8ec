"""What a motor record does, without a clock and without a network: fields in, motions out, time handed in.

It follows the motor record 7.4 (epics-modules/motor, `docs/motorRecord.html`): MIP says what is going on; while
anything is, DMOV is 0. A target written meanwhile is taken up when the motion has ended, or at once (NTM) when it lies
the other way. The end of a motion is followed by the backlash move (BDST), the wait (DLY) and the look whether RBV is
near enough (RDBD), with retries (RTRY).
"""

from __future__ import annotations

import math
from typing import Any

from simulators.errors import Disconnected
from simulators.ioc import motor_settings as settings
from simulators.ioc import motor_status as status
from simulators.ioc.motor_axis import MotorAxis
from simulators.ioc.motor_drive import Drive
from simulators.ioc.motor_fields import initial
from simulators.ioc.motor_settings import Values
from simulators.ioc.motor_status import Mip, Msta

TARGETS = ("VAL", "DVAL", "RVAL", "RLV", "TWF", "TWR")
BUTTONS = ("JOGF", "JOGR", "HOMF", "HOMR")
ACTIVE = (*TARGETS, *BUTTONS, "STOP", "SPMG", "SYNC")
_HELD = ("Stop", "Pause")
# A jog is a move to where no axis reaches.
_FAR = 1e5


class Motor:
    """One record. `put` is a client's write, `poll` the controller's news; both bring `v`, its fields, up to date."""

    def __init__(self, name: str, drive: Drive, description: str) -> None:
        self.v = Values(initial(name, drive.config, description))
        self._axis = MotorAxis(self.v, drive)
        self._mip = Mip.DONE
        self._second_leg = False
        self._give_up_target = False
        self._delay_until_s: float | None = None

    # Asked from outside

    @property
    def done(self) -> bool:
        """Whether everything that was ordered has ended: DMOV."""
        return self.v["DMOV"] == 1

    @property
    def moving(self) -> bool:
        """Whether `poll` will have news soon."""
        return self.v["MOVN"] == 1 or self._delay_until_s is not None

    def due_s(self, t_s: float) -> float:
        """When `poll` is needed next, at the latest."""
        v = self.v
        if self._delay_until_s is not None:
            return self._delay_until_s
        if self._mip & Mip.JOG and not settings.limits_off(v):
            room = v["HLM"] - v["RBV"] if self._mip & Mip.JOGF else v["RBV"] - v["LLM"]
            return min(self._axis.ends_s, t_s + max(room / v["JVEL"] - 1.0, 0.01))
        return self._axis.ends_s

    def announce(self, field: str, value: Any, t_s: float) -> None:
        """Before a put to an ACTIVE field: DMOV falls for every target, also for one that is refused; STOP is shown.

        Raises `Disconnected` when the controller is silent, ValueError for a target that is not a number.
        """
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{field}: {value} is not a number")
        self._axis.read(t_s)
        if self.v["MSTA"] & Msta.COMM_ERROR:
            status.judge(self.v)
            raise Disconnected("the controller does not answer")
        if field in TARGETS:
            self.v["DMOV"] = 0
        elif field == "STOP":
            self.v["STOP"] = int(bool(value))

    def put(self, field: str, value: Any, t_s: float) -> None:
        """A write; ACTIVE fields want to be announced first. ValueError for a value that makes no sense."""
        v = self.v
        if field in TARGETS:
            self._aim(field, value, t_s)
        elif field in BUTTONS:
            self._button(field, bool(value), t_s)
        elif field == "STOP":
            v["STOP"] = 0
            if value:
                self._stop(t_s)
        elif field == "SPMG":
            self._switch(value, t_s)
        elif field == "SYNC":
            if value and self._mip == Mip.DONE:
                self._axis.take_readback()
        else:
            self._axis.set(field, value)
        status.show_difference(v)
        if field in ACTIVE:
            self._go_on(t_s)
        status.judge(v)

    def poll(self, t_s: float) -> None:
        """Read the controller, and go on with what is in progress."""
        self._axis.read(t_s)
        self._go_on(t_s)
        status.judge(self.v)

    # The course of a motion

    def _go_on(self, t_s: float) -> None:
        """As far as nothing has to be waited for."""
        v = self.v
        while not v["MSTA"] & Msta.COMM_ERROR:
            before = (self._mip, v["RCNT"], self._second_leg)
            if v["MOVN"]:
                self._while_moving(t_s)
            elif not v["DMOV"]:
                self._when_stopped(t_s)
            if v["MOVN"] or v["DMOV"] or before == (self._mip, v["RCNT"], self._second_leg):
                break
        v["MIP"] = int(self._mip)

    def _while_moving(self, t_s: float) -> None:
        v = self.v
        if v["DMOV"]:
            v["DMOV"] = 0
            self._mip, self._axis.ends_s = Mip.EXTERNAL, math.inf
        if self._mip & Mip.JOG and not settings.limits_off(v):
            v["LVIO"] = int(self._jog_leaves(v["RBV"]))
            if v["LVIO"]:
                self._stop(t_s)
        # Only a new target counts: the controller itself comes back from beyond the old one.
        new_target = v["NTM"] == "YES" and self._axis.retargeted
        if new_target and self._mip & (Mip.MOVE | Mip.RETRY) and not self._mip & Mip.STOP:
            other_way = (v["RDIF"] >= 0) != self._axis.upwards
            if other_way and abs(v["DIFF"]) > v["NTMF"] * (abs(v["BDST"]) + v["RDBD"]):
                self._mip |= Mip.STOP
                self._halt(t_s)

    def _when_stopped(self, t_s: float) -> None:
        """The motor stands while something is in progress: what comes next?"""
        v, mip = self.v, self._mip
        if mip == Mip.DONE or (mip == Mip.RETRY and v["SPMG"] in _HELD):
            return
        if self._delay_until_s is not None:
            if t_s >= self._delay_until_s:
                self._after_delay(t_s)
        elif (v["RHLS"] and self._axis.upwards) or (v["RLLS"] and not self._axis.upwards):
            self._release_buttons()
            self._axis.take_readback()
            self._finish(t_s)
        elif self._axis.retargeted and (mip & Mip.MOVE or not mip & (Mip.STOP | Mip.JOG_STOP)):
            self._release_buttons()
            self._mip = Mip.DONE
            self._work(t_s)
        elif mip & Mip.HOME and mip & Mip.STOP:
            self._start_home(t_s)
        elif self._second_leg:
            self._second_leg = False
            self._mip = Mip.JOG_BL2 if mip & Mip.JOG_BL1 else Mip.MOVE_BL
            self._axis.go(v["DVAL"], "BVEL", "BACC", t_s)
        else:
            self._after_motion(t_s)

    def _after_motion(self, t_s: float) -> None:
        """A stop, a jog, a homing, a motion by others: the target is now where the motor stands."""
        v = self.v
        if self._mip & Mip.HOME:
            self._axis.set_home(t_s)
        if self._mip & (Mip.HOME | Mip.JOG) or self._give_up_target:
            self._release_buttons()
        if self._mip & (Mip.HOME | Mip.JOG | Mip.JOG_STOP | Mip.EXTERNAL) or self._give_up_target:
            self._axis.take_readback()
            if self._mip & Mip.JOG_STOP and abs(v["BDST"]) >= abs(v["MRES"]):
                self._mip, self._second_leg = Mip.JOG_BL1, True
                self._axis.go(v["DVAL"] - v["BDST"], "VELO", "ACCL", t_s)
                return
            self._mip, self._give_up_target = Mip.DONE, False
        if v["DLY"] > 0.0:
            self._delay_until_s = t_s + v["DLY"]
            self._mip |= Mip.DELAY
        else:
            self._after_delay(t_s)

    def _after_delay(self, t_s: float) -> None:
        """Near enough? If not, again."""
        v = self.v
        self._delay_until_s = None
        self._mip &= ~Mip.DELAY
        if not self._mip & Mip.AIMED:
            self._finish(t_s)
            return
        forwards = self._axis.upwards == settings.upright(v)
        near = abs(v["DIFF"]) < v["RDBD"] or (v["HLS"] and forwards) or (v["LLS"] and not forwards)
        if near:
            v["MISS"] = 0
            if v["SPMG"] == "Move":
                v["SPMG"] = v["LSPG"] = "Pause"
        elif v["RTRY"]:
            v["RCNT"] = v["RCNT"] + 1
            if v["RCNT"] <= v["RTRY"]:
                self._mip = Mip.RETRY
                self._work(t_s)
                return
            v["MISS"] = 1
        self._finish(t_s)

    def _finish(self, t_s: float) -> None:
        v = self.v
        self._mip, self._second_leg, self._give_up_target = Mip.DONE, False, False
        v["DMOV"] = 1
        for button in ("JOGF", "JOGR"):
            if v[button]:
                self._button(button, True, t_s)

    # Moves

    def _work(self, t_s: float) -> None:
        """Go to the target, unless something else is in progress, or held by SPMG."""
        v = self.v
        if v["SPMG"] in _HELD:
            return
        if self._mip not in (Mip.DONE, Mip.RETRY):
            self._take_back_outside(t_s)
            return
        retry = self._mip == Mip.RETRY
        steps = abs(round(v["DVAL"] / v["MRES"]) - v["RRBV"])
        if steps < (v["RDBD"] / abs(v["MRES"]) if retry else 1) or (not retry and abs(v["DIFF"]) < v["SPDB"]):
            self._axis.remember()
            self._finish(t_s)
            return
        if not retry:
            v["RCNT"] = 0
        if not self._take_back_outside(t_s):
            self._leave(retry, t_s)

    def _take_back_outside(self, t_s: float) -> bool:
        """The soft limits: a target outside is taken back. Towards the inside is allowed from anywhere."""
        v = self.v
        target, before = v["DVAL"], v["LDVL"]
        inwards = (target > v["DHLM"] and target < before) or (target < v["DLLM"] and target > before)
        ahead = v["DIFF"] if v["RTRY"] and v["UEIP"] == "Yes" and v["RMOD"] != "In-Position" else target - before
        preferred = (ahead > 0) == (v["BDST"] > 0)
        # Against the preferred direction the first leg goes beyond the target.
        beyond = settings.outside(v, target if preferred else target - v["BDST"])
        v["LVIO"] = int(beyond and (not inwards or v["DLLM"] > v["DHLM"]))
        if v["LVIO"]:
            v["VAL"], v["DVAL"], v["RVAL"] = v["LVAL"], v["LDVL"], v["LRVL"]
            status.show_difference(v)
            if self._mip in (Mip.DONE, Mip.RETRY):
                self._finish(t_s)
        return bool(v["LVIO"])

    def _leave(self, retry: bool, t_s: float) -> None:
        """The first leg of a move: to the target, or to where the backlash move begins."""
        v = self.v
        begin = v["DRBV"] if retry else v["LDVL"]
        self._axis.remember()
        self._mip |= Mip.MOVE
        target = begin + v["DIFF"] * self._retry_share() if retry else v["DVAL"]
        backlash = v["BDST"] if abs(v["BDST"]) >= abs(v["MRES"]) else 0.0
        forwards = (v["DVAL"] > begin) == (backlash > 0)
        if not backlash or (forwards and v["BVEL"] == v["VELO"] and v["BACC"] == v["ACCL"]):
            self._axis.go(target, "VELO", "ACCL", t_s)
        elif forwards and abs(v["DVAL"] - begin) <= abs(backlash) + abs(v["MRES"]):
            self._axis.go(target, "BVEL", "BACC", t_s)
        else:
            self._second_leg = True
            self._axis.go(v["DVAL"] - backlash, "VELO", "ACCL", t_s)

    def _retry_share(self) -> float:
        """Of the way that is left, how much a retry goes (RMOD)."""
        v = self.v
        arithmetic = (v["RTRY"] - v["RCNT"] + 1) / v["RTRY"]
        return {"Arithmetic": arithmetic, "Geometric": 0.5 ** (v["RCNT"] - 1), "In-Position": 0.0}.get(v["RMOD"], 1.0)

    def _halt(self, t_s: float) -> None:
        self._second_leg = False
        self._axis.halt(t_s)

    def _start_home(self, t_s: float) -> None:
        """The home switch is at the axis's own zero; soft limits do not count."""
        v = self.v
        self._mip &= ~Mip.STOP
        v["DMOV"] = v["RCNT"] = 0
        self._axis.go_on_axis(0.0, v["HVEL"], settings.acceleration(v, "HVEL", "ACCL"), False, t_s)

    # Buttons and switches

    def _stop(self, t_s: float) -> None:
        """STOP: brake; the target is then where the motor stands."""
        v = self.v
        self._release_buttons()
        if self._mip != Mip.DONE or not v["DMOV"]:
            self._mip, self._give_up_target, self._delay_until_s = Mip.STOP, True, None
        if v["MOVN"]:
            self._halt(t_s)

    def _switch(self, choice: str, t_s: float) -> None:
        """SPMG: Stop gives up the target, Pause keeps it, Move goes to it and pauses, Go goes on."""
        v = self.v
        if choice == v["LSPG"]:
            return
        v["SPMG"] = v["LSPG"] = choice
        if choice == "Stop" or (choice == "Pause" and self._mip & (Mip.HOME | Mip.JOG)):
            self._stop(t_s)
        elif choice == "Pause":
            if self._mip & Mip.AIMED and self._delay_until_s is None:
                self._mip = Mip.STOP
                self._halt(t_s)
        elif not v["MOVN"] and self._delay_until_s is None:
            self._mip = Mip.DONE if self._axis.retargeted or choice == "Move" else self._mip
            home = next((button for button in ("HOMF", "HOMR") if v[button]), None)
            if home:
                self._button(home, True, t_s)
            elif not v["DMOV"]:
                self._work(t_s)
            else:
                self._finish(t_s)

    def _button(self, field: str, pressed: bool, t_s: float) -> None:
        v = self.v
        v[field] = int(pressed)
        if not pressed:
            if field in ("JOGF", "JOGR") and self._mip & Mip[field]:
                self._mip = Mip.JOG_STOP
                self._halt(t_s)
        elif v["HLS"] if field.endswith("F") else v["LLS"]:
            v[field] = 0
        elif field in ("JOGF", "JOGR"):
            # While something else is in progress the button stays pressed, and its turn comes at the end.
            if v["DMOV"] and v["SPMG"] not in _HELD:
                self._start_jog(field, t_s)
        elif not self._mip & Mip.HOME:
            v["DMOV"] = 0
            if v["SPMG"] in _HELD:
                return
            self._mip, self._second_leg = Mip[field], False
            if v["MOVN"]:
                self._mip |= Mip.STOP
                self._halt(t_s)
            else:
                self._start_home(t_s)

    def _start_jog(self, field: str, t_s: float) -> None:
        v = self.v
        if not settings.limits_off(v) and self._jog_leaves(v["VAL"]):
            v["LVIO"] = 1
            self._release_buttons()
            return
        v["DMOV"] = 0
        self._mip = Mip[field]
        upwards = (field == "JOGF") == settings.upright(v)
        self._axis.go_on_axis(_FAR if upwards else -_FAR, v["JVEL"], v["JAR"], False, t_s)

    def _jog_leaves(self, position: float) -> bool:
        """Whether a jog comes within a second of a soft limit."""
        v = self.v
        beyond = position > v["HLM"] - v["JVEL"] if v["JOGF"] else position < v["LLM"] + v["JVEL"]
        return beyond or v["DLLM"] > v["DHLM"]

    def _release_buttons(self) -> None:
        for button in BUTTONS:
            self.v[button] = 0

    def _aim(self, field: str, value: float, t_s: float) -> None:
        """A new target in whatever coordinates; VAL, DVAL and RVAL agree. With SET the position is redefined."""
        v = self.v
        if field in ("TWF", "TWR"):
            value = v["VAL"] + (v["TWV"] if field == "TWF" else -v["TWV"]) * bool(value)
        elif field == "RLV":
            value = v["VAL"] + value
        dial = {"RVAL": value * v["MRES"], "DVAL": value}
        target = dial.get(field, settings.dial(v, value))
        moves_offset = field not in ("DVAL", "RVAL") and v["FOFF"] == "Variable"
        if v["SET"] == "Set" and not v["IGSET"]:
            if moves_offset:
                settings.set_offset(v, value - v["DVAL"] * settings.sign(v))
                self._axis.remember()
            else:
                self._axis.load_position(target)
            if self._mip == Mip.DONE:
                self._finish(t_s)
            return
        v["DVAL"], v["RVAL"] = target, round(target / v["MRES"])
        v["VAL"] = settings.user(v, target) if field in ("DVAL", "RVAL") else value
        status.show_difference(v)
        self._work(t_s)
