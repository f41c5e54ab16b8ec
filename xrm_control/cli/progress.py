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
from xrm_control.core.events import (
    AnyEvent,
    FrameEvent,
    FrameKept,
    FrameMissing,
    InstrumentBegun,
    InstrumentEvent,
    Listener,
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
from xrm_control.core.states import Level

_STYLES = {Level.WARNING: "yellow", Level.ERROR: "red"}


def headline(event: AnyEvent) -> bool:
    """Whether an event is worth a line of its own, even where there are bars."""
    match event:
        case RunFolderMade() | InstrumentBegun() | RoiChosen() | RoiStateEntered() | RowsReconstructed():
            return True
        case PreviewBegun() | SafeStateVerified() | ReportBegun():
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
        yield lambda event: _plain(console, event)
        return
    columns = (
        TextColumn("{task.description:22}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[clock]}", style="dim", markup=False),
    )
    with Progress(*columns, console=console) as bars:
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


def _plain(console: Console, event: AnyEvent) -> None:
    if headline(event) or isinstance(event, StageBegun | StateEntered):
        console.print(f"{event.t_s:9.1f} s  {event.kind:16} {event.text}")


class _Bars:
    """One bar for each stage; warnings and turning points as lines above them."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._task: TaskID | None = None

    def __call__(self, event: AnyEvent) -> None:
        clock = f"{event.t_s:8.1f} s instrument time"
        if isinstance(event, StageBegun):
            self._task = self._bars.add_task(event.stage, total=event.total, clock=clock)
        elif isinstance(event, FrameKept | FrameMissing) and self._task is not None:
            self._bars.update(self._task, advance=1, clock=clock)
        elif isinstance(event, StageEnded) and self._task is not None:
            total = next(task.total for task in self._bars.tasks if task.id == self._task)
            self._bars.update(self._task, completed=total, clock=clock)
            self._task = None
        if headline(event):
            self._bars.console.print(f"{event.t_s:9.1f} s  {event.text}", style=_STYLES.get(event.level, "dim"))
