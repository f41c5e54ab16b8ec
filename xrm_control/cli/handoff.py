"""`xrm handoff`: for those who write an analysis core."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xrm_control.cli.options import AsJson
from xrm_control.cli.plain import PlainConsole
from xrm_control.core.errors import RecipeError

if TYPE_CHECKING:
    from xrm_control.analysis.handoff_check import Examination
    from xrm_control.contracts.handoff import HandoffSpec

handoff = typer.Typer(help="What an analysis core gives back.", no_args_is_help=True)
_out = PlainConsole(highlight=False, soft_wrap=True)


@handoff.callback()
def _group() -> None:
    """What an analysis core gives back."""


@handoff.command()
def check(
    folder: Annotated[Path, typer.Argument(help="folder that the core wrote into", show_default=False)],
    roi: Annotated[str | None, typer.Option(help="the region; none: what handoff.json says")] = None,
    handoff_file: Annotated[
        Path | None, typer.Option("--handoff", help="the hand-off that the core was given; none: the folder's own")
    ] = None,
    json_: AsJson = False,
) -> None:
    """Hold what a core wrote against the contract: columns, cells, files. Exit code 1 when something is wrong."""
    from xrm_control.analysis.handoff_check import examine
    from xrm_control.analysis.handoff_volume import handed_volume

    handed, path = _handed(folder, handoff_file)
    if roi is None and handed is None:
        raise RecipeError(
            "which region is it of?", where=str(folder), remedy="say --roi NAME, or --handoff FILE of the region"
        )
    volume = None if handed is None else handed_volume(handed, path)
    found = examine(folder, roi or (handed.roi if handed is not None else ""), handed, volume)
    if json_:
        print(json.dumps({"ok": not found.faults, **asdict(found)}, indent=1))
    else:
        _tell(found, folder)
        if not found.faults and volume is None:
            _out.print("not held against the volume, which is not there: --handoff FILE beside it")
    raise typer.Exit(1 if found.faults else 0)


def _handed(folder: Path, given: Path | None) -> tuple[HandoffSpec | None, Path]:
    """What the core was given, where that is known, and its file."""
    from xrm_control.contracts.handoff import HANDOFF

    if not folder.is_dir():
        raise RecipeError("no such folder", where=str(folder), remedy="name the folder that the core wrote into")
    path = given or folder / HANDOFF.name
    if not path.is_file():
        if given is not None:
            raise RecipeError("no such file", where=f"--handoff, {given}", remedy="check the path")
        return None, path
    return HANDOFF.read_foreign(path)[0], path


def _tell(found: Examination, folder: Path) -> None:
    for fault in found.faults:
        facts = [f"value {fault.value}"] if fault.value is not None else []
        facts += [f"limit {fault.limit}"] if fault.limit is not None else []
        _out.print(f"{fault.where}: {fault.what}{' (' + ', '.join(facts) + ')' if facts else ''}")
    if found.faults:
        return
    voids = "no table of voids" if found.voids is None else f"{found.voids} voids"
    _out.print(f"{folder}: in order; {found.roi}, {found.particles} particles, {voids}")
    for note in found.notes:
        _out.print(f"note: {note}")
    if found.own:
        _out.print(f"columns of its own: {', '.join(found.own)}")
    if found.not_measured:
        _out.print(f"not measured, and left out of the report: {', '.join(found.not_measured)}")
