"""Whether a thin body shows a rim of its own: what tells a small particle from a piece of a wrinkle, hair or bubble.

Along a ridge, and within anything that is wide, the thickness goes on beyond the rim of whatever body was fitted to a
piece of it; beside a particle it falls, even where the next one begins. Only thin bodies are asked: tape, adhesive and
dirt are never as thick as the others, whose shadows also overlap in earnest. Lengths are pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xrm_control.roi.bodies import COLUMN, FACTOR, ROW, SIZE, SKEW, STRETCH, Bodies, number_above, shadow, worths

Floats = NDArray[np.float64]

_THICK_DEPTH, _THICK_UM = 0.275, 6.0
"""Optical depth that tape, adhesive and dirt stay below, and the longest chord of a body that is asked at all."""

_MOST_SLENDER, _MOST_ON_FLAWS = 6.5, 4.5
"""Longest over shortest axis of a particle; pieces of ridges are fitted with 8 and more, and where the tape shows flaws
pieces of a bubble's edge with less.
"""

HIGHEST_VALLEY = 0.6
"""Of a body's own height, how much may be left just beyond its rim in any direction: spheres of a layer that touch
reach 0.5, pieces of wrinkles, hairs and bubbles are beyond 0.8 where noise is small."""

_LEAST_EVIDENCE = 40.0
"""Weighted squares of a thin body above its valley, to be believed (better than 6 sigma)."""

ON_RIDGES = 0.85
"""... of the map with its ridges: what lies on one must be somewhat higher than it."""

_ROUND, _LEAST_ON_RIDGE = 1.5, 0.5
"""Longest over shortest axis of what is told from the ridge that so much of it lies on, or a bubble's edge."""

_BESIDE_UM, _FURTHER_UM, _LEAST_EDGE = 3.0, 5.0, 0.05
"""How far beyond a rim a bubble is looked for, beyond that of what is long or flat, and the share of that place that it
takes at least.
"""

_TWO_MENISCI = 1.5
"""Of a bubble's depth: what is pushed aside is less high, but where two bubbles meet it adds up; what is thin
and long or flat is one in any case."""


def closed(
    chords: Floats, weight: Floats, bodies: Bodies, blur_px: float, thick_px: float, valley: float = HIGHEST_VALLEY
) -> NDArray[np.bool_]:
    """(n,): True for thick bodies, and for thin ones about which the map falls on all sides that can be seen.

    chords, weight: (rows, columns) as mapped, 1 / variance, 0 where nothing was seen; thick_px: chord of a thick body;
    valley: the highest that is let pass. A shell is as thick as its shadow is: a wide and faint one is no thick body.
    """
    from xrm_control.roi.rim_kernels import rim_valley

    believed = bodies.height >= thick_px
    possible = _slenderness(bodies) < _MOST_SLENDER
    others = shadow(bodies.where(believed), chords.shape, blur_px)
    left = chords - others
    seen = weight > 0
    noise = float(weight.max(initial=0.0)) ** -0.5
    # What the model of others is unsure by is alike over a body: no mean makes it less.
    unsure = np.where(seen, np.sqrt(np.maximum(1 / np.where(seen, weight, 1.0) - noise**2, 0.0)), np.inf)
    heights = bodies.height
    own = worths(left, weight, bodies, blur_px)[1]
    # What hides a rim may be a neighbour that shows its own.
    for _ in range(2):
        asked = np.flatnonzero(possible & ~believed)
        low = np.array([rim_valley(left, unsure, bodies.table[i], noise) for i in asked.tolist()]) / heights[asked]
        # By as much as it stands above what lies about it, and no more, is it seen.
        seen_by = own[asked] * (1 - np.clip(low, 0.0, 1.0)) ** 2
        shown = asked[(low < valley) & (seen_by > _LEAST_EVIDENCE)]
        if not len(shown):
            break
        believed[shown] = True
        left = left - shadow(bodies.where(np.isin(np.arange(len(bodies)), shown)), chords.shape, blur_px)
    return believed


def pieces(bodies: Bodies, ridge: Floats, least_px: float, thick_px: float) -> NDArray[np.bool_]:
    """(n,): which thin bodies lie on a ridge and are long or flat, as what is left of one is.

    ridge: chords of ridges (rows, columns), which lower than `least_px` hide nothing.
    """
    from xrm_control.roi.body_kernels import mean_within

    on_ridges = (ridge > least_px).astype(np.float64)
    asked = (bodies.height < thick_px) & (_slenderness(bodies) > _ROUND)
    for i in np.flatnonzero(asked).tolist():
        asked[i] = mean_within(on_ridges, bodies.table[i]) > _LEAST_ON_RIDGE
    return asked


def slivers(bodies: Bodies, thick_px: float) -> NDArray[np.bool_]:
    """(n,): which thin bodies are so long or flat that they are flaws on a tape that shows some."""
    return (bodies.height < thick_px) & (_slenderness(bodies) > _MOST_ON_FLAWS)


def menisci(bodies: Bodies, brighter: Floats, thick_px: float, pixel_um: float) -> NDArray[np.bool_]:
    """(n,): which thin bodies are the adhesive that a bubble has pushed aside: they lie on its edge, and are little
    higher than the bubble is deep.

    brighter: (rows, columns) by how much the map is brighter than the tape, as chord in pixels, 0 where it is not.
    """
    from scipy import ndimage

    found = np.zeros(len(bodies), bool)
    if not brighter.any():
        return found
    labels = np.zeros(brighter.shape, np.int32)
    ndimage.label(brighter > 0, np.ones((3, 3)), output=labels)
    depths = np.zeros(int(labels.max()) + 1)
    np.maximum.at(depths, labels.ravel(), brighter.ravel())
    slender = _slenderness(bodies) > _ROUND
    for i in np.flatnonzero(bodies.height < thick_px).tolist():
        p = bodies.table[i]
        beside_px = (_FURTHER_UM if slender[i] else _BESIDE_UM) / pixel_um
        reach = float(bodies.radius[i]) * float(np.exp(np.hypot(p[STRETCH], p[SKEW]))) + beside_px
        r0, r1 = max(0, int(p[ROW] - reach)), min(brighter.shape[0], int(p[ROW] + reach) + 2)
        c0, c1 = max(0, int(p[COLUMN] - reach)), min(brighter.shape[1], int(p[COLUMN] + reach) + 2)
        grown = p.copy()
        grown[[COLUMN, ROW]] -= c0, r0
        grown[SIZE] = np.log(np.exp(p[SIZE]) + beside_px)
        about = number_above(Bodies.of(grown[None], bodies.shape[i : i + 1]), (r1 - r0, c1 - c0)) > 0
        if not about.any():
            continue
        near = labels[r0:r1, c0:c1][about]
        low = slender[i] or bodies.height[i] < _TWO_MENISCI * depths[near].max()
        found[i] = (near > 0).mean() > _LEAST_EDGE and low
    return found


def thick_px(mu_per_um: float, pixel_um: float) -> float:
    """Chord in pixels from which a body is taken for a particle without being asked for its rim."""
    return min(_THICK_DEPTH / mu_per_um, _THICK_UM) / pixel_um


def _slenderness(bodies: Bodies) -> Floats:
    """Longest over shortest of the three axes."""
    long = np.exp(np.hypot(bodies.table[:, STRETCH], bodies.table[:, SKEW]))
    axes = np.stack((long, 1 / long, bodies.table[:, FACTOR]))
    return axes.max(axis=0) / axes.min(axis=0)
