"""Units, directions and offsets of the map: the stage goes where it is told, whatever the record counts in."""

from __future__ import annotations

from collections.abc import Iterator

import epics
import pytest

from tests.devices.benches import EpicsBench, Hands
from tests.ioc_process import IocProcess, running_ioc
from xrm_control.core.clock import Clock
from xrm_control.core.errors import SafetyRefusal
from xrm_control.devices.protocols import Instrument


@pytest.fixture(scope="module")
def ioc() -> Iterator[IocProcess]:
    with running_ioc(speed=50) as process:
        yield process


# the map's settings of axis x, a stage position, and what the record must then read
CASES = [
    ({}, 120.0, 120.0),
    ({"axes__x__direction": -1}, 120.0, -120.0),
    ({"axes__x__offset": 30.0, "axes__x__limits": [-1900, 2000]}, 120.0, 90.0),
    ({"axes__x__per_motor_unit": 2.0, "axes__x__limits": [-3000, 3000]}, 120.0, 60.0),
    ({"axes__x__per_motor_unit": 0.5, "axes__x__direction": -1, "axes__x__offset": 10.0,
      "axes__x__limits": [-900, 900]}, 120.0, -220.0),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "position_um", "record"), CASES)
def test_a_stage_position_is_the_right_motor_position(
    ioc: IocProcess, changes: dict[str, object], position_um: float, record: float
) -> None:
    async def session(instrument: Instrument, clock: Clock, _: Hands) -> tuple[float, float]:
        reached = await instrument.axes["x"].move(position_um)
        return reached, (await instrument.axes["x"].read()).position

    reached_um, read_um = EpicsBench(ioc).run(session, **changes)
    assert reached_um == pytest.approx(position_um, abs=0.1)
    assert read_um == pytest.approx(position_um, abs=0.1)
    assert epics.caget(f"{ioc.prefix}Sample:X.RBV", use_monitor=False) == pytest.approx(record, abs=0.2)


def test_limits_are_compared_in_the_stages_units(ioc: IocProcess) -> None:
    """[-2000, 2000] of the record are [-1000, 1000] um of a stage that counts half as far."""

    async def session(instrument: Instrument, clock: Clock, _: Hands) -> None:
        raise AssertionError("it should not have been believed")

    with pytest.raises(SafetyRefusal, match=r"\[-1000, 1000\] um"):
        EpicsBench(ioc).run(session, axes__x__per_motor_unit=0.5)
