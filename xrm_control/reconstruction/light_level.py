"""Whether all views were taken in the light of the flats, whatever the sample: opposite views show the same rays.

What turns with the sample changes block by block; what changes all blocks alike at once, and stays, is the beam.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xrm_control.core.errors import DataError
from xrm_control.reconstruction.rotation_axis import opposite_pairs

_OTHER, _JUMP = 0.03, 0.05  # of the light
_NOWHERE = 0.7  # transmission that not even the brightest pixels reach
_FULL, _SAME, _LEVEL, _TENTH = 0.93, 0.01, 0.02, 0.1
_CLOSE_DEG = 6.0
_STILL = 0.25  # of a jump: by how much the changes around it and in single blocks may be as large
_BLOCKS, _FEWEST, _LEAST = 12, 5, 1e-3


def light_changes(
    images: NDArray[np.floating], theta_deg: NDArray[np.floating], time_s: NDArray[np.floating], axis_px: float
) -> list[str]:
    """What speaks against one light in all views, in words; nothing where views tell nothing of it.

    images (n, rows, columns): transmissions at theta_deg (n,), taken at time_s (n,); axis_px: of these columns.
    """
    found = [*_opposite(images, theta_deg, axis_px), *_jumps(images, theta_deg, time_s)]
    brightest = float(np.quantile(images, 0.995))
    if brightest < _NOWHERE:
        found.append(
            f"light: transmission is {brightest:.2f} at most (limit {_NOWHERE:g}): unless the sample fills the field, "
            "the flats had more light than the views"
        )
    elif (air := _even_air(images)) is not None:
        found.append(
            f"light: transmission is {air:.2f} at most, the same in all views and over a tenth of the frame, as of "
            f"air in less light than the flats had (limit {_FULL:g}): unless the sample lies in something that fills "
            "the field"
        )
    return found


def _even_air(images: NDArray[np.floating]) -> float | None:
    """The brightest transmission, if it is below that of air, and a level place in each view; tape and beds change with
    the angle, a round sample from column to column."""
    levels = np.quantile(images, 0.9, axis=(1, 2))
    usual = float(np.median(levels))
    level = np.mean(np.abs(images / usual - 1) < _LEVEL, axis=(1, 2))
    same = float(np.quantile(np.abs(levels / usual - 1), 0.9)) < _SAME
    return usual if _NOWHERE <= usual < _FULL and same and float(np.quantile(level, 0.1)) > _TENTH else None


def _logarithm(image: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.log(np.maximum(np.asarray(image, np.float64), _LEAST))


def _opposite(images: NDArray[np.floating], theta_deg: NDArray[np.floating], axis_px: float) -> list[str]:
    """Half a turn on, the same rays pass the other way: their median says by how much the light differs."""
    try:
        pairs = opposite_pairs(theta_deg)
    except DataError:
        return []
    columns = images.shape[2]
    mirrored = np.rint(2 * axis_px - np.arange(columns)).astype(int)
    both = (mirrored >= 0) & (mirrored < columns)
    if np.count_nonzero(both) < 2:
        return []
    ratios = []
    for one, other in pairs:
        first, second = _logarithm(images[one])[:, both], _logarithm(images[other])[:, mirrored[both]]
        ratios.append(float(np.median(second - first)))
    worst = int(np.argmax(np.abs(ratios)))
    if abs(ratios[worst]) <= _OTHER:
        return []
    one, other = pairs[worst]
    return [
        f"light: the view at {theta_deg[other]:.1f} degrees has {100 * np.expm1(ratios[worst]):+.1f} % against that "
        f"of its opposite at {theta_deg[one]:.1f} degrees (limit {100 * _OTHER:g} %), though the same rays pass"
    ]


def _jumps(images: NDArray[np.floating], theta_deg: NDArray[np.floating], time_s: NDArray[np.floating]) -> list[str]:
    """Between a view and the next one, all over the frame and alike, with stillness before and after."""
    order = np.argsort(time_s, kind="stable")
    near = np.abs(np.diff(theta_deg[order])) <= _CLOSE_DEG
    if len(order) < _FEWEST:
        return []
    blocks = _logarithm(_blocks(images))[order]
    steps = np.diff(blocks, axis=0)
    middle = np.median(steps, axis=1)
    low, high = np.quantile(steps, (0.1, 0.9), axis=1)
    jumps: list[int] = []
    for place in np.flatnonzero(near & (np.abs(middle) > _JUMP)):
        around = [n for n in (place - 2, place - 1, place + 1, place + 2) if 0 <= n < len(middle) and near[n]]
        size = abs(middle[place])
        if len(around) >= 2 and max(abs(middle[n]) for n in around) < _STILL * size and high[place] - low[place] < size:
            jumps.append(int(place))
    if not jumps:
        return []
    largest = max(jumps, key=lambda place: abs(middle[place]))
    before, after = (int(order[largest + step]) for step in (0, 1))
    more = f" (and {len(jumps) - 1} more)" if len(jumps) > 1 else ""
    return [
        f"light: between the views at {theta_deg[before]:.1f} and {theta_deg[after]:.1f} degrees it changed by "
        f"{100 * np.expm1(middle[largest]):+.1f} % all over the frame{more} (limit {100 * _JUMP:g} %)"
    ]


def _blocks(images: NDArray[np.floating]) -> NDArray[np.float64]:
    """Means (n, blocks), so that noise hardly counts."""
    rows, columns = (np.unique(np.linspace(0, size, min(size, _BLOCKS) + 1).astype(int)) for size in images.shape[1:])
    sums = np.add.reduceat(np.add.reduceat(np.asarray(images, np.float64), rows[:-1], axis=1), columns[:-1], axis=2)
    return (sums / np.outer(np.diff(rows), np.diff(columns))).reshape(len(images), -1)
