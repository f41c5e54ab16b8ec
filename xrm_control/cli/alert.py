"""``xrm alert``: whether somebody would be told."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table

from xrm_control.cli.options import AsJson
from xrm_control.core.errors import RecipeError
from xrm_control.core.exit_code import ExitCode


def register(cli: typer.Typer) -> None:
    """Add the command to `cli`."""
    cli.command()(alert)


def alert(
    test: Annotated[bool, typer.Option("--test", help="send a message through every channel")] = False,
    json_: AsJson = False,
) -> None:
    """Where alerts of runs go, without the addresses; with --test a message goes through every channel."""
    from xrm_control.app import alerts
    from xrm_control.cli.plain import PlainConsole

    found = alerts.find()
    if found is None:
        raise RecipeError("no channel is named", where="alerts", remedy=alerts.HOW_TO_NAME_ONE)
    tried = alerts.test() if test else []
    if json_:
        print(json.dumps({"source": found.source, "doubt": found.doubt, "tried": dict(tried)}))
    else:
        out = PlainConsole(highlight=False, soft_wrap=True)
        out.print(f"{len(found.channels.channels)} channel(s), from {found.source}")
        if found.doubt:
            out.print(f"warning: {found.doubt}")
        if test:
            table = Table("channel", "test message")
            for name, problem in tried:
                table.add_row(name, "delivered" if problem is None else problem)
            out.print(table)
    if any(problem is not None for _, problem in tried):
        raise typer.Exit(ExitCode.FAILURE)
