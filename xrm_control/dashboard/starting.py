"""Runs that are started from the window: processes of their own, which know nothing of it and outlive it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xrm_control.core.clock import pause, stopwatch
from xrm_control.core.errors import CommandRefusal, LockUnknown, ResourceLocked
from xrm_control.core.states import RunState
from xrm_control.dashboard.guests import Guests
from xrm_control.storage.journal import Journal
from xrm_control.storage.journal_reader import JournalReader
from xrm_control.storage.run_folder import RunFolder

_BEGUN_WITHIN_S = 60.0
_LOOK_EVERY_S = 0.05


@dataclass
class Starter:
    """Starts runs, and goes on with them, by `guests`, each request once."""

    guests: Guests

    def run(self, recipe: Path, settings: Sequence[str], request: str) -> str:
        """Start a recipe; the name of its run. Raises CommandRefusal with what it says where it ends at once."""
        chosen = [word for setting in settings for word in ("--set", setting)]
        return self._begin(["run", str(recipe), "--out", str(self.guests.root), *chosen], request)

    def resume(self, folder: RunFolder, request: str) -> str:
        """Go on with a run that nobody carries out; its name. Raises ResourceLocked, CommandRefusal."""
        holder = folder.holder()
        if holder is not None:
            raise ResourceLocked("a process carries the run out", where=folder.name, value=holder)
        with JournalReader.open(folder.journal) as journal:
            state = journal.state()
        if state is not None and state.state is RunState.DONE:
            raise CommandRefusal("the run is done", where=folder.name)
        return self._begin(["resume", str(folder.path)], request)

    def _begin(self, arguments: Sequence[str], request: str) -> str:
        note = self.guests.asked(request, arguments)
        if note is not None:
            if note.run is None:
                raise CommandRefusal("this was asked for before, and has not begun", where=request)
            return note.run
        name = self._awaited(self.guests.start(request, arguments), request)
        self.guests.began(request, name)
        return name

    def _awaited(self, process: subprocess.Popen[bytes], request: str) -> str:
        """The run that the process holds."""
        waited_s = stopwatch()
        while waited_s() < _BEGUN_WITHIN_S:
            # All of them: the newest name is not the newest run's where somebody has set the clock back.
            for journal in self.guests.root.glob("*/journal.sqlite"):
                if _holds(RunFolder(journal.parent), process.pid) and Journal.was_begun(journal):
                    return journal.parent.name
            if process.poll() is not None:
                said = self.guests.words(request) or "the run ended before it had begun"
                raise CommandRefusal(said, value=f"exit code {process.returncode}")
            pause(_LOOK_EVERY_S)
        raise CommandRefusal("the run has not begun", value=f"{_BEGUN_WITHIN_S:g} s", remedy="look at the list of runs")


def _holds(folder: RunFolder, process: int) -> bool:
    """Whether that process carries the run out; of one that is another machine's it does not."""
    try:
        return folder.holder() == str(process)
    except LockUnknown:
        return False
