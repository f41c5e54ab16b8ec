"""The hand-off's volume in, and the label volumes out."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.field import FieldKind
from xrm_control.contracts.handoff import HANDOFF, RecipeReference
from xrm_control.contracts.quality import QualityMetrics
from xrm_control.core.errors import DataError
from xrm_control.core.geometry import Pose
from xrm_control.core.memory import require_memory
from xrm_control.core.sample import SampleSpec

_SAME = 0.05  # two statements about a voxel that are meant to be one
# Of a voxel, as of any file (docs/how-to/files.md); and of what stored numbers are multiplied with.
_VOXELS_UM = (0.005, 100.0)
_SCALES = (1e-12, 1e12)


@dataclass(frozen=True)
class AnalysisInput:
    """A hand-off with its volume read: volume (z, y, x) in 1/um, or in what `grey` says.

    doubts: what speaks against the volume already. field: the part that is looked at. foreign: of unknown make, so
    that it is looked at before it is measured. alone: no run judges it afterwards. scale, grey_source: where the voxel
    size and the unit are from.
    """

    volume: NDArray[np.number]
    volume_path: Path
    voxel_size_um: float
    roi: str
    centre: Pose
    quality: QualityMetrics = field(default_factory=QualityMetrics)
    inputs: dict[str, str] = field(default_factory=dict)
    sample: SampleSpec | None = None
    recipe: RecipeReference = field(default_factory=RecipeReference)
    analysis: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    field: FieldKind = "cylinder"
    foreign: bool = False
    alone: bool = False
    scale: str = ""
    grey: str = "1/um"
    grey_source: str = "1/um, by the hand-off"


def read_handoff(path: Path) -> AnalysisInput:
    """Read handoff.json and its volume. Raises DataError for a file, key, unit, hash or shape that is not right.

    Another program may have written it: keys that are not known here are left alone, and named in the warnings.
    """
    spec, unknown = HANDOFF.read_foreign(path)
    warnings = (*spec.warnings, *(f"{path.name}: {key} is not known and was left out" for key in unknown))
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
    if not _VOXELS_UM[0] <= spec.voxel_size_um <= _VOXELS_UM[1]:
        raise DataError(
            "a voxel of that size makes no sense",
            where=f"{path}, voxel_size_um",
            value=f"{spec.voxel_size_um:g} um",
            limit=f"{_VOXELS_UM[0]:g} to {_VOXELS_UM[1]:g} um",
            remedy="write it in um",
        )
    if not _SCALES[0] <= spec.attenuation_scale <= _SCALES[1]:
        raise DataError(
            "no stored number becomes an attenuation so",
            where=f"{path}, attenuation_scale",
            value=f"{spec.attenuation_scale:g}",
            limit=f"{_SCALES[0]:g} to {_SCALES[1]:g}",
            remedy="write what the volume's numbers are multiplied with to give 1/um",
        )
    volume = load_volume(volume_path, spec.voxel_size_um)
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
        warnings,
        scale=f"{spec.voxel_size_um:.6g} um, from {path.name}",
    )


def load_volume(path: Path, voxel_um: float | None = None) -> NDArray[np.number]:
    """Volume (z, y, x) of a TIFF or OME-TIFF, in whatever type and unit it is stored. Raises DataError, also where it
    states another voxel than `voxel_um`.
    """
    import tifffile

    try:
        there = path.is_file()
    except (OSError, ValueError) as error:  # a name too long, or with a zero byte
        raise DataError(
            f"the volume cannot be read: {error}", where=str(path)[:200], remedy="give a TIFF stack"
        ) from error
    if not there:
        what = "is no regular file" if path.exists() else "No such file or directory"
        raise DataError(f"the volume cannot be read: {what}", where=str(path)[:200], remedy="give a TIFF stack")
    try:
        with tifffile.TiffFile(path) as file:
            require_memory(file.series[0].nbytes, str(path))
            volume = file.asarray(series=0)
            own_um = _own_voxel_um(file)
    except DataError:
        raise
    except Exception as error:  # tags, XML, compression: damaged files raise whatever their parsers do
        what = str(error) or type(error).__name__
        raise DataError(f"the volume cannot be read: {what}", where=str(path), remedy="give a TIFF stack") from error
    if voxel_um is not None and own_um is not None and abs(own_um / voxel_um - 1) > _SAME:
        raise DataError(
            "the hand-off and its volume contradict each other about the edge of a voxel",
            where=str(path),
            value=f"{own_um:g} um, from PhysicalSizeX",
            limit=f"{voxel_um:g} um, by the hand-off",
            remedy="write the right one into both",
        )
    if volume.dtype.kind not in "uif":
        raise DataError("a volume holds real numbers", where=str(path), value=volume.dtype)
    volume = np.squeeze(volume)
    if volume.ndim != 3:
        raise DataError("a volume has three dimensions (z, y, x)", where=str(path), value=f"shape {volume.shape}")
    return volume


def _own_voxel_um(file: Any) -> float | None:
    """What an OME-TIFF states in um, as most do; None where it does not."""
    import tifffile

    if not file.is_ome or not file.ome_metadata:
        return None
    image = tifffile.xml2dict(file.ome_metadata).get("OME", {}).get("Image", {})
    pixels = (image[0] if isinstance(image, list) else image).get("Pixels", {})
    if str(pixels.get("PhysicalSizeXUnit", "µm")) not in ("µm", "um"):
        return None
    try:
        return float(pixels["PhysicalSizeX"]) or None
    except (KeyError, TypeError, ValueError):
        return None


def write_labels(out: Path, voxel_um: float, labels: NDArray[np.unsignedinteger], phases: NDArray[np.uint8]) -> None:
    """Write labels.ome.tif and phases.ome.tif (z, y, x) into `out`, which is made if it is not there."""
    import tifffile

    out.mkdir(parents=True, exist_ok=True)
    size = {f"PhysicalSize{axis}": voxel_um for axis in "XYZ"} | {f"PhysicalSize{axis}Unit": "µm" for axis in "XYZ"}
    for name, stack in (("labels", labels), ("phases", phases)):
        # The same labels give the same bytes: the file's identity comes from its content, not from chance.
        identity = uuid.UUID(bytes=hashlib.sha256(stack.tobytes()).digest()[:16], version=4)
        metadata = {"axes": "ZYX", "UUID": str(identity), **size}
        tifffile.imwrite(out / f"{name}.ome.tif", stack, ome=True, metadata=metadata, compression="zlib")
