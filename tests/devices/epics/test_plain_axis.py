"""An axis that is no motor record: an output and a read-back on EPICS base, with what goes wrong with them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from typing import Any

import pytest

from tests.devices.epics.soft_bench import Other, running_site, site_map, with_registry
from tests.ioc_process import IocProcess
from xrm_control.core.clock import Clock
from xrm_control.core.errors import LimitReached, MotionInterrupted, MotionStalled
from xrm_control.devices.epics.parts import make_axis
from xrm_control.devices.epics.plain_axis import PlainAxis
from xrm_control.devices.epics.registry import Registry

DONE = {"pv": "$(P)Piezo_Done", "good": ["Yes"]}
STOP = {"pv": "$(P)Piezo_Stop", "value": 1}


@pytest.fixture(scope="module")
def soft() -> Iterator[IocProcess]:
    with running_site() as process:
        yield process


@pytest.fixture
def other(soft: IocProcess) -> Iterator[Other]:
    found = Other(soft.prefix)
    found.put("Stuck", 0)
    found.put("Piezo", 0)
    yield found
    found.put("Stuck", 0)


def with_axis(soft: IocProcess, session: Any, **changes: Any) -> Any:
    plain = {
        "kind": "plain", "setpoint": "$(P)Piezo", "readback": "$(P)Piezo_RBV", "limits": [-100, 100], "speed": 50,
        "acceleration": 1000, "settle_s": 0.1, "tolerance": 0.1, **changes,
    }  # fmt: skip
    pv_map = site_map(soft, **{"axes.z": plain})
    about = pv_map.axes["z"]
    names = [pv_map.full(pv) for pv in about.pvs]  # type: ignore[union-attr]

    async def inside(registry: Registry, clock: Clock) -> Any:
        axis = make_axis("z", pv_map, registry, clock)
        assert isinstance(axis, PlainAxis)
        await axis.examine()
        async with asyncio.timeout(30):
            while abs((await axis.read()).position - pv_map.axes["z"].to_stage(0.0)) > 0.1:
                await clock.sleep(0.05)
        return await session(axis, clock)

    return with_registry(pv_map, names, inside)


@pytest.mark.parametrize("more", [{}, {"done": DONE}, {"stop": STOP}, {"done": DONE, "stop": STOP}])
@pytest.mark.parametrize(
    ("scale", "target", "output"),
    [
        ({}, 20.0, 20.0),
        ({"direction": -1}, 20.0, -20.0),
        ({"per_motor_unit": 2.0, "offset": 5.0}, 25.0, 10.0),
        ({}, 0.0, 0.0),
    ],
)
def test_a_move_ends_where_the_read_back_stays(
    soft: IocProcess, other: Other, more: dict[str, Any], scale: dict[str, Any], target: float, output: float
) -> None:
    async def session(axis: PlainAxis, clock: Clock) -> float:
        reached = await axis.move(target)
        reading = await axis.read()
        assert not reading.moving
        assert reading.position == pytest.approx(reached, abs=0.03)
        return reached

    assert with_axis(soft, session, **more, **scale) == pytest.approx(target, abs=0.1)
    assert float(other.get("Piezo")) == pytest.approx(output)


@pytest.mark.parametrize("target", [100.5, -101.0, math.nan, math.inf])
def test_a_target_outside_the_maps_limits_is_refused_and_nothing_is_written(
    soft: IocProcess, other: Other, target: float
) -> None:
    async def session(axis: PlainAxis, clock: Clock) -> None:
        with pytest.raises(LimitReached, match="nothing was moved"):
            await axis.move(target)

    with_axis(soft, session)
    assert set(other.trace()[-2:]) <= {"Piezo=0.0"}


def test_an_axis_that_does_not_follow_has_stalled(soft: IocProcess, other: Other) -> None:
    other.put("Stuck", 1)

    async def session(axis: PlainAxis, clock: Clock) -> None:
        with pytest.raises(MotionStalled, match="did not come to rest"):
            await axis.move(10.0)

    with_axis(soft, session)


def test_an_output_that_cuts_the_target_is_no_success(soft: IocProcess, other: Other) -> None:
    """Its own limits are 80: the ao takes that instead, and completes the write."""

    async def session(axis: PlainAxis, clock: Clock) -> None:
        with pytest.raises(MotionInterrupted, match="DRVH"):
            await axis.move(95.0)

    with_axis(soft, session)


def test_somebody_elses_target_interrupts(soft: IocProcess, other: Other) -> None:
    async def session(axis: PlainAxis, clock: Clock) -> None:
        moving = asyncio.create_task(axis.move(75.0))
        await clock.sleep(0.2)
        await other.soon("Piezo", -3.0)
        with pytest.raises(MotionInterrupted, match=r"target now -3\.000"):
            await moving

    with_axis(soft, session)


@pytest.mark.parametrize("more", [{}, {"done": DONE}, {"stop": STOP}, {"done": DONE, "stop": STOP}])
def test_a_stop_ends_the_motion_where_it_is(soft: IocProcess, other: Other, more: dict[str, Any]) -> None:
    async def session(axis: PlainAxis, clock: Clock) -> float:
        moving = asyncio.create_task(axis.move(79.0))
        await clock.sleep(0.3)
        assert (await axis.read()).moving
        await axis.stop()
        moving.cancel()
        await asyncio.gather(moving, return_exceptions=True)
        first = await axis.read()
        assert not first.moving
        await clock.sleep(0.5)
        assert (await axis.read()).position == pytest.approx(first.position, abs=0.1)
        return first.position

    assert 4.0 < with_axis(soft, session, **more) < 70.0
