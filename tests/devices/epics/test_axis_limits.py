"""The map's soft limits against the record's: each case worked out by hand, in the units of the stage."""

from __future__ import annotations

import math

import pytest

from xrm_control.devices.epics.axis_limits import of_output, of_record
from xrm_control.devices.epics.axis_map import AxisMap, PlainAxisMap

ABOUT = {"limits": (-10.0, 90.0), "speed": 1.0, "acceleration": 1.0, "settle_s": 0.0, "tolerance": 0.5}
FREE = (-1e3, 1e3)

# how the record counts; its dial and user limits; None, or words of what is wrong
RECORDS = [
    ({}, FREE, (-10.0, 90.0), None),
    ({}, FREE, (-9.6, 89.6), None),
    ({}, FREE, (-9.4, 90.0), ["do not lie inside", "[-10, 90] um", "[-9.4, 90] um"]),
    ({}, FREE, (-10.0, 89.4), ["do not lie inside", "[-10, 89.4] um"]),
    ({"per_motor_unit": 1000.0}, FREE, (-0.01, 0.09), None),
    ({"per_motor_unit": 1000.0}, FREE, (-0.01, 0.08), ["[-10, 80] um"]),
    ({"direction": -1}, FREE, (-90.0, 10.0), None),
    ({"direction": -1}, FREE, (-10.0, 90.0), ["[-90, 10] um"]),
    ({"offset": 50.0}, FREE, (-60.0, 40.0), None),
    ({"offset": 50.0, "direction": -1}, FREE, (-40.0, 60.0), None),
    ({"offset": 50.0}, FREE, (-10.0, 90.0), ["[40, 140] um"]),
    ({}, (0.0, 0.0), (0.0, 0.0), ["none at all", "DHLM 0"]),
    ({}, (0.0, 0.0), (-10.0, 90.0), ["none at all"]),
    ({}, FREE, (math.nan, 90.0), ["do not lie inside"]),
]
OUTPUTS = [
    ({}, (-10.0, 90.0), None),
    ({}, (-10.0, 80.0), ["the output's own", "[-10, 80] um"]),
    ({"direction": -1}, (-90.0, 10.0), None),
    # An output without limits of its own.
    ({}, (0.0, 0.0), None),
    ({}, (math.nan, math.nan), None),
]


@pytest.mark.parametrize(("counts", "dial", "user", "words"), RECORDS)
def test_a_motor_records_limits(
    counts: dict[str, float], dial: tuple[float, float], user: tuple[float, float], words: list[str] | None
) -> None:
    found = of_record(AxisMap.model_validate({"record": "m1", **ABOUT, **counts}), dial, user)
    assert (found is None) == (words is None)
    assert all(word in f"{found.what} {found.value} {found.limit}" for word in words or () if found is not None)


@pytest.mark.parametrize(("counts", "drive", "words"), OUTPUTS)
def test_an_outputs_limits(counts: dict[str, float], drive: tuple[float, float], words: list[str] | None) -> None:
    about = PlainAxisMap.model_validate({"kind": "plain", "setpoint": "o", "readback": "i", **ABOUT, **counts})
    found = of_output(about, drive)
    assert (found is None) == (words is None)
    assert all(word in f"{found.what} {found.value} {found.limit}" for word in words or () if found is not None)
