"""Progress on standard error: bars by stage in a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
from xrm_control.core.events import Event, Listener

_SHOWN = {
    "roi.chosen",
    "roi.state",
    "safe.verified",
    "run.folder",
    "instrument.begun",
    "report.begun",
    "preview.begun",
    "roi.rows",
}


@contextmanager
def display(console: Console) -> Iterator[Listener]:
    """A listener that shows a run's events while the block runs. It raises OSError while nobody can see them."""
    try:
        with _shown(console) as show:

            def listener(event: Event) -> None:
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


def _plain(console: Console, event: Event) -> None:
    if event.kind in _SHOWN or event.kind in ("stage.begun", "run.state") or event.level in ("warning", "error"):
        console.print(f"{event.t_s:9.1f} s  {event.kind:16} {event.text}")


class _Bars:
    """One bar for each stage; warnings and turning points as lines above them."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._task: TaskID | None = None

    def __call__(self, event: Event) -> None:
        clock = f"{event.t_s:8.1f} s instrument time"
        if event.kind == "stage.begun":
            self._task = self._bars.add_task(event.text, total=event.data["total"], clock=clock)
        elif event.kind in ("frame.kept", "frame.missing") and self._task is not None:
            self._bars.update(self._task, advance=1, clock=clock)
        elif event.kind == "stage.ended" and self._task is not None:
            total = next(task.total for task in self._bars.tasks if task.id == self._task)
            self._bars.update(self._task, completed=total, clock=clock)
            self._task = None
        if event.kind in _SHOWN or event.level in ("warning", "error"):
            style = {"warning": "yellow", "error": "red"}.get(event.level, "dim")
            self._bars.console.print(f"{event.t_s:9.1f} s  {event.text}", style=style)
