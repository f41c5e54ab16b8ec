"""A run's particles as meshes, for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xrm_control.app.outputs import refuse_existing, require_folder
from xrm_control.core.errors import DataError, RecipeError
from xrm_control.exports.mesh_exporter import MESH_EXPORTERS, ExportedMesh, MeshExporter, write_mesh
from xrm_control.processing.meshes import RegionMeshes, measured_regions
from xrm_control.storage.durable import make_folder
from xrm_control.storage.run_folder import RunFolder


def export_meshes(
    path: Path, to: str, out: Path, roi: str | None = None, particles: Sequence[int] = (), *, replace: bool = False
) -> tuple[ExportedMesh, ...]:
    """The surface of each particle, with the walls of its voids, as files `<run>_<region>_particle-<id>` in `out`.

    to: the kind of mesh exporter. roi: of this region; None: of all. particles: of these numbers, in one region; none:
    of all. Each file is read back before it gets its name, and says by how much it differs from the table.

    Raises RecipeError for an unknown kind and for numbers without a region, DataError for a region, a volume or a
    particle that is not there, Altered for files that are not what was recorded, StorageError where the disk lacks the
    room, or for a file that is there already unless `replace`.
    """
    exporter = mesh_exporter(to)
    run = RunFolder.open(path)
    known = measured_regions(run)
    if particles and roi is None:
        if len(known) != 1:
            raise RecipeError(
                "needs its region: each has particles of its own, numbered from 1",
                where="--particle",
                value=", ".join(map(str, particles)),
                remedy=f"say --roi: {', '.join(known) or 'none was measured'}",
            )
        roi = known[0]
    if roi is None and not known:
        raise DataError("the run has no region whose particles were measured", where=str(path))
    if out.resolve().is_relative_to(run.path.resolve()):
        raise DataError(
            "lies in the run's own folder, which holds nothing but what the run recorded",
            where=f"--out, {out}",
            remedy="choose a folder outside of the run",
        )
    require_folder(out)
    wanted: list[tuple[RegionMeshes, int, Path]] = []
    for name in known if roi is None else [roi]:
        region = RegionMeshes(run, name)
        chosen = tuple(dict.fromkeys(particles)) or region.ids
        region.require(chosen)
        wanted += [(region, one, out / file_name(run.name, name, one, exporter)) for one in chosen]
    if not replace:
        refuse_existing([target for _, _, target in wanted])
    make_folder(out)
    return tuple(write_mesh(exporter, to, region.mesh(one), target, replace=replace) for region, one, target in wanted)


def file_name(run: str, roi: str, particle: int, exporter: MeshExporter) -> str:
    """Of one particle's mesh."""
    return f"{run}_{roi}_particle-{particle:03d}{exporter.suffix}"


def mesh_exporter(to: str) -> MeshExporter:
    """Of a kind. Raises RecipeError for one that there is not, or that cannot be used."""
    members = MESH_EXPORTERS.members(MeshExporter)
    if to not in members:
        broken = MESH_EXPORTERS.broken(MeshExporter).get(to)
        raise RecipeError(
            "no such format of meshes" if broken is None else f"cannot be used: {broken}",
            where="--to",
            value=to,
            limit=", ".join(members),
        )
    return members[to].model_validate({})
