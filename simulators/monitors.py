"""What a facility tells of itself besides: values that others watch, each as a function of time."""

from __future__ import annotations

import math

from simulators.faults import Fault, FaultScript
from simulators.source import Source

# Name and unit.
VALUES = {"flux": "of nominal", "ring_current": "mA", "temperature": "C", "humidity": "%"}
_RING_MA, _ROOM_C, _ROOM_PERCENT = 200.0, 21.5, 45.0
_DAY_S = 86_400.0


class Monitors:
    """Flux, the current that makes it, and the room; a fault `value` adds its amount, one `no_value` silences it."""

    def __init__(self, source: Source, faults: FaultScript) -> None:
        self._source, self._faults = source, faults

    def value(self, name: str, t_s: float) -> float | None:
        """The value at t_s; None while it does not answer. KeyError for one that there is not."""
        if name not in VALUES:
            raise KeyError(name)
        if any(fault.lasts_at(t_s) for fault in self._of(name, "no_value")):
            return None
        odd = sum(fault.amount or 0.0 for fault in self._of(name, "value") if fault.lasts_at(t_s))
        return self._calm(name, t_s) + odd

    def changes(self, name: str, begin_s: float, end_s: float) -> tuple[float, ...]:
        """When a fault changes the value between two times, in order."""
        odd = [*self._of(name, "value"), *self._of(name, "no_value")]
        if name in ("flux", "ring_current"):
            odd += [fault for kind in ("beam_loss", "interlock", "flux") for fault in self._faults.of(kind)]
        edges = {t_s for fault in odd for t_s in (fault.at_s or 0.0, fault.until_s)}
        return tuple(sorted(t_s for t_s in edges if begin_s < t_s <= end_s))

    def _of(self, name: str, kind: str) -> list[Fault]:
        return [fault for fault in self._faults.of(kind) if fault.value == name]

    def _calm(self, name: str, t_s: float) -> float:
        state = self._source.state(t_s)
        match name:
            case "flux":
                return state.flux_relative
            case "ring_current":
                return _RING_MA * float(state.available)
            case "temperature":
                return _ROOM_C + 0.3 * math.sin(2 * math.pi * t_s / _DAY_S)
            case _:
                return _ROOM_PERCENT
