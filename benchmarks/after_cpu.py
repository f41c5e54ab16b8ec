"""`python -m benchmarks.after_cpu RUN [REPEATS]`: what follows a finished run's scans, step by step, of the processor.

All is done again on a copy of the run; seconds are the processor's, all threads', medians after a call that warms up.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from xrm_control.contracts.rois import ROIS
from xrm_control.processing.begun_with import recipe_begun_with
from xrm_control.processing.regions import ScanJob, analyse_roi, hand_over
from xrm_control.processing.scans import RunScan
from xrm_control.processing.trust.judging import TrustJob, judge_region
from xrm_control.reporting.report import build_report
from xrm_control.storage.journal_reader import JournalReader
from xrm_control.storage.run_folder import RunFolder


def cpu_s(call: Callable[[], object], repeats: int) -> float:
    """Median of the processor's seconds."""
    call()
    found = []
    for _ in range(repeats):
        begun = time.process_time()
        call()
        found.append(time.process_time() - begun)
    return statistics.median(found)


def job_of(folder: RunFolder, roi: str) -> ScanJob:
    """As the run itself made it."""
    with JournalReader.open(folder.journal) as journal:
        recipe, frames = recipe_begun_with(folder, journal.run()), journal.stored_frames(roi)
    place = next(one for one in ROIS.read(folder.rois).rois if one.name == roi)
    camera = recipe.instrument.describe().camera
    scan = RunScan(folder.path, roi, camera.binned_pixel_um(recipe.scan.binning), frames)
    return ScanJob.of(scan, (place.x_um, place.y_um, place.z_um), recipe, camera.height_px)


def steps(folder: RunFolder, roi: str) -> dict[str, Callable[[], object]]:
    """Of one region, in order, and of the report."""
    job, place = job_of(folder, roi), folder.roi(roi)
    with JournalReader.open(folder.journal) as journal:
        recipe = recipe_begun_with(folder, journal.run())
    return {
        "volume on the disk": lambda: hand_over(job),
        "particles measured": lambda: analyse_roi(place.handoff, place.path, recipe.handoff),
        "judged": lambda: judge_region(TrustJob.of(job.scan, recipe, place.path)),
        "report": lambda: build_report(folder.path),
    }


def main() -> None:
    """A line for each step."""
    run, repeats = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory() as place:
        shutil.copytree(run, Path(place) / run.name)
        folder = RunFolder.open(Path(place) / run.name)
        for what, step in steps(folder, "roi-01").items():
            print(f"{what:20} {cpu_s(step, repeats):6.3f} s", flush=True)


if __name__ == "__main__":
    main()
