"""The operators' panels: what they show, that they can end a run, and that an instrument of others is let alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulators.microscope import Microscope
from tests.session.scripted import FRAMES_OF_SMALL, Night, with_faults
from xrm_control.core.clock import Clock
from xrm_control.core.errors import InstrumentLocked, Interrupted
from xrm_control.core.events import RunInterrupted, SafeStateLeft, SafeStateVerified
from xrm_control.core.states import WORKING, RunState
from xrm_control.devices.protocols import RunStatus, SafeState
from xrm_control.devices.simulated import SimulatedInstrument


class Panelled(SimulatedInstrument):
    """Remembers in order what it is told; asks to end the run after so many images."""

    def __init__(self, microscope: Microscope, clock: Clock, told: list[Any], abort_after: int | None = None) -> None:
        super().__init__(microscope, clock)
        self._told, self._abort_after = told, abort_after
        self._callbacks: list[Callable[[str], None]] = []

    async def connect(self) -> None:
        await super().connect()
        self._told.append("connected")

    def announce(self, status: RunStatus) -> None:
        self._told.append(status)
        if status.images_collected == self._abort_after:
            # As from a network: by a thread of its own, and twice.
            thread = threading.Thread(target=lambda: [callback("AbortScan") for callback in self._callbacks * 2])
            thread.start()
            thread.join()

    def on_abort(self, callback: Callable[[str], None]) -> None:
        self._callbacks.append(callback)

    async def make_safe(self) -> SafeState:
        self._told.append("safe")
        return await super().make_safe()

    async def disconnect(self) -> None:
        self._told.append("disconnected")


def shown(told: list[Any]) -> list[RunStatus]:
    return [item for item in told if isinstance(item, RunStatus)]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    told: list[Any] = []
    night = Night(tmp_path_factory.mktemp("night"), lambda microscope, clock: Panelled(microscope, clock, told))
    assert night.error is None
    assert night.folder.name == shown(told)[0].run
    return told


def test_every_state_and_every_frame_is_shown(told: list[Any]) -> None:
    statuses = shown(told)
    states = list(dict.fromkeys(status.state for status in statuses))
    assert states == [*WORKING, RunState.FINISHING, RunState.DONE]
    assert [status.images_collected for status in statuses] == sorted(status.images_collected for status in statuses)
    assert {status.images_collected for status in statuses} == set(range(FRAMES_OF_SMALL + 1))
    assert {status.images_total for status in statuses} == {FRAMES_OF_SMALL}


def test_time_passes_and_what_remains_ends_at_nothing(told: list[Any]) -> None:
    statuses = shown(told)
    end_s = statuses[-1].elapsed_s
    assert statuses[-1].remaining_s == 0
    for status in statuses[:-2]:
        assert status.elapsed_s + status.remaining_s == pytest.approx(end_s, rel=0.05)


def test_nothing_is_shown_before_the_connection_and_nothing_happens_after_the_end(told: list[Any]) -> None:
    assert told[0] == "connected"
    assert told[-1] == "disconnected"
    assert told.count("disconnected") == 1


def test_time_in_hold_does_not_shorten_what_remains(tmp_path: Path) -> None:
    told: list[Any] = []
    beam = with_faults({"kind": "beam_loss", "at_s": 20.0, "duration_s": 600.0})
    Night(tmp_path, lambda microscope, clock: Panelled(microscope, clock, told), **beam)
    states = [status.state for status in shown(told)]
    held = states.index(RunState.HELD)
    before, after = shown(told)[held], shown(told)[held + 1]
    assert after.elapsed_s - before.elapsed_s > 500
    assert after.remaining_s == pytest.approx(before.remaining_s)


@pytest.mark.parametrize("after", [0, 3, 10])
def test_a_panel_ends_the_run_as_ctrl_c_does(tmp_path: Path, after: int) -> None:
    told: list[Any] = []
    night = Night(tmp_path, lambda microscope, clock: Panelled(microscope, clock, told, abort_after=after))
    assert isinstance(night.error, Interrupted)
    assert night.code == 130
    assert night.states[-2:] == [RunState.ABORTING, RunState.ABORTED]
    assert night.results["verdict"]["reasons"][0] == "ended by AbortScan"
    assert len(night.events(RunInterrupted)) == len(night.events(SafeStateVerified)) == 1
    assert told[-1] == "disconnected"
    assert shown(told)[-1].state == RunState.ABORTED


@pytest.mark.parametrize("kind", ["beam_loss", "disconnect"])
def test_a_panel_ends_a_run_that_is_held(tmp_path: Path, kind: str) -> None:
    told: list[Any] = []

    class Impatient(Panelled):
        def announce(self, status: RunStatus) -> None:
            self._abort_after = status.images_collected if status.state == RunState.HELD else None
            super().announce(status)

    away = with_faults({"kind": kind, "at_s": 20.0, "duration_s": 12.0})
    night = Night(tmp_path, lambda microscope, clock: Impatient(microscope, clock, told), **away)
    assert night.code == 130
    assert night.states[-3:] == [RunState.HELD, RunState.ABORTING, RunState.ABORTED]
    assert night.events(SafeStateVerified)


def test_an_instrument_of_others_is_let_alone(tmp_path: Path) -> None:
    told: list[Any] = []

    class AnalysisInput(Panelled):
        async def connect(self) -> None:
            raise InstrumentLocked("somebody@elsewhere:17 controls it", where="XRM:Owner")

    night = Night(tmp_path, lambda microscope, clock: AnalysisInput(microscope, clock, told))
    assert isinstance(night.error, InstrumentLocked)
    assert night.code == 6
    assert told == ["disconnected"]  # neither shown anything nor made safe
    assert night.states[-1] == RunState.FAILED
    assert night.events(SafeStateLeft)
    assert "somebody@elsewhere:17" in night.results["verdict"]["reasons"][0]


def test_an_instrument_that_somebody_took_while_it_was_lost_is_let_alone(tmp_path: Path) -> None:
    told: list[Any] = []

    class Lost(Panelled):
        async def connect(self) -> None:
            if "connected" in told:
                told.append("asked")
                raise InstrumentLocked("somebody@elsewhere:17 controls it", where="XRM:Owner")
            await super().connect()

    away = with_faults({"kind": "disconnect", "at_s": 20.0, "duration_s": 30.0})
    night = Night(tmp_path, lambda microscope, clock: Lost(microscope, clock, told), **away)
    assert night.code == 6
    assert night.states[-3:] == [RunState.HELD, RunState.FAILING, RunState.FAILED]
    assert told[told.index("asked") :] == ["asked", "disconnected"]
