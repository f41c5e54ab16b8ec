"""Axes without a motor record over Channel Access: a plain output with its read-back, and an encoder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ioc_process import running_ioc
from tests.simulators.ioc.client import Client


@pytest.fixture(scope="module")
def beamline() -> Iterator[Client]:
    with running_ioc(speed=2) as ioc:
        yield Client(ioc)


@pytest.fixture(autouse=True)
def _as_at_start(beamline: Client) -> Iterator[None]:
    yield
    beamline.put("Sim:Clear", 1)


def test_an_output_is_complete_at_once_and_its_read_back_follows(beamline: Client) -> None:
    before = beamline.get("Piezo:X_RBV")
    beamline.put("Piezo:X", before + 1000.0)
    assert beamline.get("Piezo:X") == before + 1000.0
    assert beamline.get("Piezo:X_RBV") < before + 900.0
    beamline.until(lambda: beamline.get("Piezo:X_RBV") == pytest.approx(before + 1000.0, abs=0.1))


def test_the_motor_record_of_the_axis_follows(beamline: Client) -> None:
    """It is the same axis, moved by somebody else: RBV tells, VAL only where the record saw it move."""
    beamline.put("Piezo:Z", 40.0)
    beamline.until(lambda: beamline.get("Sample:Z.RBV") == pytest.approx(40.0, abs=0.1))
    # Neither 40 nor 0: a record that did not see the move has its old VAL, and the same VAL again moves nothing.
    beamline.put("Sample:Z", 20.0)
    beamline.until(lambda: beamline.get("Piezo:Z_RBV") == pytest.approx(20.0, abs=0.1))


def test_beyond_its_limits_an_output_is_clipped(beamline: Client) -> None:
    limits = beamline.pv("Piezo:Z").get_ctrlvars()
    assert (limits["lower_ctrl_limit"], limits["upper_ctrl_limit"]) == (-500.0, 500.0)
    beamline.put("Piezo:Z", 9000.0)
    assert beamline.get("Piezo:Z") == 500.0
    assert beamline.refusal("Piezo:Z", float("nan")) is not None


def test_an_encoder_knows_nothing_of_the_offset(beamline: Client) -> None:
    beamline.put("Sample:Theta", 10.0)
    beamline.put("Sample:Theta.OFF", 5.0)
    assert beamline.get("Sample:Theta.RBV") == pytest.approx(15.0, abs=0.02)
    assert beamline.get("Sample:Theta:Encoder_RBV") == pytest.approx(10.0, abs=0.02)
    assert beamline.pv("Sample:Theta:Encoder_RBV").units == "deg"
    beamline.put("Sample:Theta.OFF", 0.0)


def test_a_silent_controller_is_an_alarm_and_takes_no_output(beamline: Client) -> None:
    beamline.put("Sim:Fault", '{"kind": "disconnect"}')
    assert beamline.severity("Sample:Theta:Encoder_RBV") == beamline.severity("Piezo:X_RBV") == 3
    assert "does not answer" in (beamline.refusal("Piezo:X", 1.0) or "")
    beamline.put("Sim:Clear", 1)
    assert beamline.severity("Sample:Theta:Encoder_RBV") == 0
