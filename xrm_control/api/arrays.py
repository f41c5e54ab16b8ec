"""Reconstruction and analysis of arrays and files, without a run."""

from __future__ import annotations

import dataclasses
import math
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xrm_control.analysis.core import AnalysisSpec
from xrm_control.api import given
from xrm_control.api.recipes import Overrides, as_text
from xrm_control.api.tables import Row, as_frame, records
from xrm_control.app.outputs import require_new_file, require_results_folder
from xrm_control.app.volumes import NO_DARKS, analyze_array, of_file, scan_in, without
from xrm_control.app.volumes import analyze as analyze_file
from xrm_control.contracts.results import RegionResults
from xrm_control.core.errors import DataError
from xrm_control.core.origins import ONE_SETTING, Origins
from xrm_control.processing.measured import read_tables
from xrm_control.processing.trust.of_file import doubts_of
from xrm_control.processing.trust.transmission_noise import noise_note
from xrm_control.recipe.loading import load_document
from xrm_control.reconstruction.intensities import NOTHING_LEFT_OUT, judge
from xrm_control.reconstruction.pipeline import Reconstruction, ReconstructionSpec, reconstruct_scan
from xrm_control.reconstruction.scan import ScanData, check_scan
from xrm_control.storage.formats.ome_tiff import write_volume
from xrm_control.storage.formats.registry import read_volume
from xrm_control.storage.formats.scan_file import ScanOptions
from xrm_control.storage.formats.units import operator_um


@dataclass(frozen=True)
class AnalysedVolume:
    """What was found in a volume.

    results: counts, the paper's table in both conventions, population statistics, quality; as results.json.
    labels (z, y, x): 0 or the particle's id, voids included. phases (z, y, x): 0 exterior, 1 particle, 2 void,
    3 what is lighter than particles.
    """

    results: RegionResults
    particle_rows: list[Row]
    void_rows: list[Row]
    labels: NDArray[Any]
    phases: NDArray[Any]

    @property
    def particles(self) -> Any:
        """One particle a row: a DataFrame of pandas or polars where one of them is installed, else the rows."""
        return as_frame(self.particle_rows)

    @property
    def voids(self) -> Any:
        """One void a row; see `particles`."""
        return as_frame(self.void_rows)


def reconstruct(
    source: str | Path | ArrayLike,
    *,
    theta_deg: ArrayLike | None = None,
    flats: ArrayLike | None = None,
    darks: ArrayLike | None = None,
    pixel_size_um: float | None = None,
    normalised: bool = False,
    options: ScanOptions | None = None,
    method: str | None = None,
    overrides: Overrides | None = None,
    out: str | Path | None = None,
    checks: bool = True,
) -> Reconstruction:
    """A scan into a volume, (z, y, x) float32 in 1/um, in memory (`xrm reconstruct` makes large ones in parts).

    source: a file (Data Exchange, NXtomo, .txrm), a region's folder in a run, or projections (views, rows, columns):
    counts, to which `flats` (n, rows, columns) and perhaps `darks` belong, or with `normalised` transmissions.
    theta_deg (views,): angles of an array's views. pixel_size_um: at the sample; it goes before what the file says.
    options: what else is to be said of a file, as by the options of `xrm reconstruct`.
    method: fourier (default), fbp, sirt, cgls, tv, or another that is installed; overrides: of the recipe's
    `reconstruction:` part, ``{"rotation_axis": 512.5}``. out: a new .ome.tif to write it into besides.
    checks: hold the views against each other and against the volume; what speaks against it stands in `doubts`.

    Raises DataError for data, RecipeError for settings that do not fit.
    """
    chosen = {**({} if method is None else {"method.kind": method}), **given.settings(overrides)}
    spec = load_document("{}", ReconstructionSpec, as_text(chosen), name="reconstruction")[0]
    spec.method.check_machine()
    target = None if out is None else _new_file(given.path(out, "out"))
    if not isinstance(options, ScanOptions | None):
        raise DataError("are no ScanOptions", where="options", value=type(options).__name__)
    if isinstance(source, str | Path):
        for name, value in (("theta_deg", theta_deg), ("flats", flats), ("darks", darks)):
            if value is not None:
                raise DataError("belongs to an array; a file brings its own", where=name)
        told = options or ScanOptions()
        if pixel_size_um is not None:
            told = dataclasses.replace(told, pixel_size_um=given.number(pixel_size_um, "pixel_size_um"))
        found = scan_in(given.path(source, "source"), told, normalised)
        # What was found out about the file on the way stands in the notes as well.
        scan, left_out = dataclasses.replace(found.scan.load(), origins=found.origins), found.out
    else:
        if options is not None:
            raise DataError("belong to a file; an array is told of by the other arguments", where="options")
        left_out = NOTHING_LEFT_OUT
        scan = _scan_of(given.numbers_in(source, "source"), theta_deg, flats, darks, pixel_size_um, normalised)
    with of_file(Path(source)) if isinstance(source, str | Path) else nullcontext(), without(left_out):
        result = reconstruct_scan(scan, spec)
    if checks:
        found = doubts_of(scan, spec, [result.volume], result.rotation_axis_px, result.quality)
        result = dataclasses.replace(result, doubts=tuple(doubt.text for doubt in found))
    if target is not None:
        write_volume(target, [result.volume], result.voxel_size_um, origins=result.origins)
    return result


def analyze(
    source: str | Path | ArrayLike | Reconstruction,
    *,
    voxel_size_um: float | None = None,
    overrides: Overrides | None = None,
    out: str | Path | None = None,
    replace: bool = False,
) -> AnalysedVolume:
    """Measure the particles of a volume.

    source: what `reconstruct` returned, an array (z, y, x) in 1/um, a file (TIFF, OME-TIFF, .npy), or a handoff.json.
    voxel_size_um: where the source does not say. overrides: of the recipe's `analysis:` part,
    ``{"threshold.kind": "otsu"}``. out: a folder for tables, labels and results besides; replace: over others.

    Raises DataError for what is no volume, AnalysisError when there is nothing to measure.
    """
    spec = load_document("{}", AnalysisSpec, as_text(overrides), name="analysis")[0]
    voxel_um = None if voxel_size_um is None else given.number(voxel_size_um, "voxel_size_um")
    if out is not None:
        folder = given.path(out, "out")
        require_results_folder(folder, replace=replace)
        return _analysed(source, voxel_um, spec, folder)
    with tempfile.TemporaryDirectory(prefix="xrm-") as folder:
        return _analysed(source, voxel_um, spec, Path(folder))


def _analysed(
    source: str | Path | ArrayLike | Reconstruction, voxel_size_um: float | None, spec: AnalysisSpec, out: Path
) -> AnalysedVolume:
    if isinstance(source, str | Path):
        results = analyze_file(given.path(source, "source"), out, spec, voxel_size_um, replace=True)
    elif isinstance(source, Reconstruction):
        _require_its_own(voxel_size_um, source)
        doubts = tuple(f"of the reconstruction: {doubt}" for doubt in source.doubts)
        results = analyze_array(source.volume, out, spec, source.voxel_size_um, reconstruction=True, doubts=doubts)
    else:
        volume = given.numbers_in(source, "source")
        if voxel_size_um is None:
            raise DataError("an array does not say how large a voxel is", where="voxel_size_um", remedy="give it in um")
        results = analyze_array(volume, out, spec, voxel_size_um)
    labels, phases = (read_volume(out / f"{name}.ome.tif")[0] for name in ("labels", "phases"))
    tables = read_tables(out)
    return AnalysedVolume(results, records(tables.particles), records(tables.voids), labels, phases)


def _require_its_own(voxel_size_um: float | None, source: Reconstruction) -> None:
    """Grey values in 1/um hold for the voxel that they were made with."""
    if voxel_size_um is not None and not math.isclose(voxel_size_um, source.voxel_size_um, rel_tol=1e-3):
        raise DataError(
            "the reconstruction has voxels of another size, and its values hold for those alone",
            where="voxel_size_um",
            value=f"{voxel_size_um:g} um",
            limit=f"{source.voxel_size_um:g} um",
            remedy="leave it out, or reconstruct with another pixel_size_um",
        )


def _scan_of(
    projections: NDArray[Any],
    theta_deg: ArrayLike | None,
    flats: ArrayLike | None,
    darks: ArrayLike | None,
    pixel_size_um: float | None,
    normalised: bool,
) -> ScanData:
    """Arrays as a scan. What is wrong with them is found where scans are checked."""
    for name, value, what in (("theta_deg", theta_deg, "an angle for each view"), ("pixel_size_um", pixel_size_um, "")):
        if value is None:
            raise DataError("an array does not say it", where=name, remedy=f"give {what or 'the pixel at the sample'}")
    if projections.ndim != 3:
        raise DataError("projections must be (views, rows, columns)", where="source", value=projections.shape)
    pixel = operator_um(given.number(pixel_size_um, "pixel_size_um"), "pixel_size_um")
    none = np.empty((0, *projections.shape[1:]), np.float32)
    white = none if flats is None else given.numbers_in(flats, "flats")
    dark = none if darks is None else given.numbers_in(darks, "darks")
    scan = ScanData(
        projections=projections,
        theta_deg=given.numbers_in(theta_deg, "theta_deg").astype(float),
        time_s=np.arange(len(projections), dtype=float),
        flats=white,
        # All at the middle of the scan: an array does not say when they were taken.
        flat_time_s=np.full(len(white), (len(projections) - 1) / 2),
        darks=dark,
        pixel_size_um=pixel.value,
        normalised=normalised,
        origins=Origins(pixel.scale(), "theta_deg", light="" if normalised else ONE_SETTING),
    )
    check_scan(scan)
    found = judge(scan).of(scan)
    if normalised:
        return dataclasses.replace(found, origins=found.origins.noting(*noise_note(found)))
    if len(dark):
        return found
    return dataclasses.replace(found, origins=found.origins.noting(NO_DARKS))


def _new_file(path: Path) -> Path:
    if path.suffix.lower() not in (".tif", ".tiff"):
        raise DataError("the volume is written as TIFF", where=str(path), remedy="let out end in .ome.tif")
    require_new_file(path, replace=False)
    return path
