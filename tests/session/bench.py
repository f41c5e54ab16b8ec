"""A run that is begun and not walked through: its context, for tests of single stages, in virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from simulators.microscope import Microscope
from tests.session.scripted import SMALL
from tests.system.conftest import write_recipe
from xrm_control import app
from xrm_control.core.clock import VIRTUAL, Clock
from xrm_control.core.clock import run as run_on_clock
from xrm_control.core.events import AnyEvent, Event, EventStream
from xrm_control.devices.simulated import SimulatedBackend, SimulatedInstrument
from xrm_control.session.context import RunContext
from xrm_control.storage.journal import Journal
from xrm_control.storage.records import RunRecord
from xrm_control.storage.run_folder import RunFolder

Result = TypeVar("Result")
Happened = TypeVar("Happened", bound=Event)
Maker = Callable[[Microscope, Clock], SimulatedInstrument]


class Stand:
    """`act(act)` gives `act` a context whose folder, journal and events can be looked at afterwards."""

    def __init__(self, folder: Path, make: Maker | None = None, **changes: Any) -> None:
        self.loaded = app.load(write_recipe(folder, **{**SMALL, **changes}))
        self.plan = app.check(self.loaded)
        self.make = make
        self.folder = RunFolder.create(folder / "runs", "stand", datetime(2025, 1, 2, tzinfo=UTC), "57a4")
        self.heard: list[AnyEvent] = []
        self.instrument: SimulatedInstrument | None = None

    def act(self, act: Callable[[RunContext], Awaitable[Result]]) -> Result:
        recipe, backend = self.loaded.recipe, self.loaded.recipe.instrument
        assert isinstance(backend, SimulatedBackend)
        record = RunRecord(self.folder.name, recipe.name, recipe.sha256(), "simulated", True, "")

        async def main() -> Result:
            clock = Clock(datetime(2025, 1, 2, tzinfo=UTC))
            events = EventStream(clock.now_s)
            events.subscribe(self.heard.append)
            self.instrument = self.make(backend._microscope(), clock) if self.make else backend.open(clock)
            with recipe.compute.open() as workers:
                run = RunContext(recipe, self.folder, journal, self.instrument, clock, events, workers, self.plan)
                try:
                    return await act(run)
                finally:
                    run.close()

        with Journal.create(self.folder.journal, record) as journal:
            return run_on_clock(main(), VIRTUAL)

    def events(self, kind: type[Happened]) -> list[Happened]:
        return [event for event in self.heard if isinstance(event, kind)]

    def shutter_open(self, t_s: float) -> bool:
        assert self.instrument is not None
        return self.instrument.microscope.shutter(t_s).open
