"""A rehearsal for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from xrm_control.cli.tables import duration, size
from xrm_control.contracts.rehearsal import Night, Rehearsal, RehearsedItem

_SHOWN = 6


def view(found: Rehearsal) -> Iterator[Table | str]:
    """By item what the night comes to, then what there is to know of it."""
    storm = f", storm {found.storm}" if found.storm else ""
    title = f"Rehearsal of {found.of} (simulated, no data): {'with' if found.images else 'without'} images{storm}"
    yield title
    table = Table(
        "item", "verdict", "time 10 %", "50 %", "90 %", "planned", "frames", "retaken", "missing", "disk", "dose"
    )
    for column in table.columns[2:]:
        column.justify = "right"
    for item in found.items:
        table.add_row(*_row(item))
    if len(found.items) > 1:
        table.add_section()
        time = found.time
        table.add_row("all", "", *map(duration, (time.p10_s, time.p50_s, time.p90_s)),
                      duration(sum(item.plan.total_s for item in found.items)))  # fmt: skip
    yield table
    yield f"time     {found.time.of}"
    for item in found.items:
        yield from _words(item, named=len(found.items) > 1)
    yield from (f"left out {line}" for line in found.left_out)
    yield f"played   in {duration(found.wall_s)}"


def _row(item: RehearsedItem) -> tuple[str, ...]:
    first = item.nights[0].account
    frames, time = first.outcomes, item.time
    return (
        item.name,
        _verdicts(item),
        *map(duration, (time.p10_s, time.p50_s, time.p90_s)),
        duration(item.plan.total_s),
        str(frames.kept + frames.retaken),
        str(first.retaken),
        str(frames.missing + frames.not_reached),
        size(first.disk_bytes),
        f"{first.dose_gy:.3g} Gy",
    )


def _verdicts(item: RehearsedItem) -> str:
    """Each verdict, and of how many nights."""
    found = [str(night.account.verdict or night.account.state or "-") for night in item.nights]
    if len(found) == 1:
        return found[0]
    return ", ".join(f"{found.count(word)} {word}" for word in dict.fromkeys(found))


def _words(item: RehearsedItem, *, named: bool) -> Iterator[str]:
    first = item.nights[0]
    of = f"{item.name}: " if named else ""
    yield f"start    {of}{item.start.note}"
    for note in item.notes:
        yield f"note     {of}{note}"
    axes = ", ".join(
        f"{axis} {low:z.1f} to {high:z.1f} {'deg' if axis == 'theta' else 'um'}"
        for axis, (low, high) in first.account.extremes.items()
    )
    yield f"axes     {of}{axes}"
    if first.account.particles is not None:
        yield f"found    {of}{first.account.particles} particles, {first.account.whole_particles} whole"
    yield from (f"held     {of}{line}" for line in _holds(first))
    told = {night.error or reason for night in item.nights for reason in (night.account.reasons or ("",))} - {""}
    yield from (f"reason   {of}{reason}" for reason in sorted(told)[:_SHOWN])
    if first.run:
        yield f"run      {of}{first.run}"


def _holds(night: Night) -> Iterator[str]:
    holds = night.account.holds
    for hold in holds[:_SHOWN]:
        lasted = "to its end" if hold.to_s is None else f"for {duration(hold.to_s - hold.from_s)}"
        yield f"at {duration(hold.from_s)} {lasted}: {hold.reason}"
    if len(holds) > _SHOWN:
        yield f"and {len(holds) - _SHOWN} more times; the page lists them"
