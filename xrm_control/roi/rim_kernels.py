"""The inner loop over what lies about a rim, compiled; see `rims`. Lengths are pixels."""

from __future__ import annotations

import math

import numba
import numpy as np

from xrm_control.roi.bodies import COLUMN, ROW, SIZE, SKEW, STRETCH

_TURNS, _STEPS, _STEP_PX, _FIRST_PX = 24, 6, 0.75, -1.0
"""Sums are taken over turns of 15 degrees and rings from inside the rim outwards; three turns by two rings are looked
at together."""

_LEAST_PIXELS, _LEAST_SHARE = 3, 0.6

_BENT, _ONE_SIDE, _MOST_SIDES = 3, 0.8, 0.4
"""Turns by which a ridge may bend beneath a body, and what a valley counts on one side alone: where a ridge ends there
is no other, and where two particles touch noise may hide the only one. No particle lacks its rim over a larger share
of the directions.
"""


@numba.njit(nogil=True, cache=True, error_model="numpy")
def rim_valley(left, unsure, p, noise):  # type: ignore[no-untyped-def]
    """The least thickness across a rim and a little beyond, plus its standard error: of the two directions, nearly
    opposite, that show the most, or of more than some directions; minus infinity where none can be seen.
    """
    rows, columns = left.shape
    m = math.sqrt(p[STRETCH] * p[STRETCH] + p[SKEW] * p[SKEW])
    radius = math.exp(p[SIZE])
    reach = math.exp(p[SIZE] + m) + _FIRST_PX + _STEPS * _STEP_PX
    ratio = math.sinh(m) / m if m > 1e-9 else 1.0
    xx, yy = math.cosh(m) - ratio * p[STRETCH], math.cosh(m) + ratio * p[STRETCH]
    xy = -ratio * p[SKEW]
    total = np.zeros((_TURNS, _STEPS))
    used = np.zeros((_TURNS, _STEPS))
    every = np.zeros((_TURNS, _STEPS))
    for r in range(math.ceil(p[ROW] - reach), math.floor(p[ROW] + reach) + 1):
        for c in range(math.ceil(p[COLUMN] - reach), math.floor(p[COLUMN] + reach) + 1):
            dx, dy = c - p[COLUMN], r - p[ROW]
            u, v = xx * dx + xy * dy, xy * dx + yy * dy
            step = math.floor((math.sqrt(u * u + v * v) - radius - _FIRST_PX) / _STEP_PX)
            if step < 0 or step >= _STEPS:
                continue
            turn = int((math.atan2(v, u) / (2.0 * math.pi) + 1.0) * _TURNS) % _TURNS
            every[turn, step] += 1.0
            if 0 <= r < rows and 0 <= c < columns and unsure[r, c] < np.inf:
                used[turn, step] += 1.0
                total[turn, step] += left[r, c] + unsure[r, c]
    valleys = np.full(_TURNS, -np.inf)
    for turn in range(_TURNS):
        lowest = np.inf
        for step in range(_STEPS - 1):
            n, of, s = 0.0, 0.0, 0.0
            for beside in range(3):
                k = (turn + beside) % _TURNS
                for ring in range(step, step + 2):
                    n += used[k, ring]
                    of += every[k, ring]
                    s += total[k, ring]
            if n >= _LEAST_PIXELS and n >= _LEAST_SHARE * of:
                lowest = min(lowest, s / n + noise / math.sqrt(n))
        if lowest < np.inf:
            valleys[turn] = lowest
    highest = _ONE_SIDE * valleys.max()
    for turn in range(_TURNS):
        for bent in range(-_BENT, _BENT + 1):
            across = valleys[(turn + _TURNS // 2 + bent) % _TURNS]
            highest = max(highest, min(valleys[turn], across))
    visible = np.sort(valleys[valleys > -np.inf])
    if len(visible):
        highest = max(highest, visible[int((1.0 - _MOST_SIDES) * len(visible))])
    return highest
