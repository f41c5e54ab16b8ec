"""`python -m benchmarks.foreign_core HANDOFF...`: tables of a core of others, held against the volumes they are of.

Otsu's threshold and a watershed of the distances (scikit-image), with edges drawn lower and higher, bodies that touch
left together, and every speck told: what differs between honest cores. None of these tables is to be refused.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.handoff_bodies import Body
from xrm_control.analysis.handoff_sizes import Room
from xrm_control.analysis.handoff_volume import handed_volume, odd_in_volume
from xrm_control.contracts.handoff import HANDOFF


@dataclass(frozen=True)
class Core:
    """Otsu's threshold times `factor`; bodies of at least so many voxels; `split`: where they touch."""

    name: str
    factor: float = 1.0
    split: bool = True
    least_voxels: int = 30


CORES = (
    Core("watershed"),
    Core("bodies that touch are one", split=False),
    Core("lower threshold", 0.85, least_voxels=8),
    Core("higher threshold", 1.15, least_voxels=60),
    Core("every speck", least_voxels=1),
)


def table(core: Core, volume: NDArray[np.number], voxel_um: float) -> list[Body]:
    """The rows of a core for a volume (z, y, x) in 1/um."""
    from scipy import ndimage
    from skimage.filters import threshold_otsu

    smooth = ndimage.median_filter(volume, 3)
    solid = np.asarray(ndimage.binary_fill_holes(smooth > threshold_otsu(smooth) * core.factor))
    labels = _parted(solid) if core.split else np.asarray(ndimage.label(solid)[0])  # type: ignore[index]
    sizes = np.bincount(labels.ravel())
    numbers = np.flatnonzero(sizes >= core.least_voxels)
    numbers = numbers[numbers > 0]
    middle = (np.array(labels.shape) - 1) / 2
    places = np.array(ndimage.center_of_mass(solid, labels, numbers)).reshape(-1, 3) - middle
    greys: Any = ndimage.mean(volume, labels, numbers)
    y, x = np.ogrid[: labels.shape[1], : labels.shape[2]]
    rim = np.hypot(y - middle[1], x - middle[2]) > middle[1] - 1
    cut = np.unique(np.concatenate([labels[:, rim].ravel(), labels[0].ravel(), labels[-1].ravel()]))
    return list(_rows(numbers, sizes[numbers] * voxel_um**3, places[:, ::-1] * voxel_um, np.asarray(greys), cut))


def _parted(solid: NDArray[np.bool_]) -> NDArray[np.integer]:
    from scipy import ndimage
    from skimage.feature import peak_local_max
    from skimage.segmentation import watershed

    depth: Any = ndimage.distance_transform_edt(solid)
    seeds: NDArray[np.int32] = np.zeros(solid.shape, np.int32)
    peaks = peak_local_max(ndimage.gaussian_filter(depth, 1), min_distance=5, labels=solid.astype(np.int32))
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return np.asarray(watershed(-depth, seeds, mask=solid))


def _rows(
    numbers: NDArray[np.intp],
    volumes_um3: NDArray[np.floating],
    places_um: NDArray[np.floating],
    greys: NDArray[np.floating],
    cut: NDArray[np.number],
) -> Iterator[Body]:
    for n, (number, volume, (x, y, z), grey) in enumerate(zip(numbers, volumes_um3, places_um, greys, strict=True)):
        cells = {
            "x_um": float(x),
            "y_um": float(y),
            "z_um": float(z),
            "volume_um3": float(volume),
            "equivalent_diameter_um": float((6 * volume / math.pi) ** (1 / 3)),
            "touches_boundary": float(number in cut),
            "mean_attenuation_per_um": float(grey),
        }
        yield Body(n + 2, cells)


def main() -> None:
    """A line for each volume and core."""
    for path in map(Path, sys.argv[1:]):
        handed = HANDOFF.read_foreign(path)[0]
        volume = handed_volume(handed, path)
        if volume is None:
            print(f"{path}: its volume is not there")
            continue
        for core in CORES:
            rows = table(core, volume, handed.voxel_size_um)
            found = list(odd_in_volume(rows, Room.of(handed), volume))
            faults = "; ".join(one.odd.what for one in found) or "in order"
            print(f"{path.parent.parent.name} {core.name}: {len(rows)} rows, {faults}", flush=True)


if __name__ == "__main__":
    main()
