"""What an operator may want of a run that is being carried out: ``xrm pause RUN`` and its like."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from xrm_control.cli.options import AsJson, RunPath, number_option
from xrm_control.core.errors import RecipeError
from xrm_control.core.numbers import PLAIN

if TYPE_CHECKING:
    from xrm_control.contracts.commands import Command
    from xrm_control.contracts.results import RunVerdict

GoOn = Callable[[Path, str | None, bool], None]

_NUMBER = rf"[-+]?{PLAIN}"
_PLACE = re.compile(rf"({_NUMBER})\s*,\s*({_NUMBER})")
_BOX = re.compile(rf"({PLAIN})\s*[xX]\s*({PLAIN})")


def register(cli: typer.Typer, go_on: GoOn) -> None:
    """Add the commands to `cli`; `go_on` carries out `continue`."""
    for command in (pause, skip, order, until, stop, abort):
        cli.command()(command)
    # A place may begin with a minus.
    cli.command(context_settings={"ignore_unknown_options": True})(add)

    @cli.command("continue")
    def continue_(
        run: RunPath,
        speed: Annotated[str | None, typer.Option(help="where this command carries it out: as for `xrm run`")] = None,
        json_: AsJson = False,
    ) -> None:
        """Go on with a run that is paused; one that nobody carries out is gone on with here, as by `xrm resume`."""
        go_on(run, speed, json_)


def told(answer: str, json_: bool) -> None:
    """Print what the run says."""
    print(json.dumps({"ok": True, "answer": answer}) if json_ else answer)


def in_words(verdict: RunVerdict) -> str:
    """How a run ended, and why it is no better: ``doubt: axis disagrees ... -> ...``."""
    return f"{verdict.status}: {'; '.join(verdict.reasons)}" if verdict.reasons else verdict.status.value


def pause(run: RunPath, json_: AsJson = False) -> None:
    """Let a run stand still, in the safe state, after the frame in flight; `xrm continue` goes on."""
    from xrm_control.app.commands import Pause

    _send(run, Pause(), json_)


def skip(
    run: RunPath,
    roi: Annotated[str, typer.Argument(help="region: roi-02", show_default=False)],
    json_: AsJson = False,
) -> None:
    """Set a region aside: it is not scanned, or not any further."""
    from xrm_control.app.commands import Skip

    _require_name(roi, "ROI")
    _send(run, Skip(roi=roi), json_)


def order(
    run: RunPath,
    rois: Annotated[list[str], typer.Argument(metavar="ROI...", help="regions: roi-04 roi-02", show_default=False)],
    json_: AsJson = False,
) -> None:
    """Scan these regions first of those that wait, in this order; the others follow as they stood."""
    from xrm_control.app.commands import Order

    for roi in rois:
        _require_name(roi, "ROI")
    if twice := [roi for roi in rois if rois.count(roi) > 1]:
        raise RecipeError("is named twice", where="ROI", value=twice[0], remedy="name each region once")
    _send(run, Order(rois=tuple(rois)), json_)


def add(
    run: RunPath,
    place: Annotated[str, typer.Argument(help="X,Y: stage position of its centre in um", show_default=False)],
    box: Annotated[str | None, typer.Option(help="WIDTHxHEIGHT in um: as many windows as cover it")] = None,
    z_um: Annotated[float | None, number_option("--z", help="stage z in um; none: the recipe's")] = None,
    json_: AsJson = False,
) -> None:
    """Scan one more place, after the regions that are there; before regions were chosen: in place of the recipe's."""
    from xrm_control.app.commands import Add

    at = _PLACE.fullmatch(place.strip())
    if at is None:
        raise RecipeError("is no place", where="PLACE", value=place, limit="X,Y in um, e.g. 120,-35.5")
    sides = None if box is None else _BOX.fullmatch(box.strip())
    if box is not None and (sides is None or not all(float(side) > 0 for side in sides.groups())):
        raise RecipeError("is no box", where="--box", value=box, limit="WIDTHxHEIGHT in um, e.g. 120x60")
    width_um, height_um = (None, None) if sides is None else map(float, sides.groups())
    x_um, y_um = map(float, at.groups())
    _send(run, Add(x_um=x_um, y_um=y_um, z_um=z_um, width_um=width_um, height_um=height_um), json_)


def until(
    run: RunPath,
    stage: Annotated[str, typer.Argument(help="mosaic, rois (their choice), or a region: roi-02", show_default=False)],
    json_: AsJson = False,
) -> None:
    """End a run in order when a stage has come to its end; `xrm continue` goes on with it later."""
    from xrm_control.app.commands import Until

    _require_name(stage, "STAGE")
    _send(run, Until(stage=stage), json_)


def stop(
    run: RunPath,
    after: Annotated[
        Literal["frame", "scan", "region"], typer.Option(help="what is still finished; scan: or the mosaic")
    ] = "frame",
    json_: AsJson = False,
) -> None:
    """End a run in order: what was scanned is measured, a report is written, and it can be gone on with."""
    from xrm_control.app.commands import Stop

    _send(run, Stop(after=after), json_)


def abort(run: RunPath, json_: AsJson = False) -> None:
    """End a run now: axes stop, the shutter closes, the frame in flight is lost. It can be gone on with."""
    from xrm_control.app.commands import Abort

    _send(run, Abort(), json_)


def _send(run: Path, command: Command, json_: bool) -> None:
    from xrm_control.app.commands import send

    told(send(run, command), json_)


def _require_name(text: str, where: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", text):
        raise RecipeError("is no name of a stage or region", where=where, value=text, limit="such as roi-02")
