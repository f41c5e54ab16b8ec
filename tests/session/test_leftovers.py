"""What a run that is gone on with has left to do, and what it is told: limits, letters, work without an instrument."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from tests.session.scripted import SMALL
from tests.system.conftest import write_recipe
from xrm_control import app
from xrm_control.contracts.commands import Reply
from xrm_control.core.errors import InstrumentUnreachable
from xrm_control.core.events import AnyEvent, CommandRefused, InstrumentBegun, LimitsDiffer, StateEntered
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.states import Level, RoiState, RunState
from xrm_control.devices.protocols import InstrumentDescription
from xrm_control.devices.simulated import SimulatedInstrument
from xrm_control.session.wishes import recall
from xrm_control.storage.journal import Journal, JournalReader


def begun(folder: Path, until: str | None = None) -> Path:
    loaded = app.load(write_recipe(folder, **SMALL))
    return app.run(loaded, folder / "runs", None, None, until).folder


def test_limits_that_are_not_those_of_the_beginning_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, before = begun(tmp_path, until="mosaic"), SimulatedInstrument.describe

    def narrower(self: SimulatedInstrument) -> InstrumentDescription:
        about = before(self)
        axis = dataclasses.replace(about.axes["x"], low_limit=-260.0)
        return dataclasses.replace(about, axes={**about.axes, "x": axis})

    monkeypatch.setattr(SimulatedInstrument, "describe", narrower)
    heard: list[AnyEvent] = []
    assert app.resume(path, None, heard.append).exit_code == ExitCode.PARTLY
    (told,) = [event for event in heard if isinstance(event, LimitsDiffer)]
    assert (told.axis, told.now[0], told.level) == ("x", -260.0, Level.WARNING)
    assert told.was[0] < -260.0
    assert any(told.text in line for line in app.status(path).incidents)
    assert told.text in (path / "report.html").read_text()


def test_what_only_computes_leaves_the_instrument_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it had died after its last scan, before anything was made of it."""
    path = begun(tmp_path)
    with Journal.open(path / "journal.sqlite") as journal:
        journal.set_roi_state("roi-01", RoiState.SCANNED, t_s=1e4, reason="", utc="2026-01-01T00:00:00+00:00")
        journal.set_state(RunState.FINISHING, t_s=1e4, utc="2026-01-01T00:00:00+00:00")

    async def unreachable(_: Any) -> None:
        raise InstrumentUnreachable("it is another's tonight")

    monkeypatch.setattr(SimulatedInstrument, "connect", unreachable)
    heard: list[AnyEvent] = []
    assert app.resume(path, None, heard.append).exit_code == ExitCode.PARTLY
    states = [event.state for event in heard if isinstance(event, StateEntered)]
    assert states == [RunState.FINISHING, RunState.DONE]
    assert not [event for event in heard if isinstance(event, InstrumentBegun)]
    with JournalReader.open(path / "journal.sqlite") as journal:
        assert journal.roi_states()["roi-01"].state is not RoiState.SCANNED

    # A letter that was refused, and whose answer the mailbox never got, is not heard a second time.
    refused = CommandRefused("letter-7", "skip roi-09", "me@here", "no such region", t_s=1e4)
    with Journal.open(path / "journal.sqlite") as journal:
        journal.record_event(refused.kind, refused.text, t_s=1e4, level=refused.level, data=refused.data)
        known, wanted = recall(journal)
    assert known["letter-7"] == Reply(accepted=False, text="no such region")
    assert wanted == ()
