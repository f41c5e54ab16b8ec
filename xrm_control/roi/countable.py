"""Where in a mosaic particles can be counted: a map of how far those found account for what is seen there.

The figures of `count` are means over the mosaic; a place of many layers beside one of a single layer hides in them.
Here they are taken place by place, over some particles each.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CELL_UM = 8.0
_REACH_UM = 12.0
"""Standard deviation of the mean over a place: some particles about it."""

_MOST_UNEVEN, _MOST_OVERLAP = 0.11, 1.35
"""Over so few particles both vary more than over a mosaic."""

_DEEP_OVERLAP, _DEEP_ACCOUNTED = 1.8, 0.8
"""Beyond these those found are no measure of those there: many layers, of which one view shows the first few."""

_LEAST_THICKNESS_UM = 0.4
"""Mean thickness about a place below which there is next to nothing to count."""

_SMOOTH_PX = 3.0
_RIM_UM = 12.0


@dataclass(frozen=True)
class Places:
    """Square cells of cell_um, (rows, columns), the first one's upper left corner at left_um, top_um (stage).

    accounted: share of the thickness seen about a cell that goes with the particles found, 0 to 1, NaN where there is
    next to nothing or where nothing was seen; overlap: particles above each other there, mean where there is one;
    countable: whether those found may be taken for those there; true where there is nothing to count.
    """

    left_um: float = 0.0
    top_um: float = 0.0
    cell_um: float = CELL_UM
    accounted: Floats = field(default_factory=lambda: np.empty((0, 0)))
    overlap: Floats = field(default_factory=lambda: np.empty((0, 0)))
    countable: NDArray[np.bool_] = field(default_factory=lambda: np.empty((0, 0), bool))

    @property
    def matter(self) -> NDArray[np.bool_]:
        """In which cells there is something to count."""
        return np.isfinite(self.accounted)

    @property
    def deep(self) -> NDArray[np.bool_]:
        """In which cells so much lies above each other that those found are no measure of those there."""
        return self.matter & ((self.overlap > _DEEP_OVERLAP) | (np.nan_to_num(self.accounted) < _DEEP_ACCOUNTED))

    @property
    def uncountable_share(self) -> float:
        """Of the cells in which there is something, those in which it cannot be counted."""
        return self._share(~self.countable)

    @property
    def deep_share(self) -> float:
        """Of the cells in which there is something, the `deep` ones."""
        return self._share(self.deep)

    def at(self, x_um: Floats, y_um: Floats) -> NDArray[np.bool_]:
        """Whether particles can be counted at these places (n,)."""
        return self._look(self.countable, x_um, y_um, otherwise=True)

    def deep_at(self, x_um: Floats, y_um: Floats) -> NDArray[np.bool_]:
        """Whether these places (n,) are `deep`."""
        return self._look(self.deep, x_um, y_um, otherwise=False)

    def _share(self, which: NDArray[np.bool_]) -> float:
        matter = self.matter
        return float((matter & which).sum() / matter.sum()) if matter.any() else 0.0

    def _look(self, which: NDArray[np.bool_], x_um: Floats, y_um: Floats, *, otherwise: bool) -> NDArray[np.bool_]:
        if not which.size:
            return np.full(len(x_um), otherwise)
        rows, columns = which.shape
        row = np.clip(np.floor((y_um - self.top_um) / self.cell_um).astype(int), 0, rows - 1)
        column = np.clip(np.floor((x_um - self.left_um) / self.cell_um).astype(int), 0, columns - 1)
        return which[row, column]


def places(
    chords: Floats,
    seen: NDArray[np.bool_],
    shadow: Floats,
    above: Floats,
    pixel_um: float,
    corner_um: tuple[float, float],
) -> Places:
    """chords, shadow (rows, columns): thickness as mapped, and as the particles make it, in pixels; seen: where it was;
    above: how many particles lie over each pixel; corner_um: upper left corner of the first pixel.
    """
    from scipy import ndimage

    residual = ndimage.gaussian_filter(np.where(seen, chords - shadow, 0.0), _SMOOTH_PX)
    inside = np.asarray(ndimage.distance_transform_edt(np.pad(seen, 1)), np.float64)[1:-1, 1:-1]
    inner = inside > min(_RIM_UM / pixel_um, 0.2 * min(seen.shape))
    matter = inner & ((shadow > 1.0) | (chords > 4.0))
    covered = inner & (above > 0)
    maps = (
        np.where(matter, np.abs(residual), 0.0),
        np.where(matter, np.maximum(chords, 0.0), 0.0),
        np.where(covered, above, 0.0),
        covered.astype(np.float64),
        inner.astype(np.float64),
    )
    step = max(1, round(CELL_UM / pixel_um))
    left, mapped, stacked, cover, view = (_about(one, step, _REACH_UM / (step * pixel_um)) for one in maps)
    some = (view > 1e-3) & (mapped * pixel_um > _LEAST_THICKNESS_UM * view)
    uneven = np.divide(left, mapped, out=np.full(left.shape, np.nan), where=some)
    overlap = np.divide(stacked, cover, out=np.ones(left.shape), where=cover > 1e-6)
    good = ~some | ((np.nan_to_num(uneven) <= _MOST_UNEVEN) & (overlap <= _MOST_OVERLAP))
    return Places(*corner_um, step * pixel_um, np.clip(1.0 - uneven, 0.0, 1.0), overlap, good)


def _about(image: Floats, step: int, reach: float) -> Floats:
    """Weighted mean about each cell of `step` pixels, over `reach` cells (of what is summed, 0 beyond the picture)."""
    from scipy import ndimage

    rows, columns = (-(-size // step) * step for size in image.shape)
    padded = np.zeros((rows, columns))
    padded[: image.shape[0], : image.shape[1]] = image
    cells = padded.reshape(rows // step, step, columns // step, step).mean(axis=(1, 3))
    return ndimage.gaussian_filter(cells, reach, mode="constant")
