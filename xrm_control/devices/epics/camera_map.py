"""The camera in a PV map: areaDetector's driver, and the plugin that hands its frames out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from xrm_control.core.model import Spec
from xrm_control.devices.epics.status import PvName, Text


class _Plugin(Spec):
    port: Text = Field(
        default="", description="NDArrayPort that the plugin must listen to; empty: the camera's own port"
    )


class ArrayFrames(_Plugin):
    """Frames from an NDStdArrays plugin."""

    kind: Literal["array"] = "array"
    prefix: PvName = "$(P)Det:image1:"


class _FileFrames(_Plugin):
    folder: str = Field(min_length=1, max_length=200, description="folder as the IOC sees it; it must exist")
    local_folder: str = Field(default="", description="the same folder as this machine sees it; empty: as the IOC does")

    @property
    def here(self) -> str:
        """The folder as this machine sees it."""
        return self.local_folder or self.folder


class Hdf5Frames(_FileFrames):
    """Frames from the files of an NDFileHDF5 plugin, one each, read where this machine sees them."""

    kind: Literal["hdf5"] = "hdf5"
    prefix: PvName = "$(P)Det:HDF1:"
    dataset: str = "/entry/data/data"


class TiffFrames(_FileFrames):
    """Frames from the files of an NDFileTIFF plugin, one each, read where this machine sees them."""

    kind: Literal["tiff"] = "tiff"
    prefix: PvName = "$(P)Det:TIFF1:"


Frames = Annotated[ArrayFrames | Hdf5Frames | TiffFrames, Field(discriminator="kind")]


_LATER = ("full_scale", "counts_per_photon", "offset_counts")


class Region(Spec):
    """The part of the sensor that is the full frame, in unbinned pixels of the sensor."""

    min_x: int = Field(default=0, ge=0)
    min_y: int = Field(default=0, ge=0)
    size_x: int = Field(gt=0)
    size_y: int = Field(gt=0)


class CameraMap(Spec):
    """The detector, as areaDetector. With a region, width and height are the region's."""

    prefix: PvName = "$(P)Det:cam1:"
    frames: Frames = ArrayFrames()
    width_px: int = Field(gt=0)
    height_px: int = Field(gt=0)
    region: Region | None = Field(default=None, description="part of the sensor used as the full frame; none: all")
    pixel_size_um: float = Field(gt=0, description="on the sample, at binning 1")
    readout_s: dict[int, float] = Field(min_length=1, description="read-out time by binning: the binnings there are")
    trigger_mode: Text = Field(
        default="Internal", min_length=1, description="TriggerMode in which Acquire = 1 takes one frame: a camera's own"
    )
    has_binning: bool = Field(default=True, description="false: no BinX and BinY; binning 1 is all there is")
    flip_rows: bool = Field(default=False, description="the first row is the bottom of the picture")
    flip_columns: bool = False
    full_scale: int = Field(default=65_535, gt=0, le=2**32 - 1, description="counts of a full pixel")
    counts_per_photon: float | None = Field(
        default=None, gt=0, le=1e6, description="of a detected photon; none: what saturates is known at the first frame"
    )
    offset_counts: float = Field(default=0.0, ge=0, le=1e6, description="counts of the dark")

    @model_serializer(mode="wrap")
    def _as_before(self, said: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the counts where nothing is said of them: maps from before keep their hash."""
        content: dict[str, Any] = said(self)
        silent = {name for name in _LATER if getattr(self, name) == type(self).model_fields[name].default}
        return {name: value for name, value in content.items() if name not in silent}

    @model_validator(mode="after")
    def _possible(self) -> CameraMap:
        if not self.has_binning and set(self.readout_s) != {1}:
            raise ValueError("has_binning is false: readout_s may name binning 1 only")
        if self.region is not None and (self.region.size_x, self.region.size_y) != (self.width_px, self.height_px):
            raise ValueError(
                f"width_px and height_px ({self.width_px} x {self.height_px}) must be the region's size_x and size_y"
                f" ({self.region.size_x} x {self.region.size_y})"
            )
        return self

    @property
    def full_region(self) -> Region:
        """The part of the sensor that is read out."""
        return self.region or Region(size_x=self.width_px, size_y=self.height_px)
