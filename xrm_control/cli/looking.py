"""Commands that look and change nothing of a run but its report: status, report, verify, doctor, schema, states."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xrm_control.cli import arguments
from xrm_control.cli.options import AsJson, Overrides, RunPath
from xrm_control.cli.plain import PlainConsole, print_json
from xrm_control.core.errors import RecipeError
from xrm_control.core.exit_code import ExitCode

_out = PlainConsole(highlight=False, soft_wrap=True)


def register(cli: typer.Typer) -> None:
    """Add the commands to `cli`."""
    for command in (status, report, verify, doctor, schema, states):
        cli.command()(command)


def status(
    run: RunPath,
    watch: Annotated[bool, typer.Option("--watch", help="look again every two seconds until it has ended")] = False,
    json_: AsJson = False,
) -> None:
    """How far a run has come, and whether it lives.

    Exit code 8: it died without an end; 6: whether it did cannot be told, as it may be another machine's.
    """
    from xrm_control import app
    from xrm_control.cli import tables, watching

    if watch and not json_:
        died, unknown = watching.watch(_out, run).died, False
    else:
        summary = app.status(run)
        print_json(summary.as_dict()) if json_ else _out.print(tables.status_view(summary))
        died, unknown = summary.died, bool(summary.life_unknown) and not summary.ended
    if died:
        raise typer.Exit(ExitCode.DIED)
    if unknown:
        raise typer.Exit(ExitCode.LOCKED)


def report(run: RunPath) -> None:
    """Write a run's report anew."""
    from xrm_control import app

    _out.print(str(app.report(run)))


def verify(
    run: RunPath,
    expect: Annotated[
        str | None, typer.Option(help="a link of the run's chain that was noted elsewhere, or its first 12 digits")
    ] = None,
    json_: AsJson = False,
) -> None:
    """Hold every file of a run against what was recorded, and the record against its chain. Nothing is written.

    Exit code 9: something was altered, is missing or was added; 8: it died; 5: unfinished, or not all is covered.
    """
    from xrm_control import app
    from xrm_control.cli import soundness

    found = app.verify(run, expect)
    print_json(found.as_dict()) if json_ else _out.print(soundness.view(found))
    raise typer.Exit(found.exit_code)


def schema() -> None:
    """The recipe's JSON schema, for editors."""
    from xrm_control import app

    print_json(app.schema())


def states() -> None:
    """The state machine of a run, as a Mermaid diagram."""
    from xrm_control import app

    print(app.diagram())


def doctor(
    recipe: Annotated[Path | None, typer.Argument(help="a recipe, whose instrument is looked at")] = None,
    expose: Annotated[
        bool, typer.Option("--expose", help="take test frames as a run does, shutter closed; nobody else in control")
    ] = False,
    set_: Overrides = None,
    json_: AsJson = False,
) -> None:
    """Look at this installation, and with a RECIPE at its instrument: PVs, limits, network, clock. Nothing moves."""
    from xrm_control.app import alerts
    from xrm_control.cli import doctor as clinic

    if expose and recipe is None:
        raise RecipeError("there is no instrument to expose with", where="--expose", remedy="name a recipe")
    findings = [*clinic.examine(), alerts.examine()]
    if recipe is not None:
        from xrm_control import app

        findings += app.examine(app.load(recipe, arguments.overrides(set_)), expose=expose)
    if json_:
        print_json([finding.__dict__ for finding in findings])
    else:
        _out.print(clinic.table(findings))
    raise typer.Exit(ExitCode.OK if all(finding.ok for finding in findings) else ExitCode.FAILURE)
