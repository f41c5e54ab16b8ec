"""From the frames of a scan to measured particles: what runs on workers.

They read only durable files and write only whole files, so running them again changes nothing and losing a worker costs
time alone. The journal stays with the session.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Collection, Generator
from dataclasses import dataclass
from pathlib import Path

from xrm_control.analysis.core import AnalysisSpec, run_core
from xrm_control.analysis.handoff_check import require_results
from xrm_control.analysis.handoff_volume import handed_volume
from xrm_control.compute.executor import Workers, stopped
from xrm_control.contracts.handoff import HANDOFF, HandoffSpec, RecipeReference, StagePosition
from xrm_control.contracts.quality import FOREIGN_QUALITY, QUALITY, QualityMetrics
from xrm_control.core.errors import AnalysisError
from xrm_control.core.sample import SampleSpec
from xrm_control.processing.command import run_command
from xrm_control.processing.foreign_core import command_of
from xrm_control.processing.scans import RunScan
from xrm_control.processing.volumes import (
    OnRows,
    VolumeJob,
    assemble_volume,
    keep_volume,
    make_parts,
    parts_folder,
    remove_parts,
)
from xrm_control.recipe.document import Recipe
from xrm_control.recipe.handoff import TakerSpec
from xrm_control.reconstruction.pipeline import ReconstructionSpec
from xrm_control.reconstruction.preview_picture import preview_png
from xrm_control.storage.durable import PART_SUFFIX, disk_watched, make_folder, publish_file, sha256_file
from xrm_control.storage.formats.ome_tiff import write_volume_16bit
from xrm_control.storage.run_folder import RoiFolder, RunFolder

VOLUME_16BIT = "volume-16bit.tif"


@dataclass(frozen=True)
class ScanJob:
    """What a worker needs to reconstruct one scan; sample and recipe go into the hand-off as they are."""

    scan: RunScan
    centre_um: tuple[float, float, float]
    detector_rows: int
    reconstruction: ReconstructionSpec
    analysis: AnalysisSpec
    volume_16bit: bool
    sample: SampleSpec | None
    recipe: RecipeReference

    @classmethod
    def of(cls, scan: RunScan, centre_um: tuple[float, float, float], recipe: Recipe, detector_rows: int) -> ScanJob:
        """As the recipe wants it; detector_rows: of the camera without binning."""
        return cls(
            scan=scan,
            centre_um=centre_um,
            detector_rows=detector_rows // recipe.scan.binning,
            reconstruction=recipe.aligned_reconstruction(),
            analysis=recipe.analysis,
            volume_16bit=recipe.output.volume_16bit,
            sample=recipe.sample,
            recipe=RecipeReference(name=recipe.name, sha256=recipe.sha256()),
        )

    @property
    def volume(self) -> VolumeJob:
        """The volume to be made, in parts in the folder of the ROI."""
        place = RunFolder.open(self.scan.run).roi(self.scan.roi)
        return VolumeJob(self.scan, self.reconstruction, self.scan.shape, parts_folder(place.volume))


def warm_up() -> None:
    """Nothing but what comes with it: a worker that has imported this module once answers at once from then on."""


@dataclass(frozen=True)
class HandoffResult:
    """Figures of quality, and what the reconstruction had to say besides."""

    quality: QualityMetrics
    warnings: tuple[str, ...]


async def reconstruct_roi(workers: Workers, job: ScanJob, on_rows: OnRows | None = None) -> HandoffResult:
    """Frames -> volume.ome.tif, preview.png and handoff.json of the ROI."""
    await make_parts(workers, job.volume, on_rows)
    done = await workers.run(hand_over, job)
    # Not by a worker: one that was given up may come to this point while another one still reads the parts.
    remove_parts(job.volume)
    return done


def hand_over(job: ScanJob) -> HandoffResult:
    """What is left when all parts are there; runs on a worker."""
    folder = RunFolder.open(job.scan.run)
    place = folder.roi(job.scan.roi)
    make_folder(place.path)
    volume_made = assemble_volume(job.volume)
    found = {**volume_made.quality, "rotation_axis_px": volume_made.rotation_axis_px}
    shifts_px = tuple((round(right, 4), round(down, 4)) for right, down in volume_made.shifts_px)
    quality = QualityMetrics.model_validate({**found, "view_shifts_px": shifts_px})
    # A slab of rows is not centred on the field of view.
    middle_row = (volume_made.rows[0] + volume_made.rows[1] - 1) / 2
    x_um, y_um, z_um = job.centre_um
    y_um += (middle_row - (job.detector_rows - 1) / 2) * volume_made.voxel_size_um
    with scratch("reconstruction", place.path) as part:
        volume = keep_volume(job.volume, volume_made, part / place.volume.name)
        if job.volume_16bit:
            write_volume_16bit(part / VOLUME_16BIT, volume_made.parts, volume_made.voxel_size_um)
        (part / place.preview.name).write_bytes(preview_png(volume_made.slices()))
        frames = {frame.path: frame.sha256 for _, frame in job.scan.frames}
        handoff = HandoffSpec(
            sample=job.sample,
            recipe=job.recipe,
            volume=place.volume.name,
            shape=volume_made.shape,
            voxel_size_um=volume_made.voxel_size_um,
            roi=job.scan.roi,
            centre_stage_um=StagePosition(x=x_um, y=y_um, z=z_um),
            rotation_axis_px=volume_made.rotation_axis_px,
            quality=quality,
            warnings=volume_made.warnings,
            inputs={place.volume.name: sha256_file(volume)} | frames,
            analysis=job.analysis.model_dump(mode="json"),
        )
        HANDOFF.write(part / place.handoff.name, handoff)
        # The hand-off last: where it is, the volume is.
        for path in sorted(part.iterdir(), key=lambda path: path.name == place.handoff.name):
            publish_file(path, place.path / path.name, replace=True)
    return HandoffResult(quality, volume_made.warnings)


def analyse_roi(handoff: Path, out: Path, taker: TakerSpec) -> QualityMetrics:
    """Hand the volume to the analysis core that the recipe names; returns the ROI's quality figures.

    What it gives back is checked before any of it is published. Raises AnalysisError, naming file, row and column.
    """
    about = HANDOFF.read(handoff)
    with scratch("analysis", out) as part:
        if not taker.foreign:
            run_core(handoff, part)
        else:
            _take_elsewhere(taker, handoff, part)
        given = handed_volume(about, handoff) if taker.foreign else None
        require_results(part, about.roi, about, own=not taker.foreign, volume=given)
        own = RoiFolder(out)
        kept = (own.handoff.name, own.volume.name, own.preview.name, VOLUME_16BIT)
        for path in _answers(part, kept):
            publish_file(path, out / path.name, replace=True)
    if not taker.foreign:
        return QUALITY.read(out / QUALITY.name).metrics
    quality = out / FOREIGN_QUALITY.name
    stated = FOREIGN_QUALITY.read(quality).metrics if quality.is_file() else QualityMetrics()
    # What the reconstruction has found is not for the analysis to change.
    return stated.joined(about.quality)


def _take_elsewhere(taker: TakerSpec, handoff: Path, out: Path) -> None:
    if taker.command:
        command, name, where = taker.command, "the analysis command", "handoff.command"
    else:
        command, name, where = command_of(taker.core), f"the analysis core {taker.core}", "handoff.core"
    paths = (str(handoff), str(out))
    run_command((*command, *paths), name=name, where=where, timeout_s=taker.timeout_s, stopped=stopped)


def _answers(folder: Path, kept: Collection[str]) -> list[Path]:
    """The plain files that a core wrote; folders and links in it are its own business, and go with it.

    Raises AnalysisError for a file that cannot be published, or would take the place of one that was handed over.
    """
    found: list[Path] = []
    for path in sorted(folder.iterdir()):
        if not stat.S_ISREG(path.lstat().st_mode):
            continue
        name = path.name
        trouble = (
            "would overwrite what was handed over" if name in kept
            else "has a name that cannot be kept" if not name.isprintable() or name.endswith(PART_SUFFIX)
            else "cannot be read" if not os.access(path, os.R_OK)
            else None
        )  # fmt: skip
        if trouble:
            raise AnalysisError(f"a file of the analysis core {trouble}", where=folder.parent.name, value=ascii(name))
        found.append(path)
    return found


def clear_scratch(place: Path) -> None:
    """Remove what workers that died have left in the folder of a ROI."""
    for left in place.glob("*-*.part/"):
        shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def scratch(work: str, place: Path) -> Generator[Path, None, None]:
    """A folder for one try alone: a worker that was given up may still be writing beside the one that took over."""
    with (
        disk_watched(f"the {work}", place),
        tempfile.TemporaryDirectory(
            prefix=f"{work}-", suffix=PART_SUFFIX, dir=place, ignore_cleanup_errors=True
        ) as name,
    ):
        yield Path(name)
