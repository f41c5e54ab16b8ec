"""Axes that move as real ones do: speed, acceleration, following error, settling, backlash, limits, stalls.

The controller approaches every target from below: a downward move overshoots and returns, so that the backlash is
always taken up on the same side. The encoder sits on the motor: read-back and load differ by the open gap.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, replace

from simulators.description import AxisDescription, AxisState, MoveReport
from simulators.faults import Fault, FaultScript
from simulators.seeding import generator
from simulators.trace import Motion
from simulators.trajectory import Segment, brake, reach_time, stop_position, travel


@dataclass(frozen=True)
class AxisConfig:
    """One axis in its units (um or deg) and seconds; hard limits lie outside the soft ones; start: where it rests when
    it is switched on.

    What no encoder tells, each off unless set: scale: how far the load goes for each unit that is read back (a lead
    screw's pitch, a thermal expansion: to 1e-3; a wrong steps-per-um: any); error: by what each move misses besides,
    root mean square (open-loop stages 1 to 5 um); takes_up: off, a controller that does not approach from below, whose
    backlash shows after every move down.
    """

    units: str
    low_limit: float
    high_limit: float
    low_hard_limit: float
    high_hard_limit: float
    speed: float
    acceleration: float
    settle_s: float
    backlash: float
    tolerance: float
    repeatability: float
    following_lag_s: float = 0.002
    ringing: float = 0.0
    resolution: float = 0.001
    start: float = 0.0
    scale: float = 1.0
    error: float = 0.0
    takes_up: bool = True

    def describe(self) -> AxisDescription:
        """The part that a controller publishes."""
        return AxisDescription(
            self.units,
            self.low_limit,
            self.high_limit,
            self.speed,
            self.acceleration,
            self.settle_s,
            self.backlash if self.takes_up else 0.0,
            self.tolerance,
        )


@dataclass(frozen=True)
class _Outcome:
    """How the newest motion ends: fault is "stall", "limit" or None, from `at_s` on; direction is +1 or -1."""

    at_s: float
    settled_s: float
    fault: str | None = None
    direction: int = 0


class AxisModel:
    """One axis, resting at its start at time 0; all its past positions stay known, so that exposures can be integrated
    later.
    """

    def __init__(self, name: str, config: AxisConfig, seed: int, faults: FaultScript) -> None:
        self.name = name
        self.config = config
        self._seed = seed
        self._faults = faults
        self._segments = [Segment(0.0, 0.0, config.start)]
        self._starts = [0.0]
        self._begins_s: list[float] = []
        self._target = config.start
        self._acceleration = config.acceleration
        self._outcome = _Outcome(0.0, 0.0)
        self._motions: list[Motion] = []

    def move(
        self,
        target: float,
        t_s: float,
        *,
        speed: float | None = None,
        acceleration: float | None = None,
        limited: bool = True,
    ) -> MoveReport:
        """Go to a target; a running motion is braked first. Refused, without effect, beyond a soft limit.

        `speed` (units/s) and `acceleration` (units/s^2) are those of the configuration unless given; not `limited`,
        the soft limits are not looked at, and only the switches end a motion that goes too far.
        """
        c = self.config
        speed = c.speed if speed is None else speed
        acceleration = c.acceleration if acceleration is None else acceleration
        reason = self._refusal(target, speed, acceleration, limited)
        if reason:
            return MoveReport(False, reason, t_s)
        self._begins_s.append(t_s)
        path = self._path(target + self._error(), t_s, speed, acceleration)
        planned_s = (path[-1].end_s if path else t_s) + c.settle_s
        self._target, self._acceleration = target, acceleration
        self._follow(path, t_s, planned_s, self._faults.motion(self.name, self._begins_s))
        return MoveReport(True, None, planned_s)

    def stop(self, t_s: float) -> float:
        """Brake; returns when the axis stands."""
        position, velocity = self._now(t_s)
        path = brake(t_s, position, velocity, self._acceleration)
        if not path and t_s >= self._segments[-1].end_s:
            return max(t_s, self._outcome.settled_s)
        self._target = stop_position(position, velocity, self._acceleration)
        ends_s = (path[-1].end_s if path else t_s) + self.config.settle_s
        self._follow(path, t_s, ends_s, None)
        return ends_s

    def state(self, t_s: float) -> AxisState:
        """What the controller reports at t_s."""
        c, outcome = self.config, self._outcome
        position = self.motor(t_s)
        over = t_s >= outcome.at_s
        tripped = over and outcome.fault == "limit"
        return AxisState(
            position=round(position / c.resolution) * c.resolution,
            target=self._target,
            moving=t_s < outcome.settled_s,
            stalled=over and outcome.fault == "stall",
            at_low_limit=(tripped and outcome.direction < 0) or position <= c.low_hard_limit + c.resolution,
            at_high_limit=(tripped and outcome.direction > 0) or position >= c.high_hard_limit - c.resolution,
            limit_violation=tripped,
        )

    def motor(self, t_s: float) -> float:
        """Position of the motor: the trajectory, less the following error, plus what rings after the stop."""
        c = self.config
        behind_s = t_s - c.following_lag_s
        segment = self._segment(behind_s)
        position = segment.state(behind_s)[0]
        dt = behind_s - segment.end_s
        if c.ringing == 0.0 or dt <= 0.0 or dt > 3.0 * c.settle_s or segment.end_s == 0.0:
            return position
        decay_s = c.settle_s / 6.0
        return position + c.ringing * math.sin(2.0 * math.pi * dt / decay_s) * math.exp(-dt / decay_s)

    def load(self, t_s: float) -> float:
        """Position of what the axis carries: the motor, the open backlash gap, and offsets nobody intended."""
        c = self.config
        behind_s = t_s - c.following_lag_s
        gap = self._segment(behind_s).slack_at(behind_s, c.backlash)
        offsets = sum(f.amount or 0.0 for f in self._offsets if f.lasts_at(t_s))
        return c.scale * self.motor(t_s) + gap + offsets + self._missed(t_s)

    def _missed(self, t_s: float) -> float:
        """What the move under way, or the last one, misses without the encoder's knowledge; before any, nothing."""
        number = self.moves_before(t_s)
        if self.config.error == 0.0 or number == 0:
            return 0.0
        return self.config.error * float(generator(self._seed, f"stage error {self.name}", number).standard_normal())

    def offset(self, t_s: float) -> float:
        """The offset that the controller tells of."""
        return sum(f.amount or 0.0 for f in self._offsets if f.lasts_at(t_s) and not f.hidden)

    def motions(self) -> tuple[Motion, ...]:
        """All motions so far, and those already ordered, in order."""
        return tuple(self._motions)

    def motions_within(self, begin_s: float, end_s: float) -> list[Motion]:
        """Those that were under way at some moment between two times, in order; each ends before the next one does."""
        found: list[Motion] = []
        for motion in reversed(self._motions):
            if motion.end_s <= begin_s:
                break
            if motion.begin_s < end_s:
                found.append(motion)
        return found[::-1]

    @property
    def _offsets(self) -> list[Fault]:
        return self._faults.of("offset", self.name)

    def moves_before(self, t_s: float) -> int:
        """How many accepted moves began at or before t_s."""
        return bisect_right(self._begins_s, t_s)

    def _error(self) -> float:
        """What the newest move will miss its target by."""
        c = self.config
        if c.repeatability == 0.0:
            return 0.0
        number = len(self._begins_s)
        return c.repeatability * float(generator(self._seed, f"repeatability {self.name}", number).standard_normal())

    def _refusal(self, target: float, speed: float, acceleration: float, limited: bool) -> str | None:
        c = self.config
        if not math.isfinite(target):
            return f"axis {self.name}: target {target} is not a number"
        if not (0.0 < speed < math.inf and 0.0 < acceleration < math.inf):
            return f"axis {self.name}: speed {speed:g} and acceleration {acceleration:g} must be positive"
        if not limited:
            return None
        if target < c.low_limit:
            return f"axis {self.name}: target {target:g} {c.units} below low soft limit {c.low_limit:g} {c.units}"
        if target > c.high_limit:
            return f"axis {self.name}: target {target:g} {c.units} above high soft limit {c.high_limit:g} {c.units}"
        return None

    def _segment(self, t_s: float) -> Segment:
        return self._segments[max(0, bisect_right(self._starts, t_s) - 1)]

    def _now(self, t_s: float) -> tuple[float, float]:
        segment = self._segment(t_s)
        position, velocity = segment.state(t_s)
        return position, (velocity if t_s < segment.end_s else 0.0)

    def _path(self, goal: float, t_s: float, speed: float, acceleration: float) -> list[Segment]:
        c = self.config
        position, velocity = self._now(t_s)
        slack = self._segment(t_s).slack_at(t_s, c.backlash)
        path = brake(t_s, position, velocity, self._acceleration)
        rest = stop_position(position, velocity, self._acceleration)
        slack = min(max(slack - (rest - position), 0.0), c.backlash)
        direct = not c.takes_up or slack - (goal - rest) <= 0.0
        stops = [goal] if direct else [goal - 2.0 * c.backlash, goal]
        for stop in stops:
            path += travel(path[-1].end_s if path else t_s, rest, stop, speed, acceleration)
            rest = stop
        return path

    def _follow(self, path: list[Segment], t_s: float, settled_s: float, fault: str | None) -> None:
        """Replace what was planned after t_s by a path, ended early by a fault or a hard limit."""
        c = self.config
        at_s, direction = settled_s, 0
        if path:
            direction = 1 if path[0].velocity + path[0].acceleration > 0 else -1
        switches = ((c.low_hard_limit, -1), (c.high_hard_limit, 1))
        hits = [(hit_s, side) for limit, side in switches if (hit_s := reach_time(path, limit, side)) is not None]
        if fault and path:
            at_s = 0.5 * (t_s + path[-1].end_s)
        if hits and (fault is None or min(hits)[0] < at_s):
            at_s, direction = min(hits)
            fault = "limit"
        if fault:
            path = [piece.cut(at_s) for piece in path if piece.start_s < at_s]
            settled_s = at_s
        self._append(path, t_s)
        if self._motions and self._motions[-1].end_s > t_s:
            self._motions[-1] = replace(self._motions[-1], end_s=max(t_s, self._motions[-1].begin_s))
        self._motions.append(Motion(self.name, t_s, settled_s, self._now(t_s)[0], self._target))
        self._outcome = _Outcome(at_s, settled_s, fault, direction)

    def _append(self, path: list[Segment], t_s: float) -> None:
        position, _ = self._now(t_s)
        slack = self._segment(t_s).slack_at(t_s, self.config.backlash)
        while self._starts and self._starts[-1] >= t_s and len(self._starts) > 1:
            self._starts.pop()
            self._segments.pop()
        self._segments[-1] = self._segments[-1].cut(t_s)
        for piece in path or [Segment(t_s, t_s, position)]:
            placed = replace(piece, slack=slack)
            slack = placed.slack_at(placed.end_s, self.config.backlash)
            self._segments.append(placed)
            self._starts.append(placed.start_s)
