"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from xrm_control.core.states import RunState

if TYPE_CHECKING:
    from xrm_control.contracts.outcomes import FrameOutcomes
    from xrm_control.contracts.plan import Plan
    from xrm_control.recipe.planning import TradeOff
    from xrm_control.storage.records import RunSummary

_INCIDENTS_SHOWN = 8


def plan_tables(plan: Plan) -> tuple[Table, Table]:
    """Instrument time and disk by stage; and everything else about the plan."""
    stages = Table("stage", "frames", "time", "disk", title="Plan", title_justify="left")
    for column in stages.columns[1:]:
        column.justify = "right"
    for stage in plan.stages:
        stages.add_row(stage.name, str(stage.frames), f"{stage.seconds:.1f} s", size(stage.bytes))
    stages.add_section()
    frames = sum(stage.frames for stage in plan.stages)
    stages.add_row("total", str(frames), duration(plan.total_s), size(plan.disk_bytes))
    facts = Table("quantity", "value", show_header=False)
    facts.add_row("projections per scan", str(plan.projections))
    facts.add_row("pixel", f"{plan.pixel_size_um * 1000:.0f} nm")
    facts.add_row("field of view", f"{plan.field_of_view_um:.1f} um")
    if plan.volume_width_um is not None and plan.volume_width_um > plan.field_of_view_um:
        facts.add_row("width of the volumes", f"{plan.volume_width_um:.1f} um, by half acquisition")
    facts.add_row("memory at the peak", size(plan.memory_bytes))
    facts.add_row("surface dose per scan", f"{plan.dose_per_scan_gy:.3g} Gy")
    facts.add_row(
        "particles expected", f"{plan.particles_in_mosaic} in the mosaic, {plan.particles_per_volume} a volume"
    )
    for axis, (low, high) in plan.limits.items():
        facts.add_row(f"limits {axis}", f"{low:g} to {high:g} {'deg' if axis == 'theta' else 'um'}")
    return stages, facts


def trade_off_table(rows: Sequence[TradeOff]) -> Table:
    """The paper's trade-off of resolution against time and memory."""
    table = Table(
        *("bin", "pixel\nnm", "resolves\nnm", "views", "views\n64 um", "scan\nhours", "same\ncounts"),
        *("frames\nMB", "volume\nMB"),
        title="Trade-off",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        caption="views: for the recipe's useful diameter, and for 64 um\n"
        "same counts: exposures so long that a pixel sees as many photons as now\n"
        "volume: 16 bit",
        caption_justify="left",
    )
    for column in table.columns:
        column.justify = "right"
        column.no_wrap = True
    for row in rows:
        table.add_row(
            str(row.binning),
            f"{row.pixel_size_um * 1000:.0f}",
            f"{row.resolution_um * 1000:.0f}",
            str(row.projections),
            str(row.projections_full_field),
            hours(row.scan_s),
            hours(row.scan_same_counts_s),
            f"{row.frame_bytes / 1e6:.4g}",
            f"{row.volume_bytes / 1e6:.4g}",
        )
    return table


def status_table(summary: RunSummary) -> Table:
    """State, progress and frame accounting of a run."""
    state = summary.state.state if summary.state else "not begun"
    when = f" at {duration(summary.last_t_s)}" if summary.last_t_s is not None else ""
    why = f": {summary.state.reason}" if summary.state and summary.state.reason else ""
    table = Table(
        "stage", "done", "planned", "kept", "retaken", "missing", "ROI",
        title=f"{'REHEARSAL, no data: ' if summary.run.rehearsal else ''}{summary.run.name}: {state}{when}{why}",
        title_justify="left",
    )  # fmt: skip
    for stage in summary.stages:
        frames = summary.frames[stage.roi]
        roi = summary.rois.get(stage.roi)
        table.add_row(
            stage.stage,
            str(stage.done),
            str(stage.planned),
            str(frames.kept),
            str(frames.retaken),
            str(frames.missing),
            f"{roi.state}{f': {roi.reason}' if roi.reason else ''}" if roi else "",
        )
    if summary.last_event is not None:
        table.caption = f"last: {summary.last_event.text}"
    return table


def status_view(summary: RunSummary) -> Group:
    """The tables, and whether the run lives."""
    return Group(
        status_table(summary), outcome_table(summary), *incident_lines(summary), *_lot_lines(summary), life(summary)
    )


def _lot_lines(summary: RunSummary) -> list[Text]:
    from xrm_control.reporting.lot import lot_lines

    return [] if summary.lot is None else [Text(f"lot {line}") for line in lot_lines(summary.lot)]


def incident_lines(summary: RunSummary) -> list[Text]:
    """The newest of what went otherwise than planned."""
    shown = summary.incidents[-_INCIDENTS_SHOWN:]
    more = len(summary.incidents) - len(shown)
    return [Text(line) for line in (*([f"{more} incidents before"] if more else []), *shown)]


def outcome_table(summary: RunSummary) -> Table:
    """The outcomes of all planned frames, by kind."""
    from xrm_control.contracts.outcomes import FrameOutcomes

    table = Table("frames", "planned", "kept at once", "kept when retaken", "missing", "not reached")
    for column in table.columns[1:]:
        column.justify = "right"
    for kind, one in summary.outcomes.items():
        table.add_row(kind, *_outcomes(one))
    table.add_section()
    table.add_row("all", *_outcomes(sum(summary.outcomes.values(), FrameOutcomes())))
    return table


def _outcomes(one: FrameOutcomes) -> tuple[str, ...]:
    return tuple(map(str, (one.planned, one.kept, one.retaken, one.missing, one.not_reached)))


def life(summary: RunSummary) -> str:
    """In words: what carries the run out, or how it died."""
    paused = summary.state is not None and summary.state.state is RunState.PAUSED
    if summary.stopped:
        return "stopped, in the safe state; `xrm continue` goes on with it"
    if summary.suspended:
        return (
            f"suspended by a signal (Ctrl-Z, SIGSTOP) since {summary.last_sign_utc or 'an unknown time'}: process"
            f" {summary.process} does nothing, nor does it watch the instrument; look at shutter and axes, then"
            f" `kill -CONT {summary.process}` lets it go on"
        )
    if summary.alive and paused:
        return f"paused, in the safe state, by process {summary.process or '(unknown)'}; `xrm continue` goes on"
    if summary.alive:
        return f"carried out by process {summary.process or '(it does not say)'}"
    if summary.life_unknown and not summary.ended:
        return (
            f"whether a process carries it out is not known, last sign of life at"
            f" {summary.last_sign_utc or 'an unknown time'}: {summary.life_unknown}"
        )
    if summary.ended:
        state = summary.state.state if summary.state else None
        return "ended" if state is RunState.DONE else "ended; `xrm resume` goes on with it"
    state = summary.state.state if summary.state else "not begun"
    when = f" (instrument time {duration(summary.last_t_s)})" if summary.last_t_s is not None else ""
    sign = summary.last_sign_utc or "an unknown time"
    trouble = f"{summary.disk_trouble}, so that an end could not be recorded: see to that first\n"
    return (
        f"died in state {state}, last sign of life at {sign}{when}, {summary.total.kept} frames kept\n"
        f"{trouble if summary.disk_trouble else ''}"
        "each was on the disk before it counted, and `xrm verify` looks whether it still is; whether shutter and axes "
        "are safe is not known: look at the instrument, then `xrm resume` goes on with it; `xrm report` sums up what "
        "there is"
    )


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.1f} s"
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {left:02} s"


def hours(seconds: float) -> str:
    """Seconds as h:mm:ss, for narrow columns."""
    minutes, left = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{left:02}"


def size(count: int) -> str:
    """Bytes as people say them."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} B"
