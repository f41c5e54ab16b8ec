"""A particle's mesh as a file to take away, as `xrm export` writes it."""

from __future__ import annotations

from dataclasses import dataclass

from xrm_control.app.meshes import file_name, mesh_exporter
from xrm_control.core.errors import DataError
from xrm_control.dashboard.files import inside
from xrm_control.processing.meshes import RegionMeshes
from xrm_control.storage.run_folder import RunFolder

MOST_BYTES = 1 << 30
"""Of a volume that is read into memory for a browser."""


@dataclass(frozen=True)
class MeshFile:
    """Its content, its name and its type."""

    data: bytes
    name: str
    media_type: str


def mesh_file(run: RunFolder, roi: str, particle: int, kind: str) -> MeshFile:
    """Raises DataError for a particle, a region or a volume that is not there, or too large; RecipeError for a kind
    that there is not.
    """
    exporter, place = mesh_exporter(kind), run.roi(roi)
    for path in (place.volume, place.labels, place.particles, place.voids):
        if path.exists() and not inside(path, run.path):
            raise DataError("this is not there yet", where=f"{roi}/{path.name}")
    region = RegionMeshes(run, roi)
    region.require([particle])
    size = place.volume.stat().st_size
    if size > MOST_BYTES:
        raise DataError(
            "the volume is too large to be read for the window",
            where=f"{roi}/{place.volume.name}",
            value=f"{size / 1e9:.1f} GB",
            limit=f"{MOST_BYTES / 1e9:.1f} GB",
            remedy=f"xrm export RUN --to {kind} --roi {roi} --particle {particle} --out FOLDER",
        )
    data = exporter.encoded(region.mesh(particle))
    return MeshFile(data, file_name(run.name, roi, particle, exporter), exporter.media_type)
