"""Settings of a motor record that follow from each other: user and dial coordinates, limits, speeds, resolution.

user = DIR * dial + OFF and dial = MRES * raw, as in the motor record's documentation, "Calibration-related fields". The
functions change the values handed in and move nothing.
"""

from __future__ import annotations

from typing import Any


class Values(dict[str, Any]):
    """The fields of a record; knows which differ from what was last told."""

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__(values)
        self._told = dict(values)
        self._touched: set[str] = set()

    def __setitem__(self, name: str, value: Any) -> None:
        if self[name] != value:
            super().__setitem__(name, value)
            self._touched.add(name)

    def news(self) -> set[str]:
        """The fields that differ from what they were when this was last asked."""
        changed = {name for name in self._touched if self[name] != self._told[name]}
        self._told.update((name, self[name]) for name in changed)
        self._touched.clear()
        return changed


def sign(v: Values) -> int:
    """+1 or -1 by DIR."""
    return 1 if v["DIR"] == "Pos" else -1


def user(v: Values, dial: float) -> float:
    """A dial position in user coordinates."""
    return dial * sign(v) + v["OFF"]


def dial(v: Values, position: float) -> float:
    """A user position in dial coordinates."""
    return (position - v["OFF"]) * sign(v)


def upright(v: Values) -> bool:
    """Whether user and raw coordinates rise together."""
    return (v["DIR"] == "Pos") == (v["MRES"] >= 0)


def limits_off(v: Values) -> bool:
    """DHLM = DLLM = 0 says that there are no soft limits."""
    return v["DHLM"] == 0.0 == v["DLLM"]


def outside(v: Values, position: float) -> bool:
    """Whether a dial position violates a soft limit."""
    return not limits_off(v) and not v["DLLM"] <= position <= v["DHLM"]


def show_user_limits(v: Values) -> None:
    """User limits from the dial's."""
    ends = user(v, v["DLLM"]), user(v, v["DHLM"])
    v["LLM"], v["HLM"] = ends if v["DIR"] == "Pos" else ends[::-1]


def set_limit(v: Values, name: str, value: float, low: float, high: float) -> None:
    """A new user or dial limit; the controller has limits of its own, low and high, and allows none beyond them."""
    if name in ("HLM", "LLM"):
        value = dial(v, value)
        name = "DHLM" if (name == "HLM") == (v["DIR"] == "Pos") else "DLLM"
    v[name] = min(max(value, low), high)
    if limits_off(v):
        v["LVIO"] = 0
    v["RHLM"], v["RLLM"] = v["DHLM"] / v["MRES"], v["DLLM"] / v["MRES"]
    show_user_limits(v)


def set_offset(v: Values, offset: float) -> None:
    """A new OFF: the user coordinates move, the motor does not."""
    v["OFF"] = offset
    v["VAL"], v["LVAL"], v["RBV"] = user(v, v["DVAL"]), user(v, v["LDVL"]), user(v, v["DRBV"])
    show_user_limits(v)


def set_direction(v: Values, direction: str) -> None:
    """A new DIR; with a variable offset VAL keeps its value, with a frozen one it is turned over."""
    v["DIR"] = direction
    if v["FOFF"] == "Variable":
        v["OFF"] = v["VAL"] - v["DVAL"] * sign(v)
    set_offset(v, v["OFF"])


def set_rate(v: Values, name: str, value: float) -> None:
    """A new speed or acceleration; speeds are kept between VBAS and VMAX (0 is no maximum)."""
    per_turn = abs(v["UREV"])
    twins = {"S": "VELO", "SBAK": "BVEL", "SBAS": "VBAS", "SMAX": "VMAX"}
    if name in twins:
        name, value = twins[name], value * per_turn
    if name in ("ACCL", "BACC"):
        v[name] = value if value > 0.0 else 0.1
    elif name == "ACCS":
        if value > 0.0 and v["VELO"] > v["VBAS"]:
            v["ACCL"] = (v["VELO"] - v["VBAS"]) / value
    elif name == "JAR":
        v["JAR"] = value if value > 0.0 else v["JVEL"] / 0.1
    else:
        v[name] = max(value, 0.0)
        _keep_speeds(v, name)
    v["ACCS"] = acceleration(v, "VELO", "ACCL")
    for short, long in twins.items():
        v[short] = v[long] / per_turn


def _keep_speeds(v: Values, newest: str) -> None:
    if v["VMAX"] and v["VMAX"] < v["VBAS"]:
        other = "VBAS" if newest == "VMAX" else "VMAX"
        v[other] = v[newest]
    for name in ("VELO", "BVEL", "JVEL", "HVEL"):
        v[name] = max(v[name], v["VBAS"])
        if v["VMAX"]:
            v[name] = min(v[name], v["VMAX"])


def acceleration(v: Values, speed: str, ramp: str) -> float:
    """EGU/s^2 of a speed that is reached from VBAS in the ramp's seconds."""
    return (v[speed] - v["VBAS"] if v[speed] > v["VBAS"] else v[speed]) / v[ramp]


def set_resolution(v: Values, name: str, value: float) -> None:
    """A new MRES, UREV or SREV: revolutions per second and raw limits stay, everything in EGU follows."""
    if name == "SREV":
        v["SREV"] = int(value) if value > 0 else 200
        v["MRES"] = v["UREV"] / v["SREV"]
        return
    step = value / v["SREV"] if name == "UREV" else value
    factor = abs(step / v["MRES"])
    limits = v["RHLM"] * step, v["RLLM"] * step
    v["MRES"], v["UREV"] = step, step * v["SREV"]
    for speed in ("VELO", "BVEL", "VBAS", "VMAX"):
        v[speed] = v[speed] * factor
    v["ACCS"] = acceleration(v, "VELO", "ACCL")
    v["DHLM"], v["DLLM"] = max(limits), min(limits)
    v["RDBD"] = max(v["RDBD"], abs(step))
    show_user_limits(v)
