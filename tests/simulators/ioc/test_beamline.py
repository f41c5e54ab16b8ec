"""Shutters, permit and source over Channel Access: read-backs, what a put means, and what an exposure then sees."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.ioc_process import running_ioc
from tests.simulators.ioc.client import Client

READ_BACKS = [
    ("Shutter:Fast_RBV", "Closed"),
    ("Shutter:IsOpen_RBV", "No"),
    ("Shutter:IsClosed_RBV", "Yes"),
    ("Shutter:State_RBV", "Closed"),
    ("FrontEnd:Status_RBV", "Open"),
    ("Safety:Permit_RBV", "Granted"),
    ("Source:Available_RBV", "Yes"),
    ("Source:Energy_RBV", 5.4),
]


@pytest.fixture(scope="module")
def beamline() -> Iterator[Client]:
    with running_ioc(speed=20, noise="off") as ioc:
        yield Client(ioc)


@pytest.fixture(autouse=True)
def _as_at_start(beamline: Client) -> Iterator[None]:
    yield
    beamline.put("Sim:Clear", 1)
    beamline.put("FrontEnd:Open", 1)
    beamline.put("Shutter:Fast", 0)


def brightness(client: Client) -> float:
    """Median of a frame of half a second at binning 8; 220 counts are the camera's dark level."""
    for name, value in (("BinX", 8), ("BinY", 8), ("AcquireTime", 0.5), ("ImageMode", 0), ("NumImages", 1)):
        client.put(f"Det:cam1:{name}", value)
    before = client.get("Det:cam1:ArrayCounter_RBV")
    client.put("Det:cam1:Acquire", 1)
    client.until(lambda: client.get("Det:image1:ArrayCounter_RBV") == before + 1)
    return float(np.median(client.get("Det:image1:ArrayData").view(np.uint16)))


@pytest.mark.parametrize(("name", "value"), READ_BACKS)
def test_at_the_start(beamline: Client, name: str, value: object) -> None:
    assert beamline.get(name) == pytest.approx(value) if isinstance(value, float) else beamline.get(name) == value
    assert beamline.severity(name) == 0
    assert beamline.refusal(name, 1) is not None


def test_a_shutter_put_is_complete_when_the_blade_has_arrived(beamline: Client) -> None:
    for wanted in ("Open", "Closed", "Open"):
        beamline.put("Shutter:Fast", wanted)
        assert beamline.get("Shutter:Fast_RBV") == wanted
        assert beamline.get("Shutter:Fast") == wanted
    assert beamline.refusal("Shutter:Fast", 2) is not None


def test_pulses_move_the_blade_and_come_back_by_themselves(beamline: Client) -> None:
    """Their put is complete before the blade has arrived: only the statuses tell."""
    for pulse, state in (("Open", "Open"), ("Close", "Closed")):
        beamline.put(f"Shutter:Pulse:{pulse}", 1)
        assert beamline.get(f"Shutter:Pulse:{pulse}") == 0
        beamline.until(lambda state=state: beamline.get("Shutter:State_RBV") == state)
        assert beamline.get("Shutter:Fast_RBV") == beamline.get("Shutter:Fast") == state
        assert [beamline.get(f"Shutter:Is{name}_RBV") for name in ("Open", "Closed")] == (
            ["Yes", "No"] if state == "Open" else ["No", "Yes"]
        )
    assert beamline.refusal("Shutter:Pulse:Open", 5) is not None


def test_a_travelling_blade_is_neither_open_nor_closed() -> None:
    with running_ioc(speed=0.05) as slow:
        client = Client(slow)
        client.pv("Shutter:Fast").put(1, wait=False)
        client.until(lambda: client.get("Shutter:State_RBV") == "Moving")
        assert [client.get(f"Shutter:Is{name}_RBV") for name in ("Open", "Closed")] == ["No", "No"]
        client.until(lambda: client.get("Shutter:State_RBV") == "Open")


def test_light_comes_through_the_open_shutter_alone(beamline: Client) -> None:
    assert brightness(beamline) == 220
    beamline.put("Shutter:Fast", 1)
    assert brightness(beamline) > 5000


def test_a_closed_front_end_takes_the_light(beamline: Client) -> None:
    beamline.put("Shutter:Fast", 1)
    beamline.put("FrontEnd:Close", 1)
    assert beamline.get("FrontEnd:Status_RBV") == "Closed"
    assert beamline.get("FrontEnd:Close") == 0
    assert (beamline.get("Source:Available_RBV"), beamline.get("Source:Flux_RBV")) == ("No", 0.0)
    assert brightness(beamline) == 220
    beamline.put("FrontEnd:Open", 1)
    assert beamline.get("FrontEnd:Status_RBV") == "Open"
    assert brightness(beamline) > 5000
    assert beamline.refusal("FrontEnd:Open", 7) is not None


def test_without_its_permit_the_front_end_stays_closed(beamline: Client) -> None:
    beamline.put("Sim:Fault", '{"kind": "interlock"}')
    assert beamline.get("Safety:Permit_RBV") == "Denied"
    assert beamline.get("Source:Available_RBV") == "No"
    beamline.put("FrontEnd:Close", 1)
    beamline.put("FrontEnd:Open", 1)
    assert beamline.get("FrontEnd:Status_RBV") == "Closed"
    beamline.put("Sim:Clear", 1)
    assert beamline.get("Safety:Permit_RBV") == "Granted"
    beamline.put("FrontEnd:Open", 1)
    assert beamline.get("FrontEnd:Status_RBV") == "Open"


def test_a_stuck_blade_completes_its_put_and_says_where_it_is(beamline: Client) -> None:
    beamline.put("Sim:Fault", '{"kind": "stuck_shutter"}')
    beamline.put("Shutter:Fast", 1)
    assert (beamline.get("Shutter:Fast"), beamline.get("Shutter:Fast_RBV")) == ("Open", "Closed")


def test_monitors_hear_of_a_lost_beam_by_themselves(beamline: Client) -> None:
    heard: list[int] = []
    pv = beamline.pv("Source:Available_RBV")
    pv.add_callback(lambda value, **_: heard.append(value))
    beamline.put("Sim:Fault", '{"kind": "beam_loss", "duration_s": 20}')
    beamline.until(lambda: heard[-2:] == [0, 1])
    pv.clear_callbacks()


def test_a_silent_instrument_is_an_invalid_alarm_and_refuses_commands(beamline: Client) -> None:
    beamline.put("Shutter:Fast", 1)
    beamline.put("Sim:Fault", '{"kind": "disconnect"}')
    for name, _ in READ_BACKS:
        assert beamline.severity(name) == 3
    assert beamline.get("Shutter:Fast_RBV") == "Open"
    for name, value in (("Shutter:Fast", 0), ("FrontEnd:Close", 1), ("FrontEnd:Open", 1)):
        assert "does not answer" in str(beamline.refusal(name, value))
    beamline.put("Sim:Clear", 1)
    for name, _ in READ_BACKS:
        assert beamline.severity(name) == 0
    assert beamline.get("Shutter:Fast_RBV") == "Open"
    assert beamline.severity("Shutter:Fast") == 0
