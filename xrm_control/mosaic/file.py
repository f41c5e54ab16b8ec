"""The mosaic on disk: a calibrated OME-TIFF, complete or not there at all."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import tifffile

from xrm_control.contracts.rois import MosaicFacts, RegistrationRecord
from xrm_control.core.errors import DataError
from xrm_control.mosaic.tiles import Mosaic, Registration
from xrm_control.storage.durable import durable_file


def write_mosaic(mosaic: Mosaic, path: Path) -> None:
    """Write transmission as float32 OME-TIFF (axes YX): pixel size in um, stage position of pixel [0, 0].

    The position is in the plane's PositionX/PositionY (um) and, with the registration, as JSON in the image's
    description. Written under a temporary name, made durable, then renamed. Raises StorageError.
    """
    facts = MosaicFacts(
        stage_x0_um=mosaic.x0_um,
        stage_y0_um=mosaic.y0_um,
        pixel_size_um=mosaic.pixel_size_um,
        registration_residual_um=mosaic.residual_um,
        registration=registration_record(mosaic),
    ).model_dump_json()
    # The file's identity follows from its content: the same run gives the same file to the bit.
    content = hashlib.sha256(facts.encode() + mosaic.image.tobytes()).digest()
    metadata = {
        "UUID": str(uuid.UUID(bytes=content[:16], version=5)),
        "axes": "YX",
        "Name": "mosaic",
        "Description": facts,
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


def registration_record(mosaic: Mosaic) -> RegistrationRecord | None:
    """How the tiles were placed, as files hold it."""
    found = mosaic.registration
    if found is None:
        return None
    return RegistrationRecord(
        picture_to_stage=found.picture_to_stage.tolist(),
        picture_to_stage_u=found.picture_to_stage_u.tolist(),
        rotation_deg=found.rotation_deg,
        scale=found.scale,
        pairs=found.pairs,
        rejected=found.rejected,
        clipped=found.clipped,
        gain_percent=found.gain_percent,
        refused=found.refused,
        note=found.note,
    )


def read_mosaic(path: Path) -> Mosaic:
    """A mosaic as `write_mosaic` left it, without what registration moved each tile by. Raises DataError."""
    try:
        with tifffile.TiffFile(path) as file:
            image, text = file.asarray(), file.ome_metadata
        described = ElementTree.fromstring(text or "<none/>").findtext("{*}Image/{*}Description")
        facts = MosaicFacts.model_validate_json(described or "")
    except (OSError, ValueError, ElementTree.ParseError, tifffile.TiffFileError) as error:
        reason = str(error).strip().splitlines()
        raise DataError("is no mosaic of a run", where=str(path), value=reason[0] if reason else None) from error
    if image.ndim != 2 or image.dtype != np.float32:
        raise DataError("is no mosaic of a run", where=str(path), value=f"{image.dtype} {image.shape}")
    return Mosaic(
        image=image,
        x0_um=facts.stage_x0_um,
        y0_um=facts.stage_y0_um,
        pixel_size_um=facts.pixel_size_um,
        offsets_um=np.empty((0, 2)),
        residual_um=facts.registration_residual_um,
        registration=None if facts.registration is None else _registration(facts.registration),
    )


def _registration(found: RegistrationRecord) -> Registration:
    return Registration(
        np.array(found.picture_to_stage),
        np.array(found.picture_to_stage_u),
        found.pairs,
        found.rejected,
        found.clipped,
        found.gain_percent,
        found.refused,
        found.note,
    )
