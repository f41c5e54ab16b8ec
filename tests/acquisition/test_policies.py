"""Policies: every failure has one, the usual ones are what `retry` says, and what is dangerous is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acquisition.bench import ALL_KEPT, STEPS, Bench, exposures
from tests.system.conftest import write_recipe
from xrm_control import app
from xrm_control.acquisition.failures import FAILURES, Failure, failure_of
from xrm_control.acquisition.policies import RULES, End, Policies, Policy, Reaction, Reactions
from xrm_control.acquisition.retry import RetryPolicy
from xrm_control.acquisition.stillness import CameraChanged
from xrm_control.core.errors import (
    BeamLost,
    DeviceError,
    FrameUnusable,
    InstrumentUnreachable,
    MotionStalled,
    SampleMoved,
    StorageError,
    XrmError,
)
from xrm_control.core.events import MoveStalled


def below(kind: type[XrmError]) -> Iterator[type[XrmError]]:
    yield kind
    for sub in kind.__subclasses__():
        yield from below(sub)


def test_every_error_of_an_instrument_is_a_failure_that_is_named() -> None:
    kinds = [one for root in (DeviceError, InstrumentUnreachable, SampleMoved) for one in below(root)]
    ours = {one for one in kinds if one.__module__ == "xrm_control.core.errors"}
    assert ours == set(FAILURES)
    assert {failure for failure in FAILURES.values() if failure} == set(Failure) == set(RULES)
    assert set(Policies.model_fields) - {"budget"} == {failure.value for failure in Failure}
    assert failure_of(CameraChanged("x")) is Failure.FRAME_BAD
    assert failure_of(StorageError("x")) is None


# With a retry policy whose figures are all different, so that none is taken for another.
RETRY = RetryPolicy(
    move_attempts=5, frame_attempts=7, beam_wait_s=111, instrument_wait_s=222, interrupted_wait_s=33, beam_poll_s=1
)
USUAL = {
    Failure.BEAM_LOST: Reaction(1, 0, 111, End.STOP),
    Failure.INSTRUMENT_LOST: Reaction(1, 0, 222, End.STOP),
    Failure.AXIS_STALLED: Reaction(5, 0, 0, End.STOP),
    Failure.AXIS_INTERRUPTED: Reaction(5, 33, 0, End.STOP),
    Failure.AXIS_SLIPPED: Reaction(7, 0, 0, End.SKIP),
    Failure.LIMIT_REACHED: Reaction(1, 0, 0, End.STOP),
    Failure.SHUTTER_STUCK: Reaction(1, 0, 0, End.STOP),
    Failure.INTERLOCK_OPEN: Reaction(1, 0, 0, End.STOP),
    Failure.FRAME_BAD: Reaction(7, 0, 0, End.MISSING),
    Failure.SATURATED: Reaction(7, 0, 0, End.STOP),
    Failure.SAMPLE_MOVED: Reaction(1, 0, 0, End.STOP),
    Failure.DEVICE_FAILED: Reaction(1, 0, 0, End.STOP),
}
SAID = [
    (Failure.AXIS_STALLED, Policy(do="skip"), Reaction(1, 0, 0, End.SKIP)),
    (Failure.AXIS_STALLED, Policy(do="retry", attempts=2, pause_s=9), Reaction(2, 9, 0, End.STOP)),
    (Failure.AXIS_STALLED, Policy(do="retry", then="next_sample"), Reaction(5, 0, 0, End.NEXT_SAMPLE)),
    (Failure.BEAM_LOST, Policy(do="hold", patience_min=2, then="skip"), Reaction(1, 0, 120, End.SKIP)),
    (Failure.BEAM_LOST, Policy(do="next_sample"), Reaction(1, 0, 0, End.NEXT_SAMPLE)),
    (Failure.DEVICE_FAILED, Policy(do="retry"), Reaction(2, 0, 0, End.STOP)),
    (Failure.FRAME_BAD, Policy(do="retry", then="skip"), Reaction(7, 0, 0, End.SKIP)),
]


def saying(failure: Failure, policy: Policy) -> Policies:
    return Policies.model_validate({failure.value: policy})


def test_without_policies_it_is_what_retry_says() -> None:
    reactions = Reactions(RETRY)
    assert {failure: reactions[failure] for failure in Failure} == USUAL


@pytest.mark.parametrize(("failure", "policy", "reaction"), SAID)
def test_a_policy_is_resolved_against_retry(failure: Failure, policy: Policy, reaction: Reaction) -> None:
    reactions = Reactions(RETRY, saying(failure, policy))
    assert reactions[failure] == reaction
    assert {other: reactions[other] for other in Failure if other != failure} == {
        other: usual for other, usual in USUAL.items() if other != failure
    }
    assert list(saying(failure, policy).diagnose()) == []


# What is written; the exit code; the field that is blamed and what is said of it.
REFUSED = [
    (
        "interlock_open: {do: retry}",
        4,
        "policies.interlock_open.do: .*never re-arms by itself.*value retry, limit",
    ),
    ("interlock_open: {do: hold}", 4, "policies.interlock_open.do: .*limit stop"),
    ("shutter_stuck: {do: retry, attempts: 3}", 4, "policies.shutter_stuck.do: .*lights the sample.*limit stop"),
    ("shutter_stuck: {do: skip}", 4, "policies.shutter_stuck.do"),
    ("limit_reached: {do: retry}", 4, "policies.limit_reached.do: .*against a limit switch again"),
    ("instrument_lost: {do: hold, then: skip}", 4, "policies.instrument_lost.then: .*value skip, limit stop"),
    ("instrument_lost: {do: next_sample}", 4, "policies.instrument_lost.do"),
    ("beam_lost: {do: retry}", 2, "policies.beam_lost.do: .*limit hold or stop or skip or next_sample"),
    ("axis_stalled: {do: hold}", 2, "policies.axis_stalled.do: .*does not come free by itself.*limit retry"),
    ("axis_stalled: {do: skip, then: stop}", 2, "policies.axis_stalled.then: .*nothing follows on `do: skip`"),
    ("axis_stalled: {do: retry, then: missing}", 2, "policies.axis_stalled.then: .*limit stop or skip or next_sample"),
    ("axis_stalled: {do: retry, patience_min: 3}", 2, "policies.axis_stalled.patience_min: .*leave patience_min out"),
    ("beam_lost: {do: hold, attempts: 3}", 2, "policies.beam_lost.attempts: .*goes with `do: retry`"),
    ("sample_moved: {do: skip}", 2, "policies.sample_moved.do: .*no region lies where the mosaic has it"),
    ("axis_stalled: {do: retry, attempts: 1}", 2, "policies.axis_stalled.attempts: .*at least 2"),
    ("axis_staled: {do: retry}", 2, "policies.axis_staled"),
    ("axis_stalled: {do: ask}", 2, "policies.axis_stalled.do"),
]


@pytest.mark.parametrize(("said", "code", "told"), REFUSED)
def test_what_cannot_be_done_is_refused_with_its_line(tmp_path: Path, said: str, code: int, told: str) -> None:
    path = write_recipe(tmp_path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, "policies:", f"  {said}"]))
    with pytest.raises(XrmError, match=told) as refused:
        app.check(app.load(path))
    assert refused.value.exit_code == code
    assert f"short.yaml:{len(lines) + 2}" in str(refused.value)


def reacting(*faults: dict, **policies: Policy) -> Bench:
    return Bench(*faults, policies=Policies.model_validate(policies))


STALLS = {"kind": "stall", "axis": "theta", "move": 2}


@pytest.mark.parametrize(("attempts", "times", "through"), [(2, 1, True), (2, 2, False), (4, 3, True), (4, 4, False)])
def test_a_stalled_axis_is_tried_so_often_with_a_rest_behind_a_closed_shutter(
    attempts: int, times: int, through: bool
) -> None:
    bench = reacting({**STALLS, "times": times}, axis_stalled=Policy(do="retry", attempts=attempts, pause_s=40))
    if through:
        bench.run(STEPS)
        assert bench.outcomes() == ALL_KEPT
    else:
        with pytest.raises(MotionStalled, match=f"tried {'once' if attempts == 1 else f'{attempts} times'}"):
            bench.run(STEPS)
    assert bench.seen.count(MoveStalled.kind) == min(times, attempts)
    rests = [until_s - from_s for _, from_s, until_s in bench.holds]
    assert rests == pytest.approx([40.0] * min(times, attempts - 1), abs=0.6)
    # The instrument's own trace: nothing shone on the sample meanwhile.
    assert bench.instrument is not None
    spans = bench.instrument.microscope.trace(1e4).shutter
    for _, from_s, until_s in bench.holds:
        assert not any(begin_s < until_s and end_s > from_s + 0.3 for begin_s, end_s in spans)


def test_beam_that_is_not_to_be_waited_for_is_not() -> None:
    bench = reacting({"kind": "beam_loss", "at_s": 6.0, "duration_s": 30.0}, beam_lost=Policy(do="skip"))
    with pytest.raises(BeamLost):
        bench.run(STEPS)
    assert bench.holds == []
    bench = reacting(
        {"kind": "beam_loss", "at_s": 6.0, "duration_s": 300.0}, beam_lost=Policy(do="hold", patience_min=1)
    )
    with pytest.raises(BeamLost, match=r"did not come back.*limit 60 s"):
        bench.run(STEPS)


@pytest.mark.parametrize("then", ["stop", "skip", "next_sample"])
def test_a_frame_that_stays_bad_ends_the_scan_at_once_where_the_recipe_says_so(then: str) -> None:
    bench = reacting(
        {"kind": "nan_frame", "frames": [3, 4, 5, 6, 7, 8]},
        frame_bad=Policy.model_validate({"do": "retry", "attempts": 3, "pause_s": 20, "then": then}),
    )
    with pytest.raises(FrameUnusable):
        bench.run(STEPS)
    assert exposures(bench)[-3:] == ["roi-01/proj_0001"] * 3
    assert [until_s - from_s for _, from_s, until_s in bench.holds] == pytest.approx([20.0, 20.0], abs=0.6)
    assert bench.violations() == []


def test_beam_lost_again_while_resuming_is_waited_for_again() -> None:
    """Instrument back, beam gone meanwhile; beam back, instrument gone: each is looked at before the next exposure."""
    bench = Bench(
        {"kind": "disconnect", "at_s": 6.0, "duration_s": 50.0},
        {"kind": "beam_loss", "at_s": 30.0, "duration_s": 60.0},
        {"kind": "beam_loss", "at_s": 95.2, "duration_s": 20.0},
    )
    bench.run(STEPS)
    assert bench.outcomes() == ALL_KEPT
    dark = [(30.0, 90.0), (95.2, 115.2)]
    views = [frame for name, frame in bench.sink.kept.items() if "proj" in name]
    assert all(not (view.started_s < to_s and view.ended_s > from_s) for view in views for from_s, to_s in dark)
