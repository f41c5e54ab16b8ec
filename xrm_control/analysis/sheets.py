"""Dark sheets within one particle, however faint: where the grey dips along one direction and along no other.

The second derivatives of the smoothed grey tell sheets from round voids and channels, which dip along three and two
directions (Frangi 1998; Sato 1998). Scaled to the opening of a thin gap that dips as much, they are cut with
hysteresis: what is weak counts where it is joined to what is strong. Both sides must be solid within reach, which the
wall of a round void is not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.greyvolume import BoxLevels
from xrm_control.analysis.reach import deeper, padded, within
from xrm_control.analysis.threshold import BoolVolume, FloatVolume

Floats = NDArray[np.float64]

SMOOTHING_VOXELS = 1.5
_BLUR_VOXELS = 0.8
_NOISE_OF_CURVATURE = 0.13
"""Standard deviation of a second derivative of white noise of 1, times SMOOTHING_VOXELS^3.5: sqrt(3/4 / (8 pi^1.5))."""

_STRONG_IN_NOISE, _LEAST_STRONG, _WEAK = 6.0, 0.3, 0.5
"""Of the noise, and voxels of opening: what makes a sheet; share of that which continues one."""

_SHEET = 0.5
"""The second curvature is at most so much of the first."""

_LEAST_DEPTH, _LEAST_DIP = 3.0, 0.05
"""Where no smoothed voxel deeper than this dips by this share, there is nothing to look for."""

_LEAST_VOXELS = 20
_BESIDE, _DARKER = 2, 1.1
"""Voxels beside a sheet where nothing may be so much darker."""

_DEEP, _FIRM = 1.0, 2.0


@dataclass(frozen=True)
class Sheet:
    """Its voxels (n, 3) in the box and, of each, the opening of a thin gap that would dip as much, in voxels.

    wall: whether it may be a void's, for what is darker beside it dips along more than one direction.
    """

    places: NDArray[np.int64]
    opening: Floats
    wall: bool = False


def closed(solid: BoolVolume, radius: float) -> BoolVolume:
    """`solid` with gaps up to twice `radius` (voxels) wide filled, and what they enclose."""

    from xrm_control.analysis.splitting import fill_enclosed

    margin = math.ceil(radius) + 1
    grown = within(padded(solid, margin), radius)
    inner = (slice(margin, -margin),) * 3
    return fill_enclosed(deeper(grown, radius)[inner] | solid)


def find_sheets(
    share: FloatVolume, solid: BoolVolume, domain: BoolVolume, levels: BoxLevels, reach: float
) -> list[Sheet]:
    """Sheets in a particle, the strongest first. share (z, y, x): 1 in it, 0 outside; domain: `solid` with its gaps
    closed; reach: voxels from the middle of a gap within which there is solid on both sides."""
    import cc3d
    from scipy import ndimage

    smooth = np.asarray(ndimage.gaussian_filter(share, SMOOTHING_VOXELS, truncate=3), np.float32)
    deep = deeper(domain, _LEAST_DEPTH, black_border=True)
    if not deep.any() or 1 - float(smooth[deep].min()) < _LEAST_DIP:
        return []
    # Of what hardly dips no curvature is asked.
    places = np.argwhere(deeper(domain, _DEEP, black_border=True) & (smooth < 1 - _LEAST_DIP / 2))
    width = math.sqrt(SMOOTHING_VOXELS**2 + _BLUR_VOXELS**2)
    gap = math.sqrt(2 * math.pi) * width**3
    noise = _NOISE_OF_CURVATURE * levels.noise_per_um / levels.contrast_per_um * SMOOTHING_VOXELS**-3.5
    noise *= math.sqrt(max(levels.correlation_voxels, 1.0)) * gap
    strong = max(_STRONG_IN_NOISE * noise, _LEAST_STRONG)
    bends = _bends(share, places)
    # No curvature is larger than their root of squares: most places need not be looked at.
    bent = np.sqrt((bends**2).sum(axis=(1, 2))) * gap >= 0.999 * _WEAK * strong
    curvature, direction = _curvatures(bends[bent])
    opening = curvature[:, 2] * gap
    kept = (opening >= _WEAK * strong) & _is_flat(curvature)
    all_places, places, opening, direction = places, places[bent][kept], opening[kept], direction[kept]
    between = _between(solid, places, direction, reach)
    places, opening = places[between], opening[between]
    mask = np.zeros(solid.shape, bool)
    mask[tuple(places.T)] = True
    parts = np.asarray(cc3d.connected_components(mask, connectivity=26))[tuple(places.T)]
    sheets = [
        own
        for own in (parts == part for part in np.unique(parts))
        if np.count_nonzero(own) >= _LEAST_VOXELS and opening[own].max() >= strong
    ]
    if not sheets:
        return []
    round_ = deep.copy()
    round_[tuple(all_places[_is_flat(_curvatures(bends)[0])].T)] = False
    dip = 1 - smooth
    found = [Sheet(places[own], opening[own], _is_wall(dip, deep, round_, places[own])) for own in sheets]
    return sorted(found, key=lambda sheet: -float(sheet.opening.sum()))


def _is_wall(dip: FloatVolume, deep: BoolVolume, round_: BoolVolume, places: NDArray[np.int64]) -> bool:
    """Whether it lies beside what is darker than itself and dips along more than one direction: a void's wall."""
    from scipy import ndimage

    own = np.zeros(deep.shape, bool)
    own[tuple(places.T)] = True
    around = np.asarray(ndimage.binary_dilation(own, iterations=_BESIDE), bool) & round_
    own &= deep
    return bool(own.any() and around.any() and dip[around].max() > _DARKER * dip[own].max())


def _bends(share: FloatVolume, places: NDArray[np.int64]) -> Floats:
    """Second derivatives (n, 3, 3) of the smoothed grey at places (n, 3)."""
    from scipy import ndimage

    def along(axis: int, field: FloatVolume, order: int) -> FloatVolume:
        return np.asarray(
            ndimage.gaussian_filter1d(field, SMOOTHING_VOXELS, axis=axis, order=order, truncate=3), np.float32
        )

    tensor, at = np.empty((len(places), 3, 3)), tuple(places.T)
    for z in range(3):
        first = along(0, share, z)
        for y in range(3 - z):
            x = 2 - z - y
            row, column = [0] * z + [1] * y + [2] * x
            values = along(2, along(1, first, y), x)[at]
            tensor[:, row, column] = tensor[:, column, row] = values
    return tensor


def _curvatures(bends: Floats) -> tuple[Floats, Floats]:
    """Of second derivatives (n, 3, 3) those along their own directions (n, 3), ascending, and the last one's direction
    (n, 3)."""
    values, vectors = np.linalg.eigh(bends)
    return values, vectors[:, :, 2]


def _is_flat(curvature: Floats) -> NDArray[np.bool_]:
    return np.asarray(curvature[:, 1] <= _SHEET * curvature[:, 2], bool)


def _between(solid: BoolVolume, places: NDArray[np.int64], direction: Floats, reach: float) -> NDArray[np.bool_]:
    """Whether there is solid on both sides within `reach` voxels, more than a skin of it."""

    firm = deeper(solid, _FIRM, at_least=True, black_border=True)
    last = np.array(solid.shape) - 1
    steps = np.arange(1.5, reach + _FIRM + 0.01, 0.5)
    found = np.ones(len(places), bool)
    for side in (-1, 1):
        hit = np.zeros(len(places), bool)
        for step in steps:
            at = np.rint(places + side * step * direction).astype(int)
            hit |= firm[tuple(np.clip(at, 0, last).T)] & np.all((at >= 0) & (at <= last), axis=1)
        found &= hit
    return found
