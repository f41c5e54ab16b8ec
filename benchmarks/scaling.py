"""What a volume costs by its size and by how many workers make it: processes of Dask on this machine.

The parts alone, from frames in the page cache to planes on the disk: what is known of the whole is prepared before, and
the workers have imported what they need. `python -m benchmarks.scaling` draws docs/figures/scaling.png besides.
"""

from __future__ import annotations

import asyncio
import os
import resource
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.timing import Row
from benchmarks.whole_volume import write_scan
from xrm_control.compute.dask import Dask
from xrm_control.core.clock import run, stopwatch
from xrm_control.core.cpus import cpus
from xrm_control.processing.regions import warm_up
from xrm_control.processing.scans import FileScan
from xrm_control.processing.volumes import VolumeJob, make_part, prepare_parts
from xrm_control.reconstruction.spec import ReconstructionSpec, split_rows

VIEWS = {256: 402, 512: 804, 1024: 1571}
ROWS = {256: 256, 512: 256, 1024: 256}  # that are reconstructed
WORKERS = (1, 2, 4, 8)
TARGET = Path(__file__).parents[1] / "docs" / "figures" / "scaling.png"


@dataclass(frozen=True)
class Cost:
    """Of `rows` slices of side x side by so many workers: seconds on the clock, and of the processors."""

    side: int
    workers: int
    rows: int
    seconds: float
    cpu_s: float


def rows() -> list[Row]:
    """Ratios are to what the processor's seconds would take if they were shared out evenly: the bound."""
    return [
        Row(
            f"{cost.rows} slices of {cost.side} x {cost.side} from {VIEWS[cost.side]} views",
            f"{cost.workers} workers",
            cost.seconds,
            _bound_s(cost) / cost.seconds,
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
            spec = ReconstructionSpec(rows=(first, first + ROWS[side]), memory_gb=0.08 * views * side / 1e6 * 16)
            for workers in WORKERS:
                job = VolumeJob(FileScan(source), spec, (views, side, side), Path(folder) / f"parts-{workers}")
                found.append(_measured(job, workers))
    return found


def _measured(job: VolumeJob, count: int) -> Cost:
    job.folder.mkdir()
    prepare_parts(job)
    seconds = 0.0

    async def parts() -> None:
        nonlocal seconds
        with Dask(workers=count).open() as workers:
            await asyncio.gather(*(workers.run(warm_up) for _ in range(count)))
            passed_s = stopwatch()
            await asyncio.gather(*(workers.run(make_part, job, part) for part in split_rows(job.rows, 16)))
            seconds = passed_s()

    before = _children_s()
    run(parts(), 1.0)
    first, end = job.rows
    return Cost(job.shape[2], count, end - first, seconds, _children_s() - before)


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _bound_s(cost: Cost) -> float:
    return cost.cpu_s / min(cost.workers, cpus())


def draw(found: Sequence[Cost]) -> None:
    """Seconds a slice by workers, and by size, with the bound beside."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    for side, colour in zip(VIEWS, ("#0072B2", "#E69F00", "#009E73"), strict=True):
        own = [cost for cost in found if cost.side == side]
        places = [cost.workers for cost in own]
        left.plot(places, [own[0].seconds / cost.seconds for cost in own], "o-", color=colour, label=f"{side}")
    left.plot(WORKERS, [min(count, cpus()) for count in WORKERS], ":", color="#6b7379", label=f"{cpus()} CPUs")
    left.set(xscale="log", xlabel="workers", ylabel="speed, of one worker", ylim=(0, None))
    left.set_xticks(WORKERS, [str(count) for count in WORKERS])
    left.legend(title="columns", frameon=False)
    best = [min((cost for cost in found if cost.side == side), key=lambda cost: cost.seconds) for side in VIEWS]
    right.plot(list(VIEWS), [1e3 * one.seconds / one.rows for one in best], "o-", color="#0072B2", label="measured")
    bounds = [1e3 * _bound_s(one) / one.rows for one in best]
    right.plot(list(VIEWS), bounds, ":", color="#6b7379", label="processor seconds, shared out evenly")
    right.set(xscale="log", yscale="log", xlabel="columns", ylabel="ms a slice")
    right.set_xticks(list(VIEWS), [str(side) for side in VIEWS])
    right.minorticks_off()
    right.legend(frameon=False)
    figure.suptitle(f"Counts to planes on the disk, {os.cpu_count()} CPUs")
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(TARGET, dpi=110)


def main() -> None:
    """Measure, draw, and say what was measured."""
    found = costs()
    draw(found)
    for cost in found:
        bound = f"bound {_bound_s(cost):.2f}"
        print(f"{cost.side:5d} {cost.workers} workers {cost.seconds:7.2f} s, {bound}, cpu {cost.cpu_s / cost.rows:.4f}")


if __name__ == "__main__":
    main()
