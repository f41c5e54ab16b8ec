"""Arguments and options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from xrm_control.core.numbers import number, whole_number

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


def number_option(*names: str, help: str, low: float | None = None, high: float | None = None) -> Any:  # noqa: A002
    """An option whose value is a number from `low` to `high`, as people write numbers: not 1_0, which Python takes."""
    return typer.Option(*names, help=help, metavar="<float>", parser=_typed(number, "number, e.g. 0.5", low, high))


def whole_option(*names: str, help: str, low: int | None = None, high: int | None = None) -> Any:  # noqa: A002
    """An option whose value is a whole number from `low` to `high`."""
    return typer.Option(*names, help=help, metavar="<int>", parser=_typed(whole_number, "whole number", low, high))


def _typed(
    read: Callable[[str], float | None], what: str, low: float | None, high: float | None
) -> Callable[[Any], float]:
    def parsed(text: Any) -> float:
        # What is no text is the option's own default.
        found = read(text) if isinstance(text, str) else text
        if found is None:
            raise typer.BadParameter(f"{text!r} is no {what}")
        if (low is not None and not found >= low) or (high is not None and not found <= high):
            least, most = (None if end is None else f"{end:g}" for end in (low, high))
            ends = [least and f"greater than or equal to {least}", most and f"less than or equal to {most}"]
            raise typer.BadParameter(f"{found:g} must be {' and '.join(filter(None, ends))}")
        return found

    return parsed
