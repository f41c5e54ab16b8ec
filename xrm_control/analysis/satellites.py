"""Small particles that sit on larger ones, told from lumps by the valley that runs all round between the two.

Blur fills the crevice about a contact, so that a satellite's neck is hardly narrower than the satellite, and the ratio
of the two tells nothing (`splitting`). But the surface of one body, however rough, bulges between two places within it,
at least on some sides; between two bodies it dips on every side. The dip is measured in half planes about the line that
joins the middles of the two largest balls within them, below the concave envelope of the outline.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.distance import depth_of
from xrm_control.analysis.label_expansion import bounding_box, largest_of
from xrm_control.analysis.reach import padded
from xrm_control.analysis.threshold import BoolVolume

Labels = NDArray[np.uint32]
Floats = NDArray[np.float64]

LEAST_RADIUS = 1.4
"""Of the ball within a satellite, voxels: a ball of seven is no noise."""

_MOST_OF_HOST = 0.75
"""Radius of a satellite over its host's: rods and plates hold many balls alike, and pairs of alike ones have a neck."""

_BESIDE = 0.9
"""Least distance of two balls' middles over the sum of their radii: within one body they lie in each other."""

_HALF_PLANES, _LOW_SHARE = 24, 0.1
_LEAST_DIP, _LEAST_RELATIVE_DIP = 0.4, 0.2
"""Depth of the valley on all but a tenth of its sides, in voxels and in radii of the satellite: rough spheres,
ellipsoids and shards reach 0.33 and 0.08, contacts 0.5 and 0.28."""

_NECK_REACH = 2.2
"""Radii of the satellite within which its neck lies."""

_STEP, _SMOOTH = 0.5, 0.5


@dataclass(frozen=True)
class _Ball:
    """One that fits into a particle and into no larger one beside it: middle (z, y, x), radius, voxels."""

    middle: Floats
    radius: float


def set_off(labels: Labels, filled: BoolVolume) -> Labels:
    """`labels` (z, y, x) of the particles in `filled`, with satellites as particles of their own; numbers that are new
    follow the others."""
    from scipy import ndimage

    box = bounding_box(filled, 1)
    if box is None:
        return labels
    result = labels.copy()
    part = result[box]
    depth = depth_of(filled[box]).astype(np.float32)
    # A plateau of a ball's middle is one ball.
    peaks = filled[box] & (depth == ndimage.maximum_filter(depth, 3)) & (depth >= LEAST_RADIUS)
    last = int(labels.max(initial=0))
    # Of one peak there is one ball.
    peaked = np.bincount(part[peaks], minlength=last + 1)
    windows: list[tuple[slice, slice, slice] | None] = ndimage.find_objects(part.astype(np.int32))
    for number, window in enumerate(windows, 1):
        if window is None or peaked[number] < 2:
            continue
        own = part[window] == number
        balls = _balls(peaks[window] & own, depth[window])
        found = _satellites(balls, own)
        if not found:
            continue
        belongs = _basins(balls, found, depth[window], own)
        for satellite in range(1, len(found) + 1):
            last += 1
            part[window][belongs == satellite] = last
    return result


def _balls(peaks: BoolVolume, depth: NDArray[np.float32]) -> list[_Ball]:
    """The largest first."""
    from scipy import ndimage

    marks = np.zeros(peaks.shape, np.int32)
    ndimage.label(peaks, np.ones((3, 3, 3)), output=marks)
    count = int(marks.max(initial=0))
    if count < 2:
        return []
    middles = np.array(ndimage.center_of_mass(peaks, marks, np.arange(1, count + 1)))
    radii = largest_of(depth, marks, count)[1:].astype(float)
    return [_Ball(middles[i], float(radii[i])) for i in np.argsort(-radii, kind="stable")]


def _satellites(balls: list[_Ball], own: BoolVolume) -> list[_Ball]:
    """Those balls that are of bodies of their own, largest first."""
    from scipy import ndimage

    found: list[_Ball] = []
    outline: NDArray[np.float32] | None = None
    for place, ball in enumerate(balls[1:], 1):
        if any(_apart(ball, other) < _BESIDE for other in found):
            continue
        larger = [other for other in balls[:place] if not any(other is one for one in found)]
        host = min(larger, key=lambda other: np.linalg.norm(other.middle - ball.middle) - other.radius)
        if _apart(ball, host) < _BESIDE or ball.radius > _MOST_OF_HOST * host.radius:
            continue
        if outline is None:
            outline = np.asarray(ndimage.gaussian_filter(padded(own, 2).astype(np.float32), _SMOOTH), np.float32)
        dip = _valley(outline, host, ball)
        if dip >= max(_LEAST_DIP, _LEAST_RELATIVE_DIP * ball.radius):
            found.append(ball)
    return found


def valley_voxels(own: BoolVolume, first: tuple[Floats, float], second: tuple[Floats, float]) -> float:
    """How deep the surface of `own` (z, y, x) dips between two balls within it, each a middle and a radius, on all but
    a tenth of its sides: between two bodies as deep as their neck is narrow, on a body that noise has dented less."""
    from scipy import ndimage

    ball, host = sorted((_Ball(*first), _Ball(*second)), key=lambda one: one.radius)
    outline = np.asarray(ndimage.gaussian_filter(padded(own, 2).astype(np.float32), _SMOOTH), np.float32)
    return _valley(outline, host, ball)


def _valley(outline: NDArray[np.float32], host: _Ball, ball: _Ball) -> float:
    return float(np.quantile(_dips(outline, host, ball), _LOW_SHARE))


def _apart(one: _Ball, other: _Ball) -> float:
    """Distance of the middles over the sum of the radii."""
    return float(np.linalg.norm(one.middle - other.middle)) / (one.radius + other.radius)


def _dips(outline: NDArray[np.float32], host: _Ball, ball: _Ball) -> Floats:
    """How deep the surface lies below its concave envelope about the neck, (half planes,), voxels. outline: a mask,
    smooth, with two voxels about it."""
    from scipy import ndimage

    way = ball.middle - host.middle
    length = float(np.linalg.norm(way))
    way = way / length
    across = np.cross(way, np.eye(3)[int(np.argmin(np.abs(way)))])
    across /= np.linalg.norm(across)
    turns = 2 * np.pi * np.arange(_HALF_PLANES) / _HALF_PLANES
    sides = np.cos(turns)[:, None] * across + np.sin(turns)[:, None] * np.cross(way, across)
    along = np.arange(0, length + _STEP / 2, _STEP)
    out = np.arange(0, 1.8 * host.radius + 3, _STEP / 2)
    start = host.middle + 2
    places = start + along[None, :, None, None] * way + sides[:, None, None, :] * out[None, None, :, None]
    inside = ndimage.map_coordinates(outline, np.moveaxis(places, -1, 0), order=1, mode="constant") >= 0.5
    # How far from the line matter reaches without a gap.
    reach = np.where(inside.all(axis=2), out[-1], out[np.argmin(inside, axis=2)])
    near = along > length - _NECK_REACH * ball.radius
    return np.array([float((_envelope(along, line) - line)[near].max()) for line in reach])


def _envelope(x: Floats, y: Floats) -> Floats:
    """The least concave function that is nowhere below y(x), at x."""
    kept: list[tuple[float, float]] = []
    # Numbers of Python's: numpy's own take longer one by one.
    for here, height in zip(x.tolist(), y.tolist(), strict=True):
        while len(kept) > 1:
            (first, low), (last, high) = kept[-2:]
            if (high - low) * (here - first) > (height - low) * (last - first):
                break
            kept.pop()
        kept.append((here, height))
    return np.interp(x, *np.array(kept).T)


def _basins(balls: list[_Ball], found: list[_Ball], depth: NDArray[np.float32], own: BoolVolume) -> NDArray[np.int32]:
    """Of each voxel, which satellite it belongs to, from 1 on; 0: the host."""
    from skimage.segmentation import watershed

    marks = np.zeros(own.shape, np.int32)
    for ball in reversed(balls):
        nearest = min(range(len(found)), key=lambda i: _apart(ball, found[i]))
        of_satellite = ball.radius <= found[nearest].radius and _apart(ball, found[nearest]) < _BESIDE
        marks[tuple(np.rint(ball.middle).astype(int))] = 2 + nearest if of_satellite else 1
    return np.asarray(watershed(-depth, marks, mask=own), np.int32) - 1
