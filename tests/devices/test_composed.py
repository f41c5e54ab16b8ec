"""An instrument made of single devices: one that fails keeps none of the others from being made safe."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from xrm_control.core.errors import InstrumentUnreachable, MotionStalled, ShutterStuck
from xrm_control.devices.composed import ComposedInstrument
from xrm_control.devices.protocols import AxisReading, Instrument
from xrm_control.devices.simulated import SimulatedBackend


class Axis:
    """An axis that stands or not, and may fail."""

    def __init__(self, name: str, told: list[str], *, moving: bool = False, error: Exception | None = None) -> None:
        self.name, self._told, self._moving, self._error = name, told, moving, error

    async def move(self, target: float) -> float:
        self._told.append(f"{self.name} to {target:g}")
        return target

    async def read(self) -> AxisReading:
        return AxisReading(0.0, self._moving)

    async def stop(self) -> None:
        if self._error is not None:
            raise self._error

    def halt(self) -> None:
        self._told.append(f"halt {self.name}")
        if self._error is not None:
            raise self._error


class Shutter:
    def __init__(self, told: list[str], error: Exception | None = None) -> None:
        self._told, self._error, self._open = told, error, True

    async def set(self, open_: bool) -> None:
        if self._error is not None:
            raise self._error
        self._open = open_

    async def is_open(self) -> bool:
        return self._open

    def halt(self) -> None:
        self._told.append("close")


def composed(told: list[str], shutter: Exception | None = None, **axes: Any) -> ComposedInstrument:
    devices: dict[str, Any] = {name: Axis(name, told, **axes.get(name, {})) for name in ("x", "y", "z", "theta")}
    nothing: Any = object()
    return ComposedInstrument(
        SimulatedBackend().describe(), axes=devices, camera=nothing, shutter=Shutter(told, shutter), source=nothing
    )


def test_it_is_an_instrument_with_the_defaults_of_what_it_has_not() -> None:
    instrument: Instrument = composed([])
    assert (instrument.in_control, instrument.truth(), instrument.settings_changed()) == (True, None, ())


def test_it_homes_every_axis() -> None:
    told: list[str] = []
    asyncio.run(composed(told).home())
    assert told == ["x to 0", "y to 0", "z to 0", "theta to 0"]


def test_halting_begins_with_the_shutter_and_leaves_nobody_out() -> None:
    told: list[str] = []
    composed(told, x={"error": InstrumentUnreachable("gone")}).halt()
    assert told == ["close", "halt x", "halt y", "halt z", "halt theta"]


SAFE: list[tuple[dict[str, Any], dict[str, bool], bool, str]] = [
    ({}, {"x": True, "theta": True}, True, ""),
    ({"x": {"moving": True}}, {"x": False, "theta": True}, True, ""),
    ({"x": {"error": MotionStalled("does not stop")}}, {"x": False, "theta": True}, True, "does not stop"),
    ({"shutter": ShutterStuck("stuck")}, {"x": True, "theta": True}, False, "stuck"),
]


@pytest.mark.parametrize(("devices", "at_rest", "closed", "problem"), SAFE)
def test_the_safe_state_is_read_back(
    devices: dict[str, Any], at_rest: dict[str, bool], closed: bool, problem: str
) -> None:
    state = asyncio.run(composed([], **devices).make_safe())
    assert {name: state.axes_at_rest[name] for name in at_rest} == at_rest
    assert state.shutter_closed is closed
    assert problem in "".join(state.problems)
    assert state.verified is (all(at_rest.values()) and closed)
