"""One void by its grey: place, volume and surface, each with what is known of its error.

Blur carries a part of what is missing out of the zone in which it is summed, and more of a small void's than of a large
one's: that part is reckoned on a ball of the same volume, blurred alike, and given back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.greyvolume import BoxLevels, void_volume
from xrm_control.analysis.measured import Measured
from xrm_control.analysis.surfaces import face_area, smooth_area
from xrm_control.analysis.threshold import BoolVolume, FloatVolume

_LINEAR_VARIANCE = 1 / 6
"""Of linear interpolation, in voxels: the blur was measured along interpolated rays."""

_SMOOTHING_VOXELS = 0.8
_ROUNDS = 3
_LEAST_FOUND = 0.6
_OF_CORRECTION, _OF_NARROW = 0.3, 0.45
"""Standard uncertainty of what is given back, and of the volume times (blur / radius)^2: the void is no ball, and its
blur is not quite known."""

_PLACE_VOXELS = 0.03
"""Standard uncertainty of a centre besides noise: where in its voxels the void lies (`benchmarks.coverage`)."""

_SHAPE_SCATTER = 0.06
"""Of the area, over the radius in voxels: where the grid lies, and what the blur hides of the shape."""


@dataclass(frozen=True)
class VoidMeasure:
    """One void, in um. centre_um: x, y, z in the volume frame; voxels: count at the threshold; faces_um2: its faces."""

    kind: str
    centre_um: tuple[Measured, Measured, Measured]
    volume_um3: Measured
    surface_area_um2: Measured
    sphericity: Measured
    surface_to_volume_per_um: Measured
    equivalent_diameter_um: Measured
    voxels: int
    faces_um2: float


@dataclass(frozen=True)
class VoidBox:
    """What a void is measured in: boxes (z, y, x). expected: share that each voxel would show without voids; zone: the
    void's voxels and those that its blur reaches; origin_um: x, y, z of the box's first voxel in the volume frame."""

    grey: FloatVolume
    expected: NDArray[np.float32]
    mask: BoolVolume
    zone: BoolVolume
    levels: BoxLevels
    blur_voxels: float
    voxel_um: float
    voxel_relative_u: float
    origin_um: tuple[float, float, float]


def grey_blur_voxels(blur_voxels: float) -> float:
    """Blur of the grey itself, of one that was measured along interpolated rays."""
    return math.sqrt(max(blur_voxels**2 - _LINEAR_VARIANCE, 0.04))


def measure_void(box: VoidBox, kind: str) -> VoidMeasure:
    """The void of `box.mask`, which is not empty."""
    voxels = int(np.count_nonzero(box.mask))
    levels = box.levels
    found, noise = void_volume(box.grey[box.zone], box.expected[box.zone], levels)
    found = max(found, 0.5 * voxels)
    at = np.array(np.nonzero(box.zone), float)
    missing = box.expected[box.zone] - (box.grey[box.zone] - levels.background_per_um) / levels.contrast_per_um
    centre, centre_u = _centroid(at, missing.astype(float), box.mask, found, levels)
    share = _share_found(box, centre, found)
    volume = found / share
    area_faces = _area(box, volume)
    ball = (3 * volume / (4 * math.pi)) ** (1 / 3)
    # Three times volume over area: of a ball its radius, of a flat void three halves of its thickness.
    narrow = (grey_blur_voxels(box.blur_voxels) / min(3 * volume / area_faces, ball)) ** 2
    u = math.hypot(noise / share, _OF_CORRECTION * (volume - found), _OF_NARROW * narrow * volume)
    cube = box.voxel_um**3
    scale = box.voxel_relative_u
    v_um3 = Measured(volume * cube, math.hypot(u * cube, 3 * scale * volume * cube))
    place = [
        Measured(o + c * box.voxel_um, math.hypot(e * box.voxel_um, scale * (o + c * box.voxel_um)))
        for o, c, e in zip(box.origin_um, centre[::-1], centre_u[::-1], strict=True)
    ]
    area, sphericity, ratio, diameter = _shape(area_faces, volume, u, v_um3, box)
    return VoidMeasure(
        kind=kind,
        centre_um=(place[0], place[1], place[2]),
        volume_um3=v_um3,
        surface_area_um2=area,
        sphericity=sphericity,
        surface_to_volume_per_um=ratio,
        equivalent_diameter_um=diameter,
        voxels=voxels,
        faces_um2=face_area(box.mask) * box.voxel_um**2,
    )


def _centroid(
    at: NDArray[np.float64], missing: NDArray[np.float64], mask: BoolVolume, found: float, levels: BoxLevels
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre of what is missing (z, y, x) in voxels and its standard uncertainty, from the noise's lever."""
    middle = np.array([axis.mean() for axis in np.nonzero(mask)])
    lever = at - middle[:, None]
    centre = middle + (lever * missing).sum(1) / found
    noise = levels.noise_per_um / levels.contrast_per_um
    u = np.hypot(noise * np.sqrt(levels.correlation_voxels * (lever**2).sum(1)) / found, _PLACE_VOXELS)
    return centre, u


def _share_found(box: VoidBox, centre: NDArray[np.float64], found: float) -> float:
    """Which part of a blurred ball of this volume lies in the zone."""
    sigma = grey_blur_voxels(box.blur_voxels)
    grids = np.ogrid[tuple(slice(n) for n in box.zone.shape)]
    distance = np.sqrt(sum((grid - c) ** 2 for grid, c in zip(grids, centre, strict=True)))
    share = 1.0
    for _ in range(_ROUNDS):
        volume = found / share
        radius = (3 * volume / (4 * math.pi)) ** (1 / 3)
        inside = float(blurred_ball(distance[box.zone], radius, sigma).sum())
        share = min(max(inside / volume, _LEAST_FOUND), 1.0)
    return share


def blurred_ball(distance: NDArray[np.float64], radius: float, sigma: float) -> NDArray[np.float64]:
    """A ball of 1 convolved with a Gaussian, at these distances from its centre."""
    from scipy import special

    q, r = math.sqrt(2) * sigma, np.maximum(distance, 1e-3)
    wings = special.erf((radius - r) / q) + special.erf((radius + r) / q)
    bells = np.exp(-(((r + radius) / q) ** 2)) - np.exp(-(((r - radius) / q) ** 2))
    return wings / 2 + sigma / (math.sqrt(2 * math.pi) * r) * bells


def _area(box: VoidBox, volume: float) -> float:
    """In voxel faces: of the level of what is missing, lightly smoothed, that encloses as many voxels as the volume."""
    from scipy import ndimage

    share = (box.grey - box.levels.background_per_um) / box.levels.contrast_per_um
    missing = np.where(box.zone, box.expected - share, 0)
    smooth = np.asarray(ndimage.gaussian_filter(missing, _SMOOTHING_VOXELS))
    count = max(round(volume), 1)
    ordered = np.sort(smooth[box.zone])[::-1]
    level = ordered[min(count, len(ordered)) - 1]
    body = box.zone & (smooth >= level)
    return smooth_area(body) * (volume / np.count_nonzero(body)) ** (2 / 3)


def _shape(
    area: float, volume: float, u: float, v_um3: Measured, box: VoidBox
) -> tuple[Measured, Measured, Measured, Measured]:
    """Area (um2), sphericity, area over volume (1/um), diameter (um). No body has less than the ball of its volume."""
    ball = math.pi ** (1 / 3) * (6 * volume) ** (2 / 3)
    area = max(area, ball)
    radius = (3 * volume / (4 * math.pi)) ** (1 / 3)
    scatter = _SHAPE_SCATTER / radius
    relative = u / volume
    sphericity = ball / area
    side, scale = box.voxel_um, box.voxel_relative_u
    a_um2, ratio = area * side**2, area / volume / side
    diameter = (6 * v_um3.value / math.pi) ** (1 / 3)
    return (
        Measured(a_um2, a_um2 * math.hypot(2 / 3 * relative, scatter, 2 * scale)),
        Measured(sphericity, sphericity * scatter),
        Measured(ratio, ratio * math.hypot(relative / 3, scatter, scale)),
        Measured(diameter, diameter * v_um3.u / (3 * v_um3.value)),
    )
