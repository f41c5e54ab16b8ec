"""Bodies that are one: pieces within the rim of another, which a single body of another form explains as well.

A body that was first taken for the wrong form, or was cut by the border, leaves something over, and what is left over
is soon covered with small bodies. Each costs parameters; one that fits as well without them is the better account
(Schwarz 1978). Lengths are pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xrm_control.roi.bodies import COLUMN, ROW, SIZE, SKEW, STRETCH, Bodies, fit_alone, shadow

Floats = NDArray[np.float64]

_PRICE = 16.0
"""What a body's parameters cost in chi-squared: three ln(n) for some 200 pixels."""


def merged(residual: Floats, weight: Floats, bodies: Bodies, blur_px: float) -> Bodies:
    """The bodies, pieces joined to what they lie within where one body accounts for both; `residual`, what all leave
    over, is changed in place.
    """
    table, shape, fitted = bodies.table.copy(), bodies.shape.copy(), bodies.fitted.copy()
    alive = np.ones(len(bodies), bool)
    for i in np.argsort(-table[:, SIZE], kind="stable").tolist():
        if not alive[i]:
            continue
        pieces = np.flatnonzero(alive & _within(table, i))
        for group in [pieces, *([one] for one in pieces)] if len(pieces) > 1 else [pieces]:
            group = np.asarray([k for k in group if alive[k]], np.int64)
            if not len(group):
                continue
            one = _joined(residual, weight, Bodies.of(table[[i, *group]], shape[[i, *group]]), blur_px)
            if one is not None:
                table[i], shape[i], fitted[i] = one.table[0], one.shape[0], 0
                alive[group] = False
    return Bodies(table[alive], shape[alive], fitted[alive])


def _within(table: Floats, i: int) -> NDArray[np.bool_]:
    """Which smaller bodies have their middle within the rim of body i."""
    long, skew = table[i, [STRETCH, SKEW]]
    m = float(np.hypot(long, skew))
    # The exponential of a symmetric matrix without trace.
    ratio = np.sinh(m) / m if m > 1e-9 else 1.0
    turn = np.cosh(m) * np.eye(2) - ratio * np.array([[long, skew], [skew, -long]])
    turn /= np.exp(table[i, SIZE])
    u, v = turn @ np.array([table[:, COLUMN] - table[i, COLUMN], table[:, ROW] - table[i, ROW]])
    within = (u * u + v * v < 1) & (table[:, SIZE] <= table[i, SIZE])
    within[i] = False
    return within


def _joined(residual: Floats, weight: Floats, group: Bodies, blur_px: float) -> Bodies | None:
    """One body in place of a group (its first the largest), `residual` changed to it; None where that is no better."""
    reach = (
        1.5 * float(np.exp(group.table[:, SIZE] + np.hypot(group.table[:, STRETCH], group.table[:, SKEW])).max()) + 6
    )
    r, c = float(group.table[0, ROW]), float(group.table[0, COLUMN])
    r0, r1 = max(0, int(r - reach)), min(residual.shape[0], int(r + reach) + 1)
    c0, c1 = max(0, int(c - reach)), min(residual.shape[1], int(c + reach) + 1)
    here, known = residual[r0:r1, c0:c1], weight[r0:r1, c0:c1]
    if not here.size:
        return None
    moved = group.table.copy()
    moved[:, COLUMN] -= c0
    moved[:, ROW] -= r0
    local = Bodies.of(moved, group.shape)
    together = here + shadow(local, here.shape, blur_px)
    one = fit_alone(together, known, local.where(np.arange(len(local)) == 0), blur_px)
    if one is None:
        return None
    left = together - shadow(one, here.shape, blur_px)
    if float((known * left**2).sum()) > float((known * here**2).sum()) + _PRICE * (len(group) - 1):
        return None
    residual[r0:r1, c0:c1] = left
    table = one.table.copy()
    table[:, COLUMN] += c0
    table[:, ROW] += r0
    return Bodies.of(table, one.shape)
