"""The family of mesh exporters: one particle's surface in a format of others. A member is a file in `mesh_formats/`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from xrm_control.core.errors import DataError, StorageError
from xrm_control.core.family import Family
from xrm_control.core.model import Spec
from xrm_control.core.triangles import Triangles
from xrm_control.exports.particle_mesh import ParticleMesh
from xrm_control.storage.durable import require_free, sha256_bytes, write_durable

MESH_EXPORTERS = Family("xrm_control.exports.mesh_formats", group="xrm_control.mesh_exporters")


class MeshExporter(Spec):
    """Base of the family: told apart by `kind`. suffix: of its files; media_type: for browsers."""

    suffix: ClassVar[str]
    media_type: ClassVar[str] = "application/octet-stream"

    @abstractmethod
    def encode(self, mesh: ParticleMesh) -> bytes:
        """The content of the file; lengths in um, or with the scale that its format has for them."""

    @abstractmethod
    def decode(self, data: bytes) -> Sequence[Triangles]:
        """The surfaces in such a file, in um, as a reader of the format finds them: so that nothing counts that was not
        read back. One surface where the format has no parts."""

    def encoded(self, mesh: ParticleMesh) -> bytes:
        """`encode`, read back and compared. Raises DataError where a triangle is not what it was."""
        data = self.encode(mesh)
        read = np.concatenate([part.corners_um for part in self.decode(data)])
        own = np.concatenate([part.surface.corners_um for part in mesh.parts])
        if read.shape != own.shape or not np.allclose(read, own, rtol=1e-6, atol=1e-6):
            raise DataError(
                "the mesh, read back, is not what was written; it was thrown away",
                where=mesh.title,
                value=f"{len(read)} triangles",
                limit=f"{len(own)} triangles",
            )
        return data


@dataclass(frozen=True)
class ExportedMesh:
    """A mesh that was written. volume_difference_percent, area_difference_percent: of the hull against the table, NaN
    where it states none."""

    roi: str
    kind: str
    particle_id: int
    path: Path
    bytes: int
    sha256: str
    triangles: int
    voids: int
    volume_difference_percent: float
    area_difference_percent: float
    notes: tuple[str, ...] = ()


def write_mesh(exporter: MeshExporter, kind: str, mesh: ParticleMesh, path: Path, *, replace: bool) -> ExportedMesh:
    """Durable under its name, or not there. Raises StorageError where it cannot be written, and for a file that is
    there already unless `replace`; DataError for what does not read back."""
    data = exporter.encoded(mesh)
    if path.exists() and not replace:
        raise StorageError(
            "exists already and is not overwritten", where=str(path), remedy="choose another --out, or say --replace"
        )
    require_free(path, len(data))
    write_durable(path, data, replace=replace)
    facts = mesh.hull.facts
    return ExportedMesh(
        roi=mesh.roi,
        kind=kind,
        particle_id=mesh.particle_id,
        path=path,
        bytes=len(data),
        sha256=sha256_bytes(data),
        triangles=sum(len(part.surface.faces) for part in mesh.parts),
        voids=len(mesh.voids),
        volume_difference_percent=float(facts.get("volume_difference_percent", np.nan)),
        area_difference_percent=float(facts.get("area_difference_percent", np.nan)),
        notes=mesh.notes,
    )
