"""``xrm service``: the unit under which systemd carries a recipe out."""

from __future__ import annotations

from pathlib import Path

import typer

from xrm_control.cli.options import RecipePath, RunsRoot


def register(cli: typer.Typer) -> None:
    """Add the command to `cli`."""
    cli.command()(service)


def service(
    recipe: RecipePath,
    out: RunsRoot = Path("runs"),
) -> None:
    """Print a systemd unit that carries a recipe out: with a watchdog, and going on with a run that died."""
    from xrm_control import app
    from xrm_control.app.service import unit

    print(unit(recipe, out, app.load(recipe).recipe.name), end="")
