"""The limits that count are those of the connected instrument, at the start and each time it comes back."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from simulators.microscope import Microscope
from tests.session.scripted import Night, with_faults
from xrm_control.core.clock import Clock
from xrm_control.core.errors import SafetyRefusal
from xrm_control.core.events import InstrumentLost, SafeStateVerified
from xrm_control.core.states import RunState
from xrm_control.devices.protocols import InstrumentDescription
from xrm_control.devices.simulated import SimulatedInstrument

# The tiles of the small mosaic lie at +-33 um; darks and flats beside the strip of 320 um, and so do those of the scan.
CLEAR_UM = 250.0


class Narrowing(SimulatedInstrument):
    """Its controller allows less of an axis than its description said, from the n-th connection on."""

    def __init__(self, microscope: Microscope, clock: Clock, axis: str, low: float, high: float, nth: int) -> None:
        super().__init__(microscope, clock)
        self._axis, self._low, self._high, self._nth = axis, low, high, nth
        self._connections = 0

    async def connect(self) -> None:
        await super().connect()
        self._connections += 1

    def describe(self) -> InstrumentDescription:
        about = super().describe()
        if self._connections < self._nth:
            return about
        axis = dataclasses.replace(about.axes[self._axis], low_limit=self._low, high_limit=self._high)
        return dataclasses.replace(about, axes={**about.axes, self._axis: axis})


REFUSED = [
    ("x", -20.0, 20.0, "mosaic"),  # a tile
    ("theta", -60.0, 60.0, "scan.start_deg"),  # a projection, long before the scan
]


@pytest.mark.parametrize(("axis", "low", "high", "what"), REFUSED)
def test_a_plan_beyond_the_limits_found_is_refused_before_anything_moves(
    tmp_path: Path, axis: str, low: float, high: float, what: str
) -> None:
    night = Night(tmp_path, lambda microscope, clock: Narrowing(microscope, clock, axis, low, high, nth=1))
    assert isinstance(night.error, SafetyRefusal)
    assert night.code == 4
    assert f"axis {axis} would leave its limits" in str(night.error)
    assert what in (night.error.where or "")
    assert "homing" not in night.states
    assert night.states[-1] == RunState.FAILED


def test_limits_that_hold_the_plan_are_no_trouble(tmp_path: Path) -> None:
    night = Night(tmp_path, lambda microscope, clock: Narrowing(microscope, clock, "x", -CLEAR_UM, CLEAR_UM, nth=1))
    assert night.error is None


# At 5 s the mosaic is being taken, at 25 s the scan: its tiles do not matter any more.
@pytest.mark.parametrize(
    ("at_s", "axis", "low", "refused"),
    [(5.0, "y", -20.0, True), (25.0, "y", -20.0, False), (5.0, "theta", -95.0, False), (25.0, "theta", -60.0, True)],
)
def test_limits_that_changed_while_the_instrument_was_away(
    tmp_path: Path, at_s: float, axis: str, low: float, refused: bool
) -> None:
    lost = with_faults({"kind": "disconnect", "at_s": at_s, "duration_s": 30.0})
    night = Night(tmp_path, lambda microscope, clock: Narrowing(microscope, clock, axis, low, 95.0, nth=2), **lost)
    assert len(night.events(InstrumentLost)) == 1
    assert isinstance(night.error, SafetyRefusal) == refused, night.error
    if refused:
        assert night.code == 4
        assert night.states[-3:] == [RunState.HELD, RunState.FAILING, RunState.FAILED]
        assert f"axis {axis} would leave its limits" in night.results["verdict"]["reasons"][0]
        assert night.events(SafeStateVerified)
    else:
        assert night.error is None
