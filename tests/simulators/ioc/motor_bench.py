"""A motor record without a network: its logic over a simulated axis, in time that the test hands in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from simulators.config import AXES, MicroscopeConfig
from simulators.description import AxisName
from simulators.faults import Fault
from simulators.ioc.motor_drive import MicroscopeDrive
from simulators.ioc.motor_logic import ACTIVE, Motor
from simulators.mechanics import AxisConfig
from simulators.microscope import Microscope

# Exact, with switches 10 um behind the soft limits: 50 um/s, 200 um/s^2, 0.1 s to settle, tolerance 0.1 um.
EXACT = AxisConfig("um", -100.0, 100.0, -110.0, 110.0, 50.0, 200.0, 0.1, 0.0, 0.1, 0.0, following_lag_s=0.0)
TICK_S = 0.01


class Bench:
    """The record of the microscope's x axis; `seen` holds what each field has told, in order."""

    def __init__(self, *faults: Fault, **config: Any) -> None:
        axes: tuple[tuple[AxisName, AxisConfig], ...] = (("x", replace(EXACT, **config)), *AXES[1:])
        self.microscope = Microscope(MicroscopeConfig(axes=axes, faults=faults))
        self.motor = Motor("T:X", MicroscopeDrive(self.microscope, "x"), "sample x")
        self.motor.poll(0.0)
        self.motor.v.news()
        self.t_s = 0.0
        self.seen: dict[str, list[Any]] = {}

    def __getitem__(self, field: str) -> Any:
        return self.motor.v[field]

    def begin(self, field: str, value: Any) -> None:
        """A put, as the server does it, without waiting for its end."""
        if field in ACTIVE:
            self.motor.announce(field, value, self.t_s)
            self._listen()
        self.motor.put(field, value, self.t_s)
        self._listen()

    def put(self, field: str, value: Any) -> float:
        """A put and its end; returns how long it took."""
        began_s = self.t_s
        self.begin(field, value)
        self.until_done()
        return self.t_s - began_s

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        end_s = self.t_s + seconds
        while self.t_s < end_s - 1e-9:
            self.t_s = min(self.t_s + TICK_S, end_s)
            self.motor.poll(self.t_s)
            self._listen()

    def until_done(self) -> None:
        """Until DMOV is 1."""
        while not self.motor.done:
            assert self.t_s < 1000.0, "it never ended"
            self.wait(TICK_S)

    def forget(self) -> None:
        """What was told so far is of no interest."""
        self.seen.clear()

    def told(self, field: str) -> list[Any]:
        """All that a field has told."""
        return self.seen.get(field, [])

    def _listen(self) -> None:
        for field in self.motor.v.news():
            self.seen.setdefault(field, []).append(self.motor.v[field])
