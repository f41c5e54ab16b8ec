"""A frame is not believed when anything has changed while it was exposed: what others do, by another client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import epics
import pytest

from tests.devices.benches import EpicsBench, Hands
from tests.ioc_process import IocProcess, running_ioc
from xrm_control.core.clock import Clock
from xrm_control.core.errors import FrameLost
from xrm_control.devices.epics.camera import hangs_after_s
from xrm_control.devices.protocols import CameraFrame, Instrument

# An exposure of eight seconds of the instrument is two of the wall clock: others have time to come and go in between.
SPEED, EXPOSURE_S = 4.0, 8.0
# Nobody comes in between; not what others set.
CALM_S = 1.0


@pytest.fixture(scope="module")
def ioc() -> Iterator[IocProcess]:
    with running_ioc(speed=SPEED) as found:
        yield found


Write = tuple[str, Any]

# what others do during the exposure, what they do afterwards to undo it, kind and words of the disturbance
INTERFERENCE: list[tuple[str, tuple[Write, ...], tuple[Write, ...], str, str]] = [
    (
        "an axis is moved away and back",
        (("Sample:X.TWV", 5), ("Sample:X.TWF", 1), ("Sample:X.TWR", 1)),
        (),
        "axis",
        "axis x",
    ),
    (
        "the rotation is moved",
        (("Sample:Theta", 3.0),),
        (("Sample:Theta", 0.0),),
        "axis",
        "axis theta moved from 0.000 to ",
    ),
    (
        "the shutter closes and opens again",
        (("Shutter:Fast", "Closed"), ("Shutter:Fast", "Open")),
        (),
        "shutter",
        "from Open to Closed",
    ),
    ("the front end closes", (("FrontEnd:Close", 1),), (("FrontEnd:Open", 1),), "beam", "Closed"),
    ("another exposure time", (("Det:cam1:AcquireTime", 0.5),), (), "camera", "AcquireTime_RBV was set to 8.0, is 0.5"),
    ("three images each", (("Det:cam1:NumImages", 3),), (), "camera", "NumImages_RBV was set to 1, is 3"),
    ("another offset", (("Sample:X.OFF", 30.0),), (("Sample:X.OFF", 0.0),), "axis", "OFF of axis x was 0"),
    ("another unit", (("Sample:Y.EGU", "mm"),), (("Sample:Y.EGU", "um"),), "axis", "EGU of axis y was um, is now mm"),
    ("a mirrored picture", (("Det:cam1:ReverseX", 1),), (("Det:cam1:ReverseX", 0),), "camera", "was No, is now Yes"),
    ("another gain", (("Det:cam1:Gain", 4.0),), (("Det:cam1:Gain", 1.0),), "camera", "Gain_RBV was 1.0, is now 4.0"),
    (
        "a shutter that does not answer for a moment",
        (("Sim:Fault", json.dumps({"kind": "invalid", "pv": "Shutter:Fast_RBV"})), ("Sim:Clear", 1)),
        (),
        "shutter",
        "INVALID",
    ),
    (
        "an encoder that does not answer for a moment",
        (("Sim:Fault", json.dumps({"kind": "invalid", "pv": "Sample:X.RBV"})), ("Sim:Clear", 1)),
        (),
        "axis",
        "INVALID",
    ),
    (
        "a permit that does not answer for a moment",
        (("Sim:Fault", json.dumps({"kind": "invalid", "pv": "Safety:Permit_RBV"})), ("Sim:Clear", 1)),
        (),
        "beam",
        "INVALID",
    ),
    ("a dip of the beam", (("Sim:Fault", json.dumps({"kind": "beam_loss", "duration_s": 2.0})),), (), "beam", "Avail"),
]


async def write(ioc: IocProcess, writes: tuple[Write, ...]) -> None:
    def put() -> None:
        epics.ca.use_initial_context()
        for name, value in writes:
            assert epics.caput(ioc.prefix + name, value, wait=True, timeout=120) == 1

    await asyncio.get_running_loop().run_in_executor(None, put)


async def prepared(instrument: Instrument, exposure_s: float = EXPOSURE_S) -> None:
    await instrument.connect()
    for axis in ("x", "theta"):
        await instrument.axes[axis].move(0.0)
    await instrument.camera.configure(8, exposure_s)
    await instrument.shutter.set(True)


@pytest.mark.parametrize(
    ("what", "during", "undo", "kind", "words"), INTERFERENCE, ids=[case[0] for case in INTERFERENCE]
)
def test_what_others_do_during_an_exposure_is_noticed(
    ioc: IocProcess, what: str, during: tuple[Write, ...], undo: tuple[Write, ...], kind: str, words: str
) -> None:
    async def session(instrument: Instrument, clock: Clock, _: Hands) -> tuple[CameraFrame, CameraFrame]:
        await prepared(instrument)
        exposure = asyncio.create_task(instrument.camera.expose())
        await clock.sleep(1.0)
        await write(ioc, during)
        disturbed = await exposure
        await write(ioc, undo)
        await prepared(instrument, CALM_S)
        return disturbed, await instrument.camera.expose()

    disturbed, calm = EpicsBench(ioc).run(session)
    found = [one for one in disturbed.disturbances if one.kind == kind and words in f"{one.where} {one.what}"]
    assert found, disturbed.disturbances
    assert calm.disturbances == ()


def test_live_view_that_somebody_switches_on_is_ended(ioc: IocProcess) -> None:
    async def session(instrument: Instrument, clock: Clock, _: Hands) -> CameraFrame:
        await prepared(instrument)
        exposure = asyncio.create_task(instrument.camera.expose())
        await clock.sleep(1.0)
        await write(ioc, (("Det:cam1:ImageMode", "Continuous"),))
        with pytest.raises(FrameLost, match="was stopped"):
            await exposure
        await prepared(instrument, CALM_S)
        return await instrument.camera.expose()

    assert EpicsBench(ioc).run(session).disturbances == ()


def test_frames_that_somebody_else_exposes_in_between_are_noticed(ioc: IocProcess) -> None:
    async def session(instrument: Instrument, clock: Clock, _: Hands) -> list[CameraFrame]:
        await prepared(instrument)
        await instrument.camera.configure(8, 0.1)
        frames = [await instrument.camera.expose()]
        await write(ioc, (("Det:cam1:Acquire", 1), ("Det:cam1:Acquire", 1)))
        return [*frames, *[await instrument.camera.expose() for _ in range(2)]]

    first, after, next_ = EpicsBench(ioc).run(session)
    assert after.unique_id == first.unique_id + 3
    assert [one.kind for one in after.disturbances] == ["camera"]
    assert "somebody else exposes" in after.disturbances[0].what
    assert next_.disturbances == ()


def test_a_setting_that_is_changed_between_exposures_is_noticed_too(ioc: IocProcess) -> None:
    async def session(instrument: Instrument, clock: Clock, _: Hands) -> tuple[CameraFrame, Any, Any]:
        await prepared(instrument)
        await instrument.camera.configure(8, 0.1)
        await write(ioc, (("Det:cam1:AcquireTime", 0.5), ("Sample:Y.OFF", 0.05)))
        await clock.sleep(clock.wall_s(0.5))
        changed = instrument.settings_changed()
        await instrument.connect()
        assert instrument.settings_changed() == changed, "to connect again does not make it right"
        await instrument.camera.configure(8, 0.1)
        await write(ioc, (("Det:cam1:AcquireTime", 0.5),))
        await clock.sleep(clock.wall_s(0.5))
        frame = await instrument.camera.expose()
        await write(ioc, (("Sample:Y.OFF", 0.0),))
        await clock.sleep(clock.wall_s(0.5))
        return frame, changed, instrument.settings_changed()

    frame, changed, back = EpicsBench(ioc).run(session)
    assert {one.kind for one in frame.disturbances} == {"camera", "axis"}
    assert [one.what for one in changed] == ["OFF of axis y was 0.0, is now 0.05"]
    assert back == ()


@pytest.mark.parametrize(
    ("exposure_s", "readout_s", "allowed_s"), [(0.0, 0.0, 5.0), (30.0, 0.0, 95.0), (0.5, 8.0, 30.5)]
)
def test_a_camera_hangs_after_three_times_what_exposure_and_read_out_take(
    exposure_s: float, readout_s: float, allowed_s: float
) -> None:
    """And five seconds; what is read out for longer than it is exposed, too."""
    assert hangs_after_s(exposure_s, readout_s) == allowed_s
