"""`xrm status RUN --watch`: the window's picture of a run in a terminal, as wide as that is; without one, as lines.

It is drawn from the same views as the page, and says nothing by colour alone.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from xrm_control.cli.plain import visible
from xrm_control.cli.tables import duration, size
from xrm_control.core.clock import pause
from xrm_control.core.states import ENDING, ENDS, WAITING, WORKING, Level, RoiState, RunState
from xrm_control.dashboard.lines import lines_after, lines_before
from xrm_control.dashboard.models import Line
from xrm_control.dashboard.models_mosaic import Regions, RegionView
from xrm_control.dashboard.models_run import Alarm, RunView, StageView
from xrm_control.dashboard.mosaic import regions_view
from xrm_control.dashboard.view import look
from xrm_control.storage.run_folder import RunFolder

_EVERY_S = 2.0
_WIDEST = 120
_FEW = 6
_CHAIN = (RunState.IDLE, *WORKING, RunState.FINISHING, RunState.DONE)
_SIGN = {Level.INFO: " ", Level.WARNING: "!", Level.ERROR: "X"}
_STYLE = {Level.INFO: "", Level.WARNING: "yellow", Level.ERROR: "bold red"}
_OVER = (RoiState.REPORTED, RoiState.QUARANTINED)


@dataclass(frozen=True)
class Picture:
    """A run at one moment: as it stands, its regions, the newest lines of its log."""

    run: RunView
    regions: Regions
    lines: Sequence[Line]

    @classmethod
    def of(cls, folder: RunFolder) -> Picture:
        """Raises DataError where the journal cannot be read."""
        return cls(look(folder), regions_view(folder), lines_before(folder, None, _FEW).lines)

    @property
    def stopped(self) -> bool:
        """Whether it stands still and nobody carries it out."""
        return not self.run.alive and self.run.state is RunState.PAUSED

    def drawn(self, width: int) -> Group:
        """For so many columns."""
        width = min(width, _WIDEST)
        parts = (
            _head(self.run),
            _progress(self.run, width),
            _alarms(self.run),
            _regions(self.regions),
            _log(self.lines),
        )
        return Group(*(line for part in parts for words, style in part for line in _wrapped(words, style, width)))


Words = tuple[str, str]
"""A line, and its style; what follows in it after a line break stands under the second column."""


def watch(console: Console, path: Path) -> RunView:
    """Show a run again every two seconds, until it has ended, was stopped or died; returns the last look at it."""
    folder = RunFolder.open(path)
    if not console.is_terminal or console.is_dumb_terminal:
        return _told(console, folder)
    with Live(console=console, auto_refresh=False) as live:
        while True:
            picture = Picture.of(folder)
            live.update(picture.drawn(console.width), refresh=True)
            if picture.run.ended or picture.stopped or picture.run.died:
                return picture.run
            pause(_EVERY_S)


def _told(console: Console, folder: RunFolder) -> RunView:
    """The picture at the beginning and at the end, and what is new in between."""
    picture = Picture.of(folder)
    console.print(picture.drawn(console.width))
    last = picture.lines[-1].id if picture.lines else 0
    while not (picture.run.ended or picture.stopped or picture.run.died):
        pause(_EVERY_S)
        while lines := lines_after(folder, last):
            last = lines[-1].id
            for words, _ in _log(lines, title=False):
                console.print(words)
        picture = Picture.of(folder)
        if picture.run.ended or picture.stopped or picture.run.died:
            console.print(picture.drawn(console.width))
    return picture.run


def _head(run: RunView) -> Iterator[Words]:
    yield run.name, "bold"
    about = ", ".join(filter(None, (run.sample, "simulated" if run.simulated else "")))
    yield from ((about, "dim"),) if about else ()
    waits = run.state in WAITING
    at = run.before_waiting if waits or (run.state in (*ENDS, *ENDING) and run.state not in _CHAIN) else run.state
    steps = [f"[{one}{f': {run.state}' if one is not run.state else ''}]" if one is at else str(one) for one in _CHAIN]
    yield " > ".join(steps), ""
    reason = f": {run.state_reason}" if run.state_reason else ""
    yield f"state   {_life(run)}{reason}", "bold"
    if run.verdict is not None:
        yield f"verdict {run.verdict}{': ' if run.reasons else ''}{'; '.join(run.reasons)}", "bold"


def _life(run: RunView) -> str:
    state = "not begun" if run.state is None else str(run.state)
    if run.died:
        return f"died in state {state}"
    if not run.alive and run.state is RunState.PAUSED:
        return "stopped"
    return state


def _progress(run: RunView, width: int) -> Iterator[Words]:
    when = " once it goes on" if run.state in WAITING or run.died else ""
    left = "" if run.remaining_s is None else f", {duration(run.remaining_s)} left{when}"
    yield f"frames  {_bar(run.kept + run.missing, run.planned, width)} {run.kept} of {run.planned}{left}", ""
    odd = [f"{count} {what}" for count, what in ((run.retaken, "retaken"), (run.missing, "missing")) if count]
    yield from ((f"        {', '.join(odd)}", "yellow"),) if odd else ()
    under_way = [one for one in run.stages if one.done < one.planned]
    for stage in [one for one in under_way if one.done][:_FEW] or under_way[:1]:
        yield _stage(stage, width), ""
    if (frame := run.last_frame) is not None:
        counts = "" if frame.mean_counts is None else f", {frame.mean_counts:.0f} counts"
        yield f"last    {frame.frame_id}, {frame.theta_deg:.2f} deg{counts}", ""
    flux = "" if run.flux is None else f"flux {100 * run.flux:.1f} % of the first flat; "
    yield f"time    {duration(run.t_s)} of instrument time; {flux}disk {size(run.disk_free_bytes)} free", ""


def _stage(stage: StageView, width: int) -> str:
    return f"{stage.name:7} {_bar(stage.done, stage.planned, width)} {stage.done} of {stage.planned}"


def _bar(done: int, of: int, width: int) -> str:
    length = 8 if width < 60 else 20
    full = round(length * min(1.0, done / of)) if of else 0
    return f"[{'#' * full}{'.' * (length - full)}]"


def _alarms(run: RunView) -> Iterator[Words]:
    for alarm in run.alarms:
        yield _cause(alarm), _STYLE[alarm.level]
        yield f"        {alarm.evidence}", ""
        button = f" (`xrm {alarm.action}`)" if alarm.action else ""
        if alarm.cure:
            yield f"        cure: {alarm.cure}{button}", ""


def _cause(alarm: Alarm) -> str:
    word = {Level.ERROR: "ALARM", Level.WARNING: "warning"}.get(alarm.level, "note")
    return f"{word:7} {alarm.cause}"


def _regions(known: Regions) -> Iterator[Words]:
    """Those that are under way, then the newest that are over, then those to come; and how many there are."""
    regions = known.regions
    if not regions:
        return
    counted = Counter(one.state for one in regions)
    yield f"regions {len(regions)}: {', '.join(f'{count} {state}' for state, count in counted.items())}", "bold"
    over = [one for one in regions if one.state in _OVER][::-1]
    waiting = [one for one in regions if one.state == "waiting"]
    at_work = [one for one in regions if one.state not in (*_OVER, "waiting")]
    shown = [*at_work, *over, *waiting][:_FEW]
    for one in sorted(shown, key=regions.index):
        yield (
            f"{one.name:7} {_region(one)}",
            "yellow" if one.state == RoiState.QUARANTINED or one.trust == "redo" else "",
        )
    if len(regions) > len(shown):
        yield f"        and {len(regions) - len(shown)} more", "dim"


def _region(one: RegionView) -> str:
    words = [f"{one.state}{f': {one.reason}' if one.reason else ''}"]
    if one.done < one.planned and one.done:
        words.append(f"{one.done} of {one.planned} frames")
    if one.particles is not None:
        words.append(f"{one.particles} whole particles")
    if one.equivalent_diameter_um is not None:
        words.append(f"{one.equivalent_diameter_um:.3g} um")
    if one.voided_percent is not None:
        words.append(f"{one.voided_percent:.0f} % voided")
    if one.trust:
        words.append(f"trust: {one.trust}")
    return ", ".join(words)


def _log(lines: Sequence[Line], *, title: bool = True) -> Iterator[Words]:
    if title and lines:
        yield "log", "bold"
    for line in lines:
        yield f"{_SIGN[line.level]} {duration(line.t_s):>11}  {line.text}", _STYLE[line.level]


def _wrapped(words: str, style: str, width: int) -> Iterator[Text]:
    """In lines of the terminal; what goes on stands under the second column."""
    rows = textwrap.wrap(visible(words), width, subsequent_indent=" " * 8, drop_whitespace=True) or [""]
    for row in rows:
        yield Text(row, style=style, no_wrap=True, overflow="crop")
