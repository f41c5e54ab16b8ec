"""What all tiles show at the same place of the camera: the camera's own, and nothing of the sample.

Flats take it off as long as nothing moves between them and the tiles. A scintillator that has moved, dust that has come
or a pixel that has gone bad since is printed into every tile, and looks like the same particle again and again. Whether
there is such a pattern is asked of the tiles themselves: their mean shows more than that of the same tiles, each
shifted at random. Of many tiles enough are bare at each place for the brighter ones to show the camera alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from xrm_control.mosaic.tiles import Tile

Floats = NDArray[np.float64]

_LEAST_TILES, _MANY_TILES = 6, 16
"""From which on it is looked for, and from which on it can be taken off."""

_FINE_PX, _COARSE_PX, _CLIPPED = 1.0, 4.0, 0.06
"""Of what is compared: finer than that is noise, wider is powder and light; and by how much one tile counts at most, in
optical depth.
"""

_DRAWS, _SIGMAS, _LEAST_RMS = 40, 4.5, 0.006
"""Shifts at random, what the tiles must stand out by, and the pattern's least root mean square in optical depth: the
flats' own noise is less.
"""

_BRIGHT, _LEAST_DEPTH, _GROWN_PX = 20.0, 0.03, 2
"""Per cent of the tiles, and the optical depth of a pattern there that could pass for a particle."""

_SPIKE, _OPAQUE = 0.12, 1e-2
"""Optical depth by which a pixel differs from those about it in most tiles: a bad one."""


@dataclass(frozen=True)
class FixedPattern:
    """depth (rows, columns): optical depth of the camera's own pattern that can be taken off, 0 where there is none;
    bad (rows, columns): pixels that show nothing of the sample; rms: of the pattern, in optical depth; left: whether
    it still shows in what is left.
    """

    depth: Floats
    bad: NDArray[np.bool_]
    rms: float = 0.0
    left: bool = False

    @property
    def text(self) -> str:
        """What is to be known of it, "" where there is nothing."""
        if not self.rms:
            return ""
        done = "it shows as particles: take flats and mosaic again" if self.left else "it was taken off"
        return f"all tiles show the same pattern ({self.rms:.3f} rms in optical depth) where the camera is: {done}"

    def off(self, tiles: Sequence[Tile]) -> list[Tile]:
        """The tiles without it."""
        gain = np.exp(self.depth)
        return [replace(tile, image=np.where(self.bad, np.nan, tile.image * gain).astype(np.float32)) for tile in tiles]


def fixed_pattern(tiles: Sequence[Tile]) -> FixedPattern | None:
    """What the tiles have in common, None where there is nothing, or too few tiles to tell."""
    from scipy import ndimage

    if len(tiles) < _LEAST_TILES or min(tiles[0].image.shape) < 4 * _COARSE_PX:
        return None
    depths = np.stack([_depth(tile) for tile in tiles])
    spikes = depths - np.stack([ndimage.median_filter(depth, 5) for depth in depths])
    bad = np.abs(np.median(spikes, axis=0)) > _SPIKE
    # A bad pixel is no pattern: what lies about it stands for it.
    depths = np.where(bad, depths - spikes, depths)
    rms = _common_rms(depths)
    if not (rms or bad.any()):
        return None
    pattern = np.zeros(bad.shape)
    if rms and len(tiles) >= _MANY_TILES:
        bright = np.percentile(np.stack([ndimage.gaussian_filter(one, _FINE_PX) for one in depths]), _BRIGHT, axis=0)
        bright -= np.median(bright)
        near = np.asarray(ndimage.binary_dilation(np.abs(bright) > _LEAST_DEPTH, iterations=_GROWN_PX), bool)
        pattern = np.where(near, bright, 0.0)
    left = bool(rms) and (len(tiles) < _MANY_TILES or _common_rms(depths - pattern) > 0)
    return FixedPattern(np.zeros(bad.shape) if left else pattern, bad, rms, left)


def _depth(tile: Tile) -> Floats:
    """Optical depth above the tile's own bare level, 0 where nothing was seen."""
    depth = -np.log(np.clip(np.asarray(tile.image, np.float64), _OPAQUE, None))
    seen = np.isfinite(depth)
    return np.where(seen, depth - (np.percentile(depth[seen], 25) if seen.any() else 0.0), 0.0)


def _common_rms(depths: Floats) -> float:
    """Root mean square of what fine detail all have in common, 0 where that may be chance."""
    from scipy import ndimage

    fine = np.stack([
        ndimage.gaussian_filter(one, _FINE_PX) - ndimage.gaussian_filter(one, _COARSE_PX) for one in depths
    ])  # fmt: skip
    fine = np.clip(fine, -_CLIPPED, _CLIPPED)
    fine -= fine.mean(axis=(1, 2), keepdims=True)
    random = np.random.default_rng(0)
    chance = [
        _mean_square([np.roll(one, tuple(random.integers(0, one.shape)), (0, 1)) for one in fine])
        for _ in range(_DRAWS)
    ]
    more = _mean_square(list(fine)) - float(np.mean(chance))
    rms = float(np.sqrt(max(more, 0.0)))
    return rms if more > _SIGMAS * float(np.std(chance)) and rms > _LEAST_RMS else 0.0


def _mean_square(pictures: Sequence[Floats]) -> float:
    total = np.zeros(pictures[0].shape)
    for one in pictures:
        total += one
    return float(np.mean((total / len(pictures)) ** 2))
