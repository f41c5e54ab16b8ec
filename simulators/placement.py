"""A single layer of powder on the tape: largest first, at random, no two enclosing spheres overlapping."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

_TRIES = 20000


def place(
    reach_um: NDArray[np.float64],
    height_um: NDArray[np.float64],
    width_um: float,
    length_um: float,
    random: np.random.Generator,
) -> NDArray[np.float64]:
    """Centres (n, 3) as x, y, z for spheres of radius reach_um whose centres stand height_um above the tape.

    The strip is centred on x = y = 0, width_um along x and length_um along y. In three dimensions a small particle may
    lie beside the foot of a large one. A particle for which no place is found gets NaN.
    """
    centres = np.full((len(reach_um), 3), np.nan)
    placed = np.zeros((len(reach_um), 4))
    count = 0
    for index in np.argsort(-reach_um, kind="stable"):
        reach, height = float(reach_um[index]), float(height_um[index])
        half = np.array([0.5 * width_um - reach, 0.5 * length_um - reach])
        if np.any(half <= 0.0):
            continue
        candidates = random.uniform(-half, half, (64, 2))
        chosen = _first_free(candidates, placed[:count], reach, height)
        if chosen < 0:
            candidates = random.uniform(-half, half, (_TRIES, 2))
            chosen = _first_free(candidates, placed[:count], reach, height)
        if chosen < 0:
            continue
        centres[index] = (*candidates[chosen], height)
        placed[count] = (*centres[index], reach)
        count += 1
    return centres


@numba.njit(cache=True, nogil=True)
def _first_free(candidates, placed, reach, height):  # type: ignore[no-untyped-def]
    for c in range(len(candidates)):
        free = True
        for p in range(len(placed)):
            dx, dy, dz = candidates[c, 0] - placed[p, 0], candidates[c, 1] - placed[p, 1], height - placed[p, 2]
            apart = reach + placed[p, 3]
            if dx * dx + dy * dy + dz * dz < apart * apart:
                free = False
                break
        if free:
            return c
    return -1
