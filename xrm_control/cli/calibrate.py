"""``xrm calibrate``: how the camera stands against the stage."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from xrm_control.cli import arguments
from xrm_control.cli.options import AsJson, Overrides, number_option
from xrm_control.cli.plain import PlainConsole
from xrm_control.core.errors import RecipeError
from xrm_control.core.numbers import PLAIN

_out = PlainConsole(highlight=False, soft_wrap=True)
_err = PlainConsole(stderr=True, highlight=False, soft_wrap=True)
_PLACE = re.compile(rf"([-+]?{PLAIN}),([-+]?{PLAIN})")


def register(cli: typer.Typer) -> None:
    """Add the command to `cli`."""
    cli.command()(calibrate)


def calibrate(
    recipe: Annotated[Path, typer.Argument(help="recipe, whose instrument and sample are used", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="file to be written")] = Path("alignment.yaml"),
    mirrored: Annotated[bool, typer.Option("--mirrored", help="the picture is a mirror image, and meant so")] = False,
    at: Annotated[str | None, typer.Option(help="X,Y on the stage in um; none: the middle of the mosaic")] = None,
    valid_days: Annotated[float, number_option(help="after so many days it is to be measured again")] = 30.0,
    speed: Annotated[str | None, typer.Option(help="as for `xrm run`")] = None,
    set_: Overrides = None,
    json_: AsJson = False,
) -> None:
    """Measure how the camera stands against the stage: known moves on the sample, into a dated file for recipes.

    The stage moves by a third of the field of view, there and back, and turns to two opposite views. A mirror image
    that nobody stated is refused, and so is what the pictures do not tell well enough.
    """
    from xrm_control import app
    from xrm_control.app.calibration import calibrate as measure
    from xrm_control.cli import progress

    place = None if at is None else _PLACE.fullmatch(at.replace(" ", ""))
    if at is not None and place is None:
        raise RecipeError("is no place", where="--at", value=at, limit="X,Y in um, e.g. 120,-35.5")
    if not 0 < valid_days <= 3650:
        raise RecipeError("no such time", where="--valid-days", value=valid_days, limit="above 0, at most 3650")
    with progress.display(_err) as listener:
        found = measure(
            app.load(recipe, arguments.overrides(set_)),
            out,
            mirrored=mirrored,
            at_um=None if place is None else (float(place[1]), float(place[2])),
            valid_days=valid_days,
            speed=speed,
            listener=listener,
        )
    if json_:
        print(found.model_dump_json(indent=1))
        return
    _out.print(f"camera   {found.text()}")
    _out.print(f"backlash x {found.backlash_x_um or 0:.2f}, y {found.backlash_y_um or 0:.2f} um")
    if found.axis_tilt_deg is None:
        _out.print("axis     its tilt is not told by opposite views of this place")
    _out.print(f"moves    {found.moves}, which disagree by {found.residual_um or 0:.3f} um (root mean square)")
    _out.print(f"written  {out}; a recipe uses it with `alignment: {out}`")
