"""One look at a run for all who watch it: however many there are, its journal is asked once.

Nothing waits for a viewer and nothing is kept for one: each is told what is new when it asks, from the journal for
lines, which have numbers, and from the newest look for everything else. So a tab that was closed, asleep or is new
misses nothing, and a display that is open for days costs no memory.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TypeVar

from xrm_control.core.clock import Clock, stopwatch
from xrm_control.core.errors import XrmError
from xrm_control.dashboard.lines import lines_after
from xrm_control.dashboard.models import Line
from xrm_control.dashboard.mosaic import mosaic_view, regions_view
from xrm_control.dashboard.view import look
from xrm_control.storage.journal_reader import JournalReader
from xrm_control.storage.run_folder import RunFolder

Result = TypeVar("Result")

_EVERY_S = 0.25
# Of the time between two looks a look takes this share at most.
_SHARE = 0.04
# What changes without a row in the journal: the disk, a preview.
_ANYWAY_S = 2.0
_GONE = "the run's folder is no longer there: moved, renamed or deleted; what is shown is what was known last"


@dataclass
class Watch:
    """Of one run. parts: the newest look as JSON, by the name of its part; version: rises with each change."""

    folder: RunFolder
    disk: Executor
    clock: Clock
    parts: dict[str, str] = field(default_factory=dict[str, str])
    version: int = 0
    problem: str = ""
    viewers: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None
    _seen: object = None
    _looked: bool = False

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[Watch]:
        """While somebody looks on, the run is looked at."""
        self.viewers += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look_on())
        try:
            yield self
        finally:
            self.viewers -= 1

    async def lines(self, after: int) -> list[Line]:
        """Lines with a number above `after`, a page of them."""
        return await self._run(lambda: lines_after(self.folder, after))

    async def changed(self, since: int, within_s: float) -> None:
        """Until the version is above `since`, and at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self.version <= since:
                    await self._changed.wait()

    async def _look_on(self) -> None:
        since_s = stopwatch()
        looked_s = -_ANYWAY_S
        while self.viewers:
            began_s = since_s()
            try:
                await self._look(anyway=began_s - looked_s >= _ANYWAY_S)
                problem = ""
            except (XrmError, OSError) as error:
                problem = str(error) if self.folder.journal.is_file() else _GONE
            if problem != self.problem:
                self.problem = problem
                self._tell()
            if self._looked:
                looked_s = since_s()
            await self.clock.sleep(max(_EVERY_S, (since_s() - began_s) / _SHARE))

    async def _look(self, *, anyway: bool) -> None:
        seen = await self._run(self._version_of_data)
        self._looked = anyway or seen != self._seen
        if not self._looked:
            return
        found = await self._run(self._parts)
        new = seen != self._seen or any(self.parts.get(name) != text for name, text in found.items())
        self._seen, self.parts = seen, found
        if new:
            self._tell()

    def _tell(self) -> None:
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    def _version_of_data(self) -> tuple[object, ...]:
        """Of the journal, and who carries the run out: whoever dies writes no row."""
        with JournalReader.open(self.folder.journal) as journal:
            return *journal.version_of_data(), self.folder.may_be_held()

    def _parts(self) -> dict[str, str]:
        looks: dict[str, Callable[[], str]] = {
            "run": lambda: look(self.folder).model_dump_json(),
            "mosaic": lambda: mosaic_view(self.folder).model_dump_json(),
            "regions": lambda: regions_view(self.folder).model_dump_json(),
        }
        return {name: make() for name, make in looks.items()}

    async def _run(self, call: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self.disk, call)
