"""Files on their own, without a run: a scan into a volume, a volume into particles."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xrm_control.analysis.core import AnalysisSpec, measure
from xrm_control.analysis.handoff import AnalysisInput, read_handoff
from xrm_control.analysis.volume_check import grey_of, grey_of_array, resampled
from xrm_control.app.outputs import require_new_file, require_results_folder
from xrm_control.compute.processes import Processes
from xrm_control.contracts.results import REGION_RESULTS, RegionResults
from xrm_control.core.clock import run as run_on_clock
from xrm_control.core.cpus import cpus
from xrm_control.core.errors import DataError, Interrupted, StorageError
from xrm_control.core.geometry import Pose
from xrm_control.core.memory import require_memory
from xrm_control.core.origins import Origins
from xrm_control.processing.begun_with import recipe_begun_with
from xrm_control.processing.regions import scratch
from xrm_control.processing.scans import FileScan, RunScan
from xrm_control.processing.trust.of_file import FileDoubt, doubts_of
from xrm_control.processing.trust.transmission_noise import noise_note
from xrm_control.processing.volumes import (
    LOCK,
    ScanSource,
    VolumeJob,
    assemble_volume,
    keep_volume,
    make_parts,
    parts_folder,
    remove_parts,
)
from xrm_control.reconstruction.intensities import NOTHING_LEFT_OUT, LeftOut, judge
from xrm_control.reconstruction.pipeline import ReconstructionSpec
from xrm_control.reconstruction.scan import ScanData, check_scan
from xrm_control.storage.durable import (
    make_folder,
    publish_file,
    publish_folder,
    require_free,
    sha256_file,
    storage_error,
)
from xrm_control.storage.formats.ome_tiff import write_volume_16bit
from xrm_control.storage.formats.registry import finite_values, open_volume, read_scan
from xrm_control.storage.formats.scan_file import ScanOptions
from xrm_control.storage.formats.units import Sourced, operator_um
from xrm_control.storage.journal import JournalReader
from xrm_control.storage.lock import hold_lock
from xrm_control.storage.run_folder import RunFolder

NO_DARKS = "no darks: what the camera counts without light is taken to be nothing"


@dataclass(frozen=True)
class ReconstructedFile:
    """A volume that was written; shape (z, y, x); quality by name; origins of scale and angles; doubts: what the scan
    itself says against it.
    """

    path: Path
    shape: tuple[int, int, int]
    voxel_size_um: float
    rotation_axis_px: float
    quality: Mapping[str, float]
    origins: Origins
    warnings: tuple[str, ...]
    doubts: tuple[FileDoubt, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """For JSON and for people, in the order in which it is shown."""
        return {
            "volume": str(self.path),
            "shape": list(self.shape),
            "voxel_size_um": self.voxel_size_um,
            "scale": self.origins.scale,
            "angles": self.origins.angles,
            **({"light": self.origins.light} if self.origins.light else {}),
            "rotation_axis_px": self.rotation_axis_px,
            **self.quality,
            **({"notes": list(self.origins.notes)} if self.origins.notes else {}),
            **({"warnings": "; ".join(self.warnings)} if self.warnings else {}),
            **({"doubts": [doubt.text for doubt in self.doubts]} if self.doubts else {}),
        }


def reconstruct(
    source: Path,
    target: Path,
    spec: ReconstructionSpec,
    *,
    told: ScanOptions | None = None,
    sixteen_bit: bool = False,
    normalised: bool = False,
    workers: int | None = None,
    on_rows: Callable[[int, int], None] | None = None,
    replace: bool = False,
    checks: bool = True,
) -> ReconstructedFile:
    """A scan in any known file format, or of a region of a run -> volume as OME-TIFF, with its figures of quality.

    told: what the operator says of the scan, before what its file says. A large scan is made in parts by `workers`
    processes (as many as CPUs), and taken up again where it was left; `on_rows(done, of)` hears how far it is.
    replace: whether a volume that is there already may be written over. checks: whether the views are held against
    each other and the volume afterwards.

    Raises DataError for what cannot be read, reconstructed or named so, RecipeError for settings that do not fit the
    scan, StorageError where the volume cannot be written.
    """
    if target.suffix.lower() not in (".tif", ".tiff"):
        raise DataError("the volume is written as TIFF", where=str(target), remedy="let --out end in .ome.tif")
    require_new_file(target, replace=replace)
    spec.method.check_machine()
    found = scan_in(source, told or ScanOptions(), normalised)
    for doubt in spec.preprocess.diagnose(found.shape[2]):
        if doubt.refuses:
            raise doubt.error(", ".join(doubt.fields))
    job = VolumeJob(found.scan, spec, found.shape, parts_folder(target.absolute()), found.origins)
    # In 16 bit, the parts are beside it at the end.
    require_free(target, job.bytes + (job.bytes // 2 if sixteen_bit and len(job.parts) > 1 else 0))
    with of_file(source), without(found.out), _parts_made(job, workers, on_rows):
        volume = assemble_volume(job)
        if sixteen_bit:
            write_volume_16bit(target, volume.parts, volume.voxel_size_um, replace=replace, origins=found.origins)
        else:
            keep_volume(job, volume, target, replace=replace)
        doubts = (
            doubts_of(found.scan.load(), spec, volume.parts, volume.rotation_axis_px, volume.quality, volume.shifts_px)
            if checks
            else ()
        )
        remove_parts(job)
    return ReconstructedFile(
        path=target,
        shape=volume.shape,
        voxel_size_um=volume.voxel_size_um,
        rotation_axis_px=volume.rotation_axis_px,
        quality=volume.quality,
        origins=found.origins,
        warnings=volume.warnings,
        doubts=doubts,
    )


@dataclass(frozen=True)
class FoundScan:
    """A scan to reconstruct: where it is, (views, rows, columns) of what is used, and where its numbers are from."""

    scan: ScanSource
    shape: tuple[int, int, int]
    origins: Origins
    out: LeftOut = NOTHING_LEFT_OUT


def scan_in(source: Path, told: ScanOptions, normalised: bool) -> FoundScan:
    """The scan in a file, or of a region in its run's folder. Raises DataError for what cannot be reconstructed."""
    if source.is_dir() and source.absolute().parent.joinpath("journal.sqlite").is_file():
        return _scan_of_run(source, told)
    if (source / "journal.sqlite").is_file():
        raise DataError("is a whole run", where=str(source), remedy=f"name one of its regions: {source / 'roi-01'}")
    recorded = read_scan(source, told)
    if recorded.pixel_size_um is None:
        raise DataError("the file does not say how large a pixel is", where=str(source), remedy="give --pixel-size-um")
    if len(recorded.flats) == 0 and not (normalised or recorded.normalised):
        raise DataError(
            "the file has no reference images (flats), so counts cannot become transmission",
            where=str(source),
            remedy="give --references FILE; or, if the projections are transmissions already, say --normalised",
        )
    views, rows, columns = recorded.projections.shape
    if 0 in (views, rows, columns):
        return FoundScan(FileScan(source.absolute(), told, normalised), (views, rows, columns), recorded.origins)
    with of_file(source):
        scan = ScanData.of(recorded, assume_normalised=normalised)
        check_scan(scan)
        out = judge(scan)
    if not (len(scan.darks) or scan.normalised or recorded.dark_free):
        out = replace(out, remarks=(*out.remarks, NO_DARKS))
    if scan.normalised:
        out = replace(out, remarks=(*out.remarks, *noise_note(scan)))
    origins = recorded.origins if scan.normalised else recorded.origins.taken_as_one_setting()
    return FoundScan(
        FileScan(source.absolute(), told, normalised, out),
        (views - len(out.views), rows, columns),
        origins.noting(*out.notes, *out.remarks),
        out,
    )


@contextmanager
def without(out: LeftOut) -> Iterator[None]:
    """Raises the DataError of the block anew, with the views that were left out before: what is missing for want of
    them is no fault of the angles."""
    try:
        yield
    except DataError as error:
        if not out.views or error.where != "theta_deg":
            raise
        what = f"{error.what}; but {'; '.join(note for note in out.notes if note.startswith('view'))}"
        remedy = f"take those views anew, or {error.remedy}" if error.remedy else "take those views anew"
        raise DataError(what, where=error.where, value=error.value, limit=error.limit, remedy=remedy) from error


@contextmanager
def of_file(source: Path) -> Iterator[None]:
    """Raises the DataError of the block anew, with the file in front of whatever place in it that names."""
    try:
        yield
    except DataError as error:
        if error.where is not None and str(source) in error.where:
            raise
        where = f"{source}: {error.where}" if error.where else str(source)
        raise DataError(error.what, where=where, value=error.value, limit=error.limit, remedy=error.remedy) from error


def _scan_of_run(source: Path, told: ScanOptions) -> FoundScan:
    odd = [name for name, value in vars(told).items() if value is not None and name != "pixel_size_um"]
    if odd:
        raise DataError("says nothing to a region of a run", where=f"{odd[0]}, {source}", remedy="leave it out")
    folder = RunFolder.open(source.absolute().parent)
    with JournalReader.open(folder.journal) as journal:
        recipe, stored = recipe_begun_with(folder, journal.run()), journal.stored_frames(source.name)
    pixel = told.pixel() or Sourced(
        recipe.instrument.describe().camera.binned_pixel_um(recipe.scan.binning), "the run's recipe"
    )
    scan = RunScan(folder.path, source.name, pixel.value, stored)
    light = "exposure times and settings that the run commanded and watched"
    return FoundScan(
        scan, scan.shape, Origins(pixel.scale(), "encoder of the rotation, from the run's journal", light=light)
    )


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


def analyze(
    source: Path, out: Path, spec: AnalysisSpec, voxel_size_um: float | None = None, *, replace: bool = False
) -> RegionResults:
    """A volume, or a handoff.json, through the analysis core; returns its results.json.

    replace: whether results that are in `out` already may be written over.
    """
    require_results_folder(out, replace=replace)
    return _measured(read_handoff(source) if source.suffix == ".json" else _volume(source, spec, voxel_size_um), out)


def analyze_array(
    volume: NDArray[np.number],
    out: Path,
    spec: AnalysisSpec,
    voxel_size_um: float,
    *,
    reconstruction: bool = False,
    doubts: tuple[str, ...] = (),
) -> RegionResults:
    """`analyze` of a volume (z, y, x) in 1/um that is in memory; reconstruction: one of this program's; doubts: what
    speaks against it already. Raises DataError for what is no volume.
    """
    voxel = operator_um(voxel_size_um, "voxel_size_um")
    if not volume.size:
        raise DataError("holds no voxels", where="volume", value=f"shape {volume.shape}")
    volume, notes = finite_values(volume, "array") if volume.ndim == 3 else (volume, ())
    grey, grey_source = grey_of_array(volume)
    return _measured(
        AnalysisInput(
            volume=volume,
            volume_path=Path("array"),
            voxel_size_um=voxel.value,
            roi="volume",
            centre=Pose(0.0, 0.0, 0.0, 0.0),
            analysis=spec.model_dump(mode="json"),
            warnings=notes,
            doubts=doubts,
            field="cylinder" if reconstruction else "auto",
            foreign=not reconstruction and volume.ndim == 3,
            alone=True,
            scale=voxel.scale(),
            grey=grey,
            grey_source=grey_source,
        ),
        out,
    )


def _measured(taken: AnalysisInput, out: Path) -> RegionResults:
    try:
        if out.exists():
            _measured_into(taken, out)
        else:
            with scratch("analysis", make_folder(out.absolute().parent)) as part:
                whole = part / out.name
                whole.mkdir()
                measure(taken, whole)
                publish_folder(whole, out.absolute())
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise storage_error("the results cannot be written", Path(error.filename or out), error) from error
    return REGION_RESULTS.read(out / REGION_RESULTS.name)


def _measured_into(taken: AnalysisInput, out: Path) -> None:
    """The results last: where they are, the tables are; those of before go first."""
    with scratch("analysis", out) as part:
        measure(taken, part)
        (out / REGION_RESULTS.name).unlink(missing_ok=True)
        for path in sorted(part.iterdir(), key=lambda path: (path.name == REGION_RESULTS.name, path.name)):
            publish_file(path, out / path.name, replace=True)


def _volume(source: Path, spec: AnalysisSpec, voxel_size_um: float | None) -> AnalysisInput:
    """A bare volume as if it had been handed over; 16-bit volumes with a stored scale come back in 1/um."""
    found = open_volume(source, voxel_size_um)
    if found.voxel_zyx_um is None:
        raise DataError("the file does not say how large a voxel is", where=str(source), remedy="give --voxel-size-um")
    values, voxel_um, notes = found.values, found.voxel_zyx_um[2], found.notes
    require_memory(spec.cost((values.shape[0], values.shape[1], values.shape[2])).memory_bytes, str(source))
    if not found.cubic:
        with of_file(source):
            values, voxel_um, note = resampled(values, found.voxel_zyx_um)
        notes = (*notes, note)
    grey, grey_source = grey_of(found.values, found.grey)
    return AnalysisInput(
        volume=values,
        volume_path=source,
        voxel_size_um=voxel_um,
        roi="volume",
        centre=Pose(0.0, 0.0, 0.0, 0.0),
        inputs={source.name: sha256_file(source)} if source.is_file() else {},
        analysis=spec.model_dump(mode="json"),
        warnings=notes,
        field="cylinder" if found.reconstruction else "auto",
        foreign=not found.reconstruction,
        alone=True,
        scale=found.scale_source,
        grey=grey,
        grey_source=grey_source,
    )
