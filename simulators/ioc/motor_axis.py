"""A motor record's dealings with its controller: coordinates, legs of a motion, positions that get another name."""

from __future__ import annotations

from typing import Any

from simulators.errors import Disconnected
from simulators.ioc import motor_settings as settings
from simulators.ioc import motor_status as status
from simulators.ioc.motor_drive import Drive
from simulators.ioc.motor_settings import Values
from simulators.ioc.motor_status import Msta

_RATES = ("VELO", "VMAX", "VBAS", "BVEL", "JVEL", "HVEL", "JAR", "ACCS", "ACCL", "BACC", "S", "SBAK", "SBAS", "SMAX")
_SWITCHES = {"SSET": ("SET", "Set"), "SUSE": ("SET", "Use"), "FOF": ("FOFF", "Frozen"), "VOF": ("FOFF", "Variable")}


class MotorAxis:
    """Keeps the read-backs in `v` true. The controller counts its own steps, from where `load_position` says."""

    def __init__(self, v: Values, drive: Drive) -> None:
        self.upwards = True
        self.ends_s = 0.0
        self._v = v
        self._drive = drive
        self._step = drive.config.resolution
        self._position = 0.0
        self._shift = 0
        self._refused = False
        self._homed = False

    def read(self, t_s: float) -> None:
        """Read-backs and status from the controller, or the sign that it is silent."""
        v = self._v
        try:
            state = self._drive.state(t_s)
        except Disconnected:
            v["MSTA"] |= int(Msta.COMM_ERROR)
            return
        self._position = state.position
        status.show_position(v, round(state.position / self._step) + self._shift)
        at_home = abs(state.position) < self._step
        status.show_state(v, state, at_home, self.upwards, self._refused, self._homed)

    def go(self, target: float, speed: str, ramp: str, t_s: float) -> None:
        """A leg to a dial position, with the speed and the ramp of two fields."""
        v = self._v
        position = target * (self._step / v["MRES"]) - self._shift * self._step
        self.go_on_axis(position, v[speed], settings.acceleration(v, speed, ramp), not settings.limits_off(v), t_s)

    def go_on_axis(self, target: float, speed: float, acceleration: float, limited: bool, t_s: float) -> None:
        """A leg to a position in the controller's own count; speed and acceleration in EGU."""
        scale = abs(self._step / self._v["MRES"])
        self.upwards = target >= self._position
        report = self._drive.move(target, t_s, speed * scale, acceleration * scale, limited)
        self._refused, self.ends_s = not report.accepted, report.ends_s
        self.read(t_s)

    def halt(self, t_s: float) -> None:
        """Brake."""
        self.ends_s = self._drive.stop(t_s)
        self.read(t_s)

    def set_home(self, t_s: float) -> None:
        """The home switch was found: the count begins there."""
        self._homed, self._shift = True, 0
        self.read(t_s)

    @property
    def retargeted(self) -> bool:
        """Whether the target is another than the one that was set out for."""
        return self._v["DVAL"] != self._v["LDVL"]

    def remember(self) -> None:
        """The target is set out for."""
        v = self._v
        v["LVAL"], v["LDVL"], v["LRVL"] = v["VAL"], v["DVAL"], v["RVAL"]

    def take_readback(self) -> None:
        """The target is where the motor stands."""
        v = self._v
        v["VAL"], v["DVAL"], v["RVAL"] = v["RBV"], v["DRBV"], v["RRBV"]
        self.remember()
        status.show_difference(v)

    def load_position(self, position: float) -> None:
        """Tell the controller that it stands at a dial position; a variable offset keeps VAL, a frozen one does not."""
        v = self._v
        v["DVAL"], v["RVAL"] = position, round(position / v["MRES"])
        self._shift = v["RVAL"] - round(self._position / self._step)
        if v["FOFF"] == "Variable":
            v["OFF"] = v["VAL"] - position * settings.sign(v)
        self.remember()
        status.show_position(v, v["RVAL"])
        settings.set_offset(v, v["OFF"])

    def set(self, field: str, value: Any) -> None:
        """A write to a field that starts nothing; ValueError for a resolution of zero."""
        v = self._v
        if field in _RATES:
            settings.set_rate(v, field, value)
        elif field in ("HLM", "LLM", "DHLM", "DLLM"):
            c, shift = self._drive.config, self._shift * self._step
            settings.set_limit(v, field, value, c.low_limit + shift, c.high_limit + shift)
        elif field == "OFF":
            settings.set_offset(v, value)
        elif field == "DIR":
            settings.set_direction(v, value)
        elif field in ("MRES", "UREV", "SREV"):
            if not value:
                raise ValueError(f"{field} cannot be zero")
            settings.set_resolution(v, field, value)
            self.load_position(v["DVAL"])
        elif field in _SWITCHES:
            name, choice = _SWITCHES[field]
            v[name] = choice
        elif field in ("RDBD", "BDST"):
            v[field] = value
            v["RDBD"] = max(v["RDBD"], abs(v["MRES"]))
        elif field == "ERES":
            v[field] = value or v["MRES"]
        elif field == "NTMF":
            v[field] = max(value, 2)
        else:
            v[field] = value
