"""Files on their own, without a run: a scan into a volume, a volume into particles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.core import AnalysisSpec, measure
from xrm_control.analysis.handoff import AnalysisInput, read_handoff
from xrm_control.compute.processes import Processes
from xrm_control.contracts.results import REGION_RESULTS, RegionResults
from xrm_control.core.clock import run as run_on_clock
from xrm_control.core.cpus import cpus
from xrm_control.core.errors import DataError, Interrupted
from xrm_control.core.geometry import Pose
from xrm_control.processing.scans import FileScan, RunScan
from xrm_control.processing.volumes import (
    LOCK,
    ScanSource,
    VolumeJob,
    assemble_volume,
    make_parts,
    parts_folder,
    remove_parts,
)
from xrm_control.recipe.document import Recipe
from xrm_control.recipe.loading import load_document
from xrm_control.reconstruction.pipeline import ReconstructionSpec
from xrm_control.storage.durable import make_folder, require_free, sha256_file
from xrm_control.storage.formats.ome_tiff import write_volume, write_volume_16bit
from xrm_control.storage.formats.registry import read_scan, read_volume
from xrm_control.storage.journal import JournalReader
from xrm_control.storage.lock import hold_lock
from xrm_control.storage.run_folder import RunFolder


def reconstruct(
    source: Path,
    target: Path,
    spec: ReconstructionSpec,
    *,
    pixel_size_um: float | None = None,
    sixteen_bit: bool = False,
    normalised: bool = False,
    workers: int | None = None,
    on_rows: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """A scan in any known file format, or of a region of a run -> volume as OME-TIFF; returns the quality figures.

    A large scan is made in parts by `workers` processes (as many as CPUs), and taken up again where it was left;
    `on_rows(done, of)` hears how far it is.
    """
    if target.suffix.lower() not in (".tif", ".tiff"):
        raise DataError("the volume is written as TIFF", where=str(target), remedy="let --out end in .ome.tif")
    if target.exists():
        raise DataError("the file exists already and is not overwritten", where=str(target))
    spec.method.check_machine()
    scan, shape = scan_in(source, pixel_size_um, normalised)
    job = VolumeJob(scan, spec, shape, parts_folder(target.absolute()))
    # The parts and, at the end, the whole beside them.
    require_free(target, job.bytes * (1 if len(job.parts) == 1 else 2))
    write = write_volume_16bit if sixteen_bit else write_volume
    with _parts_made(job, workers, on_rows):
        volume = assemble_volume(job)
        write(target, volume.parts, volume.voxel_size_um)
        remove_parts(job)
    return {
        "volume": str(target),
        "shape": list(volume.shape),
        "voxel_size_um": volume.voxel_size_um,
        "rotation_axis_px": volume.rotation_axis_px,
        **volume.quality,
        **({"warnings": "; ".join(volume.warnings)} if volume.warnings else {}),
    }


def scan_in(source: Path, pixel_size_um: float | None, normalised: bool) -> tuple[ScanSource, tuple[int, int, int]]:
    """The scan in a file, or of a region in its run's folder, and its shape."""
    if source.is_dir() and source.absolute().parent.joinpath("journal.sqlite").is_file():
        folder = RunFolder.open(source.absolute().parent)
        recipe = load_document(folder.recipe, Recipe)[0]
        pixel_um = recipe.instrument.describe().camera.binned_pixel_um(recipe.scan.binning)
        with JournalReader.open(folder.journal) as journal:
            scan = RunScan(folder.path, source.name, pixel_size_um or pixel_um, journal.stored_frames(source.name))
        return scan, scan.shape
    if (source / "journal.sqlite").is_file():
        raise DataError("is a whole run", where=str(source), remedy=f"name one of its regions: {source / 'roi-01'}")
    recorded = read_scan(source)
    if pixel_size_um is None and recorded.pixel_size_um is None:
        raise DataError("the file does not say how large a pixel is", where=str(source), remedy="give --pixel-size-um")
    if len(recorded.flats) == 0 and not (normalised or recorded.normalised):
        raise DataError(
            "the file has no reference images (flats), so counts cannot become transmission",
            where=str(source),
            remedy="if the projections are transmissions already, say --normalised",
        )
    views, rows, columns = recorded.projections.shape
    return FileScan(source.absolute(), pixel_size_um, normalised), (views, rows, columns)


@contextmanager
def _parts_made(job: VolumeJob, workers: int | None, on_rows: Callable[[int, int], None] | None) -> Iterator[None]:
    """For the block the parts are there, made by several processes, and nobody else makes the same volume."""
    if len(job.parts) == 1:
        yield
        return

    async def parts() -> None:
        with Processes(workers=workers or min(cpus(), len(job.parts))).open() as pool:
            await make_parts(pool, job, on_rows)

    make_folder(job.folder)
    with hold_lock(job.folder / LOCK, "the volume"):
        try:
            run_on_clock(parts(), 1.0)
        except KeyboardInterrupt:
            raise Interrupted(
                "interrupted; what is done of the volume is kept",
                where=str(job.folder),
                remedy="the same command goes on from there, or delete that folder",
            ) from None
        yield


def analyze(source: Path, out: Path, spec: AnalysisSpec, voxel_size_um: float | None = None) -> RegionResults:
    """A volume, or a handoff.json, through the analysis core; returns its results.json."""
    return _measured(read_handoff(source) if source.suffix == ".json" else _volume(source, spec, voxel_size_um), out)


def analyze_array(volume: NDArray[np.number], out: Path, spec: AnalysisSpec, voxel_size_um: float) -> RegionResults:
    """`analyze` of a volume (z, y, x) in 1/um that is in memory."""
    return _measured(_bare(volume, Path("array"), voxel_size_um, {}, spec), out)


def _measured(taken: AnalysisInput, out: Path) -> RegionResults:
    try:
        measure(taken, out)
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror}", where=str(out)) from error
    return REGION_RESULTS.read(out / REGION_RESULTS.name)


def _volume(source: Path, spec: AnalysisSpec, voxel_size_um: float | None) -> AnalysisInput:
    """A bare volume as if it had been handed over; 16-bit volumes with a stored scale come back in 1/um."""
    volume, stated_um = read_volume(source)
    voxel_um = voxel_size_um if voxel_size_um is not None else stated_um
    if voxel_um is None:
        raise DataError("the file does not say how large a voxel is", where=str(source), remedy="give --voxel-size-um")
    if not np.isfinite(voxel_um) or voxel_um <= 0:
        raise DataError("the voxel size must be above zero", where="--voxel-size-um", value=voxel_um)
    inputs = {source.name: sha256_file(source)} if source.is_file() else {}
    return _bare(volume, source, voxel_um, inputs, spec)


def _bare(
    volume: NDArray[np.number], path: Path, voxel_um: float, inputs: dict[str, str], spec: AnalysisSpec
) -> AnalysisInput:
    return AnalysisInput(
        volume=volume,
        volume_path=path,
        voxel_size_um=voxel_um,
        roi="volume",
        centre=Pose(0.0, 0.0, 0.0, 0.0),
        inputs=inputs,
        analysis=spec.model_dump(mode="json"),
    )
