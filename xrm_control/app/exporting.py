"""A run's regions into the formats of others."""

from __future__ import annotations

from pathlib import Path

from xrm_control.app.outputs import refuse_existing, require_folder
from xrm_control.core.errors import DataError, RecipeError
from xrm_control.exports.exporter import EXPORTERS, Exporter
from xrm_control.exports.mesh_exporter import MESH_EXPORTERS, MeshExporter
from xrm_control.exports.writing import ExportedFile, write_export
from xrm_control.processing.exports import region_scan, scanned_regions
from xrm_control.storage.durable import make_folder
from xrm_control.storage.run_folder import RunFolder


def export(
    path: Path, to: str, out: Path, roi: str | None = None, *, replace: bool = False
) -> tuple[ExportedFile, ...]:
    """Frames, angles and scale of a region, or of each that was scanned, as files `<run>_<region>` in `out`.

    to: the kind of exporter. The run is only read, and may still be going on; what is not whole is noted in the file
    and in what is returned. Each file is read back and compared with the run before it gets its name.

    Raises RecipeError for an unknown kind, DataError for a run or region that does not hold what the format needs,
    StorageError where the disk lacks the room, or for a file that is there already unless `replace`.
    """
    exporter = _exporter(to)
    run = RunFolder.open(path)
    regions = scanned_regions(run) if roi is None else [roi]
    if not regions:
        raise DataError("the run has no region that was scanned", where=str(path))
    if out.resolve().is_relative_to(run.path.resolve()):
        raise DataError(
            "lies in the run's own folder, which holds nothing but what the run recorded",
            where=f"--out, {out}",
            remedy="choose a folder outside of the run",
        )
    require_folder(out)
    scans = [region_scan(run, name) for name in regions]
    targets = [out / f"{run.path.name}_{scan.roi}{exporter.suffix}" for scan in scans]
    if not replace:
        refuse_existing(targets)
    make_folder(out)
    return tuple(
        write_export(exporter, to, scan, target, replace=replace) for scan, target in zip(scans, targets, strict=True)
    )


def _exporter(to: str) -> Exporter:
    members = EXPORTERS.members(Exporter)
    if to not in members:
        broken = EXPORTERS.broken(Exporter).get(to)
        raise RecipeError(
            "no such format" if broken is None else f"cannot be used: {broken}",
            where="--to",
            value=to,
            limit=", ".join((*members, *MESH_EXPORTERS.members(MeshExporter))),
        )
    return members[to].model_validate({})
