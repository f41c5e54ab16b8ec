"""What lies beyond the field of view, as far as the scan itself tells.

In a parallel beam a row's line integrals sum to the same mass at every angle. Views that see the sample whole (a strip
of tape edge-on, air on both sides) give that mass; what other views lack of it must lie outside, and is put there.
Without such a view the edges are simply held.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

Padding = Annotated[
    Annotated[float, Field(ge=0, le=8)] | Literal["auto"],
    Field(description="How far matter goes on beyond the field of view, in detector widths; auto: as the mass tells."),
]

EDGE_PX = 4
_EDGE_SHARE = 0.05  # of a view's level, below which its edges count as air
_LEAST_WHOLE_VIEWS = 2
_MOST_WIDTHS = 3.0
_HELD_WIDTHS = 0.75  # where nothing is known
_BLEND_PX = 8.0  # from the value at the edge to the mean value outside


@dataclass(frozen=True)
class Continuation:
    """How rows go on to the left and to the right of the detector: from the value at the edge, `sides`, to that further
    out, `levels`, (rows, n) each, over a few pixels; they end after `length_px` (n,)."""

    length_px: NDArray[np.float64]
    sides: tuple[NDArray[np.float32], NDArray[np.float32]]
    levels: tuple[NDArray[np.float32], NDArray[np.float32]]

    def cover(self, count: int, views: slice | NDArray[np.int64] = slice(None)) -> NDArray[np.float32]:
        """(n, count): how much of each of `count` pixels beyond the edge it reaches."""
        return np.clip(self.length_px[views, None] - np.arange(count), 0, 1).astype(np.float32)


def blend(count: int) -> NDArray[np.float32]:
    """(count,): share of the value at the edge in each pixel beyond it."""
    return np.exp(-(np.arange(count) + 0.5) / _BLEND_PX).astype(np.float32)


def continuation(sinograms: NDArray[np.float32], padding: float | Literal["auto"] = "auto") -> Continuation:
    """How sinograms (rows, n, columns) go on. padding: how far the edges are held, in detector widths; auto: by the
    mass, as far as that tells.
    """
    columns = sinograms.shape[2]
    edge = min(EDGE_PX, columns)
    sides = (sinograms[..., :edge].mean(axis=2), sinograms[..., -edge:].mean(axis=2))
    lacking = _lacking_mass(sinograms, *sides) if padding == "auto" else None
    if lacking is None:
        held = (_HELD_WIDTHS if padding == "auto" else padding) * columns
        return Continuation(np.full(sinograms.shape[1], held), sides, sides)
    # One length per view, from all rows; one level per row and view, so that each row's mass is right.
    edges = np.maximum((sides[0] + sides[1]).mean(axis=0), 1e-6)
    length = np.clip(lacking.mean(axis=0) / edges, 0, _MOST_WIDTHS * columns)
    level = np.clip(lacking / (2 * np.maximum(length, 1.0)), 0, None).astype(np.float32)
    return Continuation(np.asarray(length, np.float64), sides, (level, level))


def extended(
    sinograms: NDArray[np.float32], padding: float | Literal["auto"] = "auto"
) -> tuple[NDArray[np.float32], int]:
    """Continue sinograms (rows, n, columns) on both sides, see `continuation` -> (wider sinograms, columns added on
    each side); columns that nothing is known of are zero.
    """
    columns = sinograms.shape[2]
    beyond = continuation(sinograms, padding)
    margin = int(np.ceil(beyond.length_px.max()))
    near, cover = blend(margin), beyond.cover(margin)
    wide = np.pad(sinograms, ((0, 0), (0, 0), (margin, margin)))
    for row, target in enumerate(wide):
        outward = [
            (level[row][:, None] * (1 - near) + side[row][:, None] * near) * cover
            for level, side in zip(beyond.levels, beyond.sides, strict=True)
        ]
        target[:, :margin] = outward[0][:, ::-1]
        target[:, margin + columns :] = outward[1]
    return wide, margin


def _lacking_mass(
    sinograms: NDArray[np.float32], left: NDArray[np.float32], right: NDArray[np.float32]
) -> NDArray[np.float32] | None:
    """(rows, n): mass outside the field of view; None where no view sees the whole sample."""
    highest = np.quantile(sinograms.mean(axis=0), 0.95, axis=1)
    whole = np.maximum(left.mean(axis=0), right.mean(axis=0)) < _EDGE_SHARE * np.maximum(highest, 1e-6)
    if np.count_nonzero(whole) < _LEAST_WHOLE_VIEWS:
        return None
    mass = sinograms.sum(axis=2)
    lacking = np.median(mass[:, whole], axis=1)[:, None] - mass
    lacking[:, whole] = 0
    return lacking
