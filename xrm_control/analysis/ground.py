"""Whether the ground between the particles is the same everywhere: one threshold for all cannot be right else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.field import VolumeField

_BLOCKS, _LEAST_VOXELS = 6, 200
_AWAY = 3  # voxels from any particle: blur and halos reach so far
_LOOKED_AT = 256  # along each side: levels of blocks need no more
_MOST = 0.25  # of the contrast: a threshold half way is then a quarter of it off in places


def uneven_ground(
    volume: NDArray[np.number], phases: NDArray[np.uint8], field: VolumeField, contrast: float
) -> tuple[str, ...]:
    """What is to be doubted, or nothing. phases (z, y, x): 0 outside particles; contrast: of particles over ground."""
    from scipy.ndimage import binary_dilation

    if not contrast > 0:
        return ()
    step = max(1, -(-max(volume.shape) // _LOOKED_AT))
    volume, phases, inside = (
        volume[::step, ::step, ::step],
        phases[::step, ::step, ::step],
        field.inside[::step, ::step],
    )
    near = np.asarray(binary_dilation(phases > 0, iterations=-(-_AWAY // step)), bool)
    outside = ~near & inside[None]
    edges = [np.linspace(0, side, _BLOCKS + 1).astype(int) for side in volume.shape]
    levels = [
        float(np.median(volume[block][outside[block]]))
        for z in range(_BLOCKS)
        for y in range(_BLOCKS)
        for x in range(_BLOCKS)
        for block in [tuple(slice(edge[n], edge[n + 1]) for edge, n in zip(edges, (z, y, x), strict=True))]
        if np.count_nonzero(outside[block]) >= _LEAST_VOXELS
    ]
    if len(levels) < 2:
        return ()
    low, high = np.quantile(levels, (0.05, 0.95))
    share = float(high - low) / contrast
    if share <= _MOST:
        return ()
    return (
        f"uneven ground: between the particles the values change by {share:.0%} of the contrast from place to place "
        f"(limit {_MOST:.0%}), so no threshold is right for all -> level the background first, or measure parts alone",
    )
