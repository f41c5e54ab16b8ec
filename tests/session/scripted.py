"""Whole short runs on instruments of a test's own making: the simulated microscope with something added."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from simulators.microscope import Microscope
from tests.system.conftest import SHORT, write_recipe
from xrm_control import app
from xrm_control.core.clock import Clock
from xrm_control.core.events import AnyEvent, Event, StateEntered
from xrm_control.core.states import RunState
from xrm_control.devices.simulated import SimulatedBackend, SimulatedInstrument
from xrm_control.storage.journal import JournalReader

Happened = TypeVar("Happened", bound=Event)
Maker = Callable[[Microscope, Clock], SimulatedInstrument]

FEW = {"projections": 7, "references": {"kind": "both", "count": 1}, "darks": 1}
# 2 x 2 tiles with a flat and a dark, and the scan above.
SMALL = {"mosaic": {"columns": 2, "rows": 2, "flats": 1, "darks": 1}, "scan": FEW}
FRAMES_OF_SMALL = (4 + 1 + 1) + (7 + 2 + 1)


class Night:
    """One run, how it ended and what it left behind."""

    def __init__(self, folder: Path, make: Maker | None = None, speed: str | None = None, **changes: Any) -> None:
        self._events: list[AnyEvent] = []
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
    def states(self) -> list[RunState]:
        return [event.state for event in self.events(StateEntered)]

    def events(self, kind: type[Happened]) -> list[Happened]:
        return [event for event in self._events if isinstance(event, kind)]

    def journal(self) -> JournalReader:
        return JournalReader.open(self.folder / "journal.sqlite")


def with_faults(*faults: dict[str, Any]) -> dict[str, Any]:
    return {"instrument": {**SHORT["instrument"], "faults": list(faults)}}
