"""What reconstruction and filters leave in the greys of a volume: rings, values that neighbours share, a mask's sums.

Each is told by what noise never does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.distance import depth_of
from xrm_control.analysis.field import VolumeField
from xrm_control.analysis.threshold import FloatVolume

_AWAY, _SMOOTH = 4, 9  # voxels from any particle; of the profile that is no ring
_RING, _SIGMAS, _LEAST = 0.12, 6.0, 400  # of the contrast; standard errors; voxels at one radius
_INNERMOST = 3  # voxels: of the axis itself little is known
_SLICES = 16
_SHARED, _OVER_CHANCE = 0.03, 3.0  # of neighbouring voxels with one value; times what chance makes
_LATTICE = 0.4  # of neighbours along one axis: enlarged, not filtered
_FEWEST, _MOST_BODIES, _WHOLE = 6, 60, 0.06  # bodies; by how much a sum of shares may differ from a whole number
_EXACT, _LEAST_HELD = 1e-4, 30.0  # of the contrast; voxels of a body
_SAMPLE = 400_000


def rings(
    volume: NDArray[np.number], phases: NDArray[np.number], field: VolumeField, contrast: float
) -> tuple[str, ...]:
    """Said of rings about the middle of the slices (y, x) in what lies around the particles. phases (z, y, x): above 0
    in particles; contrast: of particles over ground.
    """
    if not contrast > 0:
        return ()
    ny, nx = volume.shape[1:]
    y, x = np.ogrid[:ny, :nx]
    at = np.rint(np.hypot(y - (ny - 1) / 2, x - (nx - 1) / 2)).astype(np.intp)
    worst: tuple[float, int, int] | None = None
    for first in range(0, len(volume), _SLICES):
        part = np.s_[first : first + _SLICES]
        free = (depth_of(phases[part] == 0) > _AWAY) & field.inside
        profile, error = _profile(np.asarray(volume[part], np.float32), free, np.broadcast_to(at, free.shape))
        for radius in np.flatnonzero(np.isfinite(profile)):
            height = abs(float(profile[radius]))
            if height > max(_RING * contrast, _SIGMAS * float(error[radius])) and (worst is None or height > worst[0]):
                worst = height, int(radius), first
    if worst is None:
        return ()
    height, radius, first = worst
    return (
        f"rings: {radius} voxels from the middle of the slices the ground differs by {height / contrast:.0%} of the "
        f"contrast from that beside it all around (limit {_RING:.0%}), in slices {first} to "
        f"{min(first + _SLICES, len(volume)) - 1}: bodies that a ring crosses are too large or too small -> take rings "
        "off before the reconstruction",
    )


def _profile(
    volume: FloatVolume, free: NDArray[np.bool_], at: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """By radius: the mean less that of the radii around it, and its standard error; NaN of few voxels."""
    from scipy import ndimage

    values, radius = volume[free].astype(np.float64), at[free]
    counts = np.bincount(radius)
    known = counts >= _LEAST
    if np.count_nonzero(known) < _SMOOTH:
        return np.full(1, np.nan), np.full(1, np.nan)
    means = np.bincount(radius, values) / np.maximum(counts, 1)
    spread = np.sqrt(np.maximum(np.bincount(radius, values**2) / np.maximum(counts, 1) - means**2, 0.0))
    places = np.flatnonzero(known)
    places = places[places > _INNERMOST]
    found, error = np.full(len(counts), np.nan), np.full(len(counts), np.nan)
    if len(places) < _SMOOTH:
        return found, error
    found[places] = means[places] - ndimage.median_filter(means[places], _SMOOTH, mode="nearest")
    # Neighbouring voxels share their noise.
    error[places] = spread[places] / np.sqrt(counts[places] / 8)
    # At the ends of the profile the radii around lie on one side alone.
    found[places[: _SMOOTH // 2]] = found[places[-(_SMOOTH // 2) :]] = np.nan
    return found, error


def shared_values(volume: NDArray[np.number], field: VolumeField) -> tuple[str, ...]:
    """Said where neighbours have the same value far more often than noise makes it: a median filter, or another that
    puts the value of one voxel into others."""
    step = max(1, len(volume) // 24)
    planes = np.asarray(volume[::step])
    inside = field.inside[:, 1:] & field.inside[:, :-1]
    left, right = planes[..., :-1][:, inside], planes[..., 1:][:, inside]
    values, counts = np.unique(planes[:, field.inside].ravel()[:_SAMPLE], return_counts=True)
    if len(values) < 3:
        return ()
    # What was cut off, or masked, has one value in many places.
    usual = values[counts <= 0.01 * counts.sum()] if planes.dtype.kind == "f" else values[1:-1]
    if not len(usual):
        return ()
    known = np.isin(left, usual) if len(usual) < len(values) else np.ones(left.shape, bool)
    if np.count_nonzero(known) < _SAMPLE // 100:
        return ()
    off = np.asarray(right[known], np.float64) - np.asarray(left[known], np.float64)
    shared = float(np.mean(off == 0))
    # Of whole numbers the share is that of a difference of one either way.
    chance = float(np.mean(np.abs(off) == _unit(off))) / 2 if planes.dtype.kind in "ui" else 0.0
    along_y = float(np.mean(planes[:, 1:] == planes[:, :-1]))
    if shared <= max(_SHARED, _OVER_CHANCE * chance) or max(shared, along_y) > _LATTICE:
        return ()
    return (
        f"filtered: {shared:.0%} of neighbouring voxels have the same value, where noise makes {chance:.1%} (limit "
        f"{max(_SHARED, _OVER_CHANCE * chance):.0%}): a median filter, which makes small and round bodies smaller "
        "(of 5 voxels: by 6 % at 12 voxels), or values that were copied -> give the volume as it was reconstructed",
    )


def _unit(off: NDArray[np.float64]) -> float:
    steps = np.abs(off[off != 0])
    return float(steps.min()) if steps.size else 1.0


def blurred_mask(volume: NDArray[np.number]) -> tuple[str, ...]:
    """Said of bodies without noise whose shares of voxels sum to whole numbers: a mask that was smoothed afterwards."""
    import cc3d

    values, counts = np.unique(volume[:: max(1, len(volume) // 16)], return_counts=True)
    ground, brightest = float(values[int(np.argmax(counts))]), float(volume.max())
    if counts.max() < 0.2 * counts.sum() or not brightest > ground or len(values) < 4:
        return ()
    share = (np.asarray(volume, np.float32) - np.float32(ground)) / np.float32(brightest - ground)
    bodies = np.asarray(cc3d.connected_components(np.abs(share) > _EXACT, connectivity=26))
    held = np.bincount(bodies.ravel(), share.ravel().astype(np.float64))
    for axis in range(3):
        for end in (0, -1):
            held[np.unique(np.take(bodies, end, axis=axis))] = 0.0
    off = held[1:][held[1:] > _LEAST_HELD][:_MOST_BODIES]
    if len(off) < _FEWEST:
        return ()
    worst = float(np.quantile(np.abs(off - np.rint(off)), 0.9))
    if worst > _WHOLE:
        return ()
    return (
        f"a mask that was smoothed: the shares of {len(off)} bodies sum to whole numbers of voxels (within {worst:.2g}"
        "), as of voxels that were counted whole or not at all before; diameters are right to about half a voxel, and "
        "nothing is told of noise -> give the grey values",
    )
