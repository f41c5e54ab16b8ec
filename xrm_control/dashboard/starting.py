"""Runs that are started from the window: processes of their own, which know nothing of it and outlive it."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xrm_control.app.queue.process import PROGRAM
from xrm_control.core.clock import pause, stopwatch
from xrm_control.core.errors import CommandRefusal, DataError, ResourceLocked
from xrm_control.core.states import RunState
from xrm_control.storage.durable import make_folder, storage_error, write_durable
from xrm_control.storage.journal import Journal
from xrm_control.storage.journal_reader import JournalReader
from xrm_control.storage.run_folder import RunFolder

_BEGUN_WITHIN_S = 60.0
_LOOK_EVERY_S = 0.05
_LONGEST_WORDS = 4000


@dataclass
class Starter:
    """For the runs in `root`. What was asked for is on file in ``root/.window``, so that nothing is started twice."""

    root: Path

    def run(self, recipe: Path, settings: Sequence[str], request: str) -> str:
        """Start a recipe; the name of its run. Raises CommandRefusal with what it says where it ends at once."""
        chosen = [word for setting in settings for word in ("--set", setting)]
        return self._begin(["run", str(recipe), "--out", str(self.root), *chosen], request)

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
        note = self.root / ".window" / f"{request}.json"
        if note.exists():
            return self._known(note, arguments)
        make_folder(note.parent)
        # Whoever comes second with the same request finds this, whatever becomes of this process.
        write_durable(note, json.dumps({"arguments": list(arguments)}).encode() + b"\n")
        words = note.with_suffix(".txt")
        try:
            with words.open("wb") as output:
                process = subprocess.Popen(
                    [*PROGRAM, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=output,
                    start_new_session=True,
                )
        except OSError as error:
            raise storage_error("no process can be started", note, error) from error
        # Somebody has to take note of its end, or the kernel keeps it.
        threading.Thread(target=process.wait, daemon=True).start()
        name = self._awaited(process, words)
        known = {"arguments": list(arguments), "run": name}
        write_durable(note, json.dumps(known).encode() + b"\n", replace=True)
        return name

    def _known(self, note: Path, arguments: Sequence[str]) -> str:
        try:
            known = json.loads(note.read_bytes())
            name, asked = known.get("run"), known.get("arguments", list(arguments))
        except (OSError, ValueError, AttributeError) as error:
            raise DataError("cannot be read", where=note.name) from error
        if asked != list(arguments):
            raise CommandRefusal(
                "this request was for something else", where=note.stem, remedy="give each request a name of its own"
            )
        if not isinstance(name, str):
            raise CommandRefusal("this was asked for before, and has not begun", where=note.stem)
        return name

    def _awaited(self, process: subprocess.Popen[bytes], words: Path) -> str:
        """The run that the process holds."""
        waited_s = stopwatch()
        while waited_s() < _BEGUN_WITHIN_S:
            for journal in sorted(self.root.glob("*/journal.sqlite"), reverse=True)[:50]:
                if RunFolder(journal.parent).holder() == str(process.pid) and Journal.was_begun(journal):
                    return journal.parent.name
            if process.poll() is not None:
                said = words.read_text("utf-8", "replace")[-_LONGEST_WORDS:].strip()
                raise CommandRefusal(
                    said or "the run ended before it had begun", value=f"exit code {process.returncode}"
                )
            pause(_LOOK_EVERY_S)
        raise CommandRefusal("the run has not begun", value=f"{_BEGUN_WITHIN_S:g} s", remedy="look at the list of runs")
