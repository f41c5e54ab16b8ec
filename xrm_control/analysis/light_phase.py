"""What is lighter than the particles and lies among them: binder, carbon, another powder; a phase of its own.

It is looked for beyond the reach of the particles' blur, over what is the same all along one axis (tape, glue), in
means over two voxels, and over four about each place: the first find small bodies, the second fainter ones. A body is
what stands out of the ground's own spread, streaks and all; its voxels are those above half of its own grey. What the
border cuts is left out, as nobody knows what that is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.distance import depth_of
from xrm_control.analysis.field import VolumeField
from xrm_control.analysis.label_expansion import Box, boxes_of, grown_box
from xrm_control.analysis.levels import Levels
from xrm_control.analysis.threshold import BoolVolume, FloatVolume
from xrm_control.analysis.underlay import find_underlay
from xrm_control.contracts.quality import QualityMetrics

LIGHT = 3
"""Its value in phases.ome.tif."""

CLEAR_OF_SPREAD = 6.0
LEAST_CONTRAST = 0.05
LIGHTER = 0.45
OTHER_MATTER = 0.3
AWAY_VOXELS = 4.0
_STEP = 2
_AGAIN = 2
_SCALES = (1.0, 0.0)  # in steps, the fainter ones first
_LEAST_SEEN = 0.3
_MARGIN = 3
_CUT_VOXELS = 2.0
_MANY, _FEW = 0.05, 1.0
_ENOUGH = 0.3
_BRIGHTER = 1.25
_TOLD = 2.5
_RESOLVED = 2.0  # steps to the surface
_ALIKE = 4.0  # steps over which noise hangs together


@dataclass(frozen=True)
class LightPhase:
    """mask (z, y, x): its voxels; bodies: how many lie whole in the field; volume_um3, and its standard uncertainty:
    of all of them; grey_per_um: what they attenuate more than the ground, means weighted by volume; seen_from: the
    least share of the particles' contrast at which a body is found, small ones and large ones.
    """

    mask: BoolVolume
    bodies: int
    volume_um3: float
    volume_u_um3: float
    grey_per_um: float
    seen_from: tuple[float, float]

    def painted(self, phases: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The phases (z, y, x) of a volume, with this one."""
        return np.where(self.mask & (phases == 0), np.uint8(LIGHT), phases)

    def quality(self) -> QualityMetrics:
        """Its figures."""
        found = self.bodies > 0
        return QualityMetrics(
            light_bodies=self.bodies,
            light_volume_um3=self.volume_um3 if found else None,
            light_volume_um3_u=self.volume_u_um3 if found else None,
            light_per_um=self.grey_per_um if found else None,
            light_seen_from=self.seen_from[0],
            light_seen_from_large=self.seen_from[1],
        )


@dataclass(frozen=True)
class _Body:
    voxels: float
    voxels_u: float
    grey: float


def find_light_phase(
    volume: FloatVolume, particles: BoolVolume, field: VolumeField, levels: Levels, smallest: float, um: float
) -> LightPhase | None:
    """Bodies of at least `smallest` voxels of a volume (z, y, x) in 1/um; particles (z, y, x): their voxels.

    um: side of a voxel. None where nothing lies beyond the particles' reach.
    """
    from scipy import ndimage

    shape = tuple(n - n % _STEP for n in volume.shape)
    part = tuple(slice(0, n) for n in shape)
    free = _steps(~particles[part]) == 1.0
    inside = _steps(np.broadcast_to(field.inside, volume.shape)[part]) == 1.0
    away = (depth_of(free) * _STEP > AWAY_VOXELS) & inside
    if not away.any():
        return None
    grey = _steps(volume[part])
    border = field.border[: shape[1] : _STEP, : shape[2] : _STEP]
    alike = levels.noise_correlation_voxels / _STEP**3
    noise = levels.modes.noise_per_um * float(np.sqrt(min(1.0, alike)))
    coarse = replace(levels, modes=replace(levels.modes, noise_per_um=noise), noise_correlation_voxels=max(1.0, alike))
    search = _Search(free, away, ~inside[0] | (border < _CUT_VOXELS), coarse, smallest / _STEP**3)
    # What is found is no part of what is the same all along an axis, and is looked for again.
    found, mask, seen_from = search.bodies(grey, None)
    for _ in range(_AGAIN):
        ground = away & ~np.asarray(ndimage.binary_dilation(mask, iterations=2), bool)
        found, mask, seen_from = search.bodies(grey, ground)
    sizes = np.array([one.voxels for one in found])
    total, step_um3 = float(sizes.sum()), (_STEP * um) ** 3
    fine = np.zeros(volume.shape, bool)
    for axis in range(3):
        mask = np.repeat(mask, _STEP, axis)
    fine[part] = mask
    return LightPhase(
        fine,
        len(found),
        total * step_um3,
        float(np.sqrt(sum(one.voxels_u**2 for one in found))) * step_um3,
        float((sizes * [one.grey for one in found]).sum() / total) if total else 0.0,
        seen_from,
    )


def _steps(volume: NDArray[Any]) -> FloatVolume:
    """Means over _STEP voxels along each axis, of whole steps."""
    nz, ny, nx = (n // _STEP for n in volume.shape)
    found = np.empty((nz, ny, nx), np.float32)
    # A slab at a time: of a large volume there is no room for another one.
    for z in range(nz):
        slab = np.asarray(volume[z * _STEP : (z + 1) * _STEP], np.float32)
        found[z] = slab.reshape(_STEP, ny, _STEP, nx, _STEP).mean(axis=(0, 2, 4), dtype=np.float32)
    return found


@dataclass(frozen=True)
class _Search:
    """free, away (z, y, x): steps without a particle, and beyond its blur; rim (y, x): of which the border is too near;
    smallest: in steps."""

    free: BoolVolume
    away: BoolVolume
    rim: NDArray[np.bool_]
    levels: Levels
    smallest: float

    def bodies(
        self, grey: FloatVolume, ground: BoolVolume | None
    ) -> tuple[list[_Body], BoolVolume, tuple[float, float]]:
        """Bodies, their steps, and the least contrast of small and of large ones; ground: what holds none, where that
        is known: what is the same there all along an axis is no body."""
        from scipy import ndimage

        away, modes = self.away, self.levels.modes
        over = np.where(away, grey - np.float32(modes.background_per_um), np.float32(0))
        if ground is not None:
            whole = (slice(0, grey.shape[0]), slice(0, grey.shape[1]), slice(0, grey.shape[2]))
            over[away] -= find_underlay(grey, ground, self.levels).at(whole)[away]
        mask = np.zeros(grey.shape, bool)
        found: list[_Body] = []
        limits: list[float] = []
        sharp, spread = _smoothed(over, away, 0.0)
        for scale in _SCALES:
            smooth, own_spread = _smoothed(over, away, scale)
            least = max(LEAST_CONTRAST * modes.contrast_per_um, CLEAR_OF_SPREAD * own_spread)
            least = _clear_of_streaks(smooth, least, self.smallest)
            limits.append(float(least / modes.contrast_per_um))
            # What is about those that were found before is theirs.
            taken = np.asarray(ndimage.binary_dilation(mask, iterations=_MARGIN), bool) if found else mask
            for box, own in _bodies((smooth > least) & ~taken, self.rim, self.smallest):
                beside = away[box] & ~taken[box]
                body, steps = _measured((sharp[box], spread), smooth[box], self.free[box], beside, own)
                if body.voxels >= self.smallest and body.grey < LIGHTER * modes.contrast_per_um:
                    found.append(body)
                    mask[box] |= steps
        return found, mask, (limits[-1], limits[0])


def _smoothed(over: FloatVolume, away: BoolVolume, scale: float) -> tuple[FloatVolume, float]:
    """Means about each place of what is away from particles, 0 elsewhere, and their spread: of what lies below their
    median, so that streaks count and bodies do not."""
    from scipy import ndimage

    smooth = over
    if scale:
        weight = ndimage.gaussian_filter(away.astype(np.float32), scale, truncate=3)
        smooth = ndimage.gaussian_filter(over, scale, truncate=3) / np.maximum(weight, np.float32(_LEAST_SEEN))
    values = smooth[away]
    middle = np.median(values)
    below = middle - values[values < middle]
    spread = 1.4826 * float(np.median(below)) if len(below) else 0.0
    return np.where(away, smooth - middle, np.float32(0)).astype(np.float32), spread


def _clear_of_streaks(smooth: FloatVolume, least: float, smallest: float) -> float:
    """The grey below which there are streaks as large: as far as dark ones go, which no matter makes."""
    enough = max(1, round(_ENOUGH * smallest))
    found = least
    for box, own in _bodies(smooth < -least, np.zeros(smooth.shape[1:], bool), smallest):
        depths = -smooth[box][own]
        found = max(found, _BRIGHTER * float(np.partition(depths, -enough)[-enough]))
    return found


def _bodies(above: BoolVolume, rim: NDArray[np.bool_], smallest: float) -> Iterator[tuple[Box, BoolVolume]]:
    """Connected parts that the border does not cut, each in a box about it."""
    import cc3d

    bodies = np.asarray(cc3d.connected_components(above, connectivity=6))
    counts = np.bincount(bodies.ravel())
    counts[0] = 0
    if rim.any():
        for cut in (bodies[0], bodies[-1], bodies[:, rim]):
            counts[np.unique(cut)] = 0
    boxes = boxes_of(bodies) if counts.any() else []
    # Means make small bodies smaller where they are faint, and larger where they are not.
    for label in np.flatnonzero(counts >= max(1, round(_ENOUGH * smallest))):
        tight = boxes[label - 1]
        if tight is not None:
            box = grown_box(tight, above.shape, _MARGIN)
            yield box, bodies[box] == label


def _measured(
    sharp: tuple[FloatVolume, float], smooth: FloatVolume, free: BoolVolume, away: BoolVolume, own: BoolVolume
) -> tuple[_Body, BoolVolume]:
    """A body's steps above half of its grey, all in its box; sharp: grey and its spread, smooth: means about each
    place, which tell where it ends if the former do not. What of it lies within the blur of a particle is half of what
    it could be.
    """
    from scipy import ndimage

    depth = depth_of(own)
    deep = depth >= 0.7 * depth.max()
    core = float(np.median(sharp[0][deep]))
    # Blur and steps take from the core of a small one; its brightest step has more than it by noise.
    top = max(core, float(sharp[0][own].max()))
    grey, unsure = (core, 0.0) if depth.max() > _RESOLVED else (0.5 * (core + top), 0.5 * (top - core))
    grey = max(grey, sharp[1], 1e-12)
    values = sharp[0] if 0.5 * grey > _TOLD * sharp[1] else smooth
    near = np.asarray(ndimage.binary_dilation(own, iterations=2), bool) & away
    mask = (values > 0.5 * grey) & near
    # All that it holds, in steps of its own grey: noise takes as much as it gives.
    held = float(sharp[0][near].sum(dtype=np.float64)) / grey
    reach = int(AWAY_VOXELS / _STEP)
    hidden = np.count_nonzero(np.asarray(ndimage.binary_dilation(mask, iterations=reach), bool) & free & ~away)
    noise = sharp[1] / grey
    parts = (
        0.29 * hidden,
        unsure / grey * held,
        noise * np.sqrt(_ALIKE / np.count_nonzero(deep)) * held,
        noise * np.sqrt(_ALIKE * np.count_nonzero(near)),
    )
    return _Body(held + 0.5 * hidden, float(np.linalg.norm(parts)), grey), mask


def may_be_particles(quality: QualityMetrics) -> tuple[str, str] | None:
    """The reason and the remedy where many bodies are lighter than the particles, and not by so much that they must be
    something else."""
    bodies, whole, grey = quality.light_bodies or 0, quality.whole_particles or 0, quality.light_per_um
    low, high = quality.background_mode_per_um, quality.particle_mode_per_um
    if grey is None or low is None or high is None or bodies <= max(_FEW, _MANY * whole) or high <= low:
        return None
    share = grey / (high - low)
    if share < OTHER_MATTER:
        return None
    return (
        f"light bodies: {bodies} beside {whole} whole particles, with {share:.0%} of their contrast (limit "
        f"{OTHER_MATTER:.0%}), lie below the threshold and are not counted",
        "if they are particles, give a fixed threshold (analysis.threshold); if not, what is in the powder?",
    )
