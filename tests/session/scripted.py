"""Whole short runs on instruments of a test's own making: the simulated microscope with something added."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from simulators.microscope import Microscope
from tests.system.conftest import SHORT, write_recipe
from xrm_control import app
from xrm_control.core.clock import Clock
from xrm_control.core.events import Event
from xrm_control.devices.simulated import SimulatedBackend, SimulatedInstrument
from xrm_control.storage.journal import JournalReader

Maker = Callable[[Microscope, Clock], SimulatedInstrument]

FEW = {"projections": 7, "references": {"kind": "both", "count": 1}, "darks": 1}
# 2 x 2 tiles with a flat and a dark, and the scan above.
SMALL = {"mosaic": {"columns": 2, "rows": 2, "flats": 1, "darks": 1}, "scan": FEW}
FRAMES_OF_SMALL = (4 + 1 + 1) + (7 + 2 + 1)


class Night:
    """One run, how it ended and what it left behind."""

    def __init__(self, folder: Path, make: Maker | None = None, speed: str | None = None, **changes: Any) -> None:
        self._events: list[Event] = []
        loaded = app.load(write_recipe(folder, **{**SMALL, **changes}))
        if make is not None:
            settings = loaded.recipe.instrument.model_dump()

            class Scripted(SimulatedBackend):
                def open(self, clock: Clock) -> SimulatedInstrument:
                    return make(self._microscope(), clock)

            recipe = loaded.recipe.model_copy(update={"instrument": Scripted.model_validate(settings)})
            loaded = dataclasses.replace(loaded, recipe=recipe)
        self.error: BaseException | None = None
        try:
            self.code = app.run(loaded, folder / "runs", speed, self._events.append).exit_code
        except Exception as error:  # noqa: BLE001  whatever ended the run is what the test looks at
            self.error, self.code = error, getattr(error, "exit_code", -1)
        (self.folder,) = (folder / "runs").iterdir()
        self.results = json.loads((self.folder / "results.json").read_text())

    @property
    def states(self) -> list[str]:
        return [event.text for event in self._events if event.kind == "run.state"]

    def events(self, kind: str) -> list[Event]:
        return [event for event in self._events if event.kind == kind]

    def journal(self) -> JournalReader:
        return JournalReader.open(self.folder / "journal.sqlite")


def with_faults(*faults: dict[str, Any]) -> dict[str, Any]:
    return {"instrument": {**SHORT["instrument"], "faults": list(faults)}}
