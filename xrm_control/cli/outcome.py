"""How a run ended, for the terminal: Table 1, its sum, and the exit code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from xrm_control.cli import streams
from xrm_control.cli.commands import in_words
from xrm_control.cli.plain import PlainConsole, print_json
from xrm_control.cli.tables import duration
from xrm_control.core.exit_code import ExitCode

if TYPE_CHECKING:
    from xrm_control import app
    from xrm_control.contracts.results import RunResults

_out = PlainConsole(highlight=False, soft_wrap=True)
_err = PlainConsole(stderr=True, highlight=False, soft_wrap=True)


def told(outcome: app.Outcome, json_: bool) -> NoReturn:
    """Print how a run ended, and end so. Raises typer.Exit with its exit code."""
    from xrm_control.reporting.table import paper_table

    if json_:
        print_json(
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
    moved = f" ({counts.moved_particles} moved, left out)" if counts.moved_particles else ""
    _out.print(f"particles measured {counts.particles}, whole {counts.whole_particles}{moved}, voids {voids}")
    for pause in results.pauses:
        _out.print(f"resumed  at {duration(pause.to_s)}; {'; '.join(pause.found)}")
    if results.chain is not None:
        _out.print(f"chain    {results.chain.sha256}")
    _out.print(f"report   {folder / 'report.html'}")
    if stopped:
        _out.print(f"stopped  `xrm continue {folder}` goes on with it")
    if results.lot is not None:
        for at, line in enumerate(lot_lines(results.lot)):
            _out.print(f"{'lot' if not at else '':8} {line}", markup=False)
    _out.print(f"verdict  {in_words(verdict)}")
