"""What speaks against a volume of unknown make that could be measured: cut-off values, a jump, matter left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.field import VolumeField
from xrm_control.contracts.quality import QualityMetrics

_CUT_BRIGHT, _CUT_DARK = 0.05, 0.7  # share of the voxels above, or below, the threshold
_ALONE = 0.99
_PILED_UP, _NOISELESS, _ENOUGH_TO_TELL = 3.0, 0.6, 100_000
_ENOUGH = 60  # voxels of particles in a slice
_JUMP, _STEADY = 0.85, 0.93  # overlap of what two slices show
_FAR, _AT_ONCE = 0.6, 2.5
_SECTION, _FEWEST_SECTIONS, _OF_SECTIONS = 20, 2, 0.6  # voxels of one; sections in each of two slices; of their area
_BLOCK, _BY_NOISE = 12, 0.01  # voxels; of all of them
_LEAST_CONTRAST, _CLEAR_OF_NOISE = 0.08, 6.0  # of the contrast, of the noise of means: less dense matter
_CUT_VOXELS = 1.5
_MANY = 0.05  # of the whole particles
_AWAY_VOXELS = 3
_REPEATED = 0.25


def mask_alone(volume: NDArray[np.number]) -> tuple[str, ...]:
    """Said of a volume (z, y, x) of two values: what partly filled voxels would tell is lost."""
    values = np.unique(volume[:: max(1, len(volume) // 8)])
    if len(values) > 2 or not np.isin(volume, values).all():
        return ()
    return (
        "a mask: the volume holds two values alone, so voxels that are filled in part count whole or not at all, and "
        "diameters are right to about half a voxel -> give the grey values",
    )


def cut_off(volume: NDArray[np.number], field: VolumeField, threshold: float) -> tuple[str, ...]:
    """Said of a volume (z, y, x) whose values end at once: brighter, or darker, ones were put there. Integers do where
    their type does; others where they were clipped.
    """
    inside = volume[:, field.inside]
    bright, dark = inside[inside > threshold], inside[inside <= threshold]
    if not bright.size or not dark.size:
        return ()
    found: list[str] = []
    # Of one value alone is what no camera has made, or a mask.
    alone = _share(bright, bright.max()) >= _ALONE
    if volume.dtype.kind in "ui" and not alone:
        ends = np.iinfo(np.dtype(volume.dtype).str)
        for what, values, end, limit in (
            ("brighter", bright, ends.max, _CUT_BRIGHT),
            ("darker", dark, ends.min, _CUT_DARK),
        ):
            share = _share(values, end)
            if limit < share < 1:
                found.append(_cut(f"{share:.0%} of the {what} voxels have the last value of their type, {end}", limit))
    share, end = _share(bright, bright.max()), bright.max()
    below = bright[bright < end]
    if not found and share > _CUT_BRIGHT and (alone or share > _PILED_UP * _share(bright, below.max())):
        # Where the ground has noise as well, it is not for want of noise.
        darkest, counts = np.unique(dark[:: max(1, dark.size // _ENOUGH_TO_TELL)], return_counts=True)
        if len(darkest) > 2 and counts.max() < _NOISELESS * counts.sum():
            found.append(
                _cut(f"{share:.0%} of the brighter voxels have one value, {end:.6g}, and none is above", _CUT_BRIGHT)
            )
    return tuple(found)


def _share(values: NDArray[np.number], value: float) -> float:
    return float(np.mean(values == value)) if values.size else 0.0


def _cut(what: str, limit: float) -> str:
    return (
        f"cut off: {what} (limit {limit:.0%}), so half-way to the particles' grey is not where their surface is -> "
        "write the volume anew, with all grey values within its range"
    )


def painted(volume: NDArray[np.number], field: VolumeField) -> tuple[str, ...]:
    """Said of a block of one value within a volume (z, y, x) that has noise: something was put over it, or is lost."""
    from scipy import ndimage

    part = volume[:-1, :-1, :-1]
    same = (part == volume[1:, :-1, :-1]) & (part == volume[:-1, 1:, :-1]) & (part == volume[:-1, :-1, 1:])
    same &= field.inside[:-1, :-1]
    count = np.count_nonzero(same)
    if not _BLOCK <= count < _BY_NOISE * same.size:
        return ()
    bodies: NDArray[np.int32] = np.empty(same.shape, np.int32)
    ndimage.label(same, output=bodies)
    sizes = np.bincount(bodies.ravel())[1:]
    largest = int(np.argmax(sizes))
    if sizes[largest] < _BLOCK:
        return ()
    block = np.nonzero(bodies == largest + 1)
    place = ", ".join(f"{axis} {one.min()} to {one.max() + 1}" for axis, one in zip("zyx", block, strict=True))
    value = volume[tuple(one[0] for one in block)]
    return (
        f"painted over: a block of one value, {value:.4g}, at {place}, where all else has noise; it may be taken for a "
        "particle, a void, or a part of one -> bring what was there, or crop it away",
    )


def jumps(phases: NDArray[np.number]) -> tuple[str, ...]:
    """Said where what two neighbouring slices (y, x) show does not continue, and does before and after: a part was
    shifted or turned. phases (z, y, x): above 0 in particles.
    """
    shown = phases > 0
    area = np.count_nonzero(shown, axis=(1, 2))
    both = np.count_nonzero(shown[1:] & shown[:-1], axis=(1, 2))
    least = np.minimum(area[1:], area[:-1])
    overlap = np.where(least >= _ENOUGH, both / np.maximum(least, 1), np.nan)
    for z in range(1, len(overlap) - 1):
        beside = min(overlap[z - 1], overlap[z + 1])
        steady = overlap[z] < _JUMP and beside > _STEADY
        at_once = overlap[z] < _FAR and 1 - overlap[z] > _AT_ONCE * (1 - beside)
        if (steady or at_once) and _of_all(shown[z], shown[z + 1]):
            return (
                f"a jump: slices {z} and {z + 1} share {overlap[z]:.0%} of what they show, those before and after "
                f"{beside:.0%} and more (limit {_JUMP:.0%}): a part was shifted or turned "
                "-> put the parts together anew, or crop to one of them",
            )
    return ()


def _of_all(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> bool:
    """Whether most of what two slices (y, x) show is of sections that leave the other's: a shift takes all of them
    along, flat faces, ends of rods and single small bodies leave the rest alone.
    """
    from scipy import ndimage

    sections: NDArray[np.int32] = np.empty(first.shape, np.int32)
    areas: list[int] = []
    kept: list[int] = []
    for one, other in ((first, second), (second, first)):
        ndimage.label(one, output=sections)
        sizes = np.bincount(sections.ravel())[1:]
        areas += sizes.tolist()
        kept += np.bincount(sections[other], minlength=len(sizes) + 1)[1:].tolist()
    area, share = np.array(areas), np.array(kept) / np.array(areas)
    section = area >= _SECTION
    gone = area[section & (share < _STEADY)].sum()
    return bool(np.count_nonzero(section) >= 2 * _FEWEST_SECTIONS and gone > _OF_SECTIONS * area[section].sum())


@dataclass(frozen=True)
class LeftOut:
    """Bodies below the threshold that lie whole in the volume: how many, and the share of the particles' contrast that
    the largest and the median one have."""

    bodies: int
    largest: float
    median: float


def bodies_left_out(
    volume: NDArray[np.number], phases: NDArray[np.number], field: VolumeField, quality: QualityMetrics, smallest: float
) -> LeftOut | None:
    """Bodies of at least `smallest` voxels below the threshold, well above ground and noise, beside all particles."""
    from scipy import ndimage

    low, high = quality.background_mode_per_um, quality.particle_mode_per_um
    if low is None or high is None or high <= low:
        return None
    near = np.asarray(ndimage.binary_dilation(phases > 0, iterations=_AWAY_VOXELS), bool)
    # Means of 27 voxels, so that noise makes no bodies.
    smooth = ndimage.uniform_filter(np.asarray(volume, np.float32), 3)
    ground = smooth[::2, ::2, ::2][(~near & field.inside)[::2, ::2, ::2]]
    if not ground.size:
        return None
    noise = 1.4826 * float(np.median(np.abs(ground - np.median(ground))))
    level = low + max(_LEAST_CONTRAST * (high - low), _CLEAR_OF_NOISE * noise)
    bodies: NDArray[np.int32] = np.empty(volume.shape, np.int32)
    ndimage.label((smooth > level) & ~near & field.inside, output=bodies)
    counts = np.bincount(bodies.ravel())
    counts[0] = 0
    # Of what the border cuts nothing is known: tape and glue.
    rim = ~field.inside | (field.border < _CUT_VOXELS)
    for cut in (bodies[0], bodies[-1], bodies[:, rim]):
        counts[np.unique(cut)] = 0
    large = np.flatnonzero(counts >= smallest)
    if not large.size:
        return None
    # What they hold, in voxels of their own brightest grey: blur makes small ones large and faint.
    tops = np.asarray(ndimage.maximum(smooth, bodies, large)) - low
    held = (np.asarray(ndimage.sum_labels(smooth, bodies, large)) - low * counts[large]) / tops
    keep = (held >= smallest) & (tops + low < (quality.threshold_per_um or np.inf))
    large, shares = large[keep], tops[keep] / (high - low)
    if not large.size:
        return None
    return LeftOut(int(large.size), float(shares[int(np.argmax(counts[large]))]), float(np.median(shares)))


def left_out(found: LeftOut | None, whole: int, smallest: float) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Doubts and notes of what was left out; whole: particles that were counted, smallest: voxels of one."""
    if found is None:
        return (), ()
    said = (
        f"{found.bodies} bodies of at least {smallest:.0f} voxels lie below the threshold and are not counted, the "
        f"largest with {found.largest:.0%} of the particles' contrast: if they are particles, give a fixed threshold"
    )
    many = found.bodies > max(1.0, _MANY * whole)
    return ((f"left out: {said}",), ()) if many else ((), (said,))


def enlarged(volume: NDArray[np.number]) -> tuple[str, ...]:
    """Said where slices (y, x) are there several times: along z alone, which is right where that has made cubes; or
    with rows and columns, and then no finer than what it was made of."""
    along_z, along_x = _repeats(volume)
    if along_z <= _REPEATED:
        return ()
    if along_x > _REPEATED:
        return (
            f"{along_z:.0%} of the slices, and {along_x:.0%} of the columns, are the same as the one before: the "
            "volume was enlarged, and is no finer than before",
        )
    return (
        f"{along_z:.0%} of the slices are the same as the one before: the volume was enlarged along z alone, and sizes "
        "are right only if its voxels are cubes now",
    )


def repeats(volume: NDArray[np.number]) -> tuple[int, int]:
    """Every so many slices, and columns, are others: 1 but for volumes that were enlarged by a whole number."""
    along_z, along_x = (1 if one <= _REPEATED else round(1 / max(1 - one, 0.05)) for one in _repeats(volume))
    return along_z, along_x if along_z > 1 else 1


def _repeats(volume: NDArray[np.number]) -> tuple[float, float]:
    middle = volume[:, volume.shape[1] // 2]
    return _repeated(middle), _repeated(middle.T)


def _repeated(lines: NDArray[np.number]) -> float:
    """Share of lines that are the one before again; of one value alone, without noise, tells nothing."""
    same = (lines[1:] == lines[:-1]).all(axis=1) & (lines[1:].min(axis=1) < lines[1:].max(axis=1))
    return float(np.mean(same)) if len(same) else 0.0


def none_whole(particles: int, whole: int) -> tuple[str, ...]:
    """Said where the border cuts every particle."""
    if whole or not particles:
        return ()
    return (
        f"no particle is whole: the border cuts {'the only one' if particles == 1 else f'all {particles}'}, and sizes "
        "are of what is left -> take a larger volume",
    )
