"""The mosaic: radiographs without rotation that map the sample, in snake order."""

from __future__ import annotations

import math
from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from xrm_control.acquisition.references import MOST_MARGIN_UM, clear_pose
from xrm_control.acquisition.steps import Acquisition, FrameStep
from xrm_control.acquisition.tomography import Binning
from xrm_control.core.frame_id import MOSAIC, FrameId
from xrm_control.core.geometry import Coordinate, Pose
from xrm_control.core.model import Spec
from xrm_control.core.sample import SampleSpec
from xrm_control.core.states import FrameKind
from xrm_control.devices.protocols import CameraDescription

_STAGE_ACCURACY_UM = 1.0
_LATER = ("stage_accuracy_um", "earlier")


class EarlierMosaic(Spec):
    """The mosaic of a run before, of the same sample: a few of its tiles are looked at again, and it is used as it is
    where they show the same, moved by what they tell.
    """

    run: str = Field(min_length=1, max_length=4096, description="folder of the run whose mosaic is used again")
    looks: int = Field(default=6, ge=3, le=100, description="tiles looked at again, spread over the mosaic")


class MosaicSpec(Spec):
    """A grid of radiographs at theta = 0. The defaults are the paper's: 5 x 8 tiles of 1 s."""

    columns: int = Field(default=5, ge=1, le=100)
    rows: int = Field(default=8, ge=1, le=100)
    overlap_percent: float = Field(default=0.0, ge=0, le=50, description="of the field of view, between neighbours")
    centre_x_um: Coordinate = 0.0
    centre_y_um: Coordinate = 0.0
    z_um: Coordinate = 0.0
    binning: Binning = 8
    exposure_s: float = Field(default=1.0, gt=0, le=600)
    flats: int = Field(default=3, ge=1, le=100)
    darks: int = Field(default=3, ge=1, le=100)
    clear_margin_um: float = Field(default=10.0, ge=0, le=MOST_MARGIN_UM)
    stage_accuracy_um: float = Field(
        default=_STAGE_ACCURACY_UM,
        gt=0,
        le=50,
        description="the farthest that x or y may be off what they read back; bounds what the overlaps may say",
    )
    earlier: EarlierMosaic | None = Field(
        default=None, description="use the mosaic of a run before again; this one's tiles are then those of that run"
    )

    @model_serializer(mode="wrap")
    def _as_before(self, said: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what is as it always was: recipes from before there was such a setting keep their hash."""
        content: dict[str, Any] = said(self)
        silent = {name for name in _LATER if getattr(self, name) == type(self).model_fields[name].default}
        return {name: value for name, value in content.items() if name not in silent}

    def pitch_um(self, camera: CameraDescription) -> float:
        """Distance of neighbouring tile centres in um."""
        return camera.field_of_view_um * (1 - self.overlap_percent / 100)

    def centre_of(self, row: int, column: int, camera: CameraDescription) -> Pose:
        """Stage position of a tile; rows go down (y), columns to the right (x)."""
        pitch = self.pitch_um(camera)
        return Pose(
            self.centre_x_um + (column - (self.columns - 1) / 2) * pitch,
            self.centre_y_um + (row - (self.rows - 1) / 2) * pitch,
            self.z_um,
            0.0,
        )

    def tile_of(self, index: int) -> tuple[int, int]:
        """Row and column of the tile taken as number `index`, in snake order."""
        row, along = divmod(index, self.columns)
        return row, along if row % 2 == 0 else self.columns - 1 - along

    def taken(self) -> tuple[int, ...]:
        """Numbers, in snake order, of the tiles that are exposed: all, or those of an earlier mosaic looked at again.

        These are spread: the first in the middle, each next one as far as can be from those before it.
        """
        count = self.rows * self.columns
        if self.earlier is None or self.earlier.looks >= count:
            return tuple(range(count))
        places = [self.tile_of(index) for index in range(count)]
        middle = ((self.rows - 1) / 2, (self.columns - 1) / 2)
        apart = [math.dist(place, middle) for place in places]
        chosen = [min(range(count), key=apart.__getitem__)]
        while len(chosen) < self.earlier.looks:
            apart = [min(math.dist(place, places[one]) for one in chosen) for place in places]
            chosen.append(max(range(count), key=apart.__getitem__))
        return tuple(sorted(chosen))

    def acquisition(self, sample: SampleSpec, camera: CameraDescription) -> Acquisition:
        """Darks and flats beside the first tile, then the tiles that are taken, in snake order."""
        clear = clear_pose(self.centre_of(0, 0, camera), sample, camera.field_of_view_um, self.clear_margin_um)
        steps = [FrameStep(FrameId.dark(MOSAIC, i), FrameKind.DARK, i, clear, False) for i in range(self.darks)]
        steps += [FrameStep(FrameId.flat(MOSAIC, i), FrameKind.FLAT, i, clear) for i in range(self.flats)]
        for index in self.taken():
            row, column = self.tile_of(index)
            pose = self.centre_of(row, column, camera)
            steps.append(FrameStep(FrameId.tile(row, column), FrameKind.TILE, index, pose))
        return Acquisition(MOSAIC, self.binning, self.exposure_s, tuple(steps))
