"""Policies over whole runs: what follows when a failure stays, safe each time, with an outcome of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.session.scripted import Night, with_faults
from xrm_control import app
from xrm_control.core.errors import InterlockOpen, XrmError
from xrm_control.core.events import FrameKept, PolicyApplied, RunStopped, SafeStateVerified, StateEntered
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.states import RoiState, RunState

TWO = {"roi": {"kind": "manual", "positions": [{"x_um": -33, "y_um": 0}, {"x_um": 33, "y_um": 0}]}}
# Region one is scanned from 13 to 34 s; what is met there is over when the second one begins.
AT_S = 20.0
STALL = {"kind": "stall", "axis": "theta", "at_s": AT_S, "times": 3}
BAD = {"kind": "nan_frame", "at_s": AT_S, "times": 4}
SLIP = {"kind": "shove_frame", "axis": "theta", "amount": 3.0, "at_s": AT_S, "times": 4}
AWAY = {"kind": "beam_loss", "at_s": AT_S, "duration_s": 200.0}

# The fault; the policies; what is said of it. Each costs region one, and nothing else.
SKIPPED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (STALL, {"axis_stalled": {"do": "retry", "then": "skip"}}, "axis_stalled"),
    (BAD, {"frame_bad": {"do": "retry", "then": "skip"}}, "frame_bad"),
    (SLIP, {}, "axis_slipped"),
    (AWAY, {"beam_lost": {"do": "hold", "patience_min": 2, "then": "skip"}}, "beam_lost"),
]


@pytest.mark.parametrize(("fault", "policies", "failure"), SKIPPED, ids=[one[2] for one in SKIPPED])
def test_a_region_is_set_aside_and_the_night_goes_on(
    tmp_path: Path, fault: dict[str, Any], policies: dict[str, Any], failure: str
) -> None:
    night = Night(tmp_path, policies=policies, **TWO, **with_faults(fault))
    assert (night.error, night.code) == (None, ExitCode.PARTLY)
    (applied,) = night.events(PolicyApplied)
    assert (applied.failure, applied.then, applied.where) == (failure, "skip", "roi-01")
    with night.journal() as journal:
        lives = journal.roi_states()
        assert lives["roi-01"].state is RoiState.QUARANTINED
        assert applied.problem in lives["roi-01"].reason
        # Seven views hold nothing to measure; its scan is whole.
        assert journal.accounting("roi-02").complete
        assert journal.accounting().open == 0
    assert applied.problem in " ".join(night.results["verdict"]["reasons"])
    # Safe in between, verified.
    after = [event for event in night._events if event.t_s >= applied.t_s]
    kinds = [type(event) for event in after if isinstance(event, SafeStateVerified | FrameKept)]
    assert kinds[0] is SafeStateVerified


def test_without_a_policy_the_same_stall_ends_the_run(tmp_path: Path) -> None:
    night = Night(tmp_path, **TWO, **with_faults(STALL))
    assert night.code == ExitCode.FAILURE
    assert night.states[-1] is RunState.FAILED
    assert not night.events(PolicyApplied)


@pytest.mark.parametrize("at_s", [5.0, AT_S], ids=["mosaic", "scan"])
def test_the_next_sample_may_follow(tmp_path: Path, at_s: float) -> None:
    policies = {"axis_stalled": {"do": "next_sample"}}
    axis = "x" if at_s < 10 else "theta"
    night = Night(
        tmp_path, policies=policies, **TWO, **with_faults({"kind": "stall", "axis": axis, "at_s": at_s, "times": 1})
    )
    assert (night.error, night.code) == (None, ExitCode.NEXT_SAMPLE)
    assert night.states[-1] is RunState.PAUSED
    (applied,), (stopped,) = night.events(PolicyApplied), night.events(RunStopped)
    assert applied.then == "next_sample"
    assert "the sample was given up" in stopped.reason
    assert night.events(SafeStateVerified)
    assert stopped.reason in night.results["verdict"]["reasons"]
    # Whoever looks at it in the morning can go on with it.
    events: list[Any] = []
    code = app.resume(night.folder, None, events.append).exit_code
    assert code == ExitCode.PARTLY
    assert [event.state for event in events if isinstance(event, StateEntered)][-1] is RunState.DONE


def test_no_policy_goes_on_behind_an_open_interlock(tmp_path: Path) -> None:
    every = {name: {"do": "skip"} for name in ("beam_lost", "axis_stalled", "frame_bad", "device_failed", "saturated")}
    night = Night(
        tmp_path, policies=every, **TWO, **with_faults({"kind": "interlock", "at_s": AT_S, "duration_s": 5.0})
    )
    assert isinstance(night.error, InterlockOpen)
    assert night.states[-1] is RunState.FAILED
    with night.journal() as journal:
        assert "roi-02" not in journal.roi_states()


def test_a_recipe_with_policies_has_a_hash_of_its_own_and_one_without_keeps_the_old(tmp_path: Path) -> None:
    from tests.system.conftest import write_recipe

    def sha(**changes: Any) -> str:
        return app.load(write_recipe(tmp_path, **changes)).recipe.sha256()

    plain = sha()
    assert "policies" not in app.load(write_recipe(tmp_path)).recipe.model_dump()
    assert sha(policies={}) == plain
    assert sha(policies={"axis_stalled": {"do": "skip"}}) != plain
    with pytest.raises(XrmError, match="policies"):
        sha(policies={"axis_stalled": "skip"})
