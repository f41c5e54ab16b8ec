"""Stop, pause, jog, home, and the settings of a motor record. Truth: motorRecord.html, R7-4."""

from __future__ import annotations

from typing import Any

import pytest

from simulators.ioc.motor_status import Msta
from tests.simulators.ioc.motor_bench import Bench


def _moving(**settings: Any) -> Bench:
    """On the way from 0 to 60 um, at full speed."""
    record = Bench()
    for field, value in settings.items():
        record.put(field, value)
    record.begin("VAL", 60.0)
    record.wait(0.5)
    return record


@pytest.mark.parametrize(("field", "value"), [("STOP", 1), ("SPMG", "Stop")])
def test_stop_brakes_and_the_target_is_where_it_stands(field: str, value: Any) -> None:
    record = _moving()
    at_stop = record["RBV"]
    record.put(field, value)
    # Braking from 50 um/s with 200 um/s^2 takes 6.25 um.
    assert record["RBV"] == pytest.approx(at_stop + 6.25, abs=0.01)
    assert record["VAL"] == record["RBV"]
    assert record["STOP"] == 0
    assert record.told("DMOV") == [0, 1]
    assert record["MISS"] == record["RCNT"] == 0


def test_stop_at_rest_only_shows_itself() -> None:
    record = Bench()
    record.put("STOP", 1)
    assert record.told("STOP") == [1, 0]
    assert set(record.seen) == {"STOP"}


def test_pause_keeps_the_target_and_the_client_waits_until_go() -> None:
    record = _moving()
    record.begin("SPMG", "Pause")
    record.wait(5.0)
    assert (record["DMOV"], record["MOVN"], record["VAL"]) == (0, 0, 60.0)
    assert record["RBV"] < 40.0
    record.put("SPMG", "Go")
    assert record["RBV"] == pytest.approx(60.0)
    assert record.told("DMOV") == [0, 1]


@pytest.mark.parametrize("held", ["Stop", "Pause"])
def test_a_target_written_while_held_is_gone_to_at_go(held: str) -> None:
    record = Bench()
    record.put("SPMG", held)
    record.begin("VAL", 20.0)
    record.wait(5.0)
    assert (record["DMOV"], record["RBV"], record["VAL"]) == (0, 0.0, 20.0)
    record.put("SPMG", "Go")
    assert record["RBV"] == pytest.approx(20.0)


def test_a_target_written_while_held_is_given_up_by_stop() -> None:
    record = Bench()
    record.put("SPMG", "Pause")
    record.begin("VAL", 20.0)
    record.put("STOP", 1)
    assert (record["DMOV"], record["VAL"]) == (1, 0.0)


def test_move_goes_there_and_pauses() -> None:
    record = Bench()
    record.put("SPMG", "Pause")
    record.begin("VAL", 20.0)
    record.put("SPMG", "Move")
    assert (record["SPMG"], record["RBV"]) == ("Pause", pytest.approx(20.0))


@pytest.mark.parametrize(
    ("button", "direction", "sense"), [("JOGF", "Pos", 1), ("JOGR", "Pos", -1), ("JOGF", "Neg", -1)]
)
def test_a_jog_goes_on_until_the_button_is_released(button: str, direction: str, sense: int) -> None:
    record = Bench()
    record.put("DIR", direction)
    record.put("JVEL", 4.0)
    record.put("JAR", 8.0)
    record.begin(button, 1)
    record.wait(2.5)
    assert (record["DMOV"], record[button]) == (0, 1)
    # Half a second of ramp (1 um), then 4 um/s.
    assert record["DRBV"] == pytest.approx(sense * 9.0, abs=0.01)
    record.put(button, 0)
    assert record["DRBV"] == pytest.approx(sense * 10.0, abs=0.06)
    assert record["VAL"] == record["RBV"]
    assert record["MIP"] == 0


def test_a_jog_ends_a_second_before_the_soft_limit() -> None:
    record = Bench()
    record.put("JVEL", 10.0)
    record.put("JOGF", 1)
    assert (record["LVIO"], record["JOGF"]) == (1, 0)
    assert 90.0 < record["RBV"] < 91.0
    record.forget()
    record.put("JOGF", 1)
    assert record.seen == {}


def test_a_jog_is_looked_at_in_time_to_end_before_the_soft_limit() -> None:
    """Whoever polls only when it is due must not come too late."""
    record = Bench()
    record.put("JVEL", 10.0)
    record.begin("JOGF", 1)
    while not record.motor.done:
        record.t_s = record.motor.due_s(record.t_s)
        record.motor.poll(record.t_s)
    assert (record["LVIO"], record["JOGF"]) == (1, 0)
    assert 90.0 < record["RBV"] < 91.0


def test_a_jog_ordered_in_a_move_waits_for_its_end() -> None:
    record = _moving(JVEL=4.0)
    record.begin("JOGF", 1)
    record.wait(1.0)
    assert (60.0 in record.told("RBV"), record["JOGF"], record["DMOV"]) == (True, 1, 0)
    record.wait(1.0)
    assert record["RBV"] > 62.0
    record.put("JOGF", 0)
    assert record["MIP"] == 0


def test_a_jog_without_soft_limits_ends_at_the_switch() -> None:
    record = Bench()
    for limit in ("DHLM", "DLLM"):
        record.put(limit, 0.0)
    record.put("JOGR", 1)
    assert (record["LLS"], record["JOGR"]) == (1, 0)
    assert record["RBV"] == pytest.approx(-110.0, abs=0.01)


@pytest.mark.parametrize("button", ["HOMF", "HOMR"])
def test_homing_ignores_the_soft_limits_and_the_count_begins_there(button: str) -> None:
    record = Bench()
    record.put("VAL", 30.0)
    record.put("LLM", 10.0)
    record.put("SET", "Set")
    record.put("DVAL", 33.0)
    record.put("SET", "Use")
    record.forget()
    record.put(button, 1)
    assert record.told("DMOV") == [0, 1]
    assert (record[button], record["LVIO"], record["ATHM"]) == (0, 0, 1)
    assert record["DRBV"] == pytest.approx(0.0)
    assert record["VAL"] == record["RBV"]
    assert record["MSTA"] & Msta.HOMED


def test_homing_from_a_move_stops_first() -> None:
    record = _moving()
    record.put("HOMF", 1)
    assert record.told("DMOV") == [0, 1]
    assert record["RBV"] == pytest.approx(0.0)


LIMITS = [
    # settings, LLM, HLM; the dial's limits are -100 and 100
    ({}, -100.0, 100.0),
    ({"OFF": 30.0}, -70.0, 130.0),
    ({"DHLM": 40.0}, -100.0, 40.0),
    ({"DIR": "Neg"}, -100.0, 100.0),
    ({"DHLM": 40.0, "DIR": "Neg"}, -40.0, 100.0),
    ({"DHLM": 40.0, "DIR": "Neg", "OFF": 5.0}, -35.0, 105.0),
    ({"HLM": 250.0}, -100.0, 100.0),  # the controller's own limits stay
]


@pytest.mark.parametrize(("settings", "low", "high"), LIMITS)
def test_limits_in_user_coordinates(settings: dict[str, Any], low: float, high: float) -> None:
    record = Bench()
    for field, value in settings.items():
        record.put(field, value)
    assert (record["LLM"], record["HLM"]) == (low, high)


@pytest.mark.parametrize(("direction", "dial"), [("Pos", "DHLM"), ("Neg", "DLLM")])
def test_a_user_limit_goes_to_the_right_end_of_the_dial(direction: str, dial: str) -> None:
    record = Bench()
    record.put("DIR", direction)
    record.put("HLM", 30.0)
    assert record[dial] == (30.0 if direction == "Pos" else -30.0)
    record.put("VAL", 31.0)
    assert record["LVIO"] == 1


@pytest.mark.parametrize(("frozen", "value", "offset"), [("Variable", 20.0, 40.0), ("Frozen", -20.0, 0.0)])
def test_turning_the_direction_over(frozen: str, value: float, offset: float) -> None:
    record = Bench()
    record.put("VAL", 20.0)
    record.put("FOFF", frozen)
    record.put("DIR", "Neg")
    assert (record["VAL"], record["OFF"]) == (value, offset)
    assert record["RBV"] == pytest.approx(value)
    assert record["DRBV"] == pytest.approx(20.0)


RATES = [
    # written, expected; VMAX is 50, VBAS 0, 200 steps of 0.001 um a turn
    (("VELO", 25.0), {"VELO": 25.0, "S": 125.0, "ACCS": 100.0}),
    (("S", 100.0), {"VELO": 20.0}),
    (("VELO", 80.0), {"VELO": 50.0}),
    (("VMAX", 10.0), {"VELO": 10.0, "SMAX": 50.0, "BVEL": 10.0}),
    (("VBAS", 60.0), {"VELO": 60.0, "VMAX": 60.0}),
    (("ACCL", -1.0), {"ACCL": 0.1}),
    (("ACCS", 500.0), {"ACCL": 0.1}),
    (("RDBD", 0.0), {"RDBD": 0.001}),
    (("MRES", 0.002), {"UREV": 0.4, "VELO": 100.0, "DHLM": 200.0, "S": 250.0}),
    (("SSET", 1), {"SET": "Set"}),
    (("FOF", 1), {"FOFF": "Frozen"}),
]


@pytest.mark.parametrize(("written", "expected"), RATES)
def test_settings_that_follow_from_each_other(written: tuple[str, Any], expected: dict[str, Any]) -> None:
    record = Bench()
    record.put(*written)
    for field, value in expected.items():
        assert record[field] == (value if isinstance(value, str) else pytest.approx(value)), field


def test_a_resolution_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="MRES"):
        Bench().put("MRES", 0.0)
