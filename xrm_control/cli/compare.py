"""``xrm compare``: the real night beside its rehearsal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from xrm_control.cli.options import AsJson, RunPath
from xrm_control.cli.plain import PlainConsole
from xrm_control.cli.tables import duration

if TYPE_CHECKING:
    from xrm_control.contracts.account import StageAccount
    from xrm_control.contracts.comparison import Comparison, StagePair

_out = PlainConsole(highlight=False, soft_wrap=True)


def register(cli: typer.Typer) -> None:
    """Add the command to `cli`."""
    cli.command()(compare)


def compare(
    run: RunPath,
    with_: Annotated[Path, typer.Option("--with", help="a rehearsal's folder, or another run's", show_default=False)],
    json_: AsJson = False,
) -> None:
    """Lay a night beside its rehearsal: each deviation with what the journals tell of it, the rest as unexplained."""
    from xrm_control.app.comparison import compare

    found = compare(run, with_)
    if json_:
        print(found.model_dump_json(indent=1))
        return
    for part in view(found):
        _out.print(part)


def view(found: Comparison) -> Iterator[Table | str]:
    """The stages beside each other, then each deviation in words."""
    from xrm_control.processing.deviations import first_flux

    yield f"{found.found.run} beside {'rehearsal' if found.rehearsed else 'run'} {found.expected.run}"
    table = Table(
        "stage", "time", "expected", "stood", "kept", "expected", "retaken", "missing", "Gy", "expected", "flux"
    )
    for column in table.columns[1:]:
        column.justify = "right"
    flux = first_flux(found.found)
    for pair in found.stages:
        table.add_row(*_row(pair, flux))
    table.add_section()
    was, now = found.expected, found.found
    table.add_row(
        "all", duration(now.total_s), duration(was.total_s), duration(now.standing_s),
        _kept(now.stages), _kept(was.stages), str(now.retaken), str(now.outcomes.missing + now.outcomes.not_reached),
        f"{now.dose_gy:.3g}", f"{was.dose_gy:.3g}", "",
    )  # fmt: skip
    yield table
    yield f"verdict  {now.verdict or now.state}, expected {was.verdict or was.state}"
    for one in found.deviations:
        yield f"{one.stage or 'run'}: {one.what} {one.found}, expected {one.expected}"
        yield from (f"    because {reason}" for reason in one.because)
        if one.unexplained:
            yield f"    unexplained: {one.unexplained}"
    if not found.deviations:
        yield "no deviation"
    yield from (f"note     {note}" for note in found.notes)
    yield f"{len(found.deviations)} deviation(s), {len(found.unexplained)} with something unexplained"


def _row(pair: StagePair, of: float | None) -> tuple[str, ...]:
    was, now = pair.expected, pair.found
    if now is None:
        return (pair.name, "not begun", "" if was is None else duration(was.seconds), *[""] * 8)
    return (
        pair.name,
        duration(now.seconds),
        "not begun" if was is None else duration(was.seconds),
        duration(now.standing_s),
        _kept((now,)),
        "" if was is None else _kept((was,)),
        str(now.retaken),
        str(now.outcomes.missing + now.outcomes.not_reached),
        f"{now.dose_gy:.3g}",
        "" if was is None else f"{was.dose_gy:.3g}",
        f"{now.flux / of:.1%}" if now.flux and of and now.dose_gy else "",
    )


def _kept(stages: tuple[StageAccount, ...]) -> str:
    return str(sum(stage.outcomes.kept + stage.outcomes.retaken for stage in stages))
