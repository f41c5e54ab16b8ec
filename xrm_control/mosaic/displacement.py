"""Does a scan look at what the mosaic showed there? A frame held against the map, by normalised cross-correlation.

Somebody who gives an axis another offset between mosaic and scan moves the region, and no read-back tells.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.mosaic.registration import pair_shift
from xrm_control.mosaic.tiles import Mosaic, Picture

_COARSE = 4
# Standard deviation of the transmission, means over 4 x 4 pixels, below which there is nothing to recognise.
_LEAST_CONTRAST = 0.03
_ALIKE = 0.6
_LEAST_SEEN = 0.25
# Of sums of squares: below it nothing varies, and what is left is rounding.
_LEAST_SCALE = 1e-12

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Displacement:
    """What the frame shows lies (x, y) um beside where the mosaic has it; likeness: correlation there, 1 at best.

    exact: to a fraction of a pixel; else to the steps of the coarser search alone.
    """

    x_um: float
    y_um: float
    likeness: float
    exact: bool = True

    @property
    def recognised(self) -> bool:
        """Whether the frame looks like the mosaic at all, within the reach of the search."""
        return self.likeness >= _ALIKE

    @property
    def distance_um(self) -> float:
        """How far."""
        return math.hypot(self.x_um, self.y_um)


def displacement(
    frame: Picture, pixel_um: float, centre_um: tuple[float, float], mosaic: Mosaic, reach_um: float
) -> Displacement | None:
    """Where in the mosaic the frame lies, against where its stage position says; None where nothing can be said.

    frame: transmission (rows, columns) near theta = 0, its centre at the stage position `centre_um` (x, y); its pixels
    and the mosaic's may differ by a whole factor. None: too little of it lies on the mosaic, or nothing stands out.
    """
    factor = mosaic.pixel_size_um / pixel_um
    ours = _coarser(frame.astype(np.float64), max(1, round(factor)))
    chart = _coarser(mosaic.image.astype(np.float64), max(1, round(1 / factor)))
    step_um = pixel_um * max(1, round(factor))
    # Stage position of the middle of the chart's pixel [0, 0], and of the frame's.
    left, top = (at + (step_um - mosaic.pixel_size_um) / 2 for at in (mosaic.x0_um, mosaic.y0_um))
    rows, columns = ours.shape
    x, y = ((c - o) / step_um - (n - 1) / 2 for c, o, n in zip(centre_um, (left, top), (columns, rows), strict=True))
    reach = math.ceil(reach_um / step_um / _COARSE) * _COARSE
    whole = (math.floor(x) - reach, math.floor(y) - reach)
    window = _window(chart, whole, (rows + 2 * reach, columns + 2 * reach))
    here = window[reach : reach + rows, reach : reach + columns]
    if np.isfinite(here).mean() < _LEAST_SEEN:
        return None
    if not (stands_out(here) and stands_out(ours)):
        return None
    coarse = _best(_coarser(window, _COARSE), _coarser(ours, _COARSE))
    # The finer search looks around what the coarser one found.
    right, down = (_COARSE * at for at in coarse)
    fine = _window(window, (right - _COARSE, down - _COARSE), (rows + 2 * _COARSE, columns + 2 * _COARSE))
    padded = np.full(fine.shape, np.nan)
    padded[:rows, :columns] = ours
    start = np.array([float(_COARSE), float(_COARSE)])
    found = pair_shift(0, 1, (fine, padded), start, _COARSE + 1.0)
    # Where the frame's upper left pixel lies in the window; the content moved the other way than the stage believes.
    place = np.array([right, down], float) + (found.shift_px if found is not None else 0.0)
    likeness = _likeness(_window(window, (round(place[0]), round(place[1])), (rows, columns)), ours)
    off = (place - reach - (np.array([x, y]) - np.floor([x, y]))) * step_um
    return Displacement(float(off[0]), float(off[1]), likeness, found is not None)


def stands_out(image: NDArray[np.floating]) -> bool:
    """Whether a transmission (rows, columns) shows something that can be recognised, beyond the noise of its pixels."""
    return bool(np.nanstd(_coarser(np.asarray(image, np.float64), _COARSE)) >= _LEAST_CONTRAST)


def _best(window: Floats, frame: Floats) -> tuple[int, int]:
    """The place (right, down) in the window at which the frame is most like it."""
    rows = frame.shape[0]
    likeness = np.stack([_along(window[r : r + rows], frame) for r in range(window.shape[0] - rows + 1)])
    down, right = np.unravel_index(int(likeness.argmax()), likeness.shape)
    return int(right), int(down)


def _along(band: Floats, frame: Floats) -> Floats:
    """(places,): `_likeness` of the frame to each part of a band of its own height, all at once."""
    seen, known = np.isfinite(band), np.isfinite(frame)
    middle = float(frame[known].mean()) if known.any() else 0.0
    one, two = np.where(seen, band - middle, 0.0), np.where(known, frame - middle, 0.0)
    masks = known.astype(float)
    parts, there = (_parts(of, frame.shape) for of in (one, seen.astype(float)))
    count = there @ masks.ravel()
    a, aa = parts @ masks.ravel(), _parts(one**2, frame.shape) @ masks.ravel()
    b, bb = there @ two.ravel(), there @ (two**2).ravel()
    enough = count >= _LEAST_SEEN * frame.size
    shared = np.where(enough, count, 1.0)
    scale = np.sqrt(np.maximum(aa - a * a / shared, 0.0) * np.maximum(bb - b * b / shared, 0.0))
    return np.divide(
        parts @ two.ravel() - a * b / shared,
        scale,
        out=np.full(len(count), -1.0),
        where=enough & (scale > _LEAST_SCALE),
    )


def _parts(band: Floats, shape: tuple[int, int]) -> Floats:
    """(places, pixels): what lies under a frame of that shape, one place after the other."""
    return np.lib.stride_tricks.sliding_window_view(band, shape)[0].reshape(-1, shape[0] * shape[1])


def _likeness(one: Floats, two: Floats) -> float:
    """Normalised cross-correlation over the pixels seen in both; -1 where those are too few."""
    both = np.isfinite(one) & np.isfinite(two)
    if both.sum() < _LEAST_SEEN * two.size:
        return -1.0
    a, b = one[both] - one[both].mean(), two[both] - two[both].mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else -1.0


def _window(image: Floats, corner: tuple[int, int], shape: tuple[int, int]) -> Floats:
    """A part of the image from its upper left pixel (column, row), NaN beyond the image."""
    found = np.full(shape, np.nan)
    c, r = corner
    r0, r1 = max(r, 0), min(r + shape[0], image.shape[0])
    c0, c1 = max(c, 0), min(c + shape[1], image.shape[1])
    if r1 > r0 and c1 > c0:
        found[r0 - r : r1 - r, c0 - c : c1 - c] = image[r0:r1, c0:c1]
    return found


def _coarser(image: Floats, factor: int) -> Floats:
    """Means over blocks of `factor` pixels; NaN where most of a block is unseen."""
    if factor == 1:
        return image
    rows, columns = (n // factor for n in image.shape)
    blocks = image[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    seen = np.isfinite(blocks)
    total, count = np.where(seen, blocks, 0.0).sum(axis=(1, 3)), seen.sum(axis=(1, 3))
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > factor**2 / 2)
