"""What the mosaic of a run says of the powder's sizes: the population is weighted by it."""

from __future__ import annotations

import math

from xrm_control.analysis.size_classes import MosaicSizes, Window
from xrm_control.contracts.rois import ROIS
from xrm_control.roi.particles2d import SMALLEST_UM
from xrm_control.storage.run_folder import RunFolder


def mosaic_sizes(folder: RunFolder) -> MosaicSizes:
    """From the run's rois.json, with the reason where it is of no use. Raises DataError when that cannot be read."""
    if not folder.rois.is_file():
        return MosaicSizes((), SMALLEST_UM, "there is no mosaic")
    document = ROIS.read(folder.rois)
    mosaic = document.mosaic
    doubt = mosaic.count_doubt
    if doubt:
        doubt = f"the particles of the mosaic cannot be counted: {doubt}"
    elif not mosaic.diameters_um:
        doubt = "no sizes of the mosaic's particles are on record"
    return MosaicSizes(
        mosaic.diameters_um,
        SMALLEST_UM,
        doubt,
        mosaic.places_um,
        tuple(math.nan if score is None else score for score in mosaic.void_scores),
        tuple(Window(roi.name, roi.x_um, roi.y_um, roi.z_um, roi.width_um, roi.height_um) for roi in document.rois),
    )
