"""Motor records over Channel Access, seen by the clients that beamlines use: pyepics and ophyd."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import epics
import pytest
from caproto import ChannelType
from caproto.sync import client as caproto_client

from simulators.ioc.motor_fields import FIELDS
from tests.ioc_process import client_environment, running_ioc
from tests.simulators.ioc.client import Client

X = "Sample:X"


@pytest.fixture(scope="module")
def beamline() -> Iterator[Client]:
    with running_ioc(speed=20, noise="off") as ioc:
        yield Client(ioc)


@pytest.fixture(autouse=True)
def _as_at_start(beamline: Client) -> Iterator[None]:
    yield
    beamline.put("Sim:Clear", 1)
    for name, value in (("SPMG", 3), ("STOP", 1), ("OFF", 0.0), ("HLM", 2000.0), ("LLM", -2000.0)):
        beamline.put(f"{X}.{name}", value)
    beamline.put(X, 0.0)


@contextmanager
def heard(beamline: Client, *fields: str) -> Iterator[list[tuple[str, Any]]]:
    """What monitors of the fields of X bring, in the order in which it comes."""
    news: list[tuple[str, Any]] = []

    def note(pvname: str, value: Any, **_: Any) -> None:
        news.append((pvname.rpartition(".")[2], value))

    pvs = [epics.PV(f"{beamline.prefix}{X}.{field}", callback=note) for field in fields]
    beamline.until(lambda: {name for name, _ in news} == set(fields))
    news.clear()
    try:
        yield news
    finally:
        for pv in pvs:
            pv.disconnect()


def only(news: list[tuple[str, Any]], field: str) -> list[Any]:
    return [value for name, value in news if name == field]


def fault(beamline: Client, **words: Any) -> None:
    beamline.put("Sim:Fault", json.dumps(words))


def test_every_field_that_pyepics_knows_is_there(beamline: Client) -> None:
    motor = epics.Motor(beamline.prefix + X)
    names = {*epics.Motor._alias.values(), *FIELDS}
    pvs = {name: motor.PV(name, connect=True, timeout=10.0) for name in names}
    assert [name for name, pv in pvs.items() if not pv.connected] == []
    assert motor.get("disabled") == 0
    assert (motor.get("RTYP"), motor.get("STAT", as_string=True)) == ("motor", "NO_ALARM")


@pytest.mark.parametrize("name", [X, "Sample:Theta", "ZonePlate:Y", "Condenser:X", "Camera:Z"])
def test_each_record_says_what_it_is(beamline: Client, name: str) -> None:
    kind = caproto_client.read(f"{beamline.prefix}{name}", data_type=ChannelType.CLASS_NAME, repeater=False)
    assert kind is not None
    assert getattr(kind.metadata, "value", None) == b"motor"
    assert beamline.get(f"{name}.RTYP") == "motor"
    assert beamline.pv(name).units == ("deg" if name.endswith("Theta") else "um")
    limits = beamline.pv(name).get_ctrlvars()
    assert (limits["lower_ctrl_limit"], limits["upper_ctrl_limit"]) == (
        beamline.get(f"{name}.LLM"),
        beamline.get(f"{name}.HLM"),
    )


def test_a_put_is_complete_when_everything_has_been_told(beamline: Client) -> None:
    with heard(beamline, "VAL", "RBV", "DMOV", "MOVN") as news:
        beamline.put(X, 200.0)
        beamline.until(lambda: ("DMOV", 1) in news)
    assert only(news, "DMOV") == [0, 1]
    assert only(news, "VAL") == [200.0]
    assert news[0] == ("DMOV", 0)
    assert news[-1] == ("DMOV", 1)
    assert only(news, "RBV")[-1] == pytest.approx(200.0, abs=0.1)
    assert beamline.get(f"{X}.DMOV") == 1


def test_a_refused_target_completes_and_nothing_moves(beamline: Client) -> None:
    with heard(beamline, "VAL", "RBV", "DMOV", "LVIO") as news:
        beamline.put(X, 5000.0)
        beamline.until(lambda: ("DMOV", 1) in news)
    assert news == [("DMOV", 0), ("LVIO", 1), ("DMOV", 1)]
    assert (beamline.get(X), beamline.get(f"{X}.LVIO")) == (0.0, 1)


@pytest.mark.parametrize("second", [1800.0, -500.0])
def test_a_put_is_complete_when_the_target_of_another_is_reached(beamline: Client, second: float) -> None:
    done = threading.Event()
    pv = beamline.pv(X)
    pv.put(1500.0, wait=False, callback=lambda **_: done.set())
    beamline.until(lambda: not beamline.get(f"{X}.DMOV"))
    pv.put(second, wait=False)
    assert done.wait(300.0)
    assert beamline.get(f"{X}.DMOV") == 1
    assert beamline.get(f"{X}.RBV") == pytest.approx(second, abs=0.1)


@pytest.mark.parametrize(("field", "value"), [("STOP", 1), ("SPMG", 0)])
@pytest.mark.parametrize("completion", [False, True])
def test_only_without_completion_a_stop_ends_a_motion_that_somebody_waits_for(
    beamline: Client, field: str, value: int, completion: bool
) -> None:
    done = threading.Event()
    beamline.pv(X).put(1900.0, wait=False, callback=lambda **_: done.set())
    beamline.until(lambda: beamline.get(f"{X}.MOVN") == 1)
    if completion:
        beamline.put(f"{X}.{field}", value)  # waits in the record's line, until the motion has ended by itself
    else:
        beamline.pv(f"{X}.{field}").put(value, wait=False)
    assert done.wait(300.0)
    assert beamline.get(f"{X}.DMOV") == 1
    if completion:
        assert beamline.get(f"{X}.RBV") == pytest.approx(1900.0, abs=0.1)
    else:
        assert beamline.get(X) == beamline.get(f"{X}.RBV") < 1899.0


def test_a_silent_controller_is_an_alarm_and_takes_no_targets(beamline: Client) -> None:
    fault(beamline, kind="disconnect")
    beamline.until(lambda: beamline.severity(f"{X}.RBV") == 3)
    with heard(beamline, "VAL", "DMOV") as news:
        assert "does not answer" in (beamline.refusal(X, 10.0) or "")
        assert "does not answer" in (beamline.refusal(f"{X}.STOP", 1) or "")
    assert news == []
    assert beamline.severity(X) == 3
    assert beamline.get(f"{X}.SEVR") == "INVALID"
    assert beamline.get(f"{X}.MSTA") & 1 << 12
    beamline.put("Sim:Clear", 1)
    beamline.until(lambda: beamline.severity(f"{X}.RBV") == beamline.severity(X) == 0)


def test_a_stall_is_told_with_the_read_back_before_the_end(beamline: Client) -> None:
    fault(beamline, kind="stall", axis="x", times=100)
    beamline.put(f"{X}.RTRY", 2)
    with heard(beamline, "DMOV", "MISS") as news:
        beamline.put(X, 400.0)
        beamline.until(lambda: ("DMOV", 1) in news)
    beamline.put(f"{X}.RTRY", 10)
    assert only(news, "DMOV") == [0, 1] or only(news, "DMOV")[-1] == 1
    assert only(news, "MISS") == [1]
    assert beamline.severity(f"{X}.RBV") == 2
    assert beamline.get(f"{X}.RBV") == pytest.approx(350.0, abs=1.0)


def test_disabled(beamline: Client) -> None:
    beamline.put(f"{X}_able", "Disable")
    assert "disabled" in (beamline.refusal(X, 10.0) or "")
    beamline.put(f"{X}_able", "Enable")
    beamline.put(X, 10.0)
    assert beamline.get(f"{X}.RBV") == pytest.approx(10.0, abs=0.1)


def test_pyepics_moves_tweaks_and_renames(beamline: Client) -> None:
    motor = epics.Motor(beamline.prefix + X)
    assert motor.move(30.0, wait=True) == 0
    assert motor.move(5.0, relative=True, wait=True) == 0
    assert beamline.get(f"{X}.RBV") == pytest.approx(35.0, abs=0.1)
    assert motor.move(1e5, wait=True) == -12
    assert motor.move(1e5, wait=True, ignore_limits=True) == -4
    assert motor.tweak("reverse", wait=True) == 0
    motor.set_position(0.0)
    beamline.until(lambda: beamline.get(f"{X}.SET") == "Use")
    assert beamline.get(f"{X}.OFF") == pytest.approx(-34.0, abs=0.1)
    assert beamline.get(X) == 0.0


def test_ophyd(beamline: Client) -> None:
    """In a process of its own: ophyd puts its own classes under pyepics."""
    pytest.importorskip("ophyd")
    script = Path(__file__).with_name("ophyd_motor.py")
    run = subprocess.run(
        [sys.executable, str(script), beamline.prefix + X],
        env={**os.environ, **client_environment()},
        capture_output=True,
        text=True,
        timeout=600.0,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout.splitlines()[-1])
    expected = {
        "moved": True,
        "position": pytest.approx(50.0, abs=0.1),
        "units": "um",
        "limits": [-100.0, 60.0],
        "refused": True,
        "homed": True,
        "home": pytest.approx(0.0, abs=0.1),
        "renamed": pytest.approx(10.0, abs=0.1),
        "into_switch": False,
        "at_switch": pytest.approx(2010.0, abs=0.2),
        "stopped": True,
    }
    assert said == expected
    assert (beamline.get(f"{X}.HLS"), beamline.get(f"{X}.DMOV")) == (0, 1)


def test_instant_axes_take_no_time_of_their_own() -> None:
    with running_ioc(speed=20, instant=True) as ioc:
        client = Client(ioc)
        began_s = client.get("Sim:Time_RBV")
        with heard(client, "DMOV", "RBV", "MOVN") as news:
            for target in (1000.0, -1000.0, 500.0):
                client.put(X, target)
                assert client.get(f"{X}.RBV") == pytest.approx(target, abs=0.1)
            client.until(lambda: len(only(news, "DMOV")) == 6)
        assert only(news, "DMOV") == [0, 1] * 3
        # They are never seen moving, and each tells of its position once.
        assert only(news, "MOVN") == []
        assert len(only(news, "RBV")) == 3
        assert client.get("Sim:Time_RBV") > began_s
