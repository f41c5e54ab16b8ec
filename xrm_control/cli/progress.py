"""Progress on standard error: bars by stage in a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import assert_never

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from xrm_control.cli import streams
from xrm_control.cli.tables import duration
from xrm_control.core.clock import stopwatch
from xrm_control.core.events import (
    AnyEvent,
    FrameEvent,
    FrameKept,
    FrameMissing,
    InstrumentBegun,
    InstrumentEvent,
    Listener,
    PlacesLeft,
    PreviewBegun,
    ReportBegun,
    RoiChosen,
    RoiEvent,
    RoiStateEntered,
    RowsReconstructed,
    RunEvent,
    RunFolderMade,
    SafeStateVerified,
    StageBegun,
    StageEnded,
    StateEntered,
)
from xrm_control.core.progress import RunProgress
from xrm_control.core.states import Level, RunState

_LINE_EVERY_S = 60.0
_STYLES = {Level.WARNING: "yellow", Level.ERROR: "red"}


def headline(event: AnyEvent) -> bool:
    """Whether an event is worth a line of its own, even where there are bars."""
    match event:
        case RunFolderMade() | InstrumentBegun() | RoiChosen() | RoiStateEntered() | RowsReconstructed():
            return True
        case PreviewBegun() | SafeStateVerified() | ReportBegun() | PlacesLeft():
            return True
        case FrameEvent() | RoiEvent() | RunEvent() | InstrumentEvent():
            return event.level in _STYLES
        case _:
            assert_never(event)


@contextmanager
def display(console: Console) -> Iterator[Listener]:
    """A listener that shows a run's events while the block runs. It raises OSError while nobody can see them."""
    try:
        with _shown(console) as show:

            def listener(event: AnyEvent) -> None:
                show(event)
                if (error := streams.broken(console.file)) is not None:
                    raise OSError(f"nothing can be shown: {error}")

            yield listener
    finally:
        streams.settle(console.file)


@contextmanager
def _shown(console: Console) -> Iterator[Listener]:
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = (
        TextColumn("{task.description:22}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[clock]}", style="dim", markup=False),
    )
    # Little traffic: a terminal may be far away.
    with Progress(*columns, console=console, refresh_per_second=2) as bars:
        yield _Bars(bars)


@contextmanager
def rows(console: Console) -> Iterator[Callable[[int, int], None]]:
    """Shows how many rows of a volume are done."""
    if not console.is_terminal:
        yield lambda done, of: console.print(f"{done} of {of} rows")
        return
    columns = (TextColumn("reconstructing"), BarColumn(), MofNCompleteColumn(), TextColumn("rows"), TimeElapsedColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=console) as bars:
        tasks: list[TaskID] = []

        def show(done: int, of: int) -> None:
            if not tasks:
                tasks.append(bars.add_task("", total=of))
            bars.update(tasks[0], completed=done)

        yield show


def remaining(progress: RunProgress, now_s: float) -> str:
    """How far a run is, in words: ``123.4 s; 12 min 30 s left``."""
    if progress.state is RunState.PAUSED:
        return f"{now_s:.1f} s; paused"
    return f"{now_s:.1f} s; {duration(progress.remaining_s(now_s))} left"


class _Lines:
    """A line for each turning point, and once a minute of the wall clock how far the run is."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = RunProgress()
        self._since_s = stopwatch()

    def __call__(self, event: AnyEvent) -> None:
        self._progress.hear(event)
        if headline(event) or isinstance(event, StageBegun | StateEntered):
            self._console.print(f"{event.t_s:9.1f} s  {event.kind:16} {event.text}")
        elif isinstance(event, FrameKept) and self._since_s() > _LINE_EVERY_S:
            self._since_s = stopwatch()
            progress = self._progress
            left = duration(progress.remaining_s(event.t_s))
            self._console.print(
                f"{event.t_s:9.1f} s  {'progress':16} {progress.decided} of {progress.images} frames, {left} left"
            )


class _Bars:
    """One bar for the run and one for each stage that goes on; what has ended, and turning points, are lines above.

    A stage may begin in the middle of another, as when a view is taken again after a pause.
    """

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._progress = RunProgress()
        self._run = bars.add_task("run", total=None, clock="")
        self._open: dict[str, tuple[TaskID, float]] = {}

    def __call__(self, event: AnyEvent) -> None:
        now_s = event.t_s
        if self._progress.hear(event):
            total, clock = self._progress.images or None, remaining(self._progress, now_s)
            self._bars.update(self._run, completed=self._progress.decided, total=total, clock=clock)
        if isinstance(event, StageBegun):
            self._close(event.stage)
            self._open[event.stage] = self._bars.add_task(event.stage, total=event.total, clock=""), now_s
        elif isinstance(event, FrameKept | FrameMissing) and self._open:
            self._bars.update(list(self._open.values())[-1][0], advance=1)
        elif isinstance(event, StageEnded) and event.stage in self._open:
            _, begun_s = self._open[event.stage]
            self._close(event.stage)
            self._bars.console.print(f"{now_s:9.1f} s  {event.stage}: done in {now_s - begun_s:.1f} s", style="dim")
        if headline(event):
            self._bars.console.print(f"{now_s:9.1f} s  {event.text}", style=_STYLES.get(event.level, "dim"))

    def _close(self, stage: str) -> None:
        task, _ = self._open.pop(stage, (None, 0.0))
        if task is not None:
            self._bars.remove_task(task)
