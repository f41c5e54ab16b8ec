"""The map's soft limits against the control system's own: one rule, for a run and for an examination."""

from __future__ import annotations

from dataclasses import dataclass

from xrm_control.devices.epics.axis_map import AxisMap, PlainAxisMap

# Low, high.
DIAL_LIMITS = ("DLLM", "DHLM")
USER_LIMITS = ("LLM", "HLM")
OUTPUT_LIMITS = ("DRVL", "DRVH")


@dataclass(frozen=True)
class Misfit:
    """Limits that an axis cannot be moved with: a clause that says what is wrong, the fields it is read from, the
    value found and the limit it breaks, and what to do.
    """

    what: str
    fields: tuple[str, ...]
    value: str
    limit: str
    remedy: str


def of_record(about: AxisMap, dial: tuple[float, float], user: tuple[float, float]) -> Misfit | None:
    """A motor record's limits, low and high, as it has them in its own units; None when the map's lie inside."""
    if dial == (0, 0):
        what, value = "limits of 0 mean none at all", "DLLM 0, DHLM 0"
        return Misfit(what, DIAL_LIMITS, value, "soft limits", "set the record's soft limits")
    remedy = "narrow axes.*.limits in the PV map, or widen the record's limits if the hardware allows it"
    return _outside(about, user, "the motor record's", USER_LIMITS, remedy)


def of_output(about: PlainAxisMap, drive: tuple[float, float]) -> Misfit | None:
    """An output's limits, low and high, in its own units; none unless the low one is below the high one."""
    if not drive[0] < drive[1]:
        return None
    return _outside(about, drive, "the output's own", OUTPUT_LIMITS, "narrow axes.*.limits in the PV map")


def _outside(
    about: AxisMap | PlainAxisMap, ends: tuple[float, float], whose: str, fields: tuple[str, ...], remedy: str
) -> Misfit | None:
    """Read-back and limit are both of the axis' own accuracy: the tolerance is allowed for."""
    low, high = sorted(about.to_stage(end) for end in ends)
    own_low, own_high = about.limits
    # NaN is inside nothing.
    if own_low >= low - about.tolerance and own_high <= high + about.tolerance:
        return None
    found, limit = (f"[{a:g}, {b:g}] {about.units}" for a, b in (about.limits, (low, high)))
    return Misfit(f"the map's limits do not lie inside {whose}", fields, found, limit, remedy)
