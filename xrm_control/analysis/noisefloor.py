"""Blur of the volume's edges, and the roughness that a perfect sphere would show at this blur and noise."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.crop import ParticleCrop
from xrm_control.analysis.rays import edge_profile, measure_radii
from xrm_control.analysis.void_measures import grey_blur_voxels

OFFSETS = np.arange(-3, 3.01, 0.25)
DRAWS = 8
_EDGE_SIGMAS = 8.0  # beyond which an edge has no grey of its own: 1e-15 of the contrast
SIZES = 4


def edge_blur_voxels(views: Sequence[ParticleCrop], most: int = 40) -> float:
    """Standard deviation in voxels of the Gaussian whose edge fits the mean profile across the largest free surfaces.

    It includes the voxel, the interpolation along the ray and what the reconstruction filter blurs. Without a free
    surface: 0.8.
    """
    from scipy import optimize, special

    rows = []
    for view in sorted(views, key=lambda v: -v.voxels)[:most]:
        profile = edge_profile(view.grey, view.centroid_voxel, view.radii, OFFSETS)
        rows.append((profile - view.levels.background_per_um) / view.levels.contrast_per_um)
    stacked = np.concatenate(rows) if rows else np.empty((0, len(OFFSETS)))
    if len(stacked) < 8:
        return 0.8
    mean = np.median(stacked, axis=0)

    def edge(x: NDArray[np.float64], sigma: float, top: float, low: float) -> NDArray[np.float64]:
        return low + (top - low) * 0.5 * special.erfc(x / (math.sqrt(2) * sigma))

    near = np.abs(OFFSETS) <= 2
    try:
        with warnings.catch_warnings():
            # Of an edge without any blur, as a mask has, no covariance is known; none is asked for.
            warnings.simplefilter("ignore", optimize.OptimizeWarning)
            (sigma, _, _), _ = optimize.curve_fit(edge, OFFSETS[near], mean[near], (0.8, 1.0, 0.0))
    except RuntimeError:
        return 0.8
    return float(min(max(abs(sigma), 0.3), 3.0))


def noise_floor(
    radii_voxels: NDArray[np.float64], blur_voxels: float, relative_noise: float, lag1: float, seed: int
) -> NDArray[np.float64]:
    """Roughness (max - min over 8 azimuths) of perfect spheres, in voxels: (n, 2), sub-voxel and voxel rays.

    Monte Carlo on a few radii between the extremes, interpolated. relative_noise: noise / contrast; lag1: the noise's
    autocorrelation one voxel away (modelled as Gaussian). blur_voxels: as `edge_blur_voxels` finds it.
    """
    rng = np.random.default_rng(seed)
    blur_voxels = grey_blur_voxels(blur_voxels)
    sizes = np.unique(np.linspace(radii_voxels.min(), radii_voxels.max(), SIZES))
    floors = np.array([_floor_of(float(size), blur_voxels, relative_noise, lag1, rng) for size in sizes])
    return np.column_stack([np.interp(radii_voxels, sizes, floors[:, column]) for column in (0, 1)])


def _floor_of(radius: float, blur: float, noise: float, lag1: float, rng: np.random.Generator) -> tuple[float, float]:
    import cc3d
    from scipy import ndimage, special

    half = math.ceil(radius + 3 * blur) + 2
    smooth = math.sqrt(-1 / (4 * math.log(lag1))) if 0.01 < lag1 < 0.95 else 0.0
    fine, coarse = [], []
    for _ in range(DRAWS):
        centre = half + rng.uniform(-0.5, 0.5, 3)
        distance = np.sqrt(sum((g - c) ** 2 for g, c in zip(np.ogrid[(slice(2 * half + 1),) * 3], centre, strict=True)))
        off = distance - radius
        edge, grey = np.abs(off) < _EDGE_SIGMAS * blur, (off < 0).astype(float)
        grey[edge] = 0.5 * special.erfc(off[edge] / (math.sqrt(2) * blur))
        grain = rng.standard_normal(grey.shape, dtype=np.float32)
        if smooth:
            grain = ndimage.gaussian_filter(grain, smooth)
        grey = (grey + grain * (noise / max(float(grain.std()), 1e-9))).astype(np.float32)
        # From the sphere's own centre: a particle's grey-weighted centroid is as good as that. Of its mask the largest
        # part, as of a particle's.
        parts = cc3d.connected_components((grey > 0.5) & (distance < radius + 3 * blur), connectivity=6)
        parts = np.asarray(parts)
        found = measure_radii(grey, parts == parts[half, half, half], centre, 0.5)
        fine.append(np.ptp(found.voxels, axis=1).mean())
        coarse.append(np.ptp(found.walked, axis=1).mean())
    return float(np.mean(fine)), float(np.mean(coarse))
