"""Faults by script: what goes wrong, where and when, said before the run begins.

| kind | needs | effect |
|---|---|---|
| stall | axis; move or at_s | the axis stops half way of the `times` moves from then on |
| limit | axis; move or at_s | a hard limit switch ends the `times` moves from then on, half way |
| beam_loss | at_s, duration_s | the source delivers nothing |
| interlock | at_s, duration_s | the interlock opens: not ok, and no beam |
| stuck_shutter | at_s, duration_s | the shutter ignores commands given meanwhile |
| disconnect | at_s, duration_s | every call raises `Disconnected` |
| dropped_frame | frames, or at_s | the frame is lost |
| dark_frame | frames, or at_s | the frame has seen no light |
| nan_frame | frames, or at_s | the frame holds NaN |
| repeated_frame | frames, or at_s | the frame is that of the exposure before, unless the camera was armed since |
| wrong_shape_frame | frames, or at_s | the frame lacks its last rows, an eighth of them |
| light_leak_frame | frames, or at_s | the frame sees the beam although the shutter is closed |
| foreign_frame | frames, or at_s | somebody else has exposed just before: the camera's counter jumps |
| recount_frame | frames, or at_s | somebody has set the camera's counter to 0 just before |
| exposure_frame | frames, or at_s; factor | somebody changes the exposure time, until the camera is configured anew |
| shutter_frame | frames, or at_s | somebody moves the shutter to its other side half way through, and it stays there |
| nudge_frame | frames, or at_s; axis, amount | somebody moves an axis by `amount` and back meanwhile |
| shove_frame | frames, or at_s; axis, amount | somebody moves an axis by `amount` meanwhile, and it stays there |
| flux | at_s, duration_s, factor | the source is `factor` times as bright (0.5: a dip, 3: too bright) |
| offset | at_s, duration_s, axis, amount | what the axis carries stands `amount` beside what it reads |
| value | at_s, duration_s, value, amount | a monitor of `simulators.monitors` shows `amount` more |
| no_value | at_s, duration_s, value | that monitor does not answer |

A `hidden` flux or offset shows in no status; else the source reads the flux, and the controller tells the offset.
`move` counts the accepted moves of the axis from 1, `frames` the exposures of the camera from 1; with `at_s` the first
`times` moves or exposures that begin at or after that time are hit. A duration of None lasts for ever.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import get_args

from simulators.description import AxisName

MOTION_KINDS = ("stall", "limit")
PERIOD_KINDS = ("beam_loss", "interlock", "stuck_shutter", "disconnect", "flux", "offset", "value", "no_value")
FRAME_KINDS = (
    *("dropped_frame", "dark_frame", "nan_frame", "repeated_frame", "wrong_shape_frame", "light_leak_frame"),
    *("foreign_frame", "recount_frame", "exposure_frame", "shutter_frame", "nudge_frame", "shove_frame"),
)
_OF_AN_AXIS = (*MOTION_KINDS, "offset", "nudge_frame", "shove_frame")
_WITH_AMOUNT = ("offset", "value", "nudge_frame", "shove_frame")
_OF_A_VALUE = ("value", "no_value")
_WITH_FACTOR = ("flux", "exposure_frame")
KINDS = MOTION_KINDS + PERIOD_KINDS + FRAME_KINDS


@dataclass(frozen=True)
class Fault:
    """One scripted fault; see the module for which kind needs which field. ValueError when they do not fit."""

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

    def __post_init__(self) -> None:
        object.__setattr__(self, "frames", tuple(self.frames))
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault kind {self.kind!r}; known: {', '.join(KINDS)}")
        axes = get_args(AxisName)
        if self.kind in _OF_AN_AXIS and self.axis not in axes:
            raise ValueError(f"fault {self.kind}: axis must be one of {', '.join(axes)}, not {self.axis!r}")
        if self.kind in MOTION_KINDS and (self.move is None) == (self.at_s is None):
            raise ValueError(f"fault {self.kind}: give either move (counted from 1) or at_s")
        if self.kind in PERIOD_KINDS and self.at_s is None:
            raise ValueError(f"fault {self.kind}: give at_s, in seconds of instrument time")
        if self.kind in FRAME_KINDS and bool(self.frames) == (self.at_s is not None):
            raise ValueError(f"fault {self.kind}: give either frames (counted from 1) or at_s")
        if self.kind in _WITH_AMOUNT and not (self.amount and math.isfinite(self.amount)):
            raise ValueError(f"fault {self.kind}: give amount, in the units of axis or value, other than 0")
        if self.kind in _WITH_FACTOR and not (self.factor is not None and 0 <= self.factor < math.inf):
            raise ValueError(f"fault {self.kind}: give factor, 0 or more, not {self.factor}")
        if (self.kind in _OF_A_VALUE) != (self.value is not None):
            raise ValueError(f"fault {self.kind}: value names a monitor, and goes with {' and '.join(_OF_A_VALUE)}")
        if self.times < 1:
            raise ValueError(f"fault {self.kind}: times must be at least 1, not {self.times}")
        if self.duration_s is not None and self.duration_s <= 0:
            raise ValueError(f"fault {self.kind}: duration_s must be positive, not {self.duration_s}")

    @property
    def until_s(self) -> float:
        """When a fault that lasts is over; infinity when it never is."""
        return float("inf") if self.duration_s is None or self.at_s is None else self.at_s + self.duration_s

    def lasts_at(self, t_s: float) -> bool:
        """Whether a fault that lasts is on at t_s."""
        return self.at_s is not None and self.at_s <= t_s < self.until_s


class FaultScript:
    """Answers what is wrong at a moment; the simulated parts ask it, it knows none of them.

    It may grow while the instrument runs: what was before stays as it was, so frames of the past do not change.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._faults = tuple(faults)

    def add(self, fault: Fault) -> None:
        """One more fault."""
        self._faults = (*self._faults, fault)

    def clear(self, t_s: float) -> None:
        """Nothing is wrong from t_s on: what lasts ends now, what has not come never does."""
        begun = [f for f in self._faults if f.kind in PERIOD_KINDS and f.at_s is not None and f.at_s < t_s]
        self._faults = tuple(replace(f, duration_s=min(f.until_s, t_s) - (f.at_s or 0.0)) for f in begun)

    def pending(self, t_s: float) -> tuple[Fault, ...]:
        """Those that are on or may still come: all but what has lasted its time by t_s."""
        return tuple(f for f in self._faults if f.kind not in PERIOD_KINDS or f.until_s > t_s)

    def active(self, kind: str, t_s: float) -> bool:
        """Whether a fault that lasts is on at t_s."""
        return any(fault.lasts_at(t_s) for fault in self.of(kind))

    def of(self, kind: str, axis: str | None = None) -> list[Fault]:
        """The faults of a kind, of one axis or of all."""
        return [f for f in self._faults if f.kind == kind and axis in (None, f.axis)]

    def periods(self, kind: str) -> list[tuple[float, float]]:
        """The (begin_s, end_s) of all faults of a kind that lasts."""
        return [(f.at_s, f.until_s) for f in self._faults if f.kind == kind and f.at_s is not None]

    def motion(self, axis: str, begins_s: list[float]) -> str | None:
        """The fault ("stall", "limit") of the newest accepted move of an axis; `begins_s` holds when each began."""
        fault = self._hit(MOTION_KINDS, begins_s, lambda f: f.axis == axis)
        return fault.kind if fault is not None else None

    def frame(self, begins_s: list[float]) -> Fault | None:
        """The fault of the newest exposure; `begins_s` holds when each began."""
        return self._hit(FRAME_KINDS, begins_s, lambda f: True)

    def _hit(self, kinds: tuple[str, ...], begins_s: list[float], fits: Callable[[Fault], bool]) -> Fault | None:
        number = len(begins_s)
        for fault in self._faults:
            if fault.kind not in kinds or not fits(fault):
                continue
            if fault.at_s is not None:
                first = 1 + bisect_left(begins_s, fault.at_s)
                hit = first <= number < first + fault.times
            elif fault.move is not None:
                hit = fault.move <= number < fault.move + fault.times
            else:
                hit = number in fault.frames
            if hit:
                return fault
        return None
