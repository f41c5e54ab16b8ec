"""The unit that a record shows (EGU) against what the map says of it: one rule, for a run and for an examination."""

from __future__ import annotations

import math
from dataclasses import dataclass

from xrm_control.devices.epics.axis_map import AxisMap, PlainAxisMap

# Lower case; in um, and in degrees. What is not named here (steps, counts, V) tells nothing of a scale.
_LENGTHS = {
    **dict.fromkeys(("nm", "nanometer", "nanometers", "nanometre", "nanometres"), 1e-3),
    **dict.fromkeys(("um", "\N{MICRO SIGN}m", "\N{GREEK SMALL LETTER MU}m", "micron", "microns"), 1.0),
    **dict.fromkeys(("micrometer", "micrometers", "micrometre", "micrometres"), 1.0),
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre", "millimetres"), 1e3),
    **{"cm": 1e4, "m": 1e6, "in": 25_400.0, "inch": 25_400.0, "mil": 25.4},
}
_ANGLES = {
    **dict.fromkeys(("deg", "degs", "degree", "degrees", "\N{DEGREE SIGN}"), 1.0),
    **dict.fromkeys(("mdeg", "millideg", "millidegrees"), 1e-3),
    **{"rad": math.degrees(1.0), "mrad": math.degrees(1e-3), "urad": math.degrees(1e-6)},
    **{"arcsec": 1 / 3600, "arcmin": 1 / 60},
}
# Gears and levers are allowed for; a wrong unit is farther off.
_WRONG_BY = 5.0


@dataclass(frozen=True)
class Misfit:
    """A unit that cannot be: the value found, the limit it breaks, and what to do."""

    value: str
    limit: str
    remedy: str


def misfit(about: AxisMap | PlainAxisMap, egu: object) -> Misfit | None:
    """None where the unit goes with `per_motor_unit`, or says nothing of it."""
    known = (_LENGTHS if about.units == "um" else _ANGLES).get(str(egu).strip().lower())
    if known is None or 1 / _WRONG_BY <= about.per_motor_unit / known <= _WRONG_BY:
        return None
    return Misfit(
        f"{egu}, which is {known:g} {about.units}",
        f"per_motor_unit {about.per_motor_unit:g} {about.units} in the map",
        f"set axes.*.per_motor_unit to {known:g} and motor_units to {egu} in the PV map, or correct EGU of the record",
    )
