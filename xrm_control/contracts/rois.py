"""rois.json: the mosaic, and the regions that were chosen on it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

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


class MosaicFacts(Record):
    """What mosaic.ome.tif says of its picture, as JSON in the image's description.

    registration: None in files of before it was told there.
    """

    quantity: Literal["transmission"] = "transmission"
    unseen: Literal["NaN"] = "NaN"
    stage_x0_um: float
    stage_y0_um: float
    stage_of: str = "centre of pixel [0, 0]; x grows with the column, y with the row"
    pixel_size_um: float = Field(gt=0)
    registration_residual_um: Figure = None
    registration: RegistrationRecord | None = None


class EarlierRecord(Record):
    """The run whose mosaic was used again, the SHA-256 of its file, and what a second look at some of its tiles showed.

    looks: tiles looked at; recognised: those that showed what they had shown; unlike: those that showed something else,
    as row and column (from 0); x_um, y_um: by which the sample had moved; scatter_um: how far places lie from one
    common move (root mean square), None where nothing was looked at.
    """

    run: str
    sha256: str
    looks: int
    recognised: int
    unlike: tuple[tuple[int, int], ...] = ()
    x_um: float
    y_um: float
    scatter_um: Figure = None


class PlacesRecord(Record):
    """Where in the mosaic particles can be counted: cells, the first one's upper left corner on the stage.

    accounted: of the thickness seen about a cell, the share that goes with the particles found, None where there is
    next to nothing or nothing was seen; countable: a row of cells a text, a cell 1 where those found may be taken for
    those there, 0 where not, - where there is nothing to count.
    """

    cell_um: float = Field(gt=0)
    left_um: float
    top_um: float
    accounted: tuple[tuple[Figure, ...], ...]
    countable: tuple[str, ...]


class MosaicRecord(Record):
    """The stitched mosaic: pixel, stage position of the middle of its first pixel, shape (rows, columns), particles.

    residual_um: how far a tile must be expected to lie from its place (root mean square), but for what turns or
    stretches all alike; None where that is not known. diameters_um: of the particles; places_um: (x, y) of each on the
    stage, none in runs of before they were told. registration: None in runs of before there was one. count_doubt: why
    the particles cannot be counted, "" where nothing speaks against it; particles_between: two ends of a 95 % interval
    of how many there are, None where that cannot be stated, and in runs of before it was. places: where they can be
    counted, None in runs of before that was looked at. void_scores: how far the radiograph of each particle speaks for
    a void in it, in standard deviations, None where it says nothing; none in runs of before they were told. earlier:
    where the mosaic is that of a run before.
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
    particles_between: tuple[int, int] | None = None
    void_scores: tuple[Figure, ...] = ()
    places: PlacesRecord | None = None
    earlier: EarlierRecord | None = None


class NotChosen(StrEnum):
    """Why a window is not scanned."""

    OUTSIDE = "outside_limits"
    UNSEEN = "not_seen"
    AVOIDED = "avoided"
    DARK = "too_thick_edge_on"
    POOR = "below_least_worth"
    NOT_ASKED = "not_asked_for"


class EdgeOnRecord(Record):
    """What the mosaic foretells of a window at +-90 degrees, where the beam runs through the whole strip.

    dark_percent: of the rays that meet powder, those of which less than transmission_percent is left; limit_percent:
    as many may be. highest_um: how far powder reaches above z = 0 in the window's rows, anywhere on the strip; None in
    runs of before it was looked at.
    """

    dark_percent: float
    limit_percent: float
    transmission_percent: float
    highest_um: float | None = None

    @property
    def too_thick(self) -> bool:
        """Whether more rays are dark than may be."""
        return self.dark_percent > self.limit_percent

    @property
    def text(self) -> str:
        """The figure and its limit in words."""
        return (
            f"{self.dark_percent:.0f} % of the rays at +-90 degrees below {self.transmission_percent:g} %, "
            f"limit {self.limit_percent:g} %"
        )


class RoiRecord(Record):
    """A region: stage position of its centre, its window, why it was chosen, particles expected in it.

    Its name is a folder's name; added_by: who added it by hand, "" for one of the recipe's strategy. worth: expected
    particles over those of the best window of the mosaic; edge_on: None where the mosaic does not tell, and in runs of
    before it was looked at.
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
    worth: Figure = None
    edge_on: EdgeOnRecord | None = None


class CandidateRecord(Record):
    """One of the next best windows, beside those chosen and beside each other, and why it is not scanned.

    score: what it would add to those chosen, in the strategy's own measure; worth as of a region.
    """

    x_um: float
    y_um: float
    width_um: float
    height_um: float
    expected_particles: int
    score: float
    worth: float
    why: NotChosen
    reason: str
    edge_on: EdgeOnRecord | None = None


class AvoidedRecord(Record):
    """A place that no region may touch: a box about its middle, round where it is a disc; stage um."""

    name: str
    reason: str = ""
    x_um: float
    y_um: float
    width_um: float
    height_um: float
    disc: bool = False


class RoisDocument(Document):
    """rois.json. rejected: the next best windows, best first, not all there are; nothing: why no region is scanned, ""
    where there is one.
    """

    mosaic: MosaicRecord
    rois: tuple[RoiRecord, ...]
    rejected: tuple[CandidateRecord, ...] = ()
    avoided: tuple[AvoidedRecord, ...] = ()
    nothing: str = ""


ROIS = JsonFile("rois.json", RoisDocument)
