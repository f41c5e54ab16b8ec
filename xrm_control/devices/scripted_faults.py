"""Faults that a recipe plans for the simulated microscope."""

from __future__ import annotations

from typing import Any

from pydantic import SerializerFunctionWrapHandler, model_serializer, model_validator

from simulators.faults import PERIOD_KINDS, Fault
from xrm_control.core.model import Spec


class FaultSpec(Spec):
    """One scripted fault, in the words of `simulators.faults`."""

    kind: str
    at_s: float | None = None
    duration_s: float | None = None
    axis: str | None = None
    move: int | None = None
    frames: tuple[int, ...] = ()
    times: int = 1
    factor: float | None = None
    amount: float | None = None
    hidden: bool = False
    value: str | None = None

    @model_serializer(mode="wrap")
    def _as_before(self, said: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without a monitor's name where there is none: recipes from before keep their hash."""
        content: dict[str, Any] = said(self)
        return content if self.value else {name: value for name, value in content.items() if name != "value"}

    @model_validator(mode="after")
    def _known(self) -> FaultSpec:
        self.fault()
        return self

    def over(self, t_s: float) -> bool:
        """Whether, for an instrument switched on at t_s, it lies in the past. Moves and frames count from the start."""
        if t_s == 0.0:
            return False
        if self.kind in PERIOD_KINDS and self.duration_s is None:
            return False
        return self.at_s is None or self.at_s + (self.duration_s or 0.0) < t_s

    def fault(self) -> Fault:
        """The simulator's own record. Raises ValueError with the simulator's words."""
        return Fault(**self.model_dump())
