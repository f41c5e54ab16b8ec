"""Radii from the centroid at 8 azimuths in the planes xy, xz and yz of the volume frame.

Sub-voxel: where the grey value along the ray (trilinear) passes the particle's threshold, at the surface of its mask.
Voxel rays: whole voxels walked along axes and diagonals, as on "cubic" data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.threshold import BoolVolume, FloatVolume

PLANES = ("xy", "xz", "yz")
AZIMUTHS_DEG = tuple(range(0, 360, 45))
STEP_VOXELS = 0.25
SEARCH_VOXELS = 2.0


def _directions() -> NDArray[np.float64]:
    first = {"xy": (0, 0, 1), "xz": (0, 0, 1), "yz": (0, 1, 0)}
    second = {"xy": (0, 1, 0), "xz": (1, 0, 0), "yz": (1, 0, 0)}
    angles = np.radians(AZIMUTHS_DEG)
    return np.array(
        [[np.cos(a) * np.array(first[p]) + np.sin(a) * np.array(second[p]) for a in angles] for p in PLANES]
    )


DIRECTIONS_ZYX = _directions()


@dataclass(frozen=True)
class RayRadii:
    """voxels and walked (3 planes, 8 azimuths): sub-voxel and voxel-ray radii in voxels; contact: rays that end at a
    neighbour, where there is no surface to find and the dividing plane is taken."""

    voxels: NDArray[np.float64]
    walked: NDArray[np.float64]
    contact: NDArray[np.bool_]


def measure_radii(grey: FloatVolume, envelope: BoolVolume, centroid: NDArray[np.float64], level: float) -> RayRadii:
    """Radii of the envelope (z, y, x) about `centroid` (z, y, x) in voxels; level: threshold in the unit of grey."""
    directions = DIRECTIONS_ZYX.reshape(-1, 3)
    profile, distances, exits = _profiles(grey, envelope, centroid, directions)
    high, low = profile[:, :-1], profile[:, 1:]
    falls = (high >= level) & (low < level)
    places = np.full(falls.shape, np.inf)
    np.divide(STEP_VOXELS * (high - level), high - low, out=places, where=falls)
    places += distances[:-1]
    nearest = places[np.arange(len(places)), np.argmin(np.abs(places - exits[:, None]), axis=1)]
    contact = np.abs(nearest - exits) > SEARCH_VOXELS
    radii = np.where(contact, exits, nearest)
    shape = DIRECTIONS_ZYX.shape[:2]
    walked = _walked(envelope, centroid, directions)
    return RayRadii(radii.reshape(shape), walked.reshape(shape), contact.reshape(shape))


def edge_profile(
    grey: FloatVolume, centroid: NDArray[np.float64], radii: RayRadii, offsets: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Grey along the free rays at `offsets` (n,) in voxels from the surface found: (free rays, n)."""
    from scipy import ndimage

    free = ~radii.contact.ravel()
    directions = DIRECTIONS_ZYX.reshape(-1, 3)[free]
    along = radii.voxels.ravel()[free][:, None] + offsets
    points = centroid[:, None, None] + directions.T[:, :, None] * along
    return ndimage.map_coordinates(grey, points, order=1, mode="nearest")


def _profiles(
    grey: FloatVolume, envelope: BoolVolume, centroid: NDArray[np.float64], directions: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    from scipy import ndimage

    z, y, x = ((np.arange(size) - middle) ** 2 for size, middle in zip(envelope.shape, centroid, strict=True))
    farthest = np.max(z[:, None, None] + y[:, None] + x, where=envelope, initial=0)
    reach = float(np.sqrt(farthest)) + SEARCH_VOXELS + 1
    distances = np.arange(0, reach, STEP_VOXELS)
    points = centroid[:, None, None] + directions.T[:, :, None] * distances
    profile = ndimage.map_coordinates(grey, points, order=1, mode="nearest").astype(float)
    inside = ndimage.map_coordinates(envelope.astype(np.uint8), points, order=0, mode="constant") > 0
    last = inside.shape[1] - 1 - np.argmax(inside[:, ::-1], axis=1)
    exits = np.where(inside.any(1), distances[last] + STEP_VOXELS / 2, 0.0)
    return profile, distances, exits


def _walked(
    envelope: BoolVolume, centroid: NDArray[np.float64], directions: NDArray[np.float64]
) -> NDArray[np.float64]:
    start = np.rint(centroid).astype(int)
    steps = np.sign(np.rint(directions * 2)).astype(int)
    count = max(envelope.shape)
    places = start + steps[:, None, :] * np.arange(count)[:, None]
    valid = np.all((places >= 0) & (places < envelope.shape), axis=2)
    clipped = np.clip(places, 0, np.array(envelope.shape) - 1)
    inside = envelope[clipped[..., 0], clipped[..., 1], clipped[..., 2]] & valid
    last = count - 1 - np.argmax(inside[:, ::-1], axis=1)
    return np.where(inside.any(1), last + 0.5, 0.0) * np.linalg.norm(steps, axis=1)
