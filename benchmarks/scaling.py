"""What a volume costs by its size and by how many workers make it: processes of Dask on this machine.

The parts alone, from frames in the page cache to planes on the disk: what is known of the whole is prepared before, and
the workers have imported what they need. `python -m benchmarks.figures_scaling` draws docs/figures/scaling.png.
"""

from __future__ import annotations

import asyncio
import resource
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.timing import Row
from benchmarks.whole_volume import write_scan
from xrm_control.compute.dask import Dask
from xrm_control.core.clock import pause, run, stopwatch
from xrm_control.core.cpus import cpus
from xrm_control.processing.regions import warm_up
from xrm_control.processing.scans import FileScan
from xrm_control.processing.volumes import VolumeJob, make_part, prepare_parts
from xrm_control.reconstruction.spec import ReconstructionSpec, split_rows

VIEWS = {256: 402, 512: 804, 1024: 1571}
ROWS = {256: 256, 512: 256, 1024: 256}  # that are reconstructed
WORKERS = (1, 2, 4, 8)


@dataclass(frozen=True)
class Cost:
    """Of `rows` slices of side x side by so many workers: seconds on the clock, and of the processors."""

    side: int
    workers: int
    rows: int
    seconds: float
    cpu_s: float

    @property
    def bound_s(self) -> float:
        """What the processors' seconds would take if they were shared out evenly."""
        return self.cpu_s / min(self.workers, cpus())


def rows() -> list[Row]:
    """Ratios are to the bound of the same line."""
    return [
        Row(
            f"{cost.rows} slices of {cost.side} x {cost.side} from {VIEWS[cost.side]} views",
            f"{cost.workers} workers",
            cost.seconds,
            cost.bound_s / cost.seconds,
            f"its processor seconds over {min(cost.workers, cpus())} CPUs",
            figures={"CPU s a slice": f"{cost.cpu_s / cost.rows:.4f}"},
        )
        for cost in costs()
    ]


def costs() -> list[Cost]:
    """For each size and number of workers; needs 4 GB of disk in the folder for temporary files."""
    found = []
    for side, views in VIEWS.items():
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "scan.h5"
            write_scan(source, side, views)
            first = (side - ROWS[side]) // 2
            spec = ReconstructionSpec(rows=(first, first + ROWS[side]))
            for workers in WORKERS:
                job = VolumeJob(FileScan(source), spec, (views, side, side), Path(folder) / f"parts-{workers}")
                found.append(_measured(job, workers))
    return found


def _measured(job: VolumeJob, count: int) -> Cost:
    job.folder.mkdir()
    prepare_parts(job)
    first, end = job.rows

    async def parts() -> Cost:
        with Dask(workers=count).open() as workers:
            await asyncio.gather(*(workers.run(_ready) for _ in range(count)))
            passed_s = stopwatch()
            used_s = await asyncio.gather(*(workers.run(_part, job, part) for part in split_rows(job.rows, 16)))
            return Cost(job.shape[2], count, end - first, passed_s(), sum(used_s))

    return run(parts(), 1.0)


def _ready() -> None:
    """A worker that has done this has imported what it needs; it takes so long that each worker has one."""
    warm_up()
    pause(1.0)


def _part(job: VolumeJob, rows: tuple[int, int]) -> float:
    """Make a part; the processor's seconds that it took. Runs on a worker."""
    before_s = _used_s()
    make_part(job, rows)
    return _used_s() - before_s


def _used_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
