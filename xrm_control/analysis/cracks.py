"""Cracks of one particle: sheets in its grey (`sheets`), each measured on a map over its own plane.

The plane, bent as a quadratic surface, is walked cell by cell; along its normal the grey that is missing beside that of
both flanks is the opening there, however much narrower than a voxel it is: a gap of w dims a line by w, blurred or not.
Cells that gape are the crack. It is `through` where they take the whole section, from the `edge` where they reach its
rim, else `inner`.

A crack is part of its particle's envelope: volume, diameter, area (without the faces of the fracture) and sphericity
are those of the particle before it broke. Open cracks are neither voids nor dead volume; an inner one that the
threshold shows is a closed void as well, and counts there. What cannot be told apart: a flat pore from an inner crack,
a seam between two grains that no threshold parts from a crack through one, and, of a crack narrower than 0.3 um, an
inner one that ends within a micrometre of the surface from one that reaches it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.distance import depth_of
from xrm_control.analysis.greyvolume import BoxLevels
from xrm_control.analysis.label_expansion import Box, bounding_box
from xrm_control.analysis.measured import Measured
from xrm_control.analysis.reach import padded
from xrm_control.analysis.rejoining import MOST_OPENING_UM
from xrm_control.analysis.sheets import Sheet, closed, find_sheets
from xrm_control.analysis.splitting import fill_enclosed
from xrm_control.analysis.threshold import BoolVolume, FloatVolume

Floats = NDArray[np.float64]
CrackKind = Literal["none", "inner", "edge", "through"]
SEVERITY: tuple[CrackKind, ...] = ("none", "inner", "edge", "through")

_MOST = 4
_BLUR_VOXELS = 0.8
_SPREAD, _FLANK, _STEP = 2.0, 1.5, 0.5
"""Voxels that blur adds to half a gap; of a flank; between places on a line."""

_LEAST_FLANK, _OFF_SURFACE = 0.5, 1.8
"""A line across the crack tells the opening where its flanks are so bright, and its ends so many voxels deep."""

_GAPING, _LEAST_READ, _SMOOTHING_CELLS = 0.5, 0.7, 0.8
"""A cell belongs to the crack where it dips by this share of what its sheet does; voxels deep where that is seen."""

_MOST_DIP, _DIP_NOISE = 1.3, 0.3
"""Most that is missing on the middle two voxels across a gap, in its opening and in voxels."""

_LEAST_OF_BEND = 0.5
"""Of the opening that a sheet's curvature tells, which is at most that of a gap."""

_WHOLE, _WHOLE_PARTED = 0.9, 0.85
"""Of the section: a crack that takes so much of it is one through the particle; where the threshold had parted it."""

_PLAIN = 1.5
"""Voxels of opening from which on noise does not bridge a gap at the threshold."""

_LEAST_OPENING, _LEAST_EXTENT, _FLATNESS, _LEAST_INSIDE = 0.2, 3.0, 3.0, 2.5
"""A crack is so many voxels open, so many voxels and half openings deep, and reaches so many voxels below the surface:
what is nearer to it is a groove."""

_LEAST_SPREAD, _MOST_OFF, _OFF_WIDE = 1.5, 1.0, 0.25
"""Least variance along a sheet, in that across it; voxels by which those of a sheet lie off its surface, and, of the
widest gap, what is added."""

_LIP = 1.5
"""Voxels behind a face where its outline is taken: blur rounds its edge."""

_TIP, _LEAST_INNER = 2, 6
"""Cells beside a crack's tip that do not tell its opening; cells that do."""

_BESIDE, _BEYOND = 1.2, 3
"""Voxels on either side, and before the mouth, that a crack darkens."""

_HARDLY = 1e-6
"""Voxels that rounding may take away."""

_LEVEL_U, _RELATIVE_U, _RIM_U = 0.01, 0.06, 1.0
"""Standard uncertainty of the flanks' level; of the opening by what the map's rim and bends leave out; and by the cells
on the rim."""


@dataclass(frozen=True)
class Cracks:
    """Of one particle. kind: the gravest; opening_um: median of each, mean of all by area; depth_um: of the deepest;
    envelope_u_um3: what is not known of the particle's envelope at their mouths; opened (z, y, x): voxels of the
    envelope in and about cracks that reach the surface; beside: of all whose grey a crack changes, also before its
    mouth."""

    kind: CrackKind
    count: int
    volume_um3: Measured
    opening_um: Measured
    depth_um: float
    envelope_u_um3: float
    opened: BoolVolume
    beside: BoolVolume


def no_cracks(shape: tuple[int, ...]) -> Cracks:
    """Of a sound particle in a box of that shape."""
    nothing, nowhere = Measured(0.0, 0.0), np.zeros(shape, bool)
    return Cracks("none", 0, nothing, nothing, 0.0, 0.0, nowhere, nowhere)


def find_cracks(
    grey: FloatVolume, ground: FloatVolume, solid: BoolVolume, levels: BoxLevels, voxel_um: float, pieces: int
) -> Cracks:
    """Of a particle in its box (z, y, x); solid: its voxels above its threshold; pieces: that it had been parted in."""
    shape, widest = solid.shape, MOST_OPENING_UM / voxel_um
    box = bounding_box(solid, math.ceil(widest / 2 + 1) + 1)
    if box is None:
        return no_cracks(shape)
    grey, ground, solid = grey[box], ground[box], solid[box]
    domain = closed(solid, widest / 2 + 1)
    under = np.minimum(ground, np.float32(levels.particle_per_um - 0.5 * levels.contrast_per_um))
    share = np.asarray((grey - under) / (np.float32(levels.particle_per_um) - under), np.float32)
    sheets = find_sheets(share, solid, domain, levels, widest / 2 + 2.5)
    enclosed = fill_enclosed(solid) & ~solid
    found: list[_Crack] = []
    places: list[BoolVolume] = []
    for sheet in sheets[:_MOST]:
        crack = _measured(sheet, share, domain, levels, widest, parted=pieces > 1 and not found)
        # A wall of a void is no crack; of what parts the particle there is no doubt.
        if crack is None or (sheet.wall and crack.kind != "through"):
            continue
        own = crack.voxels(solid.shape)
        if not any(np.count_nonzero(own & other) > np.count_nonzero(own) / 2 for other in places):
            found.append(replace(crack, kind="inner") if _is_closed(crack, own, solid, enclosed) else crack)
            places.append(own)
    if not found:
        return no_cracks(shape)
    count = sum(crack.count for crack in found)
    volume = sum(crack.count * crack.opening for crack in found)
    u = math.hypot(*(crack.count * crack.u for crack in found))
    # At a mouth the envelope is known to a voxel or so, over the opening.
    mouths = [math.sqrt(math.pi * crack.count) * crack.opening for crack in found if crack.kind != "inner"]
    opened, beside = np.zeros(solid.shape, bool), np.zeros(solid.shape, bool)
    for crack, own in zip(found, places, strict=True):
        beside |= own
        if crack.kind != "inner":
            opened |= own
            beside |= crack.voxels(solid.shape, _BEYOND)
    return Cracks(
        kind=SEVERITY[max(SEVERITY.index(crack.kind) for crack in found)],
        count=len(found),
        volume_um3=Measured(volume * voxel_um**3, u * voxel_um**3),
        opening_um=Measured(
            sum(crack.count * crack.typical for crack in found) / count * voxel_um, u / count * voxel_um
        ),
        depth_um=max(crack.depth for crack in found) * voxel_um,
        envelope_u_um3=math.hypot(*mouths) * voxel_um**3,
        opened=_put_back(opened, box, shape),
        beside=_put_back(beside, box, shape),
    )


def _is_closed(crack: _Crack, own: BoolVolume, solid: BoolVolume, enclosed: BoolVolume) -> bool:
    """Whether the threshold shows it wide, and walled in: what is a closed void stays one."""
    walled_in, dark = int(np.count_nonzero(enclosed & own)), int(np.count_nonzero(own & ~solid))
    return crack.opening >= _PLAIN and walled_in > dark / 2


def _put_back(mask: BoolVolume, box: Box, shape: tuple[int, ...]) -> BoolVolume:
    whole = np.zeros(shape, bool)
    whole[box] = mask
    return whole


@dataclass(frozen=True)
class _Surface:
    """A plane with a quadratic bend: origin and axes (first, second, normal; in rows), coefficients of the height."""

    origin: Floats
    axes: Floats
    bend: Floats
    low: float
    high: float

    @classmethod
    def of(cls, sheet: Sheet, widest: float) -> _Surface | None:
        """Through a sheet's voxels; None where they are no sheet."""
        origin = np.average(sheet.places, axis=0, weights=sheet.opening)
        about = sheet.places - origin
        spread, axes = np.linalg.eigh((about * sheet.opening[:, None]).T @ about / sheet.opening.sum())
        if spread[1] < _LEAST_SPREAD * spread[0]:
            return None
        u, v, n = (about @ axes[:, column] for column in (2, 1, 0))
        terms = _terms(u, v)
        root = np.sqrt(sheet.opening)
        bend = np.asarray(np.linalg.lstsq(terms * root[:, None], n * root, rcond=None)[0], np.float64)
        height = terms @ bend
        off = math.sqrt(float(np.average((n - height) ** 2, weights=sheet.opening)))
        if off > _MOST_OFF + _OFF_WIDE * widest:
            return None
        return cls(origin, axes.T[::-1], bend, float(height.min()) - 0.5, float(height.max()) + 0.5)

    def height(self, u: Floats, v: Floats) -> Floats:
        """Above the plane, no further than that of the sheet's voxels."""
        return np.clip(_terms(u.ravel(), v.ravel()) @ self.bend, self.low, self.high).reshape(u.shape)


def _terms(u: Floats, v: Floats) -> Floats:
    return np.column_stack((np.ones_like(u), u, v, u * u, u * v, v * v))


@dataclass(frozen=True)
class _Cells:
    """A grid of cells, a voxel wide, on a surface: u, v (n, m) along its axes, height above its plane; low: of the
    first."""

    surface: _Surface
    u: Floats
    v: Floats
    height: Floats
    low: Floats

    def sampled(self, values: NDArray[np.generic], step: float) -> Floats:
        """A box (z, y, x) `step` voxels above each cell."""
        from scipy import ndimage

        places = np.stack((self.u, self.v, self.height + step), axis=-1)
        at = np.moveaxis(self.surface.origin + places @ self.surface.axes, -1, 0)
        return np.asarray(ndimage.map_coordinates(np.asarray(values, np.float32), at, order=1, mode="nearest"), float)

    def beside(self, chosen: NDArray[np.bool_], half: float, shape: tuple[int, ...]) -> BoolVolume:
        """Voxels of the box within `half` of the surface at chosen cells."""
        found, surface = np.zeros(shape, bool), self.surface
        sides = zip(shape, surface.origin, surface.axes[2], strict=True)
        z, y, x = ((np.arange(size) - start) * way for size, start, way in sides)
        above = z[:, None, None] + y[:, None] + x
        # Most voxels are nowhere near.
        places = np.argwhere((above >= surface.low - half - _HARDLY) & (above <= surface.high + half + _HARDLY))
        flat = (places - surface.origin) @ surface.axes.T
        at = np.rint(flat[:, :2] - self.low).astype(int)
        within = np.all((at >= 0) & (at < chosen.shape), axis=1)
        at = tuple(np.where(within[:, None], at, 0).T)
        found[tuple(places.T)] = within & chosen[at] & (np.abs(flat[:, 2] - self.height[at]) <= half)
        return found


@dataclass(frozen=True)
class _Crack:
    """count: of its cells; opening: their mean, and that in the middle; u: of either; all in voxels."""

    kind: CrackKind
    count: int
    opening: float
    typical: float
    u: float
    depth: float
    gaping: NDArray[np.bool_]
    cells: _Cells

    def voxels(self, shape: tuple[int, ...], wider: int = 0) -> BoolVolume:
        """Those that it darkens, as far as its mouth, or so many cells beyond it."""
        from scipy import ndimage

        chosen = np.asarray(ndimage.binary_dilation(self.gaping, iterations=wider), bool) if wider else self.gaping
        return self.cells.beside(chosen, self.opening / 2 + _BESIDE, shape)


def _measured(
    sheet: Sheet, share: FloatVolume, domain: BoolVolume, levels: BoxLevels, widest: float, *, parted: bool
) -> _Crack | None:
    surface = _Surface.of(sheet, widest)
    if surface is None:
        return None
    depths = _signed_depths(domain)
    flat = (np.argwhere(domain) - surface.origin) @ surface.axes.T
    low, high = np.floor(flat[:, :2].min(axis=0)) - 3, np.ceil(flat[:, :2].max(axis=0)) + 3
    u, v = np.meshgrid(*(np.arange(a, b + 1) for a, b in zip(low, high, strict=True)), indexing="ij")
    cells = _Cells(surface, u, v, surface.height(u, v), low)
    own = np.zeros(u.shape, bool)
    own[tuple(np.rint((sheet.places - surface.origin) @ surface.axes[:2].T - low).astype(int).T)] = True
    half = widest / 2 + _SPREAD
    opening, told = _openings(share, depths, cells, half)
    half = min(half, max(float(np.median(opening[own])), 0.3) / 2 + _SPREAD)
    opening, told = _openings(share, depths, cells, half)
    gaping, outline, dip = _gaping(share, depths, cells, own, max(float(np.median(opening[own])), 0.3))
    if not gaping.any():
        return None
    # Where lines would leave the particle the opening is that of the nearest line that does not.
    basis = told & gaping
    if not basis.any():
        basis = own & gaping
    if not basis.any():
        return None
    mean = float(opening[basis][_nearest(basis, gaping)].mean())
    if 2 * dip > _MOST_DIP * mean + _DIP_NOISE or mean < _LEAST_OF_BEND * float(np.median(sheet.opening)):
        # Darker than a gap so narrow can be: the wall of something wide.
        return None
    count = int(np.count_nonzero(gaping))
    if cells.sampled(depths, 0.0)[gaping].max() < _LEAST_INSIDE:
        return None
    kind = _kind(gaping, outline, parted=parted)
    depth = _depth(gaping, outline, kind)
    if mean < _LEAST_OPENING or depth < max(_LEAST_EXTENT, _FLATNESS * mean / 2):
        return None
    noise = levels.noise_per_um / levels.contrast_per_um * math.sqrt(max(levels.correlation_voxels, 0.5) * 2 * half)
    u_mean = math.hypot(
        noise / math.sqrt(np.count_nonzero(basis)), _LEVEL_U * 2 * half, _RELATIVE_U * mean, _RIM_U / math.sqrt(count)
    )
    return _Crack(kind, count, mean, _typical(opening, basis, gaping, outline), u_mean, depth, gaping, cells)


def _openings(share: FloatVolume, depths: FloatVolume, cells: _Cells, half: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Opening of each cell in voxels, and where it is told: where lines do not come near the surface. half: of the line
    that is summed."""
    steps = np.arange(-half - _FLANK, half + _FLANK + 0.01, _STEP)
    lines = np.stack([cells.sampled(share, step) for step in steps], axis=-1)
    before, after, within = steps < -half - 0.01, steps > half + 0.01, np.abs(steps) <= half + 0.01
    flanks = np.stack([lines[..., side].mean(axis=-1) for side in (before, after)])
    told = flanks.min(axis=0) > _LEAST_FLANK
    for end in (-half - _FLANK, 0.0, half + _FLANK):
        told &= cells.sampled(depths, end) >= _OFF_SURFACE
    level = np.maximum(flanks.mean(axis=0), _LEAST_FLANK)
    return (1 - lines[..., within] / level[..., None]).sum(axis=-1) * _STEP, told


def _gaping(
    share: FloatVolume, depths: FloatVolume, cells: _Cells, own: NDArray[np.bool_], opening: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], float]:
    """Cells that belong to the crack; those of the particle's section, whose rim lies between those of both lips; and
    what share is missing on the sheet's middle two voxels."""
    from scipy import ndimage, special

    lip = opening / 2 + _LIP
    near, far = (cells.sampled(depths, -at) + cells.sampled(depths, at) for at in (lip, lip + _LIP))
    # What is convex stands out a little between its lips.
    outline = near / 2 + np.clip((near - far) / 2 * lip**2 / ((lip + _LIP) ** 2 - lip**2), 0, 1) > 0
    dips = []
    for step in (-1.0, -0.5, 0.0, 0.5, 1.0):
        expected = 0.5 * special.erfc(-cells.sampled(depths, step) / (math.sqrt(2) * _BLUR_VOXELS))
        dips.append(expected - cells.sampled(share, step))
    read = outline & (cells.sampled(depths, 0.0) >= _LEAST_READ)
    weight = np.asarray(ndimage.gaussian_filter(read.astype(float), _SMOOTHING_CELLS))
    dip = np.asarray(ndimage.gaussian_filter(np.where(read, np.mean(dips, axis=0), 0.0), _SMOOTHING_CELLS))
    dip /= np.maximum(weight, 1e-6)
    if not (own & read).any():
        return np.zeros(own.shape, bool), outline, 0.0
    middle = float(np.median(dip[own & read]))
    dark = read & (dip >= _GAPING * middle)
    marks = np.zeros(dark.shape, np.int32)
    ndimage.label(dark, np.ones((3, 3)), output=marks)
    dark &= np.isin(marks, np.unique(marks[own & dark]))
    # The outermost cells, which the surroundings darken as well, are as those beside them.
    nearest = np.empty((2, *read.shape), np.int32)
    ndimage.distance_transform_edt(~read, return_distances=False, return_indices=True, indices=nearest)
    return outline & dark[tuple(nearest)], outline, middle


def _typical(opening: Floats, basis: NDArray[np.bool_], gaping: NDArray[np.bool_], outline: NDArray[np.bool_]) -> float:
    """Median opening away from the crack's own tip, over which blur spreads it."""
    from scipy import ndimage

    inner = basis & np.asarray(ndimage.binary_erosion(gaping | ~outline, iterations=_TIP), bool)
    return float(np.median(opening[inner if np.count_nonzero(inner) >= _LEAST_INNER else basis]))


def _nearest(basis: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Of each wanted cell the number, among those of `basis`, of the nearest of these."""
    from scipy.spatial import KDTree

    return np.asarray(KDTree(np.argwhere(basis)).query(np.argwhere(wanted))[1], np.int64)


def _signed_depths(domain: BoolVolume) -> FloatVolume:
    """Distance from the surface in voxels, inside above 0."""

    wide = padded(domain)
    inside, outside = np.asarray(depth_of(wide), np.float32), np.asarray(depth_of(~wide), np.float32)
    return np.where(wide, inside, 1 - outside)[1:-1, 1:-1, 1:-1] - np.float32(0.5)


def _kind(gaping: NDArray[np.bool_], outline: NDArray[np.bool_], *, parted: bool) -> CrackKind:
    from scipy import ndimage

    whole = _WHOLE_PARTED if parted else _WHOLE
    if np.count_nonzero(gaping) >= whole * np.count_nonzero(outline):
        return "through"
    rim = outline & ~np.asarray(ndimage.binary_erosion(outline), bool)
    return "edge" if np.count_nonzero(gaping & rim) >= 3 else "inner"


def _depth(cells: NDArray[np.bool_], outline: NDArray[np.bool_], kind: CrackKind) -> float:
    """Of a crack from the edge how far it reaches along the line from its mouth to its tip; else its least width."""
    at = np.argwhere(cells).astype(float)
    if kind == "edge":
        inwards = np.argwhere(outline).mean(axis=0) - at.mean(axis=0)
        length = float(np.linalg.norm(inwards))
        if length > 0.5:
            return float(np.ptp(at @ (inwards / length))) + 1
    turns = np.pi * np.arange(18) / 18
    return float(np.ptp(at @ np.array([np.cos(turns), np.sin(turns)]), axis=0).min()) + 1
