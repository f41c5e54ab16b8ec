"""Motion as analytic pieces of constant acceleration: a position at any time, no integration step."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Segment:
    """From start_s to end_s: position + velocity dt + acceleration dt^2 / 2; slack is the backlash gap at its start."""

    start_s: float
    end_s: float
    position: float
    velocity: float = 0.0
    acceleration: float = 0.0
    slack: float = 0.0

    def state(self, t_s: float) -> tuple[float, float]:
        """Position and velocity at t_s, held at the ends of the segment."""
        dt = min(max(t_s, self.start_s), self.end_s) - self.start_s
        return (
            self.position + self.velocity * dt + 0.5 * self.acceleration * dt * dt,
            self.velocity + self.acceleration * dt,
        )

    def slack_at(self, t_s: float, backlash: float) -> float:
        """The gap (load position minus motor position) at t_s: an upward motion closes it, a downward one opens it."""
        travelled = self.state(t_s)[0] - self.position
        return min(max(self.slack - travelled, 0.0), backlash)

    def cut(self, t_s: float) -> Segment:
        """The segment up to t_s."""
        return replace(self, end_s=min(max(t_s, self.start_s), self.end_s))


def travel(start_s: float, begin: float, end: float, speed: float, acceleration: float) -> list[Segment]:
    """The trapezoidal (or triangular) motion from rest at `begin` to rest at `end`."""
    distance = abs(end - begin)
    if distance == 0.0:
        return []
    direction = float(np.sign(end - begin))
    peak = min(speed, (distance * acceleration) ** 0.5)
    ramp_s = peak / acceleration
    cruise_s = max(0.0, (distance - peak * ramp_s) / peak)
    ramp = 0.5 * peak * ramp_s
    first = start_s + ramp_s
    second = first + cruise_s
    pieces = [
        Segment(start_s, first, begin, 0.0, direction * acceleration),
        Segment(first, second, begin + direction * ramp, direction * peak),
        Segment(second, second + ramp_s, end - direction * ramp, direction * peak, -direction * acceleration),
    ]
    return [piece for piece in pieces if piece.end_s > piece.start_s]


def brake(start_s: float, position: float, velocity: float, acceleration: float) -> list[Segment]:
    """The motion from a velocity to rest."""
    if velocity == 0.0:
        return []
    duration_s = abs(velocity) / acceleration
    return [Segment(start_s, start_s + duration_s, position, velocity, -float(np.sign(velocity)) * acceleration)]


def stop_position(position: float, velocity: float, acceleration: float) -> float:
    """Where `brake` comes to rest."""
    return position + velocity * abs(velocity) / (2.0 * acceleration)


def reach_time(segments: list[Segment], position: float, side: int) -> float | None:
    """When a motion first goes beyond a position upwards (side +1) or downwards (side -1); None when it never does."""
    for segment in segments:
        begin, end = segment.state(segment.start_s)[0], segment.state(segment.end_s)[0]
        if side * (end - position) < 0 or side * (end - begin) <= 0:
            continue
        inside_s, beyond_s = segment.start_s, segment.end_s
        for _ in range(60):  # every segment is monotonic: bisection is exact enough and knows no special cases
            middle_s = 0.5 * (inside_s + beyond_s)
            if side * (segment.state(middle_s)[0] - position) < 0:
                inside_s = middle_s
            else:
                beyond_s = middle_s
        return beyond_s
    return None
