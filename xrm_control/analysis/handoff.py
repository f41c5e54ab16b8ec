"""The hand-off's files: handoff.json and its volume in; labels, tables and results out."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, ValidationError

from xrm_control.analysis.tables import PARTICLE_COLUMNS, VOID_COLUMNS, Row, finite, write_rows
from xrm_control.core.errors import DataError
from xrm_control.core.geometry import Pose
from xrm_control.core.model import Spec


class CentreSpec(Spec):
    """Stage position of the middle of the volume."""

    x: float
    y: float
    z: float


class HandoffSpec(Spec):
    """handoff.json. A taker must not choke on what another needs, so keys it does not know are left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    volume: str
    voxel_size_um: float = Field(gt=0)
    shape: tuple[int, int, int] | None = None
    units: str = "1/um"
    attenuation_scale: float = Field(default=1.0, gt=0)
    roi: str = "roi-01"
    centre_stage_um: CentreSpec = CentreSpec(x=0, y=0, z=0)
    quality: dict[str, Any] = Field(default_factory=dict)
    inputs: dict[str, str] = Field(default_factory=dict)
    sample: dict[str, Any] = Field(default_factory=dict)
    recipe: dict[str, Any] = Field(default_factory=dict)
    analysis: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class AnalysisInput:
    """A hand-off with its volume read: volume (z, y, x) in 1/um."""

    volume: NDArray[np.number]
    volume_path: Path
    voxel_size_um: float
    roi: str
    centre: Pose
    quality: dict[str, Any]
    inputs: dict[str, str]
    sample: dict[str, Any]
    recipe: dict[str, Any]
    analysis: dict[str, Any]


def read_handoff(path: Path) -> AnalysisInput:
    """Read handoff.json and its volume. Raises DataError for a file, key, unit, hash or shape that is not right."""
    try:
        spec = HandoffSpec.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"the hand-off cannot be read: {error.strerror}", where=str(path)) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "file"
        raise DataError(f"hand-off: {first['msg']}", where=f"{path}, {field}", value=first.get("input")) from error
    if spec.units != "1/um":
        raise DataError("the volume's unit is not known", where=f"{path}, units", value=spec.units, limit="1/um")
    volume_path = path.parent / spec.volume
    expected = spec.inputs.get(spec.volume)
    if expected and volume_path.is_file():
        found = hashlib.sha256(volume_path.read_bytes()).hexdigest()
        if found != expected:
            raise DataError(
                "the volume is not the one handed over (its hash differs)",
                where=str(volume_path),
                value=found[:12],
                limit=expected[:12],
                remedy="reconstruct again",
            )
    volume = load_volume(volume_path)
    if spec.shape is not None and volume.shape != spec.shape:
        raise DataError("shape differs from the hand-off", where=str(volume_path), value=volume.shape, limit=spec.shape)
    centre = Pose(spec.centre_stage_um.x, spec.centre_stage_um.y, spec.centre_stage_um.z, 0.0)
    return AnalysisInput(
        volume if spec.attenuation_scale == 1 else volume * np.float32(spec.attenuation_scale),
        volume_path,
        spec.voxel_size_um,
        spec.roi,
        centre,
        spec.quality,
        spec.inputs,
        spec.sample,
        spec.recipe,
        spec.analysis,
    )


def load_volume(path: Path) -> NDArray[np.number]:
    """Volume (z, y, x) of a TIFF or OME-TIFF, in whatever type and unit it is stored. Raises DataError."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            volume = file.asarray(series=0)
    except OSError as error:
        raise DataError(f"the volume cannot be read: {error.strerror or error}", where=str(path)) from error
    except (tifffile.TiffFileError, ValueError, IndexError, KeyError) as error:
        raise DataError(f"the volume cannot be read: {error}", where=str(path), remedy="give a TIFF stack") from error
    volume = np.squeeze(volume)
    if volume.ndim != 3:
        raise DataError("a volume has three dimensions (z, y, x)", where=str(path), value=f"shape {volume.shape}")
    return volume


def voxel_size_of(path: Path) -> float | None:
    """Voxel size in um that an OME-TIFF states (its X), or None."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            text = file.ome_metadata
    except (OSError, tifffile.TiffFileError) as error:
        raise DataError(f"the volume cannot be read: {error}", where=str(path)) from error
    if not text:
        return None
    found = tifffile.xml2dict(text)
    image = found.get("OME", {}).get("Image", {})
    pixels = (image[0] if isinstance(image, list) else image).get("Pixels", {})
    size = pixels.get("PhysicalSizeX")
    unit = pixels.get("PhysicalSizeXUnit", "µm")
    scale = {"µm": 1.0, "um": 1.0, "nm": 1e-3, "mm": 1e3}.get(unit)
    return None if size is None or scale is None else float(size) * scale


def write_results(
    out: Path,
    voxel_um: float,
    labels: NDArray[np.unsignedinteger],
    phases: NDArray[np.uint8],
    particles: Sequence[Row],
    voids: Sequence[Row],
    quality: Mapping[str, Any],
    results: Mapping[str, Any],
) -> None:
    """Write labels.ome.tif, phases.ome.tif, particles.csv, voids.csv, quality.json and results.json into `out`."""
    import tifffile

    out.mkdir(parents=True, exist_ok=True)
    size = {f"PhysicalSize{axis}": voxel_um for axis in "XYZ"} | {f"PhysicalSize{axis}Unit": "µm" for axis in "XYZ"}
    for name, stack in (("labels", labels), ("phases", phases)):
        # The same labels give the same bytes: the file's identity comes from its content, not from chance.
        identity = uuid.UUID(bytes=hashlib.sha256(stack.tobytes()).digest()[:16], version=4)
        metadata = {"axes": "ZYX", "UUID": str(identity), **size}
        tifffile.imwrite(out / f"{name}.ome.tif", stack, ome=True, metadata=metadata, compression="zlib")
    write_rows(out / "particles.csv", particles, PARTICLE_COLUMNS)
    write_rows(out / "voids.csv", voids, VOID_COLUMNS)
    for name, content in (("quality", quality), ("results", results)):
        text = json.dumps(finite(content), indent=1, allow_nan=False)
        (out / f"{name}.json").write_text(text + "\n", encoding="utf-8")
