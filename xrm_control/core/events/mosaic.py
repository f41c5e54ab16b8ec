"""What is known of how a mosaic's tiles lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xrm_control.core.events.run import RunEvent
from xrm_control.core.states import Level


@dataclass(frozen=True)
class MosaicPlaced(RunEvent):
    """The tiles are placed: expected distance from their places in um (None: not known, see `note`), overlaps and those
    of no use, what the camera is turned by and its pixel's true size over the stated one, spread of brightness.
    """

    kind: ClassVar[str] = "mosaic.placed"

    residual_um: float | None
    pairs: int
    rejected: int
    rotation_deg: float
    scale: float
    gain_percent: float
    note: str = ""

    @property
    def text(self) -> str:
        if self.residual_um is None:
            return self.note or "one tile alone"
        turned = abs(self.rotation_deg) > 0.005 or abs(self.scale - 1) > 1e-4
        camera = f"; camera turned by {self.rotation_deg:+.2f} deg, pixel x {self.scale:.4f}" if turned else ""
        gain = f"; brightness of tiles +-{self.gain_percent:.1f} %" if self.gain_percent >= 0.5 else ""
        useless = f", {self.rejected} of {self.pairs} overlaps of no use" if self.rejected else ""
        return f"tiles lie within {self.residual_um:.3f} um{useless}{camera}{gain}"


@dataclass(frozen=True)
class MosaicFoundAgain(RunEvent):
    """The mosaic of a run before is used again: so many of the tiles looked at show what they had shown, the sample
    has moved by (x, y) um, and places lie within so many um of that (root mean square).
    """

    kind: ClassVar[str] = "mosaic.found_again"

    run: str
    looks: int
    recognised: int
    x_um: float
    y_um: float
    scatter_um: float

    @property
    def text(self) -> str:
        if not self.looks:
            return f"mosaic of {self.run}, used again unseen: nothing can be recognised without pictures"
        return (
            f"mosaic of {self.run}, used again: {self.recognised} of {self.looks} places recognised, "
            f"moved by {self.x_um:+.2f}, {self.y_um:+.2f} um, within {self.scatter_um:.2f} um"
        )


@dataclass(frozen=True)
class MosaicDoubted(RunEvent):
    """How well the tiles lie cannot be vouched for."""

    kind: ClassVar[str] = "mosaic.doubted"
    level: ClassVar[Level] = Level.WARNING

    reason: str

    @property
    def text(self) -> str:
        return f"the mosaic is not to be relied on: {self.reason}"


@dataclass(frozen=True)
class NoRegions(RunEvent):
    """The mosaic shows nothing that is worth a scan: the run ends in order without one."""

    kind: ClassVar[str] = "mosaic.empty"
    level: ClassVar[Level] = Level.WARNING

    reason: str

    @property
    def text(self) -> str:
        return f"nothing to scan: {self.reason}"


@dataclass(frozen=True)
class PlacesLeft(RunEvent):
    """So many of the next best windows are not scanned, and why; rois.json names them."""

    kind: ClassVar[str] = "mosaic.left"

    places: int
    summary: str

    @property
    def text(self) -> str:
        return f"next best places, {self.places}: {self.summary} (rois.json)"
