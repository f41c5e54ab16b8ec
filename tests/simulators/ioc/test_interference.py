"""What other clients may do during a scan has the effects that it has on a real beamline: nothing warns by itself."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.ioc_process import running_ioc
from tests.simulators.ioc.client import Client


@pytest.fixture(scope="module")
def ioc_client() -> Iterator[Client]:
    with running_ioc(speed=5, noise="off") as ioc:
        yield Client(ioc)


@pytest.fixture
def beamline(ioc_client: Client) -> Iterator[Client]:
    """Shutter open, single frames of 0.2 s."""
    ioc_client.put("Shutter:Fast", 1)
    settings = (("BinX", 8), ("AcquireTime", 0.2), ("WaitForPlugins", "Yes"), ("ImageMode", "Single"), ("NumImages", 1))
    for name, value in settings:
        ioc_client.put(f"Det:cam1:{name}", value)
    yield ioc_client
    ioc_client.pv("Det:cam1:Acquire").put(0, wait=False)
    ioc_client.until(lambda: ioc_client.get("Det:cam1:AcquireBusy") == "Done")


def expose(beamline: Client) -> int:
    """One exposure as a client makes it; the unique id of the frame that is there afterwards."""
    beamline.put("Det:cam1:Acquire", 1)
    return beamline.get("Det:image1:UniqueId_RBV")


def brightness(beamline: Client) -> float:
    """220 counts are the camera's dark level."""
    return float(np.median(beamline.get("Det:image1:ArrayData")[: 128 * 128].view(np.uint16))) - 220.0


def begin(beamline: Client) -> None:
    beamline.pv("Det:cam1:Acquire").put(1, wait=False)
    beamline.until(lambda: beamline.get("Det:cam1:DetectorState_RBV") == "Acquire")


def ended(beamline: Client) -> None:
    beamline.until(lambda: beamline.get("Det:cam1:AcquireBusy") == "Done")


@pytest.mark.parametrize("frames", [2, 3])
def test_more_images_make_the_ids_jump(beamline: Client, frames: int) -> None:
    first = expose(beamline)
    beamline.put("Det:cam1:ImageMode", "Multiple")
    beamline.put("Det:cam1:NumImages", frames)
    assert expose(beamline) == first + frames
    assert expose(beamline) == first + 2 * frames


def test_live_view_exposes_while_an_axis_moves(beamline: Client) -> None:
    """Frames come by themselves, whatever moves; Acquire = 1 of a scan that goes on changes nothing."""
    first = expose(beamline)
    beamline.put("Sample:Theta.VELO", 0.5)
    beamline.put("Det:cam1:ImageMode", "Continuous")
    begin(beamline)
    beamline.pv("Sample:Theta").put(60.0, wait=False)
    beamline.until(lambda: beamline.get("Sample:Theta.MOVN") == 1)
    beamline.until(lambda: beamline.get("Det:image1:UniqueId_RBV") >= first + 3)
    assert beamline.get("Sample:Theta.MOVN") == 1
    beamline.pv("Det:cam1:Acquire").put(0, wait=False)
    ended(beamline)
    beamline.put("Sample:Theta.STOP", 1)
    beamline.put("Sample:Theta.VELO", 30.0)
    beamline.put("Sample:Theta", 0.0)


def test_a_counter_that_somebody_sets_to_zero_starts_lower(beamline: Client) -> None:
    for _ in range(3):
        expose(beamline)
    beamline.put("Det:cam1:ArrayCounter", 0)
    assert beamline.get("Det:cam1:ArrayCounter_RBV") == 0
    assert expose(beamline) == 1


@pytest.mark.parametrize(("exposure_s", "gain"), [(0.1, 0.5), (0.4, 2.0)])
def test_another_exposure_time_is_another_brightness(beamline: Client, exposure_s: float, gain: float) -> None:
    expose(beamline)
    usual = brightness(beamline)
    beamline.put("Det:cam1:AcquireTime", exposure_s)
    expose(beamline)
    assert brightness(beamline) == pytest.approx(gain * usual, rel=0.02)


def test_a_shutter_that_closes_in_mid_exposure_takes_a_part_of_the_light(beamline: Client) -> None:
    beamline.put("Det:cam1:AcquireTime", 2.0)
    expose(beamline)
    usual = brightness(beamline)
    begin(beamline)
    beamline.put("Shutter:Fast", 0)
    ended(beamline)
    assert 0.0 < brightness(beamline) < 0.9 * usual


def test_an_axis_that_is_moved_away_and_back_leaves_no_trace_but_in_the_image(beamline: Client) -> None:
    beamline.put("Det:cam1:AcquireTime", 5.0)
    first = expose(beamline)
    begin(beamline)
    before = beamline.get("Sample:Theta.RBV")
    for there in (before + 5.0, before):
        beamline.put("Sample:Theta", there)
    assert beamline.get("Det:cam1:DetectorState_RBV") == "Acquire"
    ended(beamline)
    assert beamline.get("Sample:Theta.RBV") == pytest.approx(before, abs=0.01)
    assert beamline.get("Det:image1:UniqueId_RBV") == first + 1


def test_an_offset_moves_the_coordinates_and_not_the_axis(beamline: Client) -> None:
    beamline.put("Sample:X", 10.0)
    dial = beamline.get("Sample:X.DRBV")
    beamline.put("Sample:X.OFF", 30.0)
    assert beamline.get("Sample:X.DRBV") == dial
    beamline.put("Sample:X", 10.0)
    assert beamline.get("Sample:X.DRBV") == pytest.approx(dial - 30.0, abs=0.1)
    beamline.put("Sample:X.OFF", 0.0)


def test_a_slow_axis_is_slow(beamline: Client) -> None:
    beamline.put("Sample:Theta", 0.0)
    took: list[float] = []
    for speed, target in ((30.0, 20.0), (5.0, 0.0)):
        beamline.put("Sample:Theta.VELO", speed)
        begin_s = beamline.get("Sim:Time_RBV")
        beamline.put("Sample:Theta", target)
        took.append(beamline.get("Sim:Time_RBV") - begin_s)
    beamline.put("Sample:Theta.VELO", 30.0)
    assert took[1] >= 4.0
    assert took[1] > took[0]
