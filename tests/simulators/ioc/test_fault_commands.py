"""Faults ordered over Channel Access: each does what it says, and all are gone when cleared."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from simulators.faults import Fault
from simulators.ioc.fault_commands import parse
from tests.ioc_process import IocProcess, running_ioc
from tests.simulators.ioc.client import Client

UNDERSTOOD = [
    ('{"kind": "beam_loss", "duration_s": 10}', Fault("beam_loss", at_s=50.0, duration_s=10.0)),
    ('{"kind": "beam_loss", "at_s": 7}', Fault("beam_loss", at_s=7)),
    ('{"kind": "stall", "axis": "x"}', Fault("stall", axis="x", at_s=50.0)),
    ('{"kind": "limit", "axis": "theta", "move": 3, "times": 2}', Fault("limit", axis="theta", move=3, times=2)),
    ('{"kind": "nan_frame", "frames": [2, 5]}', Fault("nan_frame", frames=(2, 5))),
    ('{"kind": "dark_frame", "at_s": null}', Fault("dark_frame", at_s=50.0)),
]
REFUSED = [
    ("beam loss", "JSON"),
    ("[1]", "JSON object"),
    ("{}", "unknown fault kind"),
    ('{"kind": "gremlin"}', "gremlin"),
    ('{"kind": 5}', "kind cannot be 5"),
    ('{"kind": "beam_loss", "at": 5}', "knows no at;"),
    ('{"kind": "beam_loss", "at_s": "soon"}', "at_s cannot be 'soon'"),
    ('{"kind": "beam_loss", "at_s": NaN}', "at_s cannot be nan"),
    ('{"kind": "beam_loss", "duration_s": -1}', "positive"),
    ('{"kind": "beam_loss", "duration_s": true}', "duration_s cannot be True"),
    ('{"kind": "stall", "axis": "w"}', "axis must be one of"),
    ('{"kind": "nan_frame", "frames": 3}', "frames cannot be 3"),
    ('{"kind": "nan_frame", "frames": [1.5]}', "frames cannot be"),
    ('{"kind": "nan_frame", "times": 0}', "times"),
]
REFUSED_HERE = [
    ('{"kind": "read_only"}', "takes pv"),
    ('{"kind": "read_only", "pv": "Sample:W"}', "no PV"),
    ('{"kind": "deaf", "pv": "Sample:X.STOP", "value": 1}', "takes pv"),
    ('{"kind": "shows", "pv": "Sample:X.RBV"}', "takes pv and value"),
    ('{"kind": "shows", "pv": "Sample:X.RBV", "value": "much"}', "could not convert"),
    ('{"kind": "silent", "duration_s": 1e9}', "at most"),
    ('{"kind": "silent", "duration_s": "long"}', "positive"),
    ('{"kind": "exit", "code": 3}', "nothing else"),
]


@pytest.mark.parametrize(("text", "fault"), UNDERSTOOD)
def test_a_fault_without_a_time_is_now(text: str, fault: Fault) -> None:
    assert parse(text, 50.0) == fault


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_nonsense_is_refused_in_words(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("[", r"\[")):
        parse(text, 0.0)


@pytest.fixture(scope="module")
def ioc() -> Iterator[IocProcess]:
    with running_ioc(speed=20, instant=True) as process:
        yield process


@pytest.fixture
def client(ioc: IocProcess) -> Iterator[Client]:
    found = Client(ioc)
    yield found
    found.put("Sim:Clear", 1)


def ordered(client: Client) -> list[dict[str, object]]:
    return json.loads(client.get("Sim:Faults_RBV"))


def test_a_fault_of_the_command_line_is_on_from_the_start() -> None:
    with running_ioc(instant=True, fault=[{"kind": "limit", "axis": "z", "move": 1}]) as own:
        client = Client(own)
        assert ordered(client) == [{"kind": "limit", "axis": "z", "move": 1}]
        client.put("Sample:Z", 100.0)
        assert client.get("Sample:Z.HLS") == 1
        assert client.get("Sample:Z.RBV") < 90.0


@pytest.mark.parametrize(("text", "message"), [*REFUSED, *REFUSED_HERE])
def test_nonsense_is_refused_over_the_network(client: Client, text: str, message: str) -> None:
    assert client.refusal("Sim:Fault", text) is not None
    assert ordered(client) == []


def test_the_next_move_stalls_and_the_one_after_does_not(client: Client) -> None:
    client.put("Sample:X", 0.0)
    client.put("Sample:X.RTRY", 0)
    client.put("Sim:Fault", '{"kind": "stall", "axis": "x"}')
    client.put("Sample:X", 100.0)
    assert client.get("Sample:X.RBV") == pytest.approx(50.0, abs=1.0)
    client.put("Sample:X", 120.0)
    assert client.get("Sample:X.RBV") == pytest.approx(120.0, abs=0.5)


@pytest.mark.parametrize("kind", ["stall", "dropped_frame"])
def test_a_cleared_fault_hits_nothing(client: Client, kind: str) -> None:
    client.put("Sim:Fault", json.dumps({"kind": kind, **({"axis": "y"} if kind == "stall" else {})}))
    assert [fault["kind"] for fault in ordered(client)] == [kind]
    client.put("Sim:Clear", 1)
    assert ordered(client) == []
    client.put("Sample:Y", client.get("Sample:Y") + 40.0)
    assert client.get("Sample:Y.RBV") == pytest.approx(client.get("Sample:Y"), abs=0.5)
    assert _taken(client) == 1


def _taken(client: Client) -> int:
    """How many frames reach the array plugin from one exposure."""
    for name, value in (("BinX", 8), ("BinY", 8), ("AcquireTime", 0.02), ("ImageMode", 0), ("WaitForPlugins", 1)):
        client.put(f"Det:cam1:{name}", value)
    before = client.get("Det:image1:ArrayCounter_RBV")
    client.put("Det:cam1:Acquire", 1)
    return client.get("Det:image1:ArrayCounter_RBV") - before


def test_the_next_exposure_is_dropped(client: Client) -> None:
    assert _taken(client) == 1
    client.put("Sim:Fault", '{"kind": "dropped_frame"}')
    assert _taken(client) == 0
    assert _taken(client) == 1


def test_a_repeated_frame_is_the_one_before(client: Client) -> None:
    assert _taken(client) == 1
    image = client.get("Det:image1:ArrayData")
    client.put("Sim:Fault", '{"kind": "repeated_frame"}')
    assert _taken(client) == 1
    assert np.array_equal(client.get("Det:image1:ArrayData"), image)
    assert _taken(client) == 1
    assert not np.array_equal(client.get("Det:image1:ArrayData"), image)


def test_a_read_only_pv_refuses_every_write_until_it_is_cleared(client: Client) -> None:
    for name in ("Sample:X", "Shutter:Fast"):
        client.put("Sim:Fault", json.dumps({"kind": "read_only", "pv": name}))
    assert [fault["pv"] for fault in ordered(client)] == ["Sample:X", "Shutter:Fast"]
    before = client.get("Sample:X.RBV")
    assert client.refusal("Sample:X", before + 10.0) is not None
    assert client.refusal("Sample:X.VAL", before + 10.0) is not None
    assert client.refusal("Shutter:Fast", 1) is not None
    assert client.get("Sample:X.RBV") == before
    client.put("Sim:Clear", 1)
    assert client.refusal("Sample:X", before + 10.0) is None
    assert client.get("Sample:X.RBV") == pytest.approx(before + 10.0, abs=0.5)


def test_instrument_time_goes_at_its_speed(client: Client) -> None:
    begin_s, beat = client.get("Sim:Time_RBV"), client.get("IOC:Beat_RBV")
    client.until(lambda: client.get("IOC:Beat_RBV") >= beat + 4)
    # Four beats are two seconds of the wall clock, less what the first was late.
    assert client.get("Sim:Time_RBV") - begin_s > 20 * 1.4


@pytest.mark.filterwarnings("ignore:ca.get.*timed out")
def test_a_silent_ioc_answers_again_later(client: Client) -> None:
    beat = client.get("IOC:Beat_RBV")
    client.put("Sim:Fault", '{"kind": "silent", "duration_s": 2}')
    threading.Event().wait(0.2)
    assert client.pv("IOC:Beat_RBV").get(use_monitor=False, timeout=0.8) is None
    client.until(lambda: (client.pv("IOC:Beat_RBV").get(use_monitor=False, timeout=1.0) or 0) > beat)


def test_exit_ends_the_process_like_a_crash_and_it_can_be_started_again() -> None:
    with running_ioc(instant=True) as own:
        client = Client(own)
        client.put("Sample:X", 25.0)
        client.put("Sim:Fault", '{"kind": "exit"}')
        assert own.wait() == 1
        client.until(lambda: not client.connected("Sample:X"))
        own.restart()
        client.until(lambda: client.connected("Sample:X"))
        assert client.get("Sample:X.RBV") == 0.0


def test_a_pv_shows_another_value_and_is_invalid_until_cleared(client: Client) -> None:
    client.put("Sample:X", 3.0)
    for fault in ({"kind": "shows", "value": "nan"}, {"kind": "invalid"}):
        client.put("Sim:Fault", json.dumps({**fault, "pv": "Sample:X.RBV"}))
    seen = client.pv("Sample:X.RBV")
    found = seen.get_with_metadata(form="time", use_monitor=False)
    assert np.isnan(found["value"])
    assert found["severity"] == 3
    client.put("Sim:Clear", 1)
    found = seen.get_with_metadata(form="time", use_monitor=False)
    assert found["value"] == pytest.approx(3.0, abs=0.5)
    assert found["severity"] == 0


def test_a_deaf_pv_takes_a_write_and_does_nothing(client: Client) -> None:
    client.put("Sample:X", 0.0)
    client.put("Sim:Fault", '{"kind": "deaf", "pv": "Sample:X"}')
    client.put("Sample:X", 40.0)
    assert client.get("Sample:X.RBV") == pytest.approx(0.0, abs=0.5)
    client.put("Sim:Clear", 1)
    client.put("Sample:X", 40.0)
    assert client.get("Sample:X.RBV") == pytest.approx(40.0, abs=0.5)


def test_a_mute_pv_is_read_and_not_heard_of(client: Client) -> None:
    client.put("Sample:X", 0.0)
    client.put("Sim:Fault", '{"kind": "mute", "pv": "Sample:X.RBV"}')
    heard: list[float] = []
    watched = client.pv("Sample:X.RBV")
    watched.add_callback(lambda value, **_: heard.append(value))
    client.put("Sample:X", 60.0)
    assert client.get("Sample:X.RBV") == pytest.approx(60.0, abs=0.5)
    assert not [value for value in heard if value > 1.0]
    client.put("Sim:Clear", 1)
    client.until(lambda: bool([value for value in heard if value > 1.0]))
    watched.clear_callbacks()
