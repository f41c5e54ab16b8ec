"""`python -m benchmarks [NAME ...]`: those named, or all of them; a table each."""

from __future__ import annotations

import os
import platform
import sys

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks import (
    after_the_scan,
    control,
    control_softioc,
    cpu_seconds,
    durability,
    growing,
    iterative,
    preprocessing,
    reconstruction,
    rendering,
    scaling,
    whole_volume,
    window,
    window_guests,
    window_open,
)
from benchmarks.timing import Row

BENCHMARKS = {
    "rendering": rendering,
    "durability": durability,
    "control": control,
    "control_softioc": control_softioc,
    "preprocessing": preprocessing,
    "reconstruction": reconstruction,
    "cpu_seconds": cpu_seconds,
    "iterative": iterative,
    "growing": growing,
    "after_the_scan": after_the_scan,
    "whole_volume": whole_volume,
    "scaling": scaling,
    "window": window,
    "window_guests": window_guests,
    "window_open": window_open,
}


def main() -> None:
    """Run what the command line names and print a table as soon as it is complete."""
    names = sys.argv[1:] or list(BENCHMARKS)
    if unknown := [name for name in names if name not in BENCHMARKS]:
        sys.exit(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    console = Console(width=150)
    for name in names:
        about = f"{name}: {os.cpu_count()} CPUs, Python {platform.python_version()}"
        console.print(_table(about, BENCHMARKS[name].rows()))


def _table(title: str, rows: list[Row]) -> Table:
    """Columns of `Row`, and those of its figures between ratio and note; a line between one `what` and the next."""
    more = list(dict.fromkeys(heading for row in rows for heading in row.figures))
    table = Table("what", "who", title=title)
    for heading in ("s", "ratio"):
        table.add_column(heading, justify="right")
    table.add_column("against")
    for heading in more:
        table.add_column(heading, justify="right")
    table.add_column("note")
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        table.add_row(
            row.what,
            row.who,
            _seconds(row.seconds),
            "" if row.ratio is None else f"{row.ratio:.2f}",
            row.against,
            *(row.figures.get(heading, "") for heading in more),
            escape(row.warn),
            end_section=following is not None and following.what != row.what,
        )
    return table


def _seconds(seconds: float | None) -> str:
    """Three digits, or whole seconds."""
    return "" if seconds is None else f"{seconds:.3g}" if seconds < 100 else f"{seconds:.0f}"


if __name__ == "__main__":
    main()
