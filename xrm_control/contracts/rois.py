"""rois.json: the mosaic, and the regions that were chosen on it."""

from __future__ import annotations

from pydantic import Field

from xrm_control.contracts.document import Document, Figure, JsonFile, Record


class RegistrationRecord(Record):
    """How the tiles were placed, from what neighbours both saw.

    picture_to_stage: rows of the matrix from (right, down) in a picture to (x, y) on the stage, a length over the
    same by the stated pixel, and its standard uncertainty; rotation_deg, scale: what it amounts to. pairs: neighbours
    that overlap, rejected: those that were of no use; clipped: tiles that would have to lie farther from their
    read-back than the stage's stated accuracy; gain_percent: spread of the tiles' brightness. refused: why the
    residual is not to be relied on, "" where it is; note: what else is worth knowing.
    """

    picture_to_stage: tuple[tuple[float, float], tuple[float, float]]
    picture_to_stage_u: tuple[tuple[float, float], tuple[float, float]]
    rotation_deg: float
    scale: float
    pairs: int
    rejected: int
    clipped: int
    gain_percent: float
    refused: str = ""
    note: str = ""


class MosaicRecord(Record):
    """The stitched mosaic: pixel, stage position of the middle of its first pixel, shape (rows, columns), particles.

    residual_um: how far a tile must be expected to lie from its place (root mean square), but for what turns or
    stretches all alike; None where that is not known. diameters_um: of the particles; places_um: (x, y) of each on the
    stage, none in runs of before they were told. registration: None in runs of before there was one. count_doubt: why
    the particles cannot be counted, "" where nothing speaks against it.
    """

    pixel_size_um: float = Field(gt=0)
    x0_um: float
    y0_um: float
    shape: tuple[int, int]
    particles: int
    residual_um: Figure = None
    diameters_um: tuple[float, ...] = ()
    places_um: tuple[tuple[float, float], ...] = ()
    registration: RegistrationRecord | None = None
    count_doubt: str = ""


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
