"""From a volume to particles: global threshold, splitting, then each particle at its own local threshold.

The local step matters because streaks of the nearly opaque edge-on views and local tomography tilt both grey levels
across the volume by several per cent, and a threshold error of 5 % of the contrast moves the volume of a small particle
by 6 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.cracks import Cracks, find_cracks
from xrm_control.analysis.greyvolume import BoxLevels
from xrm_control.analysis.hollows import fill_hollows
from xrm_control.analysis.label_expansion import Box, bounding_box, boxes_of, grown_box, nearest_label
from xrm_control.analysis.levels import Levels
from xrm_control.analysis.reach import deeper, within
from xrm_control.analysis.rejoining import LEAST_PIECE, dark_level, rejoined
from xrm_control.analysis.satellites import LEAST_RADIUS
from xrm_control.analysis.splitting import Labels, SplitSpec, fill_enclosed, split
from xrm_control.analysis.threshold import BoolVolume, FloatVolume
from xrm_control.analysis.underlay import find_underlay

REACH_VOXELS = 6.0
MARGIN = 6
CORE_DEPTH_VOXELS = 2.5
RIM_VOXELS = 2.0
# Cores below some fifty voxels borrow from the volume's mode: their own mean is noisy and not free of blur.
PRIOR_VOXELS = 50.0
MIN_CORE_VOXELS = 8
# Smaller ones are noise, which takes no grey from particles.
SPECK_VOXELS = 8


@dataclass(frozen=True)
class Isolated:
    """One particle in its box of the volume: grey in 1/um, its voxels above its threshold, its zone, its levels, what
    grey each voxel would have without it, its cracks, and its hollow where its wall has holes."""

    box: Box
    grey: FloatVolume
    solid: BoolVolume
    zone: BoolVolume
    levels: BoxLevels
    ground: FloatVolume
    cracks: Cracks
    leaky: BoolVolume


@dataclass(frozen=True)
class Labelled:
    """labels (z, y, x): 1..count of particles, beyond that of bodies that touch these and are too small to be
    measured; solid: the mask above the threshold that they come from; leaky: hollows
    behind walls with holes; pieces: of how many a particle is that a crack has parted, by its label; fused: labels of
    bodies that are grown together, unsure: of those that may be two all the same (`necks`)."""

    labels: Labels
    solid: BoolVolume
    leaky: BoolVolume
    pieces: dict[int, int]
    count: int
    fused: frozenset[int] = frozenset()
    unsure: frozenset[int] = frozenset()


def label_particles(
    volume: FloatVolume, inside: BoolVolume, level: float, spec: SplitSpec, min_voxels: float, levels: Levels, um: float
) -> Labelled:
    """Particles of at least `min_voxels`, those that a crack has parted as one; um: side of a voxel."""
    solid = (volume > level) & inside
    dark = dark_level(levels.modes.particle_per_um, levels.modes.background_per_um)
    filled, leaky = fill_hollows(fill_enclosed(solid), inside)
    labels, joined = rejoined(split(filled, spec), volume, dark, um)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    keep = sizes >= min_voxels
    small = _beside(labels, keep, (sizes >= SPECK_VOXELS) & ~keep)
    count = int(np.count_nonzero(keep))
    renumber = np.where(keep, np.cumsum(keep), np.where(small, count + np.cumsum(small), 0)).astype(np.uint32)
    pieces = {int(renumber[one]): parts for one, parts in joined.items() if keep[one]}
    return Labelled(renumber[labels], solid, leaky, pieces, count)


def _beside(labels: Labels, large: NDArray[np.bool_], small: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of the `small` labels touch a large one and are no flakes; both by label. The others may be of a faint
    wall."""
    beside = np.zeros_like(small)
    boxes = boxes_of(labels) if small.any() else []
    for label in np.flatnonzero(small):
        box = boxes[label - 1]
        if box is not None:
            wide = grown_box(box, labels.shape, 1)
            own = labels[wide] == label
            about = within(own, 1)
            beside[label] = bool(deeper(own, LEAST_RADIUS, at_least=True).any() and large[labels[wide][about]].any())
    return beside


def isolate(
    volume: FloatVolume,
    found: Labelled,
    inside: BoolVolume,
    level: float,
    levels: Levels,
    local: bool,
    um: float,
) -> list[Isolated]:
    """Every particle in its own box, at its own threshold when `local`, in order of label; um: side of a voxel."""
    from scipy import ndimage

    labels, solid = found.labels, found.solid
    zones = nearest_label(labels, REACH_VOXELS)
    away, deep, rim = _apart(solid)
    away &= inside[None]
    underlay = find_underlay(volume, away, levels)
    isolated = []
    for label, tight in enumerate(ndimage.find_objects(labels.astype(np.int32), found.count), start=1):
        if tight is None:
            continue
        box = grown_box(tight, volume.shape, MARGIN)
        grey = volume[box]
        mine = labels[box] == label
        zone = (zones[box] == label) & inside[box[1:]]
        core = grey[mine & deep[box]]
        around = zone & away[box]
        beside = _shrunk(grey[around] - underlay.at(box)[around], levels.modes.background_per_um, levels)
        ground = underlay.at(box, beside[0])
        own = _box_levels(core, beside, underlay.under(box, zone & rim[box]), levels, level, local)
        pieces = found.pieces.get(label, 1)
        mask = _mask(grey, mine, zone, own.middle_of(ground), pieces)
        cracks = find_cracks(grey, ground, mask, own, um, pieces)
        if cracks.kind != "none":
            # Its level is that of its solid.
            core = grey[mine & deep[box] & ~cracks.beside]
            own = _box_levels(core, beside, underlay.under(box, zone & rim[box]), levels, level, local)
            mask = _mask(grey, mine, zone, own.middle_of(ground), pieces)
        isolated.append(Isolated(box, grey, mask, zone, own, ground, cracks, found.leaky[box] & mine))
    return isolated


def _apart(solid: BoolVolume) -> tuple[BoolVolume, BoolVolume, BoolVolume]:
    """Voxels more than CORE_DEPTH_VOXELS outside, and inside, of `solid` (z, y, x); those within RIM_VOXELS of its
    surface."""
    away, deep, rim = np.ones(solid.shape, bool), np.zeros(solid.shape, bool), np.zeros(solid.shape, bool)
    box = bounding_box(solid, MARGIN)
    if box is not None:
        body = solid[box]
        away[box], deep[box] = ~within(body, CORE_DEPTH_VOXELS), deeper(body, CORE_DEPTH_VOXELS)
        rim[box] = within(body, RIM_VOXELS, less=True) & ~deeper(body, RIM_VOXELS, at_least=True)
    return away, deep, rim


def _mask(grey: FloatVolume, mine: BoolVolume, zone: BoolVolume, level: float | FloatVolume, pieces: int) -> BoolVolume:
    """The largest connected part above `level` in the particle's zone; of a parted particle all but specks."""
    import cc3d

    parts = np.asarray(cc3d.connected_components((grey > level) & zone, connectivity=6))
    counts = np.bincount(parts[mine], minlength=2)
    counts[0] = 0
    best = int(np.argmax(counts))
    if pieces > 1 and counts[best]:
        return np.isin(parts, np.flatnonzero(counts >= LEAST_PIECE))
    return parts == best if counts[best] else mine


def _box_levels(
    core: NDArray[np.float32],
    beside: tuple[float, float],
    under: tuple[float, float],
    levels: Levels,
    level: float,
    local: bool,
) -> BoxLevels:
    """beside: level of the surroundings without what lies under them; under: of that at the particle's rim; each with
    its uncertainty."""
    modes = levels.modes
    particle, particle_u = _shrunk(core, modes.particle_per_um, levels)
    background, background_u = beside[0] + under[0], float(np.hypot(beside[1], under[1]))
    if particle - background < 0.5 * modes.contrast_per_um:
        particle, background = modes.particle_per_um, modes.background_per_um
    share = (level - modes.background_per_um) / modes.contrast_per_um
    middle = background + share * (particle - background) if local else level
    noise = float(np.hypot(modes.noise_per_um, levels.noise_particle_per_um) / np.sqrt(2))
    return BoxLevels(
        particle_per_um=particle,
        background_per_um=background,
        particle_u_per_um=particle_u,
        background_u_per_um=background_u,
        noise_per_um=noise,
        correlation_voxels=levels.noise_correlation_voxels,
        lag1=levels.noise_lag1,
        middle_per_um=middle,
        threshold_share=share if local else None,
        core_mean_per_um=float(core.mean(dtype=np.float64)) if len(core) >= MIN_CORE_VOXELS else particle,
        core_voxels=len(core),
    )


def _shrunk(values: NDArray[np.float32], prior: float, levels: Levels) -> tuple[float, float]:
    """Trimmed mean drawn towards `prior` by PRIOR_VOXELS, and its standard uncertainty."""
    spread = 0.03 * levels.modes.contrast_per_um
    if not len(values):
        return prior, spread
    trim = len(values) // 20
    mean = float(np.sort(values)[trim : len(values) - trim].mean(dtype=np.float64))
    weight = len(values) / (len(values) + PRIOR_VOXELS)
    noise = levels.modes.noise_per_um * np.sqrt(levels.noise_correlation_voxels / len(values))
    return weight * mean + (1 - weight) * prior, float(np.hypot(weight * noise, (1 - weight) * spread))
