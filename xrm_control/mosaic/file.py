"""The mosaic on disk: a calibrated OME-TIFF, complete or not there at all."""

from __future__ import annotations

import hashlib
import json
import uuid
from pathlib import Path

import tifffile

from xrm_control.mosaic.tiles import Mosaic
from xrm_control.storage.durable import durable_file


def write_mosaic(mosaic: Mosaic, path: Path) -> None:
    """Write transmission as float32 OME-TIFF (axes YX): pixel size in um, stage position of pixel [0, 0].

    The position is in the plane's PositionX/PositionY (um) and, with the registration, as JSON in the image's
    description. Written under a temporary name, made durable, then renamed. Raises StorageError.
    """
    facts = {
        "quantity": "transmission",
        "unseen": "NaN",
        "stage_x0_um": mosaic.x0_um,
        "stage_y0_um": mosaic.y0_um,
        "stage_of": "centre of pixel [0, 0]; x grows with the column, y with the row",
        "pixel_size_um": mosaic.pixel_size_um,
        "registration_residual_um": mosaic.residual_um,
    }
    # The file's identity follows from its content: the same run gives the same file to the bit.
    content = hashlib.sha256(json.dumps(facts).encode() + mosaic.image.tobytes()).digest()
    metadata = {
        "UUID": str(uuid.UUID(bytes=content[:16], version=5)),
        "axes": "YX",
        "Name": "mosaic",
        "Description": json.dumps(facts),
        "PhysicalSizeX": mosaic.pixel_size_um,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": mosaic.pixel_size_um,
        "PhysicalSizeYUnit": "µm",
        "Plane": {
            "PositionX": [mosaic.x0_um],
            "PositionXUnit": ["µm"],
            "PositionY": [mosaic.y0_um],
            "PositionYUnit": ["µm"],
        },
    }
    with durable_file(path, "the mosaic", replace=True) as file:
        # Resolution tags as well, for readers that do not know OME: pixels per centimetre.
        tifffile.imwrite(
            file,
            mosaic.image,
            ome=True,
            photometric="minisblack",
            resolution=(1e4 / mosaic.pixel_size_um, 1e4 / mosaic.pixel_size_um),
            resolutionunit="CENTIMETER",
            metadata=metadata,
        )
