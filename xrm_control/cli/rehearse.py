"""``xrm rehearse``: the night before it begins, on the twin of the instrument."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xrm_control.cli import arguments
from xrm_control.cli.options import AsJson, Overrides, whole_option
from xrm_control.cli.plain import PlainConsole

_out = PlainConsole(highlight=False, soft_wrap=True)
_err = PlainConsole(stderr=True, highlight=False, soft_wrap=True)


def register(cli: typer.Typer) -> None:
    """Add the command to `cli`."""
    cli.command()(rehearse)


def rehearse(
    what: Annotated[
        Path, typer.Argument(metavar="RECIPE|QUEUE", help="recipe, or a queue's folder", show_default=False)
    ],
    set_: Overrides = None,
    out: Annotated[Path, typer.Option("--out", help="folder that holds rehearsals; no place for runs")] = Path(
        "rehearsals"
    ),
    without_images: Annotated[
        bool, typer.Option("--without-images", help="nothing rendered or measured: milliseconds a frame")
    ] = False,
    nights: Annotated[
        int, whole_option(help="play it so often, with a seed each; from 3 on they give the quantiles")
    ] = 1,
    storm: Annotated[
        str | None, typer.Option(help="what goes wrong: beam, camera, network, stage, swarm; or a YAML file of faults")
    ] = None,
    json_: AsJson = False,
) -> None:
    """Play a whole night on the twin of the instrument: time, disk, dose, verdicts, extremes. Nothing moves.

    Where the instrument's axes stand is read, if that disturbs nobody. What is written is marked as rehearsed.
    """
    from xrm_control.app.rehearsal import Wish, rehearse
    from xrm_control.cli import progress, rehearsal_table

    wish = Wish(arguments.overrides(set_), not without_images, nights, storm, out)
    folder, found = rehearse(what, wish, lambda: progress.display(_err))
    if json_:
        print(found.model_dump_json(indent=1))
        return
    for part in rehearsal_table.view(found):
        _out.print(part)
    _out.print(f"page     {folder / 'rehearsal.html'}")
