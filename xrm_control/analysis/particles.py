"""Views of all particles of a volume: isolated, voids found, blur and roughness floor known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.crop import ParticleCrop
from xrm_control.analysis.levels import Levels
from xrm_control.analysis.lids import behind_lids
from xrm_control.analysis.noisefloor import edge_blur_voxels, noise_floor
from xrm_control.analysis.segmentation import Isolated
from xrm_control.analysis.splitting import fill_enclosed
from xrm_control.analysis.threshold import BoolVolume
from xrm_control.analysis.voids import VoidSpec, find_voids

# Nearer than this to the side of the cylinder or to its ends, a particle may be cut.
BORDER_VOXELS = 1.5


def make_crops(
    isolated: Sequence[Isolated],
    shape: tuple[int, int, int],
    voxel_um: float,
    voxel_relative_u: float,
    voids: VoidSpec,
    roi: str,
    border: NDArray[np.float64],
) -> list[ParticleCrop]:
    """Views numbered from 1 in the order given, without blur and floors (see `with_blur`).

    border (ny, nx): distance of voxel centres to the side of the field.
    """
    centre = tuple((n - 1) / 2 for n in shape)
    crops = []
    for number, item in enumerate(isolated, start=1):
        own = item.solid | item.cracks.opened
        lidded = None if item.leaky.any() else _lidded(item, own)
        found = find_voids(own, voids, item.leaky, lidded)
        rows, *_ = np.nonzero(found.envelope)
        first, last = int(rows.min()) + item.box[0].start, int(rows.max()) + item.box[0].start
        side = border[item.box[1:]][found.envelope.any(axis=0)]
        crops.append(
            ParticleCrop(
                particle_id=number,
                roi=roi,
                grey=item.grey,
                ground=item.ground,
                envelope=found.envelope,
                zone=item.zone,
                voids=found,
                cracks=item.cracks,
                solid=item.solid,
                lidded=lidded is not None and bool((lidded & found.envelope).any()),
                origin=(item.box[0].start, item.box[1].start, item.box[2].start),
                centre_voxel=(centre[0], centre[1], centre[2]),
                levels=item.levels,
                voxel_um=voxel_um,
                voxel_relative_u=voxel_relative_u,
                touches_rows=first < BORDER_VOXELS or last > shape[0] - 1 - BORDER_VOXELS,
                touches_cylinder=bool(side.min() < BORDER_VOXELS),
            )
        )
    return crops


def _lidded(item: Isolated, own: BoolVolume) -> BoolVolume:
    contrast = item.levels.contrast_per_um
    share = ((item.grey - item.ground) / contrast).astype(np.float32)
    return behind_lids(share, fill_enclosed(own), item.zone, item.levels.noise_per_um / contrast)


def large_enough(crops: Sequence[ParticleCrop], least_voxels: float) -> tuple[list[ParticleCrop], int]:
    """Those of so many voxels, numbered anew, and how many are not.

    What streaks and noise lift above the volume's one threshold, on tape and glue, hardly passes its own.
    """
    large = [crop for crop in crops if crop.voxels >= least_voxels]
    return [replace(crop, particle_id=number) for number, crop in enumerate(large, start=1)], len(crops) - len(large)


def with_blur(crops: Sequence[ParticleCrop], levels: Levels, seed: int) -> list[ParticleCrop]:
    """The same crops knowing the blur of the volume and their roughness floors."""
    blur = edge_blur_voxels([v for v in crops if not (v.touches_rows or v.touches_cylinder)])
    radii = np.array([(3 * crop.voxels / (4 * np.pi)) ** (1 / 3) for crop in crops])
    relative = crops[0].levels.noise_per_um / levels.modes.contrast_per_um
    floors = noise_floor(radii, blur, relative, levels.noise_lag1, seed)
    return [
        replace(
            crop,
            blur_voxels=blur,
            floor_um=float(fine) * crop.voxel_um,
            voxel_floor_um=float(coarse) * crop.voxel_um,
        )
        for crop, (fine, coarse) in zip(crops, floors, strict=True)
    ]
