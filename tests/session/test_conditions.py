"""Conditions over whole runs, the instrument's own trace as the witness: nothing exposed while one is violated, and the
shutter closed in each hold.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simulators.microscope import Microscope
from simulators.trace import Trace
from tests.session.scripted import Night, with_faults
from xrm_control.core.clock import Clock
from xrm_control.core.errors import ConditionBroken
from xrm_control.core.events import (
    BudgetSpent,
    ConditionEnded,
    ConditionViolated,
    FrameRetaken,
    PolicyApplied,
    RunHeld,
    RunReleased,
)
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.states import RoiState, RunState
from xrm_control.devices.simulated import SimulatedInstrument
from xrm_control.storage.journal import JournalReader

TWO = {"roi": {"kind": "manual", "positions": [{"x_um": -33, "y_um": 0}, {"x_um": 33, "y_um": 0}]}}
# Region one is scanned from 13 to 34 s.
AT_S, LASTS_S, BACK_FOR_S = 20.0, 60.0, 30.0
WARM = {"value": "temperature", "low": 18, "high": 25, "back_for_s": BACK_FOR_S}


def heat(at_s: float = AT_S, duration_s: float = LASTS_S, kind: str = "value") -> dict[str, Any]:
    amount = {"amount": 8.0} if kind == "value" else {}
    return {"kind": kind, "value": "temperature", "at_s": at_s, "duration_s": duration_s, **amount}


class Watched:
    """A night, and the instrument's own record of it."""

    def __init__(self, folder: Path, *faults: dict[str, Any], **changes: Any) -> None:
        made: list[SimulatedInstrument] = []
        folder.mkdir(exist_ok=True)

        def make(microscope: Microscope, clock: Clock) -> SimulatedInstrument:
            made.append(SimulatedInstrument(microscope, clock))
            return made[0]

        self.night = Night(folder, make, **{**TWO, **with_faults(*faults), **changes})
        self.trace: Trace = made[0].microscope.trace(1e6)

    def kept(self) -> list[tuple[float, float]]:
        with JournalReader.open(self.night.folder / "journal.sqlite") as journal:
            return [(frame.exposure.t_start_s, frame.exposure.t_end_s) for _, frame in journal.stored_frames()]

    def holds(self) -> list[tuple[float, float]]:
        ends = [event.t_s for event in self.night.events(RunReleased)]
        return list(zip([event.t_s for event in self.night.events(RunHeld)], ends, strict=False))


def overlaps(spans: list[tuple[float, float]], from_s: float, to_s: float) -> bool:
    return any(begin_s < to_s and end_s > from_s for begin_s, end_s in spans)


@pytest.mark.parametrize(
    ("fault", "value"), [(heat(), "29.5"), (heat(kind="no_value"), "it does not answer")], ids=["limit", "silent"]
)
def test_it_is_held_and_goes_on_by_itself(tmp_path: Path, fault: dict[str, Any], value: str) -> None:
    seen = Watched(tmp_path, fault, conditions=[WARM])
    night = seen.night
    assert (night.error, night.code) == (None, ExitCode.PARTLY)
    (violated,), (over,) = night.events(ConditionViolated), night.events(ConditionEnded)
    assert violated.value.startswith(value)
    assert (violated.condition, violated.limit) == ("temperature", "18 to 25")
    assert (violated.action, violated.since_s) == ("hold", AT_S)
    assert over.lasted_s == pytest.approx(LASTS_S + BACK_FOR_S)
    # Nothing that was kept was exposed meanwhile; the frame in flight was taken again, for that reason.
    assert not overlaps(seen.kept(), AT_S, AT_S + LASTS_S + BACK_FOR_S)
    (again,) = night.events(FrameRetaken)
    assert "temperature was out of order during the exposure" in again.problem
    ((from_s, to_s),) = seen.holds()
    assert from_s < AT_S + 4.0
    assert AT_S + LASTS_S + BACK_FOR_S <= to_s <= AT_S + LASTS_S + BACK_FOR_S + 6.0
    # The witness: the shutter was closed, and nothing was exposed.
    assert not overlaps(list(seen.trace.shutter), from_s, to_s)
    assert not overlaps([(one.begin_s, one.end_s) for one in seen.trace.exposures], from_s, to_s)
    with night.journal() as journal:
        assert journal.accounting().complete
    assert night.states[-1] is RunState.DONE


def test_a_dip_within_one_exposure_costs_that_frame_and_one_within_its_grace_costs_nothing(tmp_path: Path) -> None:
    dip = heat(at_s=AT_S, duration_s=0.2)
    seen = Watched(tmp_path / "strict", dip, conditions=[{**WARM, "back_for_s": 0}])
    (again,) = seen.night.events(FrameRetaken)
    assert "temperature" in again.problem
    assert not overlaps(seen.kept(), AT_S, AT_S + 0.2)
    seen = Watched(tmp_path / "lenient", dip, conditions=[{**WARM, "back_for_s": 0, "grace_s": 5}])
    assert not seen.night.events(FrameRetaken)
    assert not seen.night.events(ConditionViolated)


@pytest.mark.parametrize("action", ["alert", "skip", "next_sample", "stop"])
def test_what_else_may_follow(tmp_path: Path, action: str) -> None:
    seen = Watched(tmp_path, heat(duration_s=1.0), conditions=[{**WARM, "back_for_s": 0, "action": action}])
    night = seen.night
    assert len(night.events(ConditionViolated)) == 1
    if action == "alert":
        assert (night.code, night.events(FrameRetaken), seen.holds()) == (ExitCode.PARTLY, [], [])
        return
    assert not overlaps(seen.kept(), AT_S, AT_S + 1.0)
    with night.journal() as journal:
        lives = journal.roi_states()
    if action == "skip":
        assert night.code == ExitCode.PARTLY
        assert lives["roi-01"].state is RoiState.QUARANTINED
        assert "temperature is out of order" in lives["roi-01"].reason
        assert "roi-02" in lives
        (applied,) = night.events(PolicyApplied)
        assert (applied.failure, applied.then) == ("temperature", "skip")
    elif action == "next_sample":
        assert (night.error, night.code, night.states[-1]) == (None, ExitCode.NEXT_SAMPLE, RunState.PAUSED)
    else:
        assert isinstance(night.error, ConditionBroken)
        assert (night.code, night.states[-1]) == (ExitCode.FAILURE, RunState.FAILED)
    assert all(ended(seen.trace))


def ended(trace: Trace) -> list[bool]:
    """Whether each time that the shutter was open has come to an end."""
    return [until_s < 1e6 for _, until_s in trace.shutter]


def test_patience_ends_and_says_what_follows(tmp_path: Path) -> None:
    hold = {**WARM, "patience_min": 1, "then": "skip"}
    seen = Watched(tmp_path, heat(duration_s=75.0), conditions=[hold])
    assert seen.night.code == ExitCode.PARTLY
    with seen.night.journal() as journal:
        lives = journal.roi_states()
    assert "held for 60 s" in lives["roi-01"].reason
    # The second one waits as well, until it is over, and is scanned then.
    assert lives["roi-02"].state is not RoiState.QUARANTINED or "temperature" not in lives["roi-02"].reason
    assert not overlaps(seen.kept(), AT_S, AT_S + 75.0 + BACK_FOR_S)


def test_back_from_one_trouble_all_others_are_looked_at_before_an_exposure(tmp_path: Path) -> None:
    """The beam comes back while the room is warm, the instrument while the beam is away."""
    faults = [
        {"kind": "beam_loss", "at_s": AT_S, "duration_s": 40.0},
        heat(at_s=AT_S + 30, duration_s=30.0),
        {"kind": "disconnect", "at_s": AT_S + 80, "duration_s": 15.0},
        {"kind": "beam_loss", "at_s": AT_S + 90, "duration_s": 15.0},
    ]
    seen = Watched(tmp_path, *faults, conditions=[{**WARM, "back_for_s": 10}])
    assert (seen.night.error, seen.night.code) == (None, ExitCode.PARTLY)
    assert not overlaps(seen.kept(), AT_S, AT_S + 70)
    assert not overlaps(seen.kept(), AT_S + 80, AT_S + 95)
    for from_s, to_s in seen.holds():
        assert not overlaps([(one.begin_s, one.end_s) for one in seen.trace.exposures], from_s + 0.5, to_s - 0.5)


BAD = [{"kind": "nan_frame", "at_s": 17.0, "times": 3}]
SPENT: list[tuple[dict[str, Any], list[dict[str, Any]], int, str]] = [
    ({"retries": 2}, BAD, ExitCode.FAILURE, "retries"),
    ({"retries": 2, "then": "next_sample"}, BAD, ExitCode.NEXT_SAMPLE, "retries"),
    ({"retries": 9}, BAD, ExitCode.PARTLY, ""),
    ({"held_min": 1}, [{"kind": "beam_loss", "at_s": AT_S, "duration_s": 100.0}], ExitCode.FAILURE, "held minutes"),
    ({"beam_min": 0.1}, [], ExitCode.PARTLY, "minutes in the beam"),
    ({"dose_gy": 1e-3}, [], ExitCode.PARTLY, "dose"),
]


@pytest.mark.parametrize(("budget", "faults", "code", "what"), SPENT)
def test_a_budget_is_spent(
    tmp_path: Path, budget: dict[str, Any], faults: list[dict[str, Any]], code: int, what: str
) -> None:
    seen = Watched(tmp_path, *faults, policies={"budget": budget})
    night = seen.night
    assert night.code == code
    assert {event.budget for event in night.events(BudgetSpent)} == ({what} if what else set())
    if what in ("minutes in the beam", "dose"):
        assert [event.then for event in night.events(BudgetSpent)] == ["skip", "skip"]
    if code == ExitCode.FAILURE:
        assert f"the budget of {what} is spent" in str(night.error)
    assert all(ended(seen.trace))
