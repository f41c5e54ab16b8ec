"""`python -m benchmarks.figures_scaling`: docs/figures/scaling.png, a volume's cost by size and by workers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.scaling import VIEWS, WORKERS, Cost, costs
from xrm_control.core.cpus import cpus

TARGET = Path(__file__).parents[1] / "docs" / "figures" / "scaling.png"


def main() -> None:
    """Measure, draw, and say what was measured."""
    found = costs()
    draw(found)
    for one in found:
        print(
            f"{one.side:5d} columns, {one.workers} workers: {1e3 * one.seconds / one.rows:6.1f} ms a slice, bound "
            f"{1e3 * one.bound_s / one.rows:6.1f}, of the processors {1e3 * one.cpu_s / one.rows:6.1f}"
        )


def draw(found: Sequence[Cost]) -> None:
    """Speed by workers, and the time of a slice by size, with the bound beside."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    for side, colour in zip(VIEWS, ("#0072B2", "#E69F00", "#009E73"), strict=True):
        own = [one for one in found if one.side == side]
        left.plot(
            [one.workers for one in own],
            [own[0].seconds / one.seconds for one in own],
            "o-",
            color=colour,
            label=f"{side}",
        )
    left.plot(WORKERS, [min(count, cpus()) for count in WORKERS], ":", color="#6b7379", label=f"{cpus()} CPUs")
    left.set(xscale="log", xlabel="workers", ylabel="speed, of one worker", ylim=(0, None))
    left.set_xticks(WORKERS, [str(count) for count in WORKERS])
    left.minorticks_off()
    left.legend(title="columns", frameon=False)
    best = [min((one for one in found if one.side == side), key=lambda one: one.seconds) for side in VIEWS]
    right.plot(list(VIEWS), [1e3 * one.seconds / one.rows for one in best], "o-", color="#0072B2", label="measured")
    bounds = [1e3 * one.bound_s / one.rows for one in best]
    right.plot(list(VIEWS), bounds, ":", color="#6b7379", label="processor seconds, shared out evenly")
    right.set(xscale="log", yscale="log", xlabel="columns", ylabel="ms a slice")
    right.set_xticks(list(VIEWS), [str(side) for side in VIEWS])
    right.minorticks_off()
    right.legend(frameon=False)
    figure.suptitle(f"From counts to planes on the disk, {os.cpu_count()} CPUs")
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(TARGET, dpi=110)


if __name__ == "__main__":
    main()
