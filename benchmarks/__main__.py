"""`python -m benchmarks`: all of them, as one table."""

from __future__ import annotations

import os
import platform

from rich.console import Console
from rich.table import Table

from benchmarks import control, durability, iterative, reconstruction, rendering


def main() -> None:
    """Run every benchmark and print one table."""
    table = Table(
        "what",
        "who",
        "s",
        "ratio",
        "against",
        "remark",
        title=f"{os.cpu_count()} CPUs, Python {platform.python_version()}",
    )
    for module in (rendering, durability, control, reconstruction, iterative):
        for row in module.rows():
            ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
            table.add_row(row.what, row.who, f"{row.seconds:.4f}", ratio, row.against, row.remark)
        table.add_section()
    Console(width=150).print(table)


main()
