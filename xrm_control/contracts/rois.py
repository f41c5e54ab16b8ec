"""rois.json: the mosaic, and the regions that were chosen on it."""

from __future__ import annotations

from pydantic import Field

from xrm_control.contracts.document import Document, Figure, JsonFile, Record


class MosaicRecord(Record):
    """The stitched mosaic: pixel, stage position of the middle of its first pixel, shape (rows, columns), particles.

    residual_um: by how much neighbouring tiles disagree; None without overlap. diameters_um: of the particles.
    """

    pixel_size_um: float = Field(gt=0)
    x0_um: float
    y0_um: float
    shape: tuple[int, int]
    particles: int
    residual_um: Figure = None
    diameters_um: tuple[float, ...] = ()


class RoiRecord(Record):
    """A region: stage position of its centre, its window, why it was chosen, particles expected in it.

    Its name is a folder's name; added_by: who added it by hand, "" for one of the recipe's strategy.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    x_um: float
    y_um: float
    z_um: float
    width_um: float
    height_um: float
    reason: str
    expected_particles: int
    added_by: str = ""


class RoisDocument(Document):
    """rois.json."""

    mosaic: MosaicRecord
    rois: tuple[RoiRecord, ...]


ROIS = JsonFile("rois.json", RoisDocument)
