"""The same views through open pipelines of others: light in, single particles out.

Each as its own documentation and its users' examples have it, with its defaults; nothing of the project takes part but
`ours`. All are told the pixel and the column of the rotation axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
_LEAST_VOID_VOXELS = 8
_SEEDS_APART = 5


@dataclass(frozen=True)
class Views:
    """integrals (n, rows, columns): -ln of the transmission; theta_deg (n,); path: the file that they are from."""

    integrals: Floats
    theta_deg: NDArray[np.float64]
    pixel_um: float
    path: Path


@dataclass(frozen=True)
class Body:
    """A whole particle as one pipeline has it: middle (x, y, z) in um, y as the specimen counts it; voids included in
    the volume; area_um2: None where the pipeline states none."""

    middle_um: tuple[float, float, float]
    volume_um3: float
    area_um2: float | None
    void_um3: float

    @property
    def diameter_um(self) -> float:
        """Of the ball of the same volume."""
        return (6 * self.volume_um3 / math.pi) ** (1 / 3)


Pipeline = Callable[[Views], list[Body]]


def read_views(path: Path, pixel_um: float) -> Views:
    """A Data Exchange file: light over mean flats, less mean darks."""
    import h5py

    with h5py.File(path) as file:
        data, white, dark = (
            np.asarray(file[f"exchange/{name}"], np.float32) for name in ("data", "data_white", "data_dark")
        )
        theta = np.asarray(file["exchange/theta"], float)
    ground = dark.mean(axis=0)
    passed = (data - ground) / np.maximum(white.mean(axis=0) - ground, 1)
    return Views(-np.log(np.clip(passed, 1e-3, None)).astype(np.float32), theta, pixel_um, path)


def ours(views: Views) -> list[Body]:
    """As an operator would: reconstruct, analyse."""
    import xrm_control as xrm

    found = xrm.analyze(xrm.reconstruct(views.path, pixel_size_um=views.pixel_um))
    return [
        Body(
            (float(row["x_um"]), -float(row["y_um"]), float(row["z_um"])),
            float(row["volume_um3"]),
            float(row["surface_area_um2"]),
            float(row["void_volume_um3"]),
        )
        for row in found.particle_rows
        if not row["touches_boundary"]
    ]


def paper(views: Views) -> list[Body]:
    """Filtered back-projection, one threshold, flooding from outside, voxels and their faces counted."""
    from scipy import ndimage

    solid = _thresholded(back_projected(views))
    labels = np.empty(solid.shape, np.int32)
    ndimage.label(ndimage.binary_fill_holes(solid), output=labels)
    return _counted(solid, labels, views.pixel_um, _faces_um2)


def scikit_image(views: Views) -> list[Body]:
    """`iradon`, Otsu, a watershed of the distances, marching cubes around each region."""
    from scipy.ndimage import shift
    from skimage.measure import marching_cubes, mesh_surface_area
    from skimage.transform import iradon

    # The axis in the middle of the pixel where `iradon` has it.
    centred = shift(views.integrals / views.pixel_um, (0, 0, 0.5), mode="nearest")
    slices = [
        iradon(centred[:, row].T, views.theta_deg, filter_name="cosine", circle=True)
        for row in range(views.integrals.shape[1])
    ]
    solid = _thresholded(np.stack(slices).astype(np.float32))

    def area_um2(body: Mask, pixel_um: float) -> float:
        corners, faces, *_ = marching_cubes(np.pad(body, 1).astype(np.float32), 0.5)
        return float(mesh_surface_area(corners, faces)) * pixel_um**2

    return _counted(solid, _by_watershed(solid), views.pixel_um, area_um2)


def simple_itk(views: Views) -> list[Body]:
    """Filtered back-projection, a median, Otsu, holes filled, a watershed of the distances, the label statistics."""
    import SimpleITK as sitk

    image = sitk.Median(sitk.GetImageFromArray(back_projected(views)), [1, 1, 1])
    image.SetSpacing([views.pixel_um] * 3)
    solid = sitk.OtsuThreshold(image, 0, 1)
    filled = sitk.BinaryFillhole(solid, fullyConnected=False)
    distances = sitk.SignedMaurerDistanceMap(filled, insideIsPositive=False, squaredDistance=False)
    regions = sitk.MorphologicalWatershed(distances, level=views.pixel_um, markWatershedLine=False)
    labels = sitk.Mask(regions, filled)
    shapes = sitk.LabelShapeStatisticsImageFilter()
    shapes.Execute(labels)
    numbers, dense = sitk.GetArrayFromImage(labels).astype(np.int32), sitk.GetArrayFromImage(solid).astype(bool)
    voids = np.bincount(numbers[~dense], minlength=int(numbers.max()) + 1) * views.pixel_um**3
    inside = _whole(numbers)
    half = (np.array(numbers.shape[::-1]) - 1) / 2 * views.pixel_um
    return [
        Body(
            _turned(np.array(shapes.GetCentroid(int(one))) - half),
            shapes.GetPhysicalSize(int(one)),
            shapes.GetPerimeter(int(one)),
            _counts(float(voids[one]), views.pixel_um),
        )
        for one in inside
    ]


def porespy(views: Views) -> list[Body]:
    """Filtered back-projection, Otsu, holes filled, the SNOW partitioning, its region properties."""
    from scipy import ndimage

    ps = import_module("porespy")
    ps.settings.tqdm["disable"] = True
    solid = _thresholded(back_projected(views))
    filled = np.asarray(ndimage.binary_fill_holes(solid))
    regions = np.asarray(ps.filters.snow_partitioning(filled).regions, np.int32)
    voids = np.bincount(regions[~solid], minlength=int(regions.max()) + 1) * views.pixel_um**3
    whole, half = set(_whole(regions).tolist()), (np.array(regions.shape) - 1) / 2
    return [
        Body(
            _turned(((np.array(one.centroid) - half) * views.pixel_um)[::-1]),
            float(one.volume) * views.pixel_um**3,
            float(one.surface_area) * views.pixel_um**2,
            _counts(float(voids[one.label]), views.pixel_um),
        )
        for one in ps.metrics.regionprops_3D(regions)
        if one.label in whole
    ]


PIPELINES: dict[str, Pipeline] = {
    "xrm_control": ours,
    "scikit-image": scikit_image,
    "SimpleITK": simple_itk,
    "porespy": porespy,
    "the paper's way": paper,
}


def back_projected(views: Views) -> Floats:
    """A volume (z, y, x) in 1/um, by ASTRA's filtered back-projection with its cosine filter."""
    import astra

    _, rows, columns = views.integrals.shape
    beam = astra.create_proj_geom("parallel", 1.0, columns, np.radians(views.theta_deg))
    field = astra.create_vol_geom(columns, columns)
    projector = astra.create_projector("linear", beam, field)
    volume = np.empty((rows, columns, columns), np.float32)
    for row in range(rows):
        seen = astra.data2d.create("-sino", beam, np.ascontiguousarray(views.integrals[:, row]) / views.pixel_um)
        made = astra.data2d.create("-vol", field)
        settings: dict[str, Any] = astra.astra_dict("FBP")
        settings |= {
            "ProjectorId": projector,
            "ProjectionDataId": seen,
            "ReconstructionDataId": made,
            "FilterType": "cosine",
        }
        work = astra.algorithm.create(settings)
        astra.algorithm.run(work)
        volume[row] = astra.data2d.get(made)
        astra.algorithm.delete(work)
        astra.data2d.delete([seen, made])
    astra.projector.delete(projector)
    return volume


def _thresholded(volume: Floats) -> Mask:
    """Solid by Otsu's threshold of the inscribed cylinder."""
    from skimage.filters import threshold_otsu

    line = np.arange(volume.shape[2]) - (volume.shape[2] - 1) / 2
    cylinder = np.hypot(line[:, None], line) < volume.shape[2] / 2 - 1
    return (volume > float(threshold_otsu(volume[:, cylinder]))) & cylinder


def _by_watershed(solid: Mask) -> NDArray[np.int32]:
    """As in the library's example of touching objects."""
    from scipy import ndimage
    from skimage.feature import peak_local_max
    from skimage.segmentation import watershed

    filled = np.asarray(ndimage.binary_fill_holes(solid))
    distances = np.asarray(ndimage.distance_transform_edt(filled))
    seeds = np.zeros(filled.shape, np.int32)
    places = peak_local_max(distances, min_distance=_SEEDS_APART, labels=filled.astype(np.uint8))
    seeds[tuple(places.T)] = np.arange(1, len(places) + 1)
    return np.asarray(watershed(-distances, seeds, mask=filled), np.int32)


def _whole(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Numbers of the regions that touch neither the first nor the last row, nor the cylinder."""
    line = np.arange(labels.shape[2]) - (labels.shape[2] - 1) / 2
    rim = np.hypot(line[:, None], line) >= labels.shape[2] / 2 - 2
    cut = np.unique(np.concatenate([labels[[0, -1]].ravel(), labels[:, rim].ravel()]))
    return np.setdiff1d(np.unique(labels), np.append(cut, 0))


def _counted(
    solid: Mask, labels: NDArray[np.int32], pixel_um: float, area_um2: Callable[[Mask, float], float]
) -> list[Body]:
    from scipy import ndimage

    half, boxes, found = (np.array(labels.shape) - 1) / 2, ndimage.find_objects(labels), []
    for one in _whole(labels):
        box = boxes[one - 1]
        own = labels[box] == one
        middle = np.argwhere(own).mean(axis=0) + [part.start for part in box] - half
        empty = float(np.count_nonzero(own & ~solid[box])) * pixel_um**3
        found.append(
            Body(
                _turned(middle[::-1] * pixel_um),
                float(np.count_nonzero(own)) * pixel_um**3,
                area_um2(own, pixel_um),
                _counts(empty, pixel_um),
            )
        )
    return found


def _faces_um2(body: Mask, pixel_um: float) -> float:
    padded = np.pad(body, 1)
    return sum(float(np.count_nonzero(np.diff(padded, axis=axis))) for axis in range(3)) * pixel_um**2


def _counts(void_um3: float, pixel_um: float) -> float:
    """Nothing where so few voxels are noise."""
    return void_um3 if void_um3 >= _LEAST_VOID_VOXELS * pixel_um**3 else 0.0


def _turned(middle_um: Sequence[float] | NDArray[np.floating]) -> tuple[float, float, float]:
    """As the specimen counts y: upwards in a slice."""
    x, y, z = (float(one) for one in middle_um)
    return x, -y, z
