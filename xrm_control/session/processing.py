"""From the frames of a scan to measured particles: what runs on workers.

They read only durable files and write only whole files, so running them again changes nothing and losing a worker costs
time alone. The journal stays with the session.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xrm_control.analysis.core import AnalysisSpec, run_core
from xrm_control.compute.executor import Workers
from xrm_control.core.errors import AnalysisError
from xrm_control.recipe.handoff import HandoffSpec, entry_point
from xrm_control.reconstruction.pipeline import ReconstructionSpec
from xrm_control.reconstruction.preview_picture import preview_png
from xrm_control.session.scans import RunScan
from xrm_control.session.volumes import OnRows, VolumeJob, make_parts, place_of_parts, remove_parts, volume_of
from xrm_control.storage.durable import PART_SUFFIX, publish_file, sha256_file
from xrm_control.storage.formats.ome_tiff import write_volume, write_volume_16bit
from xrm_control.storage.run_folder import RunFolder


@dataclass(frozen=True)
class ScanJob:
    """What a worker needs to reconstruct one scan; `about` goes into the hand-off as it is."""

    scan: RunScan
    centre_um: tuple[float, float, float]
    detector_rows: int
    reconstruction: ReconstructionSpec
    analysis: AnalysisSpec
    volume_16bit: bool
    about: dict[str, Any]

    @property
    def volume(self) -> VolumeJob:
        """The volume to be made, in parts in the folder of the ROI."""
        place = RunFolder.open(self.scan.run).roi(self.scan.roi)
        return VolumeJob(self.scan, self.reconstruction, self.scan.shape, place_of_parts(place.volume))


def warm_up() -> None:
    """Nothing but what comes with it: a worker that has imported this module once answers at once from then on."""


@dataclass(frozen=True)
class HandedOver:
    """Figures of quality by name, and what the reconstruction had to say besides."""

    quality: dict[str, float]
    remarks: tuple[str, ...]


async def reconstruct_roi(workers: Workers, job: ScanJob, on_rows: OnRows | None = None) -> HandedOver:
    """Frames -> volume.ome.tif, preview.png and handoff.json of the ROI."""
    await make_parts(workers, job.volume, on_rows)
    done = await workers.run(hand_over, job)
    # Not by a worker: one that was given up may come to this point while another one still reads the parts.
    remove_parts(job.volume)
    return done


def hand_over(job: ScanJob) -> HandedOver:
    """What is left when all parts are there; runs on a worker."""
    folder = RunFolder.open(job.scan.run)
    place = folder.roi(job.scan.roi)
    place.path.mkdir(parents=True, exist_ok=True)
    made = volume_of(job.volume)
    quality = {**made.quality, "rotation_axis_px": made.rotation_axis_px}
    # A slab of rows is not centred on the field of view.
    middle_row = (made.rows[0] + made.rows[1] - 1) / 2
    x_um, y_um, z_um = job.centre_um
    y_um += (middle_row - (job.detector_rows - 1) / 2) * made.voxel_size_um
    with _scratch("reconstruction", place.path) as part:
        volume = write_volume(part / place.volume.name, made.parts, made.voxel_size_um)
        if job.volume_16bit:
            write_volume_16bit(part / "volume-16bit.tif", made.parts, made.voxel_size_um)
        (part / place.preview.name).write_bytes(preview_png(made.slices()))
        frames = {frame.path: frame.sha256 for _, frame in job.scan.frames}
        handoff = {
            **job.about,
            "volume": place.volume.name,
            "shape": list(made.shape),
            "voxel_size_um": made.voxel_size_um,
            "units": "1/um",
            "attenuation_scale": 1.0,
            "roi": job.scan.roi,
            "centre_stage_um": {"x": x_um, "y": y_um, "z": z_um},
            "rotation_axis_px": made.rotation_axis_px,
            "quality": quality,
            "remarks": list(made.remarks),
            "inputs": {place.volume.name: sha256_file(volume)} | frames,
            "analysis": job.analysis.model_dump(mode="json"),
        }
        folder.write_json(part / place.handoff.name, handoff)
        # The hand-off last: where it is, the volume is.
        for path in sorted(part.iterdir(), key=lambda path: path.name == place.handoff.name):
            publish_file(path, place.path / path.name, replace=True)
    return HandedOver(quality, made.remarks)


def analyse_roi(handoff: Path, out: Path, taker: HandoffSpec) -> dict[str, Any]:
    """Hand the volume to the analysis core that the recipe names; returns the ROI's quality figures."""
    with _scratch("analysis", out) as part:
        if taker.command:
            _run_command(taker.command, handoff, part)
        elif taker.core == "builtin":
            run_core(handoff, part)
        else:
            entry_point(taker.core)(handoff, part)
        for name in ("results.json", "particles.csv"):
            if not (part / name).is_file():
                raise AnalysisError(
                    f"the analysis core did not write {name}", where=str(handoff), remedy="see the hand-off contract"
                )
        for path in sorted(part.iterdir()):
            publish_file(path, out / path.name, replace=True)
    quality = out / "quality.json"
    return json.loads(quality.read_text(encoding="utf-8")) if quality.is_file() else {}


def clear_scratch(place: Path) -> None:
    """Remove what workers that died have left in the folder of a ROI."""
    for left in place.glob("*-*.part/"):
        shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def _scratch(work: str, place: Path) -> Iterator[Path]:
    """A folder for one try alone: a worker that was given up may still be writing beside the one that took over."""
    with tempfile.TemporaryDirectory(prefix=f"{work}-", suffix=PART_SUFFIX, dir=place) as name:
        yield Path(name)


def _run_command(command: tuple[str, ...], handoff: Path, out: Path) -> None:
    try:
        done = subprocess.run([*command, str(handoff), str(out)], capture_output=True, text=True, check=False)
    except OSError as error:
        raise AnalysisError(
            f"the analysis command cannot be started: {error.strerror}", where="handoff.command", value=command[0]
        ) from error
    if done.returncode != 0:
        raise AnalysisError(
            f"the analysis command failed: {done.stderr.strip()[-500:] or 'it said nothing'}",
            where="handoff.command",
            value=f"exit code {done.returncode}",
        )
