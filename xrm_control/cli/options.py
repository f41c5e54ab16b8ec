"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RecipePath = Annotated[Path, typer.Argument(help="recipe (YAML)", show_default=False)]
RunPath = Annotated[Path, typer.Argument(help="run folder", show_default=False)]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="key=value in place of the recipe's, e.g. scan.exposure_s=2")
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON on standard output")]
Speed = Annotated[
    str | None, typer.Option(help="virtual (simulated only), or N times the wall clock; none: the instrument's own")
]
UntilStage = Annotated[
    str | None, typer.Option(help="end in order after a stage: mosaic, rois (their choice), or a region: roi-02")
]
RunsRoot = Annotated[Path, typer.Option("--out", help="folder that holds the runs")]
