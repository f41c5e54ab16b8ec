"""What a motor record drives: an axis of the microscope, or an axis on its own."""

from __future__ import annotations

from typing import Protocol

from simulators.description import AxisName, AxisState, MoveReport
from simulators.faults import FaultScript
from simulators.mechanics import AxisConfig, AxisModel
from simulators.microscope import Microscope


class Drive(Protocol):
    """The controller of one axis; positions in its units, times in s of the instrument. `Disconnected` when silent."""

    @property
    def config(self) -> AxisConfig:
        """What the axis is."""
        ...

    def move(self, target: float, t_s: float, speed: float, acceleration: float, limited: bool) -> MoveReport:
        """Go to a target; not `limited`, beyond the controller's soft limits too."""
        ...

    def stop(self, t_s: float) -> float:
        """Brake; returns when the axis stands."""
        ...

    def state(self, t_s: float) -> AxisState:
        """Read-back."""
        ...


class MicroscopeDrive:
    """An axis of the simulated microscope, with its faults."""

    def __init__(self, microscope: Microscope, axis: AxisName) -> None:
        self._microscope = microscope
        self._axis = axis
        self.config = dict(microscope.config.axes)[axis]

    def move(self, target: float, t_s: float, speed: float, acceleration: float, limited: bool) -> MoveReport:
        """As `Microscope.move`."""
        return self._microscope.move(self._axis, target, t_s, speed=speed, acceleration=acceleration, limited=limited)

    def stop(self, t_s: float) -> float:
        """As `Microscope.stop`."""
        return self._microscope.stop(self._axis, t_s)

    def state(self, t_s: float) -> AxisState:
        """As `Microscope.axis`."""
        return self._microscope.axis(self._axis, t_s)


class FreeDrive:
    """An axis that nothing else knows of, such as those of the optics: it has no faults."""

    def __init__(self, name: str, config: AxisConfig, seed: int) -> None:
        self.config = config
        self._axis = AxisModel(name, config, seed, FaultScript(()))

    def move(self, target: float, t_s: float, speed: float, acceleration: float, limited: bool) -> MoveReport:
        """As `AxisModel.move`."""
        return self._axis.move(target, t_s, speed=speed, acceleration=acceleration, limited=limited)

    def stop(self, t_s: float) -> float:
        """As `AxisModel.stop`."""
        return self._axis.stop(t_s)

    def state(self, t_s: float) -> AxisState:
        """As `AxisModel.state`."""
        return self._axis.state(t_s)
