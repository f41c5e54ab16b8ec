"""What speaks against a volume of unknown make that could be measured: cut-off values, a jump, matter left out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.field import VolumeField
from xrm_control.contracts.quality import QualityMetrics

_CUT_BRIGHT, _CUT_DARK = 0.05, 0.7  # share of the voxels above, or below, the threshold
_ENOUGH = 60  # voxels of particles in a slice
_JUMP, _STEADY = 0.85, 0.93  # overlap of what two slices show
_BETWEEN = 0.25  # of the contrast: less dense matter
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
    """Said of integers (z, y, x) that end where their type does: brighter, or darker, ones were put there."""
    if volume.dtype.kind not in "ui":
        return ()
    inside = volume[:, field.inside]
    ends = np.iinfo(np.dtype(volume.dtype).str)
    bright, dark = inside[inside > threshold], inside[inside <= threshold]
    found: list[str] = []
    for what, values, end, limit in (
        ("brighter", bright, ends.max, _CUT_BRIGHT),
        ("darker", dark, ends.min, _CUT_DARK),
    ):
        share = float(np.mean(values == end)) if values.size else 0.0
        # Of one value alone is what no camera has made, or a mask.
        if limit < share < 1 and float(np.mean(bright == bright.max())) < 0.99:
            found.append(
                f"cut off: {share:.0%} of the {what} voxels have the last value of their type, {end} (limit "
                f"{limit:.0%}), so half-way to the particles' grey is not where their surface is -> write the volume "
                "anew, with all grey values within the type"
            )
    return tuple(found)


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
        if overlap[z] < _JUMP and overlap[z - 1] > _STEADY and overlap[z + 1] > _STEADY:
            return (
                f"a jump: slices {z} and {z + 1} share {overlap[z]:.0%} of what they show, those before and after "
                f"{min(overlap[z - 1], overlap[z + 1]):.0%} and more (limit {_JUMP:.0%}): a part was shifted or turned "
                "-> put the parts together anew, or crop to one of them",
            )
    return ()


def left_out(
    volume: NDArray[np.number], phases: NDArray[np.number], field: VolumeField, quality: QualityMetrics, smallest: float
) -> tuple[str, ...]:
    """Said of bodies of at least `smallest` voxels below the threshold, well above ground and noise."""
    from scipy import ndimage

    low, high, noise = quality.background_mode_per_um, quality.particle_mode_per_um, quality.noise_background_per_um
    if low is None or high is None or high <= low:
        return ()
    level = low + max(_BETWEEN * (high - low), 3 * (noise or 0.0))
    # Means of 27 voxels, so that noise makes no bodies.
    smooth = ndimage.uniform_filter(np.asarray(volume, np.float32), 3)
    near = np.asarray(ndimage.binary_dilation(phases > 0, iterations=_AWAY_VOXELS), bool)
    bodies: NDArray[np.int32] = np.empty(volume.shape, np.int32)
    ndimage.label((smooth > level) & ~near & field.inside, output=bodies)
    sizes = np.bincount(bodies.ravel())[1:]
    large = np.flatnonzero(sizes >= smallest)
    if not large.size:
        return ()
    largest = large[int(np.argmax(sizes[large]))] + 1
    grey = float(np.median(np.asarray(volume)[bodies == largest]))
    share = (grey - low) / (high - low)
    return (
        f"{large.size} bodies of at least {smallest:.0f} voxels lie below the threshold and are not counted, the "
        f"largest with {share:.0%} of the particles' contrast: if they are particles, give a fixed threshold",
    )


def enlarged(volume: NDArray[np.number]) -> tuple[str, ...]:
    """Said where slices (y, x) are there several times, and columns are not: right where that has made cubes."""
    middle = volume[:, volume.shape[1] // 2]
    along_z, along_x = (_repeated(one) for one in (middle, middle.T))
    if along_z <= _REPEATED or along_x > _REPEATED:
        return ()
    return (
        f"{along_z:.0%} of the slices are the same as the one before: the volume was enlarged along z alone, and sizes "
        "are right only if its voxels are cubes now",
    )


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
