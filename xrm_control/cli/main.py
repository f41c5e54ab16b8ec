"""Commands: parse, call, print. No logic lives here."""

from __future__ import annotations

import errno
import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from xrm_control.cli import alert, arguments, calibrate, commands, compare, looking, misuse, rehearse, service, streams
from xrm_control.cli.files import analyze, export, reconstruct
from xrm_control.cli.handoff import handoff
from xrm_control.cli.ioc_command import ioc
from xrm_control.cli.kinds import KindsCommand
from xrm_control.cli.options import AsJson, Overrides, RecipePath, RunPath, RunsRoot, Speed, UntilStage
from xrm_control.cli.outcome import told
from xrm_control.cli.plain import PlainConsole, print_json, widen_environment
from xrm_control.cli.queue import queue
from xrm_control.cli.serve import beside, serve
from xrm_control.cli.tables import duration
from xrm_control.core import system_limits
from xrm_control.core.errors import DataError, Interrupted, XrmError
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.memory import collect_less_often

if TYPE_CHECKING:
    from xrm_control.contracts.plan import Plan

cli = typer.Typer(
    name="xrm",
    help="From one recipe to a report on single powder particles.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
cli.add_typer(handoff, name="handoff")
cli.add_typer(queue, name="queue")
# What a path that somebody names may have wrong with it, wherever it is first met.
_OF_A_PATH = (errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES, errno.EPERM)
_LONGEST_SHOWN = 80
# Text that comes from outside (reasons, paths, names) is text and never markup.
_out = PlainConsole(highlight=False, soft_wrap=True)
_err = PlainConsole(stderr=True, highlight=False, soft_wrap=True)


def _say_version(wanted: bool) -> None:
    if wanted:
        from xrm_control.core.version import __version__

        print(f"xrm_control {__version__}")
        raise typer.Exit


def main() -> NoReturn:
    """Entry point: every error of ours becomes one clear message and its exit code."""
    widen_environment()
    collect_less_often()
    with streams.steady():
        code = _carry_out()
        error = streams.trouble(sys.stdout)
        if error is not None:
            _err.print("error:", style="bold red", end=" ")
            _err.print(f"what was to be printed is lost: {error}")
            # A command whose work it is to print has not done it.
            code = code or ExitCode.FAILURE
    sys.exit(code)


def _carry_out() -> int:
    try:
        code = cli(prog_name="xrm", standalone_mode=False)
    except XrmError as error:
        return _fail(error)
    except misuse.MISUSE as error:
        told = misuse.told(error)
        return ExitCode.USAGE if told is None else _fail(told)
    except KeyboardInterrupt:
        return _fail(Interrupted("interrupted"))
    except (MemoryError, RuntimeError) as error:
        if (spent := system_limits.told(error)) is None:
            raise
        return _fail(spent)
    except OSError as error:
        if (spent := system_limits.told(error)) is not None:
            return _fail(spent)
        if error.errno == errno.ENOENT and error.filename is None and not _here():
            what = "the folder that this command was given in is gone"
            return _fail(DataError(what, remedy="`cd` to one that is there"))
        if error.errno not in _OF_A_PATH:
            raise
        where = str(error.filename or "")
        where = where if len(where) <= _LONGEST_SHOWN else f"{where[:_LONGEST_SHOWN]}..."
        return _fail(
            DataError(f"cannot be looked at: {error.strerror}", where=where, remedy="check path and permission")
        )
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return code if isinstance(code, int) else 0


def _here() -> bool:
    try:
        Path.cwd()
    except OSError:
        return False
    return True


def _fail(error: XrmError) -> int:
    _err.print("error:", style="bold red", end=" ")
    for line in str(error).splitlines():
        _err.print(line)
    if "--json" in sys.argv:
        print(json.dumps({"ok": False, "exit_code": error.exit_code, **error.facts()}))
    return error.exit_code


@cli.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", help="print the version and exit", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    """From one recipe to a report on single powder particles."""


@cli.command()
def init(folder: Annotated[Path, typer.Argument(help="where to put them")] = Path()) -> None:
    """Copy the recipes and instruments' maps that come with this program into a folder. Nothing is overwritten."""
    from xrm_control.app import starter

    for path, new in starter.copy_recipes(folder):
        _out.print(f"{path}{'' if new else '  is there already, and stays as it is'}")


@cli.command()
def check(recipe: RecipePath, set_: Overrides = None, json_: AsJson = False) -> None:
    """Read a recipe and find everything wrong with it: schema, limits, envelope. Nothing moves."""
    from xrm_control import app

    plan = app.check(app.load(recipe, arguments.overrides(set_)))
    if json_:
        warnings = [warning.model_dump(mode="json") for warning in plan.warnings]
        print_json({"ok": True, "recipe": str(recipe), "total_s": plan.total_s, "warnings": warnings})
    else:
        _doubts(plan)
        doubts = f", with {len(plan.warnings)} warning(s)" if plan.warnings else ""
        _out.print(f"{recipe}: in order{doubts}; {plan.rois} scan(s), {duration(plan.total_s)} of instrument time")


def _doubts(plan: Plan) -> None:
    for warning in plan.warnings:
        _err.print("warning:", style="bold yellow", end=" ")
        _err.print(warning.message())


@cli.command()
def plan(
    recipe: RecipePath,
    set_: Overrides = None,
    out: RunsRoot = Path("runs"),
    compare: Annotated[str | None, typer.Option(help="trade-off at other binnings: binning=1,2,4,8")] = None,
    json_: AsJson = False,
) -> None:
    """What a recipe will cost: time by stage, disk, dose, limits, particles."""
    from xrm_control import app
    from xrm_control.cli import tables

    loaded = app.load(recipe, arguments.overrides(set_))
    if compare is not None:
        rows = app.trade_off(loaded, arguments.binnings(compare))
        print_json([row.__dict__ for row in rows]) if json_ else _out.print(tables.trade_off_table(rows))
        return
    found = app.plan(loaded, out)
    if json_:
        print_json(found.as_dict())
    else:
        _doubts(found)
        for table in tables.plan_tables(found):
            _out.print(table)


@cli.command()
def run(
    recipe: RecipePath,
    set_: Overrides = None,
    out: RunsRoot = Path("runs"),
    speed: Speed = None,
    until: UntilStage = None,
    go_on: Annotated[
        bool, typer.Option("--go-on", help="go on with the newest run of this recipe in there, where it died")
    ] = False,
    window: Annotated[
        bool, typer.Option("--serve", help="show it in a browser meanwhile: `xrm serve` beside the run, until its end")
    ] = False,
    json_: AsJson = False,
) -> None:
    """Carry a recipe out, from sample to report."""
    from xrm_control import app
    from xrm_control.cli import progress

    loaded = app.load(recipe, arguments.overrides(set_))
    died = app.left_behind(out, loaded.recipe.sha256()) if go_on else None
    with beside(out) if window else nullcontext(), progress.display(_err) as listener:
        if died is None:
            outcome = app.run(loaded, out, speed, listener, until)
        else:
            outcome = app.resume(died, speed, listener, until)
    told(outcome, json_)


@cli.command()
def resume(
    run: RunPath,
    speed: Speed = None,
    until: UntilStage = None,
    json_: AsJson = False,
) -> None:
    """Go on with a run that died, failed or was ended, where it stood. One that is done is left as it is.

    The axes are homed and a view that was taken before is taken again: another sample, or one that moved, is refused.
    """
    from xrm_control import app
    from xrm_control.cli import progress

    with progress.display(_err) as listener:
        outcome = app.resume(run, speed, listener, until)
    told(outcome, json_)


def _go_on(run: Path, speed: str | None, json_: bool) -> None:
    from xrm_control import app
    from xrm_control.cli import progress

    with progress.display(_err) as listener:
        outcome = app.go_on(run, speed, listener)
    commands.told(outcome, json_) if isinstance(outcome, str) else told(outcome, json_)


looking.register(cli)
cli.command()(serve)
cli.command(cls=KindsCommand)(reconstruct)
cli.command(cls=KindsCommand)(analyze)
cli.command(cls=KindsCommand)(export)


@cli.command()
def reanalyze(run: RunPath, set_: Overrides = None, json_: AsJson = False) -> None:
    """Measure a run's volumes again with other settings of `analysis` or `handoff`, beside its own results.

    Nothing is acquired or reconstructed. The same settings again change nothing; one that was killed goes on.
    """
    from xrm_control import app

    outcome = app.reanalyze(run, arguments.overrides(set_), _err.print)
    told(outcome, json_)


cli.command()(ioc)
alert.register(cli)
service.register(cli)
rehearse.register(cli)
compare.register(cli)
calibrate.register(cli)
commands.register(cli, lambda run, speed, json_: _go_on(run, speed, json_))
