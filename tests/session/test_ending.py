"""Safe first: whatever fails on the way out, the instrument is at rest and dark before the run has ended."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from simulators.microscope import Microscope
from tests.session.scripted import Night, with_faults
from xrm_control.core.clock import Clock
from xrm_control.core.errors import InstrumentLocked, NotSafe, StorageError
from xrm_control.core.events import SafeStateFailed, SafeStateLeft, SafeStateVerified
from xrm_control.core.states import WORKING, RunState, Verdict
from xrm_control.devices.protocols import SafeState
from xrm_control.devices.simulated import SimulatedInstrument
from xrm_control.storage.journal import Journal


class Watched(SimulatedInstrument):
    """Writes down how it is when the session leaves it."""

    def __init__(self, microscope: Microscope, clock: Clock, left: list[Any]) -> None:
        super().__init__(microscope, clock)
        self._left = left

    async def disconnect(self) -> None:
        now_s = self._clock.now_s()
        moving = [name for name in self.axes if self.microscope.axis(name, now_s).moving]
        self._left.append((self.microscope.shutter(now_s).open, moving))
        await super().disconnect()


def maker(left: list[Any]) -> Callable[[Microscope, Clock], SimulatedInstrument]:
    return lambda microscope, clock: Watched(microscope, clock, left)


def broken(monkeypatch: pytest.MonkeyPatch, *methods: str, after: Callable[..., bool]) -> None:
    """From when `after(name, *arguments)` first holds, nothing can be written to the journal any more."""
    dead: list[bool] = []
    for method in methods:
        real = getattr(Journal, method)

        def failing(self: Journal, *arguments: Any, _real: Any = real, _name: str = method, **words: Any) -> Any:
            if dead or after(_name, *arguments):
                dead.append(True)
                raise StorageError("the journal cannot be written: disk I/O error", where="journal.sqlite")
            return _real(self, *arguments, **words)

        monkeypatch.setattr(Journal, method, failing)


WRITERS = ("set_state", "record_event", "intend", "commit", "retake", "declare_missing", "record_artifact",
           "set_roi_state", "plan_frames")  # fmt: skip
STATES = (*WORKING, RunState.FINISHING, RunState.DONE)


@pytest.mark.parametrize("state", STATES)
def test_a_journal_that_dies_with_a_state_leaves_the_instrument_safe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    broken(monkeypatch, *WRITERS, after=lambda name, *words: name == "set_state" and words[0] == state)
    left: list[Any] = []
    night = Night(tmp_path, maker(left))
    assert left == [(False, [])]
    assert isinstance(night.error, StorageError)
    assert night.code == 1


@pytest.mark.parametrize("frame", ["mosaic/tile_r01_c00", "roi-01/proj_0003"])
@pytest.mark.parametrize("method", ["intend", "commit"])
def test_a_journal_that_dies_with_a_frame_leaves_the_instrument_safe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, frame: str
) -> None:
    """In the middle of the work: the shutter was open."""

    def after(name: str, *words: Any) -> bool:
        return name == method and frame in (words[0], getattr(words[0], "frame_id", ""))

    broken(monkeypatch, *WRITERS, after=after)
    left: list[Any] = []
    night = Night(tmp_path, maker(left))
    assert left == [(False, [])]
    assert isinstance(night.error, StorageError)


def test_the_safe_state_comes_before_any_record_of_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    real_set, real_safe = Journal.set_state, SimulatedInstrument.make_safe

    def set_state(self: Journal, state: RunState, **words: Any) -> None:
        order.append(state)
        real_set(self, state, **words)

    async def make_safe(self: SimulatedInstrument) -> SafeState:
        order.append("safe")
        return await real_safe(self)

    monkeypatch.setattr(Journal, "set_state", set_state)
    monkeypatch.setattr(SimulatedInstrument, "make_safe", make_safe)
    Night(tmp_path, **with_faults({"kind": "interlock", "at_s": 15.0}))
    assert order[-3:] == ["safe", "failing", "failed"]


def test_an_end_that_is_not_safe_has_a_code_of_its_own_whatever_ended_it(tmp_path: Path) -> None:
    night = Night(tmp_path, **with_faults({"kind": "stuck_shutter", "at_s": 24.0}, {"kind": "interlock", "at_s": 25.0}))
    assert isinstance(night.error, NotSafe)
    assert night.code == 7
    assert "the safe state was not reached" in str(night.error)
    assert night.results["verdict"]["status"] == Verdict.FAILED
    assert night.events(SafeStateFailed)


def test_a_fault_of_the_program_is_safe_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*_: object) -> None:
        raise ZeroDivisionError("a fault of the program")

    monkeypatch.setattr("xrm_control.session.stages.check", fault)
    left: list[Any] = []
    night = Night(tmp_path, maker(left))
    assert isinstance(night.error, ZeroDivisionError)
    assert left == [(False, [])]


def test_an_instrument_that_is_taken_away_in_mid_run_is_commanded_no_more(tmp_path: Path) -> None:
    """Found out on the way to the safe state: whoever has it now knows what it does."""
    asked: list[str] = []

    class AnalysisInput(SimulatedInstrument):
        async def make_safe(self) -> SafeState:
            asked.append("asked")
            raise InstrumentLocked("somebody@elsewhere:17 controls it", where="XRM:Owner")

    night = Night(tmp_path, AnalysisInput, **with_faults({"kind": "interlock", "at_s": 15.0}))
    assert asked == ["asked"]
    assert night.events(SafeStateLeft)
    assert not night.events(SafeStateVerified)
    assert night.code == 1


def test_a_failing_safe_state_is_tried_again(tmp_path: Path) -> None:
    """Every five seconds."""
    tries: list[float] = []

    class Reluctant(SimulatedInstrument):
        async def make_safe(self) -> SafeState:
            tries.append(self._clock.now_s())
            if len(tries) < 3:
                raise RuntimeError("a fault of the backend")
            return await super().make_safe()

    night = Night(tmp_path, Reluctant)
    assert night.error is None
    assert [then - before for before, then in pairwise(tries)] == pytest.approx([5.0, 5.0])
