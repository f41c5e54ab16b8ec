"""The X-ray source and the shutter: how much light an exposure receives."""

from __future__ import annotations

import math
from itertools import pairwise

from simulators.description import ShutterState, SourceState
from simulators.faults import FaultScript
from simulators.seeding import generator


class Source:
    """A laboratory source whose flux wanders by about a per cent, and which may be lost."""

    def __init__(self, drift: float, seed: int, faults: FaultScript) -> None:
        random = generator(seed, "source")
        self._drift = drift
        self._phases = random.uniform(0.0, 2.0 * math.pi, 2)
        self._faults = faults

    def state(self, t_s: float) -> SourceState:
        """Whether there is beam, and its flux relative to the nominal one."""
        available = not (self._faults.active("beam_loss", t_s) or self._faults.active("interlock", t_s))
        return SourceState(available, self._shown(t_s) if available else 0.0)

    def least_flux(self, begin_s: float, end_s: float) -> float:
        """The least relative flux that a status shows between two times, while there is beam."""
        edges = (t_s for f in self._faults.of("flux") for t_s in (f.at_s or 0.0, f.until_s))
        return min(self._shown(t_s) for t_s in (begin_s, end_s, *(t for t in edges if begin_s < t < end_s)))

    def _shown(self, t_s: float) -> float:
        hindered = (f.factor or 0.0 for f in self._faults.of("flux") if f.lasts_at(t_s) and not f.hidden)
        return self.flux(t_s) * math.prod(hindered)

    def flux(self, t_s: float) -> float:
        """Relative flux while there is beam: two slow waves of 40 and 11 minutes."""
        slow, fast = self._phases
        wave = 0.7 * math.sin(2.0 * math.pi * t_s / 2400.0 + slow) + 0.3 * math.sin(2.0 * math.pi * t_s / 660.0 + fast)
        return 1.0 + self._drift * wave

    def bright_s(self, periods: list[tuple[float, float]]) -> float:
        """Seconds of the undisturbed source that give as much light as these periods did."""
        odd = self._faults.of("flux")
        total_s = 0.0
        for begin_s, end_s in periods:
            changes = (t_s for f in odd for t_s in (f.at_s or 0.0, f.until_s))
            for low, high in pairwise(sorted({begin_s, end_s, *(t for t in changes if begin_s < t < end_s)})):
                middle_s = 0.5 * (low + high)
                total_s += (high - low) * math.prod(f.factor or 0.0 for f in odd if f.lasts_at(middle_s))
        return total_s

    def dark_periods(self) -> list[tuple[float, float]]:
        """When there is no beam."""
        return self._faults.periods("beam_loss") + self._faults.periods("interlock")


class Shutter:
    """A blade, closed at time 0 unless told, that takes `travel_s` to open or close; its past stays known."""

    def __init__(self, travel_s: float, faults: FaultScript, is_open: bool = False) -> None:
        self.travel_s = travel_s
        self._faults = faults
        self._changes: list[tuple[float, bool]] = [(-math.inf, is_open)]

    def command(self, open_: bool, t_s: float) -> float:
        """Open or close; returns when the blade should have arrived."""
        if not self._faults.active("stuck_shutter", t_s) and self._changes[-1][1] != open_:
            if self._changes[-1][0] > t_s:
                self._changes.pop()  # turned back before it had arrived
            else:
                self._changes.append((t_s + self.travel_s, open_))
        return t_s + self.travel_s

    def state(self, t_s: float) -> ShutterState:
        """Read-back of the blade."""
        return ShutterState(self._is_open(t_s), self._changes[-1][0] > t_s)

    def open_periods(self, begin_s: float, end_s: float) -> list[tuple[float, float]]:
        """The parts of [begin_s, end_s] during which light passes."""
        times = [begin_s, *(at for at, _ in self._changes if begin_s < at < end_s), end_s]
        return [(a, b) for a, b in pairwise(times) if self._is_open(a)]

    def open_spans(self, t_s: float) -> list[tuple[float, float]]:
        """When it was open, up to t_s; a span that goes on ends in infinity."""
        changes = [*self._changes, (math.inf, False)]
        spans = [(at, until) for (at, is_open), (until, _) in pairwise(changes) if is_open and at < t_s]
        return [(at, until if until <= t_s else math.inf) for at, until in spans]

    def closed_periods(self) -> list[tuple[float, float]]:
        """When no light passes."""
        changes = [*self._changes, (math.inf, True)]
        return [(at, until) for (at, is_open), (until, _) in pairwise(changes) if not is_open]

    def _is_open(self, t_s: float) -> bool:
        # A copy: frames of the past are rendered in another thread while the blade may be turned back.
        return next(is_open for at, is_open in reversed(tuple(self._changes)) if at <= t_s)


def without(periods: list[tuple[float, float]], gaps: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The parts of the periods that lie outside all gaps."""
    for low, high in gaps:
        periods = [
            piece
            for begin, end in periods
            for piece in ((begin, min(end, low)), (max(begin, high), end))
            if piece[1] > piece[0]
        ]
    return periods
