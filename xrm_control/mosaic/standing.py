"""How the camera stands, as tiles that do not overlap tell: the sample goes on beyond a seam only in the right picture.

Lines on either side of a seam are alike where the pictures stand as they are said to, and alike at a shift where the
camera is turned: pictures side by side then go on lower or higher, by the turn times their distance. A picture that is
mirrored, transposed or turned by a quarter meets its neighbour with another edge. The pixel's size no seam tells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.mosaic.seams import seam
from xrm_control.mosaic.tiles import Picture, Tile

Floats = NDArray[np.floating]

_SMOOTH_PX = 1.5
_MOST_TURN = 0.06
"""Radians that are looked for; 3 degrees and a little."""

_SIGMAS, _LEAST_SEAMS = 4.0, 4
_LEAST_ALIKE = 0.5
"""Likeness of a seam from which its shift is believed."""

_LEAST_ERROR = 1e-3
"""Of a turn, in radians: lines are not alike to better than some tenths of a pixel."""

_LEAST_ALIKE_ON_AVERAGE = 0.7
"""Straight pictures of powder reach 0.78 and more, mirrored ones 0.6, hardly anything on the tape 0.4."""

_LEAST_SPREAD = 1e-12
"""Sum of squares below which a line is even: what is left of it is rounding."""

_OF_MEDIAN = 1.2533 * 1.4826
"""Standard error of a median over the median deviation, times the root of the number."""

_OTHERWISE: dict[str, Callable[[Picture], Picture]] = {
    "mirrored left to right": lambda image: image[:, ::-1],
    "mirrored upside down": lambda image: image[::-1],
    "turned by 180 degrees": lambda image: image[::-1, ::-1],
    "transposed": lambda image: image.T,
    "transposed and turned by 180 degrees": lambda image: image.T[::-1, ::-1],
    "turned by 90 degrees": lambda image: image.T[:, ::-1],
    "turned by -90 degrees": lambda image: image.T[::-1],
}


@dataclass(frozen=True)
class Standing:
    """otherwise: as what the pictures meet better than as they are said to stand, "" where they do not; turn_rad: of
    the camera, from right towards down, None where too few seams tell; turn_u_rad: its standard error; alike: both
    sides of the seams, on average at best.
    """

    otherwise: str = ""
    turn_rad: float | None = None
    turn_u_rad: float = 0.0
    alike: float = 0.0

    @property
    def goes_on(self) -> bool:
        """Whether what one side shows is seen on the other: it is not where pictures are mirrored, or nothing shows."""
        return self.alike > _LEAST_ALIKE_ON_AVERAGE


def standing(tiles: Sequence[Tile], centres_px: Floats, accuracy_px: float) -> Standing:
    """centres_px: (tiles, 2) middles in pixels, right and down; accuracy_px: of the stage."""
    images = [tile.image for tile in tiles]
    here = _seams(images, centres_px, accuracy_px)
    if len(here) < _LEAST_SEAMS:
        return Standing()
    alike = here[:, 0]
    best, most = "", 0.0
    rows, columns = images[0].shape
    for name, turned in _OTHERWISE.items():
        if rows != columns and turned(images[0]).shape != (rows, columns):
            continue
        gain = _seams([turned(image) for image in images], centres_px, accuracy_px)[:, 0] - alike
        if gain.mean() > most and _stands_out(gain, here[:, 2] > 0):
            best, most = name, float(gain.mean())
    turns = here[alike > _LEAST_ALIKE, 1]
    if best or len(turns) < _LEAST_SEAMS:
        return Standing(best, alike=float(alike.mean()))
    turn = float(np.median(turns))
    error = float(_OF_MEDIAN * np.median(np.abs(turns - turn)) / np.sqrt(len(turns)))
    return Standing("", turn, max(error, _LEAST_ERROR), float(alike.mean()))


def _stands_out(gain: Floats, beside: NDArray[np.bool_]) -> bool:
    """Whether seams between tiles beside each other, or those beneath each other, are surely more alike: a picture
    mirrored one way meets the right edges the other way.
    """
    for one in (gain[beside], gain[~beside]):
        if len(one) >= _LEAST_SEAMS and one.mean() > _SIGMAS * one.std(ddof=1) / np.sqrt(len(one)):
            return True
    return False


def _seams(images: Sequence[Picture], centres_px: Floats, accuracy_px: float) -> Floats:
    """(seams, 3): how alike both sides are at best, the turn of the camera that its shift tells, in radians, and 1 for
    tiles beside each other, 0 for others.
    """
    found: list[tuple[float, float, float]] = []
    for i in range(len(images)):
        for j in range(i + 1, len(images)):
            apart = centres_px[j] - centres_px[i]
            sides = seam(images[i], images[j], apart)
            if sides is None:
                continue
            distance = float(np.abs(apart).max())
            reach = int(np.ceil(2 * accuracy_px + _MOST_TURN * distance))
            alike, shift = most_alike(line_at_seam(sides[0]), line_at_seam(sides[1]), sides[2], reach)
            # Beside each other the next one goes on higher where it lies to the right, beneath each other to the right.
            along_x = abs(apart[0]) > abs(apart[1])
            sign = float(np.sign(apart[0])) if along_x else -float(np.sign(apart[1]))
            found.append((alike, sign * shift / distance, float(along_x)))
    return np.array(found).reshape(-1, 3)


def line_at_seam(lines: Picture) -> Floats:
    """(along,): optical depth on one side of a seam, smoothed; the median where nothing was seen."""
    from scipy import ndimage

    depth = -np.log(np.clip(np.asarray(lines, np.float64), 1e-2, None)).mean(axis=0)
    known = np.isfinite(depth)
    depth = np.where(known, depth, np.median(depth[known]) if known.any() else 0.0)
    return np.asarray(ndimage.gaussian_filter1d(depth, _SMOOTH_PX))


def most_alike(near: Floats, far: Floats, begins: int, reach: int) -> tuple[float, float]:
    """Highest correlation of two lines, and by how many pixels the other's shows the same further on."""
    alike = _alike(near, far, begins - np.arange(-reach, reach + 1))
    at = int(alike.argmax())
    between = 0.0
    if 0 < at < 2 * reach:
        before, here, after = alike[at - 1 : at + 2]
        bend = before - 2 * here + after
        between = 0.5 * float(before - after) / float(bend) if bend < 0 else 0.0
    return float(alike[at]), at - reach + between


def _alike(near: Floats, far: Floats, offsets: NDArray[np.intp]) -> Floats:
    """(offsets,): correlation where pixel k of the one lies beside pixel k - offset of the other; 0 where less than
    half of the one has something beside it, or nothing varies.
    """
    near, far = near - near.mean(), far - far.mean()
    first, second = np.maximum(offsets, 0), np.maximum(-offsets, 0)
    width = np.minimum(len(near) - first, len(far) - second)
    enough = width >= len(near) / 2
    first, second, width = first[enough], second[enough], width[enough]
    products = np.correlate(near, far, "full")[offsets[enough] + len(far) - 1]
    a, aa = (_sums(one, first, width) for one in (near, near**2))
    b, bb = (_sums(one, second, width) for one in (far, far**2))
    spread = np.sqrt(np.maximum(aa - a * a / width, 0.0) * np.maximum(bb - b * b / width, 0.0))
    found = np.zeros(len(offsets))
    found[enough] = np.divide(products - a * b / width, spread, out=np.zeros_like(spread), where=spread > _LEAST_SPREAD)
    return found


def _sums(line: Floats, first: NDArray[np.intp], width: NDArray[np.intp]) -> Floats:
    """Of `width` pixels each, from `first` on."""
    up_to = np.concatenate([[0.0], np.cumsum(line)])
    return up_to[first + width] - up_to[first]
