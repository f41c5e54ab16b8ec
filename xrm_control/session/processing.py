"""From the frames of a scan to measured particles: two functions that run on workers.

They read only durable files and write only whole files, so running them again changes nothing and losing a worker costs
time alone. The journal stays with the session.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xrm_control.analysis.core import AnalysisSpec, run_core
from xrm_control.core.errors import AnalysisError, DataError
from xrm_control.recipe.handoff import HandoffSpec, entry_point
from xrm_control.reconstruction.pipeline import ReconstructionSpec, reconstruct_scan
from xrm_control.reconstruction.scan import ScanData
from xrm_control.storage.durable import PART_SUFFIX, publish_file, sha256_file
from xrm_control.storage.formats.ome_tiff import write_volume, write_volume_16bit
from xrm_control.storage.frames import read_frame
from xrm_control.storage.records import PlannedFrame, StoredFrame
from xrm_control.storage.run_folder import RunFolder


@dataclass(frozen=True)
class ScanJob:
    """What a worker needs to reconstruct one scan; `about` goes into the hand-off as it is."""

    run: Path
    roi: str
    centre_um: tuple[float, float, float]
    pixel_size_um: float
    detector_rows: int
    frames: Sequence[tuple[PlannedFrame, StoredFrame]]
    reconstruction: ReconstructionSpec
    analysis: AnalysisSpec
    volume_16bit: bool
    about: dict[str, Any]


def load_scan(job: ScanJob) -> ScanData:
    """The kept frames of a scan, hashes verified, projections sorted by measured angle."""
    folder = RunFolder.open(job.run)

    def stack(kind: str) -> tuple[np.ndarray, list[StoredFrame]]:
        stored = [frame for plan, frame in job.frames if plan.kind == kind]
        if not stored:
            raise DataError(f"the scan has no {kind}", where=f"{job.run.name}, {job.roi}")
        stored.sort(
            key=lambda frame: frame.exposure.actual.theta_deg if kind == "projection" else frame.exposure.t_start_s
        )
        return np.stack([read_frame(folder, frame) for frame in stored]), stored

    projections, views = stack("projection")
    flats, references = stack("flat")
    darks, _ = stack("dark")
    return ScanData(
        projections=projections,
        theta_deg=np.array([frame.exposure.actual.theta_deg for frame in views]),
        time_s=np.array([_middle_s(frame) for frame in views]),
        flats=flats,
        flat_time_s=np.array([_middle_s(frame) for frame in references]),
        darks=darks,
        pixel_size_um=job.pixel_size_um,
    )


def reconstruct_roi(job: ScanJob) -> dict[str, float]:
    """Frames -> volume.ome.tif and handoff.json of the ROI; returns the quality figures."""
    folder = RunFolder.open(job.run)
    place = folder.roi(job.roi)
    result = reconstruct_scan(load_scan(job), job.reconstruction)
    place.path.mkdir(parents=True, exist_ok=True)
    quality = {**result.quality, "rotation_axis_px": result.rotation_axis_px}
    # A slab of rows is not centred on the field of view.
    middle_row = (result.rows[0] + result.rows[1] - 1) / 2
    x_um, y_um, z_um = job.centre_um
    y_um += (middle_row - (job.detector_rows - 1) / 2) * result.voxel_size_um
    with _scratch("reconstruction", place.path) as part:
        volume = write_volume(part / place.volume.name, result.volume, result.voxel_size_um)
        if job.volume_16bit:
            write_volume_16bit(part / "volume-16bit.tif", result.volume, result.voxel_size_um)
        handoff = {
            **job.about,
            "volume": place.volume.name,
            "shape": list(result.volume.shape),
            "voxel_size_um": result.voxel_size_um,
            "units": "1/um",
            "attenuation_scale": 1.0,
            "roi": job.roi,
            "centre_stage_um": {"x": x_um, "y": y_um, "z": z_um},
            "rotation_axis_px": result.rotation_axis_px,
            "quality": quality,
            "inputs": {place.volume.name: sha256_file(volume)} | {frame.path: frame.sha256 for _, frame in job.frames},
            "analysis": job.analysis.model_dump(mode="json"),
        }
        folder.write_json(part / place.handoff.name, handoff)
        # The hand-off last: where it is, the volume is.
        for path in sorted(part.iterdir(), key=lambda path: path.name == place.handoff.name):
            publish_file(path, place.path / path.name, replace=True)
    return quality


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


def _middle_s(frame: StoredFrame) -> float:
    return (frame.exposure.t_start_s + frame.exposure.t_end_s) / 2
