"""Commands: parse, call, print. No logic lives here."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from xrm_control.cli import alert, arguments, calibrate, commands, compare, misuse, rehearse, service, streams
from xrm_control.cli.files import analyze, export, reconstruct
from xrm_control.cli.handoff import handoff
from xrm_control.cli.ioc_command import ioc
from xrm_control.cli.kinds import KindsCommand
from xrm_control.cli.plain import PlainConsole, widen_environment
from xrm_control.cli.queue import queue
from xrm_control.cli.serve import beside, serve
from xrm_control.core.errors import Interrupted, RecipeError, XrmError
from xrm_control.core.exit_code import ExitCode

if TYPE_CHECKING:
    from xrm_control import app
    from xrm_control.contracts.plan import Plan
    from xrm_control.contracts.results import RunResults

cli = typer.Typer(
    name="xrm",
    help="From one recipe to a report on single powder particles.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
cli.add_typer(handoff, name="handoff")
cli.add_typer(queue, name="queue")
# Text that comes from outside (reasons, paths, names) is text and never markup.
_out = PlainConsole(highlight=False, soft_wrap=True)
_err = PlainConsole(stderr=True, highlight=False, soft_wrap=True)

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


def _say_version(wanted: bool) -> None:
    if wanted:
        from xrm_control.core.version import __version__

        print(f"xrm_control {__version__}")
        raise typer.Exit


def main() -> NoReturn:
    """Entry point: every error of ours becomes one clear message and its exit code."""
    widen_environment()
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
        code = cli(standalone_mode=False)
    except XrmError as error:
        return _fail(error)
    except misuse.MISUSE as error:
        told = misuse.told(error)
        return ExitCode.USAGE if told is None else _fail(told)
    except KeyboardInterrupt:
        return _fail(Interrupted("interrupted"))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return code if isinstance(code, int) else 0


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
        _json({"ok": True, "recipe": str(recipe), "total_s": plan.total_s, "warnings": warnings})
    else:
        _doubts(plan)
        doubts = f", with {len(plan.warnings)} warning(s)" if plan.warnings else ""
        _out.print(f"{recipe}: in order{doubts}; {plan.rois} scan(s), {_clock(plan.total_s)} of instrument time")


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
        _json([row.__dict__ for row in rows]) if json_ else _out.print(tables.trade_off_table(rows))
        return
    found = app.plan(loaded, out)
    if json_:
        _json(found.as_dict())
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
    _told(outcome, json_)


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
    _told(outcome, json_)


def _go_on(run: Path, speed: str | None, json_: bool) -> None:
    from xrm_control import app
    from xrm_control.cli import progress

    with progress.display(_err) as listener:
        outcome = app.go_on(run, speed, listener)
    commands.told(outcome, json_) if isinstance(outcome, str) else _told(outcome, json_)


def _told(outcome: app.Outcome, json_: bool) -> NoReturn:
    """Print how a run ended, and end so."""
    from xrm_control.reporting.table import paper_table

    if json_:
        _json(
            {
                "ok": outcome.exit_code == 0,
                "run": str(outcome.folder),
                "results": outcome.results.model_dump(mode="json"),
            }
        )
    else:
        if outcome.results.counts.particles:
            _out.print(paper_table(outcome.results))
        _summary(
            outcome.folder, outcome.results, stopped=outcome.exit_code in (ExitCode.RESUMABLE, ExitCode.NEXT_SAMPLE)
        )
    # How the run went does not change with who could read of it.
    if (error := streams.trouble(sys.stdout)) is not None:
        _err.print(f"the results could not be printed ({error}); they are in {outcome.folder}")
        streams.forgive(sys.stdout)
    raise typer.Exit(outcome.exit_code)


def _summary(folder: Path, results: RunResults, *, stopped: bool) -> None:
    from xrm_control.reporting.lot import lot_lines

    times, counts, verdict = results.instrument_times, results.counts, results.verdict
    scans = ", ".join(f"{seconds:.0f}" for seconds in times.scan_s.values())
    mosaic_s = "no" if times.mosaic_s is None else f"{times.mosaic_s:.1f}"
    voids = "not looked for" if counts.voids is None else counts.voids
    found = counts.particles_in_mosaic
    ends = counts.particles_in_mosaic_between
    seen = "not looked for particles yet" if found is None else f"{found} particles"
    seen += f" (between {ends[0]} and {ends[1]})" if ends is not None else ""
    _out.print(f"mosaic   {counts.tiles} tiles in {mosaic_s} s, {seen}")
    _out.print(f"scans    {counts.rois}{f', each {scans} s of instrument time' if scans else ''}")
    _out.print(f"particles measured {counts.particles}, whole {counts.whole_particles}, voids {voids}")
    for pause in results.pauses:
        _out.print(f"resumed  at {_clock(pause.to_s)}; {'; '.join(pause.found)}")
    if results.chain is not None:
        _out.print(f"chain    {results.chain.sha256}")
    _out.print(f"report   {folder / 'report.html'}")
    if stopped:
        _out.print(f"stopped  `xrm continue {folder}` goes on with it")
    if results.lot is not None:
        for at, line in enumerate(lot_lines(results.lot)):
            _out.print(f"{'lot' if not at else '':8} {line}", markup=False)
    _out.print(f"verdict  {commands.in_words(verdict)}")


@cli.command()
def status(
    run: RunPath,
    watch: Annotated[bool, typer.Option("--watch", help="look again every two seconds until it has ended")] = False,
    json_: AsJson = False,
) -> None:
    """How far a run has come, and whether it lives: exit code 8 for one that died without an end."""
    from xrm_control import app
    from xrm_control.cli import tables, watching

    if watch and not json_:
        died = watching.watch(_out, run).died
    else:
        summary = app.status(run)
        _json(summary.as_dict()) if json_ else _out.print(tables.status_view(summary))
        died = summary.died
    if died:
        raise typer.Exit(ExitCode.DIED)


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
    _told(outcome, json_)


@cli.command()
def report(run: RunPath) -> None:
    """Write a run's report anew."""
    from xrm_control import app

    _out.print(str(app.report(run)))


@cli.command()
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
    _json(found.as_dict()) if json_ else _out.print(soundness.view(found))
    raise typer.Exit(found.exit_code)


@cli.command()
def schema() -> None:
    """The recipe's JSON schema, for editors."""
    from xrm_control import app

    _json(app.schema())


@cli.command()
def states() -> None:
    """The state machine of a run, as a Mermaid diagram."""
    from xrm_control import app

    print(app.diagram())


cli.command()(ioc)
alert.register(cli)
service.register(cli)
rehearse.register(cli)
compare.register(cli)
calibrate.register(cli)
commands.register(cli, lambda run, speed, json_: _go_on(run, speed, json_))


@cli.command()
def doctor(
    recipe: Annotated[Path | None, typer.Argument(help="a recipe, whose instrument is looked at")] = None,
    expose: Annotated[
        bool, typer.Option("--expose", help="take test frames as a run does, shutter closed; nobody else in control")
    ] = False,
    set_: Overrides = None,
    json_: AsJson = False,
) -> None:
    """Look at this installation, and with a RECIPE at its instrument: PVs, limits, network, clock. Nothing moves."""
    from xrm_control.cli import doctor as clinic

    if expose and recipe is None:
        raise RecipeError("there is no instrument to expose with", where="--expose", remedy="name a recipe")
    findings = clinic.examine()
    if recipe is not None:
        from xrm_control import app

        findings += app.examine(app.load(recipe, arguments.overrides(set_)), expose=expose)
    if json_:
        _json([finding.__dict__ for finding in findings])
    else:
        _out.print(clinic.table(findings))
    raise typer.Exit(ExitCode.OK if all(finding.ok for finding in findings) else ExitCode.FAILURE)


def _json(content: Any) -> None:
    print(json.dumps(content, indent=1, default=str))


def _clock(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {left:02} s"
