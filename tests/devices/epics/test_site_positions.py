"""Where a site's axes stand is read, in units and directions of the stage; nothing is written, nobody takes control."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import epics
import pytest

from tests.devices.benches import epics_map
from tests.ioc_process import IocProcess, running_ioc
from xrm_control.devices.epics import EpicsBackend


@pytest.fixture(scope="module")
def ioc() -> Iterator[IocProcess]:
    with running_ioc(speed=20) as process:
        assert epics.caput(f"{process.prefix}Sample:X", 37.0, wait=True, timeout=60) == 1
        yield process


@pytest.mark.parametrize(
    ("changes", "x_um"),
    [({}, 37.0), ({"axes.x.direction": -1}, -37.0), ({"axes.x.offset": 5.0}, 42.0)],
)
def test_positions_are_those_of_the_stage(ioc: IocProcess, changes: dict[str, Any], x_um: float) -> None:
    backend = EpicsBackend(map=epics_map(ioc.prefix, **changes))
    owner = f"{ioc.prefix}{str(backend.map.supervision.owner).removeprefix('$(P)')}"
    before = epics.caget(owner, use_monitor=False)
    found = backend.positions()
    assert found == pytest.approx({"x": x_um, "y": 0.0, "z": 0.0, "theta": 0.0}, abs=0.2)
    assert epics.caget(owner, use_monitor=False) == before


def test_what_cannot_be_read_is_left_out(ioc: IocProcess) -> None:
    found = EpicsBackend(map=epics_map(ioc.prefix, **{"axes.z.record": "$(P)Sample:Nowhere"})).positions()
    assert sorted(found) == ["theta", "x", "y"]
