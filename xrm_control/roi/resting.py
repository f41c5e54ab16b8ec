"""Which bodies are at rest: fitted before, and nothing has changed about them since. Lengths are pixels.

A powder lies mostly apart: after a search most bodies have no new neighbour, and to fit them again finds them where
they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_BLOCK = 8
_CHANGED_PX = 0.05
"""Change of a chord that is one: a tenth of the model's own error."""

_MOVED_PX = 0.02
"""Change of a body's middle, radius, form or height that is one."""

_BESIDE_PX = 4.0
"""A body is fitted to its shadow and a ring about it."""


class Resting:
    """What has changed in a map, and when, block by block; times are the numbers of the fits."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._changed = np.zeros([-(-size // _BLOCK) for size in shape], np.int64)
        self._now = 0
        self._left: Floats | None = None

    def look(self, residual: Floats) -> None:
        """Note what somebody else has changed since `leave`."""
        if self._left is None:
            return
        self._now += 1
        rows, columns = np.nonzero(np.abs(residual - self._left) > _CHANGED_PX)
        self._changed[rows // _BLOCK, columns // _BLOCK] = self._now

    def leave(self, residual: Floats) -> None:
        """Remember the map as it is left."""
        self._left = residual.copy()

    def at_rest(self, p: Floats, fitted: int) -> bool:
        """Whether a body p (7,) that was fitted then (0: never) would be found where it is."""
        return fitted > 0 and int(self._changed[self._about(p)].max(initial=0)) <= fitted

    def fitted(self, before: Floats, after: Floats) -> int:
        """The number of this fit, for `at_rest`; where it moved its body, that and its neighbours are not."""
        self._now += 2
        size = float(np.exp(after[2]))
        if float(np.max(np.abs(after - before) * (1.0, 1.0, size, size, size, size, size))) < _MOVED_PX:
            return self._now
        for p in (before, after):
            self._changed[self._about(p)] = self._now
        return self._now - 1

    def _about(self, p: Floats) -> tuple[slice, slice]:
        reach = float(np.exp(p[2] + np.hypot(p[3], p[4]))) + _BESIDE_PX
        return tuple(
            slice(max(int((at - reach) // _BLOCK), 0), max(int((at + reach) // _BLOCK) + 1, 0)) for at in (p[1], p[0])
        )  # type: ignore[return-value]
