"""The mosaic as the server tells of it: its tiles, its picture, the regions on it."""

from __future__ import annotations

from xrm_control.contracts.document import Figure, Record
from xrm_control.core.states import FrameOutcome


class TileView(Record):
    """A tile of the mosaic: stage position of its centre, its size in um; picture: "" until it is kept."""

    frame_id: str
    row: int
    column: int
    x_um: float
    y_um: float
    width_um: float
    height_um: float
    outcome: FrameOutcome
    picture: str = ""


class MosaicView(Record):
    """The tiles, and the stitched mosaic when there is one: its picture, and what it covers on the stage in um.

    particles: places of what was found in it are not on file; how many were.
    """

    tiles: tuple[TileView, ...]
    picture: str = ""
    x0_um: float = 0.0
    y0_um: float = 0.0
    width_um: float = 0.0
    height_um: float = 0.0
    particles: int | None = None


class RegionView(Record):
    """A region on the mosaic. state: waiting, scanning, or the state of its life after the scan; frames with an outcome
    and planned; particles: whole ones that were measured, voided: how many of them have voids, voided_percent: their
    share, weighted as in its results; trust: pass, doubt or redo, "" where nobody looked.
    """

    name: str
    x_um: float
    y_um: float
    z_um: float
    width_um: float
    height_um: float
    state: str
    reason: str
    why: str
    added_by: str
    done: int
    planned: int
    expected_particles: int
    particles: int | None
    voided: int | None = None
    voided_percent: Figure
    equivalent_diameter_um: Figure
    trust: str
    preview: str = ""
    volume: bool = False
    doubts: tuple[str, ...] = ()


class Regions(Record):
    """All regions, in the order in which they are scanned."""

    regions: tuple[RegionView, ...]
