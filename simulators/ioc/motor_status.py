"""What a motor record says of its motor: the bits of MIP and MSTA, read-backs, limit switches, alarms."""

from __future__ import annotations

from enum import IntFlag

from simulators.description import AxisState
from simulators.ioc import motor_settings as settings
from simulators.ioc.motor_settings import Values


class Mip(IntFlag):
    """Motion in progress."""

    DONE = 0
    JOGF = 0x1
    JOGR = 0x2
    JOG_BL1 = 0x4
    HOMF = 0x8
    HOMR = 0x10
    MOVE = 0x20
    RETRY = 0x40
    MOVE_BL = 0x100
    STOP = 0x200
    DELAY = 0x400
    JOG_STOP = 0x2000
    JOG_BL2 = 0x4000
    EXTERNAL = 0x8000
    JOG = JOGF | JOGR
    HOME = HOMF | HOMR
    # After these the record looks whether the target was reached.
    AIMED = MOVE | RETRY | MOVE_BL | JOG_BL2 | STOP


class Msta(IntFlag):
    """Motor status."""

    DIRECTION = 0x1
    DONE = 0x2
    PLUS_LIMIT = 0x4
    HOME = 0x8
    SLIP_STALL = 0x40
    ENCODER_HOME = 0x80
    ENCODER_PRESENT = 0x100
    PROBLEM = 0x200
    MOVING = 0x400
    COMM_ERROR = 0x1000
    MINUS_LIMIT = 0x2000
    HOMED = 0x4000


def show_position(v: Values, raw: int) -> None:
    """Read-backs in all coordinates from a number of motor steps."""
    v["RRBV"] = v["RMP"] = v["REP"] = raw
    v["DRBV"] = raw * v["MRES"]
    v["RBV"] = settings.user(v, v["DRBV"])
    show_difference(v)


def show_difference(v: Values) -> None:
    """DIFF and RDIF: how far the target is."""
    v["DIFF"] = v["DVAL"] - v["DRBV"]
    v["RDIF"] = round(v["DIFF"] / v["MRES"])


def show_state(v: Values, state: AxisState, at_home: bool, upwards: bool, refused: bool, homed: bool) -> None:
    """MSTA and what is drawn from it; `upwards` is the direction of the newest motion in raw coordinates."""
    bits = Msta.ENCODER_PRESENT
    for flag, bit in (
        (upwards, Msta.DIRECTION),
        (not state.moving, Msta.DONE),
        (state.moving, Msta.MOVING),
        (state.at_high_limit, Msta.PLUS_LIMIT),
        (state.at_low_limit, Msta.MINUS_LIMIT),
        (state.stalled, Msta.SLIP_STALL),
        (refused, Msta.PROBLEM),
        (homed, Msta.HOMED),
        (at_home, Msta.HOME | Msta.ENCODER_HOME),
    ):
        if flag:
            bits |= bit
    v["MSTA"] = int(bits)
    v["MOVN"], v["TDIR"], v["CDIR"], v["ATHM"] = int(state.moving), int(upwards), int(upwards), int(at_home)
    high, low = v["RHLS"], v["RLLS"] = int(state.at_high_limit), int(state.at_low_limit)
    v["HLS"], v["LLS"] = (high, low) if settings.upright(v) else (low, high)


def judge(v: Values) -> None:
    """STAT and SEVR: silence first, then limits (with severity HLSV), then a motor that slipped or stalled."""
    status, severity = "NO_ALARM", "NO_ALARM"
    limited = not settings.limits_off(v)
    if v["MSTA"] & Msta.COMM_ERROR:
        status, severity = "COMM", "INVALID"
    elif v["HLSV"] != "NO_ALARM" and (v["HLS"] or (limited and v["DVAL"] > v["DHLM"])):
        status, severity = "HIGH", v["HLSV"]
    elif v["HLSV"] != "NO_ALARM" and (v["LLS"] or (limited and v["DVAL"] < v["DLLM"])):
        status, severity = "LOW", v["HLSV"]
    elif v["MSTA"] & (Msta.SLIP_STALL | Msta.PROBLEM):
        status, severity = "STATE", "MAJOR"
    v["STAT"], v["SEVR"] = status, severity
