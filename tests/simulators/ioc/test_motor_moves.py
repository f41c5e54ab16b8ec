"""What a motor record does with a target: one table, and the cases that need a story. Truth: motorRecord.html, R7-4."""

from __future__ import annotations

import math
from typing import Any

import pytest

from simulators.errors import Disconnected
from simulators.faults import Fault
from simulators.ioc.motor_status import Msta
from tests.simulators.ioc.motor_bench import EXACT, Bench

# 20 um: 20/50 s of way and 50/200 s of ramps, and 0.1 s to settle.
TWENTY_S = 20 / 50 + 50 / 200 + 0.1
PULSE = [0, 1]
SEMANTICS: list[tuple[str, list[tuple[str, Any]], tuple[str, Any], dict[str, list[Any]], dict[str, float]]] = [
    # what, before, action, what monitors see, where it ends
    ("a move", [], ("VAL", 20.0), {"DMOV": PULSE, "VAL": [20.0], "MOVN": PULSE[::-1], "LVIO": []}, {"RBV": 20.0}),
    ("a move of zero", [], ("VAL", 0.0), {"DMOV": PULSE, "VAL": [], "RBV": [], "MOVN": []}, {"RBV": 0.0}),
    ("beyond a soft limit", [], ("VAL", 150.0), {"DMOV": PULSE, "LVIO": [1], "VAL": [], "RBV": []}, {"VAL": 0.0}),
    ("back from that", [("VAL", 150.0)], ("VAL", 20.0), {"DMOV": PULSE, "LVIO": [0], "VAL": [20.0]}, {"RBV": 20.0}),
    ("LVIO outlives a move of zero", [("VAL", 150.0)], ("VAL", 0.0), {"DMOV": PULSE, "LVIO": []}, {"LVIO": 1}),
    ("dial", [("OFF", 5.0)], ("DVAL", 20.0), {"DMOV": PULSE, "VAL": [25.0]}, {"RBV": 25.0, "DRBV": 20.0}),
    ("raw", [], ("RVAL", 20000), {"DMOV": PULSE, "VAL": [20.0]}, {"RBV": 20.0, "RRBV": 20000}),
    ("relative", [("VAL", 5.0)], ("RLV", -7.0), {"DMOV": PULSE, "VAL": [-2.0], "RLV": []}, {"RBV": -2.0}),
    ("tweak", [("TWV", 3.0)], ("TWF", 1), {"DMOV": PULSE, "VAL": [3.0], "TWF": []}, {"RBV": 3.0}),
    ("tweak back", [("TWV", 3.0)], ("TWR", 1), {"DMOV": PULSE, "VAL": [-3.0]}, {"RBV": -3.0}),
    ("turned over", [("DIR", "Neg")], ("VAL", 20.0), {"DMOV": PULSE}, {"RBV": 20.0, "DRBV": -20.0, "TDIR": 0}),
    ("an offset", [("OFF", 30.0)], ("VAL", 20.0), {"DMOV": PULSE}, {"RBV": 20.0, "DRBV": -10.0}),
    ("an offset moves the limits", [("OFF", 30.0)], ("VAL", 125.0), {"LVIO": []}, {"RBV": 125.0, "DRBV": 95.0}),
    ("within SPDB", [("SPDB", 1.0)], ("VAL", 0.9), {"DMOV": PULSE, "MOVN": [], "VAL": [0.9]}, {"RBV": 0.0}),
    ("less than a step", [], ("VAL", 0.0004), {"DMOV": PULSE, "MOVN": []}, {"RBV": 0.0}),
    ("limits that contradict", [("DLLM", 50.0), ("DHLM", 40.0)], ("VAL", 45.0), {"LVIO": [1]}, {"RBV": 0.0}),
    (
        "renamed by SET",
        [("SET", "Set")],
        ("VAL", 7.0),
        {"DMOV": PULSE, "MOVN": []},
        {"RBV": 7.0, "OFF": 7.0, "DRBV": 0},
    ),
    ("dial renamed", [("SET", "Set")], ("DVAL", 7.0), {"MOVN": []}, {"RBV": 0.0, "DRBV": 7.0, "OFF": -7.0}),
    (
        "frozen offset, renamed",
        [("FOFF", "Frozen"), ("SET", "Set")],
        ("VAL", 7.0),
        {"DMOV": PULSE, "MOVN": [], "OFF": []},
        {"RBV": 7.0, "DRBV": 7.0, "RRBV": 7000},
    ),
    (
        "a move in a renamed dial",
        [("SET", "Set"), ("DVAL", 7.0), ("SET", "Use")],
        ("DVAL", 27.0),
        {"DMOV": PULSE, "MOVN": [1, 0]},
        {"DRBV": 27.0, "RBV": 20.0},
    ),
    ("another resolution", [("MRES", 0.002)], ("VAL", 20.0), {"DMOV": PULSE}, {"RBV": 20.0, "RRBV": 10000}),
]


@pytest.mark.parametrize(
    ("before", "action", "told", "ends"), [row[1:] for row in SEMANTICS], ids=[r[0] for r in SEMANTICS]
)
def test_semantics(
    before: list[tuple[str, Any]], action: tuple[str, Any], told: dict[str, list[Any]], ends: dict[str, float]
) -> None:
    record = Bench()
    for field, value in before:
        record.put(field, value)
    record.forget()
    record.put(*action)
    for field, expected in told.items():
        assert record.told(field) == pytest.approx(expected), field
    for field, value in ends.items():
        assert record[field] == pytest.approx(value, abs=1e-9), field
    if "VAL" not in ends:
        assert record["VAL"] == pytest.approx(record["RBV"], abs=1.0)
    assert record["MIP"] == record["MOVN"] == 0
    assert record["DMOV"] == 1


# Where it stands; BDST; the target; whether the limits of -100 and 100 allow it. Against the preferred direction, the
# sign of BDST, the first leg goes BDST beyond the target.
BACKLASH_AT_LIMITS = [
    (0.0, 4.0, 99.0, True),
    (0.0, 4.0, -97.0, False),
    (0.0, 4.0, -96.0, True),
    (0.0, -4.0, 97.0, False),
    (0.0, -4.0, 96.0, True),
    (0.0, -4.0, -99.0, True),
    (0.0, 0.0, -99.0, True),
    (-50.0, 4.0, -97.0, False),
    (-98.0, 4.0, -97.0, True),
    (0.0, 4.0, 101.0, False),
]


@pytest.mark.parametrize(("start", "backlash", "target", "allowed"), BACKLASH_AT_LIMITS)
@pytest.mark.parametrize("limits", [True, False], ids=["limits", "DHLM = DLLM = 0"])
def test_a_backlash_leg_beyond_a_limit_is_refused(
    start: float, backlash: float, target: float, allowed: bool, limits: bool
) -> None:
    record = Bench()
    record.put("VAL", start)
    record.put("BDST", backlash)
    if not limits:
        record.put("DHLM", 0.0)
        record.put("DLLM", 0.0)
    record.forget()
    record.put("VAL", target)
    allowed = allowed or not limits
    assert (record["LVIO"], record["DMOV"]) == (int(not allowed), 1)
    assert record["VAL"] == pytest.approx(target if allowed else start)
    assert record["RBV"] == pytest.approx(target if allowed else start, abs=0.11)
    assert record.told("DMOV") == PULSE


def test_the_way_to_a_target_is_counted_from_where_the_motor_stands() -> None:
    """With retries on a read-back of its own the preferred direction is that of DIFF, whatever the last target was."""
    record = Bench(Fault("stall", axis="x", move=1, times=100))
    record.put("RTRY", 1)
    record.put("VAL", 98.0)
    record.microscope.clear_faults(record.t_s)
    assert record["RBV"] < 97.0 < record["LDVL"]
    record.put("BDST", -4.0)
    record.put("VAL", 97.0)
    assert record["LVIO"] == 1, "upwards, so by way of 101"


def _trapezoid_s(distance: float, speed: float, acceleration: float) -> float:
    return distance / speed + speed / acceleration


@pytest.mark.parametrize(
    ("settings", "takes_s"),
    [
        ({}, TWENTY_S),
        ({"DLY": 2.0}, TWENTY_S + 2.0),
        ({"VELO": 10.0, "ACCL": 0.5}, _trapezoid_s(20, 10, 20) + 0.1),
        ({"VELO": 500.0}, TWENTY_S),  # VMAX is 50
        # Away from the preferred direction: there and BDST beyond, then back with BVEL and BACC.
        ({"BDST": -4.0, "BVEL": 2.0, "BACC": 0.5}, _trapezoid_s(24, 50, 200) + 0.1 + _trapezoid_s(4, 2, 4) + 0.1),
        # In the preferred direction, with other speeds: up to BDST before, and the rest with BVEL.
        ({"BDST": 4.0, "BVEL": 2.0, "BACC": 0.5}, _trapezoid_s(16, 50, 200) + 0.1 + _trapezoid_s(4, 2, 4) + 0.1),
        # In the preferred direction with the same speeds: at once.
        ({"BDST": 4.0}, TWENTY_S),
        # No further than BDST: all of it with BVEL.
        ({"BDST": 20.0, "BVEL": 2.0, "BACC": 0.5}, _trapezoid_s(20, 2, 4) + 0.1),
        # A step is worth twice as much now: the motor turns as fast, and half as far.
        ({"MRES": 0.002, "VELO": 20.0, "ACCL": 0.25}, _trapezoid_s(10, 10, 40) + 0.1),
    ],
)
def test_how_long_a_move_takes(settings: dict[str, float], takes_s: float) -> None:
    record = Bench()
    for field, value in settings.items():
        record.put(field, value)
    assert record.put("VAL", 20.0) == pytest.approx(takes_s, abs=0.025)
    assert record["RBV"] == pytest.approx(20.0)
    assert max(record.told("RBV")) == pytest.approx(24.0 if record["BDST"] < 0 else 20.0, abs=1e-3)
    assert record.told("DMOV") == PULSE


@pytest.mark.parametrize(
    ("second", "first_is_reached"),
    [(60.0, True), (-20.0, False)],
    ids=["the same way: after the first", "the other way: at once"],
)
def test_a_second_target_on_the_way(second: float, first_is_reached: bool) -> None:
    record = Bench()
    record.begin("VAL", 30.0)
    record.wait(0.4)
    record.put("VAL", second)
    assert record.told("DMOV") == PULSE
    assert record["RBV"] == pytest.approx(second)
    turned_at = max(record.told("RBV")) if second < 0 else 30.0
    assert (turned_at == pytest.approx(30.0, abs=0.01)) == first_is_reached
    assert any(abs(rbv - 30.0) < 1e-6 for rbv in record.told("RBV")) == first_is_reached


def test_without_new_target_monitoring_the_first_is_reached_whatever_comes() -> None:
    record = Bench()
    record.put("NTM", "NO")
    record.begin("VAL", 30.0)
    record.wait(0.4)
    record.put("VAL", -20.0)
    assert max(record.told("RBV")) == pytest.approx(30.0)
    assert record["RBV"] == pytest.approx(-20.0)


def test_a_second_target_beyond_the_limit_is_taken_back_and_the_first_is_reached() -> None:
    record = Bench()
    record.begin("VAL", 30.0)
    record.wait(0.4)
    record.put("VAL", 150.0)
    assert (record["VAL"], record["LVIO"]) == (30.0, 1)
    assert record["RBV"] == pytest.approx(30.0)
    assert record.told("DMOV") == PULSE


@pytest.mark.parametrize("times", [1, 9])
def test_retries_reach_the_target_after_stalls(times: int) -> None:
    record = Bench(Fault("stall", axis="x", move=1, times=times))
    record.put("VAL", 64.0)
    assert (record["RCNT"], record["MISS"], record["DMOV"]) == (times, 0, 1)
    assert record["RBV"] == pytest.approx(64.0)
    assert record.told("DMOV") == PULSE
    assert record["SEVR"] == "NO_ALARM"
    record.put("VAL", 0.0)
    assert record["RCNT"] == 0


@pytest.mark.parametrize(("retries", "missed"), [(3, 1), (0, 0)])
def test_retries_exhausted(retries: int, missed: int) -> None:
    """With RTRY = 0 the record does not even look, and says nothing of a miss."""
    record = Bench(Fault("stall", axis="x", move=1, times=100))
    record.put("RTRY", retries)
    record.put("VAL", 64.0)
    assert (record["MISS"], record["DMOV"], record["VAL"]) == (missed, 1, 64.0)
    assert record["RBV"] == pytest.approx(64.0 * (1 - 0.5 ** (retries + 1)), abs=0.01)
    assert record["MSTA"] & Msta.SLIP_STALL
    assert (record["STAT"], record["SEVR"]) == ("STATE", "MAJOR")


@pytest.mark.parametrize(("direction", "switch", "other"), [("Pos", "HLS", "LLS"), ("Neg", "LLS", "HLS")])
def test_a_hard_limit_ends_the_move_without_retries(direction: str, switch: str, other: str) -> None:
    record = Bench()
    for field, value in (("DIR", direction), ("DHLM", 0.0), ("DLLM", 0.0)):
        record.put(field, value)
    record.forget()
    record.put("DVAL", 500.0)
    assert (record[switch], record[other], record["RHLS"], record["RCNT"], record["DMOV"]) == (1, 0, 1, 0, 1)
    assert record["DRBV"] == pytest.approx(110.0, abs=0.01)
    assert record["VAL"] == record["RBV"]
    assert record["MSTA"] & Msta.PLUS_LIMIT
    assert (record["STAT"], record["SEVR"]) == ("HIGH" if switch == "HLS" else "LOW", "MAJOR")
    record.put("DVAL", 0.0)
    assert (record[switch], record["SEVR"]) == (0, "NO_ALARM")
    assert record["DRBV"] == pytest.approx(0.0, abs=1e-6)


def test_a_tripped_switch_within_the_limits() -> None:
    record = Bench(Fault("limit", axis="x", move=1))
    record.put("VAL", -40.0)
    assert (record["LLS"], record["HLS"], record["RCNT"], record["DMOV"]) == (1, 0, 0, 1)
    assert record["VAL"] == record["RBV"] > -40.0


def test_towards_the_inside_is_allowed_from_outside() -> None:
    record = Bench()
    record.put("VAL", 90.0)
    record.put("HLM", 50.0)
    record.put("VAL", 80.0)
    assert (record["LVIO"], record["VAL"]) == (0, 80.0)
    record.put("VAL", 85.0)
    assert (record["LVIO"], record["VAL"]) == (1, 80.0)


def test_a_silent_controller() -> None:
    record = Bench(Fault("disconnect", at_s=10.0, duration_s=5.0))
    record.put("VAL", 20.0)
    record.wait(11.0)
    assert record["MSTA"] & Msta.COMM_ERROR
    assert (record["STAT"], record["SEVR"]) == ("COMM", "INVALID")
    record.forget()
    for field, value in (("VAL", 30.0), ("STOP", 1), ("SPMG", "Stop"), ("HOMF", 1), ("JOGF", 1)):
        with pytest.raises(Disconnected):
            record.begin(field, value)
    assert record.seen == {}
    record.wait(6.0)
    assert (record["SEVR"], record["RBV"], record["DMOV"]) == ("NO_ALARM", pytest.approx(20.0), 1)


def test_a_controller_that_falls_silent_in_a_move_ends_it_when_it_is_back() -> None:
    record = Bench(Fault("disconnect", at_s=0.3, duration_s=5.0))
    assert record.put("VAL", 20.0) == pytest.approx(5.3, abs=0.02)
    assert record["RBV"] == pytest.approx(20.0)
    assert record.told("SEVR") == ["INVALID", "NO_ALARM"]


@pytest.mark.parametrize("field", ["VAL", "DVAL", "RLV"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_target_must_be_a_number(field: str, value: float) -> None:
    record = Bench()
    with pytest.raises(ValueError, match=field):
        record.begin(field, value)
    assert record.seen == {}


def test_a_motion_of_others_is_followed() -> None:
    record = Bench()
    record.microscope.move("x", 20.0, 1.0)
    record.t_s = 1.0
    record.wait(2.0)
    assert record.told("DMOV") == PULSE
    assert record["VAL"] == record["RBV"] == pytest.approx(20.0)


def test_the_record_tells_the_truth_about_its_axis() -> None:
    record = Bench()
    assert (record["VELO"], record["VELO"] / record["ACCL"]) == (EXACT.speed, EXACT.acceleration)
    assert (record["LLM"], record["HLM"], record["RDBD"]) == (EXACT.low_limit, EXACT.high_limit, EXACT.tolerance)
    assert (record["EGU"], record["MRES"], record["PREC"], record["BDST"]) == ("um", EXACT.resolution, 3, 0.0)
