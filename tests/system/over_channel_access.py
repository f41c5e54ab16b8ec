"""Runs over Channel Access in this process, with something that happens to the IOC in the middle."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.devices.benches import epics_map
from tests.ioc_process import IocProcess
from tests.system.conftest import write_recipe
from xrm_control import app
from xrm_control.core.errors import XrmError
from xrm_control.core.events import AnyEvent, FrameKept, RunHeld, StateEntered
from xrm_control.core.states import RunState
from xrm_control.storage.journal import JournalReader

# Two tiles with a flat and a dark, then nine projections with two flats and a dark; too few to measure particles.
SMALL: dict[str, Any] = {
    "mosaic": {"columns": 2, "rows": 1, "flats": 1, "darks": 1},
    "scan": {"projections": 9, "references": {"kind": "both", "count": 1}, "darks": 1},
    "reconstruction": {"rows": [60, 68]},
}
FRAMES = (2 + 1 + 1) + (9 + 2 + 1)
Incident = Callable[[], None]


class Run:
    """One run, how it ended and what it left behind.

    `incidents` maps a frame's id to what happens, in a thread of its own, as soon as that frame is on the disk.
    """

    def __init__(
        self, folder: Path, ioc: IocProcess, incidents: dict[str, Incident] | None = None, **changes: Any
    ) -> None:
        self.events: list[AnyEvent] = []
        self._incidents = dict(incidents or {})
        self._threads: list[threading.Thread] = []
        map_changes = changes.pop("map_changes", {})
        instrument = {"backend": "epics", "map": epics_map(ioc.prefix, **map_changes).model_dump(mode="json")}
        loaded = app.load(write_recipe(folder, **{**SMALL, "instrument": instrument, **changes}))
        self.error: XrmError | None = None
        try:
            self.code = app.run(loaded, folder / "runs", None, self._listen).exit_code
        except XrmError as error:
            self.error, self.code = error, error.exit_code
        for thread in self._threads:
            thread.join()
        (self.folder,) = (folder / "runs").iterdir()
        results = self.folder / "results.json"
        self.results: dict[str, Any] = json.loads(results.read_text()) if results.exists() else {}

    def _listen(self, event: AnyEvent) -> None:
        self.events.append(event)
        incident = self._incidents.pop(event.text, None) if event.kind == FrameKept.kind else None
        if incident is not None:
            self._threads.append(threading.Thread(target=incident))
            self._threads[-1].start()

    def texts(self, kind: str) -> list[str]:
        """What was said by events of a kind."""
        return [event.text for event in self.events if event.kind == kind]

    def holds(self) -> list[str]:
        """What the run was held for, but for a busy machine that let the session itself stand still."""
        return [text for text in self.texts(RunHeld.kind) if "this session stood still" not in text]

    def kept(self) -> list[str]:
        """Frames that are on the disk, each as often as it was committed."""
        with JournalReader.open(self.folder / "journal.sqlite") as journal:
            return [plan.frame_id for plan, _ in journal.stored_frames()]

    def is_whole(self) -> bool:
        """Done, and every planned frame there exactly once; nine projections need not make a volume worth measuring."""
        names = self.kept()
        with JournalReader.open(self.folder / "journal.sqlite") as journal:
            missing = journal.missing_frames()
        done = self.code in (0, 5) and self.texts(StateEntered.kind)[-1] == RunState.DONE
        return done and not missing and len(names) == len(set(names)) == FRAMES


def after(seconds: float, *actions: Incident) -> Incident:
    """Do things one after the other, `seconds` of the wall clock before each."""

    def incident() -> None:
        for action in actions:
            threading.Event().wait(seconds)
            action()

    return incident


def recipe_for(folder: Path, ioc: IocProcess, **changes: Any) -> Path:
    """The small recipe on that instrument, as a file."""
    instrument = {"backend": "epics", "map": epics_map(ioc.prefix).model_dump(mode="json")}
    return write_recipe(folder, **{**SMALL, "instrument": instrument, **changes})
