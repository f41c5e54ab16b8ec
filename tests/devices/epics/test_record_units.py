"""The unit that a record shows, and how many um or degrees of the stage the map says it is."""

from __future__ import annotations

import pytest

from xrm_control.devices.epics.axis_map import AxisMap
from xrm_control.devices.epics.record_units import misfit

ABOUT = {"record": "m1", "limits": (-10.0, 90.0), "speed": 1.0, "acceleration": 1.0, "settle_s": 0, "tolerance": 0.5}

# units of the stage, of the map in one of the record's; EGU; whether both can be
CASES = [
    ("um", 1.0, "um", True),
    ("um", 1.0, "microns", True),
    ("um", 1.0, " \N{MICRO SIGN}m", True),
    ("um", 1.0, "\N{GREEK SMALL LETTER MU}m", True),
    ("um", 1000.0, "mm", True),
    ("um", 1000.0, "MM", True),
    ("um", 1.0, "mm", False),
    ("um", 1000.0, "um", False),
    ("um", 1.0, "nm", False),
    ("um", 1.0, "in", False),
    ("um", 1e6, "mm", False),
    # A lever, a gear.
    ("um", 2.0, "um", True),
    ("um", 500.0, "mm", True),
    # Nothing is said by these.
    ("um", 0.05, "steps", True),
    ("um", 10.0, "", True),
    ("um", 10.0, "V", True),
    ("um", 10.0, None, True),
    ("deg", 1.0, "deg", True),
    ("deg", 1.0, "Degrees", True),
    ("deg", 1.0, "mdeg", False),
    ("deg", 0.001, "mdeg", True),
    ("deg", 1.0, "rad", False),
    ("deg", 57.29578, "rad", True),
    ("deg", 1.0, "arcsec", False),
    # A tangent arm that is driven by a length.
    ("deg", 0.3, "mm", True),
]


@pytest.mark.parametrize(("units", "per_motor_unit", "egu", "fits"), CASES)
def test_a_scale_that_the_unit_rules_out(units: str, per_motor_unit: float, egu: str | None, fits: bool) -> None:
    about = AxisMap.model_validate({**ABOUT, "units": units, "per_motor_unit": per_motor_unit})
    found = misfit(about, egu)
    assert (found is None) is fits
    if found is not None:
        assert str(egu) in found.value
        assert f"{per_motor_unit:g} {units}" in found.limit
        assert "per_motor_unit" in found.remedy
