"""The surface of one particle and the walls of its voids, as closed meshes, from what a region keeps on the disk.

The hull is a level of the particle's share of each voxel, lightly smoothed: the field of which the table's area is that
of half a share. The level is the one that encloses the table's volume: blur moves the half-way surface of a small body
inwards, which the table's grey-level volume has given back. Each void's wall is, in the same way, a level of what is
missing that encloses its volume in the table. Where labels part two particles, the surface runs between the voxels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.crop import SURFACE_SMOOTHING_VOXELS
from xrm_control.analysis.greyvolume import expected_share
from xrm_control.analysis.label_expansion import Box, nearest_label
from xrm_control.analysis.level_surfaces import level_of_volume, zero_surface
from xrm_control.analysis.levels import cylinder
from xrm_control.analysis.reach import deeper, within
from xrm_control.analysis.segmentation import CORE_DEPTH_VOXELS, MIN_CORE_VOXELS, REACH_VOXELS
from xrm_control.analysis.threshold import BoolVolume, FloatVolume
from xrm_control.analysis.void_measures import grey_blur_voxels
from xrm_control.analysis.voids import void_zones
from xrm_control.core.errors import AnalysisError
from xrm_control.core.triangles import Triangles

SOLID, VOID = 1, 2
MARGIN_VOXELS = 8
HALF = 0.5
_LEVELS = (0.2, 0.8)
_VOID_LEVELS = (0.1, 0.95)
"""Of the contrast between which the hull's level is looked for; of the most that is missing, a void's."""

_WALL = 0.08
"""By how much of the contrast a wall between void and outside is above the hull's level at its thinnest."""

_PAD = 3
_LEAST_AROUND = 20


@dataclass(frozen=True)
class RegionVolume:
    """What a region keeps: grey, labels, phases (z, y, x); see `analysis.core.Analysis`. blur_voxels: of its edges."""

    grey: NDArray[np.number[Any]]
    labels: NDArray[np.integer[Any]]
    phases: NDArray[np.integer[Any]] | None
    voxel_um: float
    blur_voxels: float


@dataclass(frozen=True)
class KnownVoid:
    """A void as the table has it: x, y, z of its centre from the volume's middle, and its volume."""

    void_id: int
    centre_um: tuple[float, float, float]
    volume_um3: float


@dataclass(frozen=True)
class Wall:
    """A surface, the level at which it was drawn as a share of the contrast, and the table's voids that it is of."""

    surface: Triangles
    level: float
    void_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class ParticleSurfaces:
    """hull: closed, its normals outwards; voids: inner walls, their normals into the void, so that volumes add up to
    the solid's."""

    hull: Wall
    voids: tuple[Wall, ...]


def particle_surfaces(
    region: RegionVolume, particle: int, box: Box, volume_um3: float, voids: Sequence[KnownVoid]
) -> ParticleSurfaces:
    """The particle of this label. box: around it, MARGIN_VOXELS wider where the volume goes on. volume_um3: of the
    table, of its envelope.

    Raises AnalysisError where the volume shows no surface there.
    """
    cut = _Cut.of(region, particle, box)
    hull_at = partial(_hull_at, cut)
    level = level_of_volume(hull_at, volume_um3, *_LEVELS) if np.isfinite(volume_um3) else HALF
    hull = hull_at(level)
    if hull is None or not hull.closed:
        raise AnalysisError("the volume shows no closed surface of this particle", where=f"particle {particle}")
    walls = _void_walls(cut, level, voids)
    return ParticleSurfaces(Wall(hull, level), tuple(walls))


@dataclass(frozen=True)
class _Cut:
    """One particle's box, padded. body: its share of each voxel, smoothed; share: not smoothed; others: the voxels that
    are nearer to another particle. first_um: x, y, z of the box's first voxel."""

    body: FloatVolume
    share: FloatVolume
    own: BoolVolume
    others: BoolVolume
    pores: BoolVolume
    blur_voxels: float
    voxel_um: float
    first_um: tuple[float, float, float]

    @classmethod
    def of(cls, region: RegionVolume, particle: int, box: Box) -> _Cut:
        labels = np.pad(np.asarray(region.labels[box]), _PAD)
        grey = np.pad(np.asarray(region.grey[box], np.float32), _PAD, mode="edge")
        own = labels == particle
        phases = np.where(own, SOLID, 0) if region.phases is None else np.pad(np.asarray(region.phases[box]), _PAD)
        pores = own & (phases == VOID)
        zone = nearest_label(labels, REACH_VOXELS)
        share = _share(grey, own & (phases == SOLID), (labels == 0) & (zone == particle), particle)
        inside = np.pad(cylinder(region.grey.shape)[box[1:]], _PAD)  # type: ignore[arg-type]
        seen = np.pad(np.ones(tuple(part.stop - part.start for part in box), bool), _PAD) & inside[None] | own
        reach = min(max(2 * region.blur_voxels + 0.5, 1.5), 3.5)
        outer = (zone == particle) & within(own, reach) & seen
        sure = own & (deeper(own, reach) | (phases != SOLID))
        body = np.where(sure, np.float32(1), np.where(outer, np.clip(share, -0.5, 1.5), np.float32(0)))
        middle = [(size - 1) / 2 for size in region.grey.shape]
        z, y, x = ((part.start - _PAD - m) * region.voxel_um for part, m in zip(box, middle, strict=True))
        return cls(
            body=_smooth(body),
            share=share,
            own=own,
            others=(zone != particle) & (zone != 0),
            pores=pores,
            blur_voxels=region.blur_voxels,
            voxel_um=region.voxel_um,
            first_um=(x, y, z),
        )


def _share(grey: FloatVolume, solid: BoolVolume, around: BoolVolume, particle: int) -> FloatVolume:
    """How much of each voxel the particle fills: 0 as its surroundings, 1 as its interior."""
    core = grey[deeper(solid, CORE_DEPTH_VOXELS)]
    if len(core) < MIN_CORE_VOXELS:
        core = grey[solid][grey[solid] >= np.quantile(grey[solid], 0.75)] if solid.any() else grey[:0]
    away = grey[deeper(around, CORE_DEPTH_VOXELS)]
    beside = away if len(away) >= _LEAST_AROUND else grey[around]
    inner = float(np.median(core)) if len(core) else np.nan
    outer = float(np.median(beside)) if len(beside) else float(grey.min())
    if not inner > outer:
        raise AnalysisError(
            "is not denser than what surrounds it, so that the volume tells no surface",
            where=f"particle {particle}",
            value=f"{inner:.4g} inside",
            limit=f"above {outer:.4g}",
        )
    return ((grey - outer) / (inner - outer)).astype(np.float32)


def _hull_at(cut: _Cut, level: float) -> Triangles | None:
    # Between the voxels of two particles both surfaces lie half way, whatever their levels.
    field = cut.body - np.float32(level) + cut.others * np.float32(2 * level - 1)
    return zero_surface(field, cut.voxel_um, cut.first_um)


def _void_walls(cut: _Cut, level: float, known: Sequence[KnownVoid]) -> list[Wall]:
    """Of each void that is labelled; nothing of one that shows no closed wall within the hull."""
    import cc3d

    if not cut.pores.any():
        return []
    pores = np.asarray(cc3d.connected_components(cut.pores, connectivity=6)).astype(np.uint16)
    zones = void_zones(pores, cut.own, min(max(2 * cut.blur_voxels + 0.5, 1.5), 3.5))
    expected = expected_share(cut.own, grey_blur_voxels(cut.blur_voxels))
    owners = _owners(cut, pores, known)
    walls: list[Wall] = []
    for pore in range(1, int(pores.max()) + 1):
        zone, mine = zones == pore, owners.get(pore, ())
        missing = _smooth(np.where(zone, expected - cut.share, np.float32(0)))
        most = float(missing[zone].max(initial=0.0))
        if most <= 0:
            continue
        wall_at = partial(_wall_at, cut, missing, zone, cut.body - np.float32(level + _WALL))
        target = sum(void.volume_um3 for void in mine)
        ends = (_VOID_LEVELS[0] * most, _VOID_LEVELS[1] * most)
        chosen = level_of_volume(wall_at, target, *ends) if mine else min(HALF, ends[1])
        wall = wall_at(chosen)
        if wall is not None and wall.closed:
            walls.append(Wall(wall.turned(), chosen, tuple(void.void_id for void in mine)))
    return sorted(walls, key=lambda wall: wall.surface.volume_um3)


def _wall_at(cut: _Cut, missing: FloatVolume, zone: BoolVolume, within: FloatVolume, level: float) -> Triangles | None:
    # Never beyond the hull, and never into another void's zone.
    field = np.minimum(missing - np.float32(level), within)
    return zero_surface(np.where(zone, field, -np.abs(missing).max()), cut.voxel_um, cut.first_um)


def _owners(cut: _Cut, pores: NDArray[np.uint16], known: Sequence[KnownVoid]) -> dict[int, tuple[KnownVoid, ...]]:
    """Label of a void -> those of the table whose centre is nearest to its voxels."""
    at = np.argwhere(pores)
    owners: dict[int, tuple[KnownVoid, ...]] = {}
    for void in known:
        place = (np.array(void.centre_um) - cut.first_um)[::-1] / cut.voxel_um
        nearest = int(pores[tuple(at[int(np.argmin(((at - place) ** 2).sum(axis=1)))])])
        owners[nearest] = (*owners.get(nearest, ()), void)
    return owners


def _smooth(field: NDArray[np.floating[Any]]) -> FloatVolume:
    from scipy import ndimage

    return np.asarray(ndimage.gaussian_filter(field.astype(np.float32), SURFACE_SMOOTHING_VOXELS), np.float32)
