"""How fast a run goes: a simulated instrument at any speed, any other at its own."""

from __future__ import annotations

from typing import Literal

import pytest

from xrm_control import app
from xrm_control.core.clock import VIRTUAL, Clock
from xrm_control.core.errors import InstrumentUnreachable, RecipeError
from xrm_control.devices.backend import Backend
from xrm_control.devices.protocols import Instrument, InstrumentDescription
from xrm_control.devices.simulated import SimulatedBackend


class Own(Backend):
    """An instrument with a time of its own, that can be asked for nothing else; at 0 it does not answer."""

    backend: Literal["own"] = "own"
    times: float = 20.0

    def describe(self) -> InstrumentDescription:
        return SimulatedBackend().describe()

    def speed(self) -> float:
        if not self.times:
            raise InstrumentUnreachable("does not answer", where="OWN:Speed")
        return self.times

    def open(self, clock: Clock) -> Instrument:
        raise InstrumentUnreachable("cannot be opened")


SPEEDS = [
    (SimulatedBackend(), None, VIRTUAL),
    (SimulatedBackend(), "virtual", VIRTUAL),
    (SimulatedBackend(), "100", 100.0),
    (Own(), None, 20.0),
    (Own(times=1.0), None, 1.0),
    (Own(), "20", 20.0),
    (Own(), "20.1", 20.0),
]


@pytest.mark.parametrize(("backend", "asked", "speed"), SPEEDS)
def test_the_speed_of_a_run(backend: Backend, asked: str | None, speed: float | str) -> None:
    assert app.pace(backend, asked) == speed


REFUSED = [
    (SimulatedBackend(), "fast", r"no such speed \(value fast"),
    (SimulatedBackend(), "0", "no such speed"),
    (SimulatedBackend(), "inf", "no such speed"),
    (Own(), "virtual", "virtual time needs the simulated instrument"),
    (Own(), "1", r"value 1, limit 20, the speed of backend own\) -> leave --speed out, or type --speed 20"),
    (Own(), "20.5", "value 20.5, limit 20"),
    (Own(times=1.0), "2", "type --speed 1"),
]


@pytest.mark.parametrize(("backend", "asked", "said"), REFUSED)
def test_a_speed_that_cannot_be(backend: Backend, asked: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        app.pace(backend, asked)


def test_an_instrument_that_cannot_be_asked_is_unreachable() -> None:
    with pytest.raises(InstrumentUnreachable, match="OWN:Speed"):
        app.pace(Own(times=0.0), None)
