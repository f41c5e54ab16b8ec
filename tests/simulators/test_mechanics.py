from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.faults import Fault, FaultScript
from simulators.mechanics import AxisConfig, AxisModel
from simulators.trajectory import brake, stop_position, travel

EXACT = AxisConfig("um", -100.0, 100.0, -110.0, 110.0, 50.0, 200.0, 0.1, 0.0, 0.1, 0.0, following_lag_s=0.0)
LOOSE = replace(EXACT, backlash=0.5)


def _axis(config: AxisConfig = EXACT, *faults: Fault) -> AxisModel:
    return AxisModel("x", config, 1, FaultScript(faults))


@settings(max_examples=60, deadline=None)
@given(begin=st.floats(-100, 100), end=st.floats(-100, 100), speed=st.floats(1, 500), acceleration=st.floats(10, 1e4))
def test_a_motion_is_continuous_and_within_its_bounds(
    begin: float, end: float, speed: float, acceleration: float
) -> None:
    pieces = travel(3.0, begin, end, speed, acceleration)
    here, velocity, at_s = begin, 0.0, 3.0
    for piece in pieces:
        assert piece.start_s == pytest.approx(at_s)
        assert piece.state(piece.start_s) == pytest.approx((here, velocity), abs=1e-6)
        assert abs(piece.acceleration) <= acceleration
        here, velocity = piece.state(piece.end_s)
        at_s = piece.end_s
        assert abs(velocity) <= speed * (1 + 1e-9)
    assert here == pytest.approx(end, abs=1e-6)
    assert velocity == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("distance", "expected_s"), [(50.0, 50 / 50 + 50 / 200), (2.0, 2 * (2 / 200) ** 0.5), (0.0, 0.0)]
)
def test_duration_of_trapezoid_and_triangle(distance: float, expected_s: float) -> None:
    """Long: distance / speed + speed / acceleration. Short: twice the square root of distance / acceleration."""
    assert _axis().move(distance, 1.0).ends_s - 1.0 - EXACT.settle_s == pytest.approx(expected_s)


def test_braking_ends_where_it_says() -> None:
    (piece,) = brake(0.0, 10.0, -50.0, 200.0)
    assert piece.state(piece.end_s) == pytest.approx((stop_position(10.0, -50.0, 200.0), 0.0))


def test_it_moves_until_it_has_settled() -> None:
    axis = _axis()
    ends_s = axis.move(20.0, 0.0).ends_s
    assert axis.state(ends_s - 0.01).moving
    assert not axis.state(ends_s).moving
    assert axis.state(ends_s).position == pytest.approx(20.0)


def test_the_encoder_lags_behind_at_speed_and_not_at_rest() -> None:
    axis = _axis(replace(EXACT, following_lag_s=0.01))
    ends_s = axis.move(50.0, 0.0).ends_s
    assert axis.motor(0.5) == pytest.approx(_reference(0.5) - 0.01 * 50.0, abs=1e-3)
    assert axis.motor(ends_s) == pytest.approx(50.0)


def _reference(t_s: float) -> float:
    """A trapezoid in its cruise: the ramp took 0.25 s."""
    return 0.5 * 200.0 * 0.25**2 + 50.0 * (t_s - 0.25)


def test_a_new_target_on_the_way_brakes_first_and_stays_continuous() -> None:
    axis = _axis()
    axis.move(60.0, 0.0)
    ends_s = axis.move(-20.0, 0.7).ends_s
    times = np.arange(0.0, ends_s, 0.001)
    path = np.array([axis.motor(t_s) for t_s in times])
    assert np.abs(np.diff(path)).max() <= 50.0 * 0.001 + 1e-6
    assert np.abs(np.diff(path, 2)).max() <= 2.01 * 200.0 * 0.001**2
    assert path[-1] == pytest.approx(-20.0, abs=1e-6)


def test_stop_brakes_and_reports_where_it_stands() -> None:
    axis = _axis()
    axis.move(60.0, 0.0)
    stands_s = axis.stop(0.7)
    state = axis.state(stands_s)
    assert not state.moving
    assert 0.0 < state.position < 60.0
    assert state.position == pytest.approx(state.target, abs=1e-3)
    assert axis.state(stands_s + 5.0).position == state.position
    assert axis.stop(stands_s + 1.0) == stands_s + 1.0


@pytest.mark.parametrize("targets", [(10.0, -5.0, 3.0, 2.99), (-1.0, -2.0, 0.0)])
def test_every_target_is_approached_from_below_so_the_backlash_is_taken_up(targets: tuple[float, ...]) -> None:
    axis, t_s = _axis(LOOSE), 0.0
    for target in targets:
        begin_s, before = t_s, axis.motor(t_s)
        t_s = axis.move(target, t_s).ends_s
        path = [axis.motor(at_s) for at_s in np.arange(begin_s, t_s, 0.001)]
        assert axis.load(t_s) == pytest.approx(target, abs=1e-6)
        if target < before:
            assert min(path) == pytest.approx(target - 1.0, abs=0.01)


def test_a_downward_motion_that_is_stopped_leaves_the_gap_open() -> None:
    axis = _axis(LOOSE)
    t_s = axis.move(50.0, 0.0).ends_s
    axis.move(0.0, t_s)
    t_s = axis.stop(t_s + 0.5)
    assert axis.load(t_s) - axis.motor(t_s) == pytest.approx(0.5)
    t_s = axis.move(axis.state(t_s).position + 0.2, t_s).ends_s
    assert axis.load(t_s) == pytest.approx(axis.motor(t_s))


def test_repeatability_is_random_small_and_the_same_every_time() -> None:
    config = replace(EXACT, repeatability=0.05)

    def errors() -> list[float]:
        axis, t_s, found = _axis(config), 0.0, []
        for number in range(60):
            target = 10.0 * (number % 5)
            t_s = axis.move(target, t_s).ends_s
            found.append(axis.motor(t_s) - target)
        return found

    assert errors() == errors()
    assert 0.03 < float(np.std(errors())) < 0.07


@pytest.mark.parametrize(
    ("target", "reason"), [(100.5, "high soft limit 100"), (-101.0, "low soft limit -100"), (float("nan"), "number")]
)
def test_a_target_beyond_a_soft_limit_is_refused_without_effect(target: float, reason: str) -> None:
    axis = _axis()
    report = axis.move(target, 0.0)
    assert not report.accepted
    assert report.reason is not None
    assert reason in report.reason
    assert not axis.state(0.0).moving


def test_a_hard_limit_stops_the_axis_and_says_so_and_it_can_leave_again() -> None:
    axis = _axis(replace(EXACT, high_hard_limit=30.0))
    t_s = axis.move(80.0, 0.0).ends_s
    state = axis.state(t_s)
    assert (state.at_high_limit, state.limit_violation, state.moving) == (True, True, False)
    assert state.position == pytest.approx(30.0, abs=0.01)
    t_s = axis.move(10.0, t_s).ends_s
    state = axis.state(t_s)
    assert (state.at_high_limit, state.limit_violation) == (False, False)
    assert state.position == pytest.approx(10.0)


def test_a_stall_ends_short_of_the_target_and_a_retry_arrives() -> None:
    axis = _axis(EXACT, Fault("stall", axis="x", move=2))
    t_s = axis.move(10.0, 0.0).ends_s
    assert not axis.state(t_s).stalled
    t_s = axis.move(50.0, t_s).ends_s
    state = axis.state(t_s)
    assert (state.stalled, state.moving, state.target) == (True, False, 50.0)
    assert 10.0 < state.position < 49.0
    t_s = axis.move(50.0, t_s).ends_s
    assert not axis.state(t_s).stalled
    assert axis.state(t_s).position == pytest.approx(50.0)


def test_a_stall_by_time_hits_as_many_moves_as_it_says() -> None:
    axis = _axis(EXACT, Fault("stall", axis="x", at_s=5.0, times=2))
    stalled = []
    for t_s in (0.0, 4.0, 8.0, 12.0, 16.0):
        axis.move(20.0 if t_s % 8 else -20.0, t_s)
        stalled.append(axis.state(t_s + 3.9).stalled)
    assert stalled == [False, False, True, True, False]


def test_a_tripped_limit_switch_is_reported_on_the_side_of_the_motion() -> None:
    axis = _axis(EXACT, Fault("limit", axis="x", move=1))
    t_s = axis.move(-40.0, 0.0).ends_s
    state = axis.state(t_s)
    assert (state.at_low_limit, state.at_high_limit, state.limit_violation) == (True, False, True)
    assert state.position > -40.0


def test_a_move_with_another_speed_and_acceleration_and_the_next_with_its_own_again() -> None:
    axis = _axis()
    t_s = axis.move(50.0, 0.0, speed=10.0, acceleration=20.0).ends_s
    assert t_s == pytest.approx(50 / 10 + 10 / 20 + EXACT.settle_s)
    assert axis.motor(2.5) == pytest.approx(10.0 * (2.5 - 0.25))
    assert axis.move(0.0, t_s).ends_s - t_s == pytest.approx(50 / 50 + 50 / 200 + EXACT.settle_s)


def test_a_motion_is_braked_with_the_acceleration_it_has() -> None:
    axis = _axis()
    axis.move(90.0, 0.0, speed=40.0, acceleration=10.0)
    # After 3 s it goes 30 um/s and has come 45 um; braking takes as long and as far again.
    assert axis.stop(3.0) == pytest.approx(6.0 + EXACT.settle_s)
    assert axis.state(7.0).position == pytest.approx(90.0)


@pytest.mark.parametrize(("target", "end"), [(105.0, 105.0), (500.0, 110.0), (-500.0, -110.0)])
def test_without_soft_limits_only_the_switches_end_a_motion(target: float, end: float) -> None:
    axis = _axis()
    assert not axis.move(target, 0.0).accepted
    report = axis.move(target, 0.0, limited=False)
    assert report.accepted
    state = axis.state(report.ends_s)
    assert state.position == pytest.approx(end, abs=0.01)
    assert state.limit_violation == (abs(target) > 110.0)


@pytest.mark.parametrize(("speed", "acceleration"), [(0.0, 1.0), (1.0, -1.0), (float("nan"), 1.0)])
def test_a_speed_or_acceleration_of_no_use_is_refused(speed: float, acceleration: float) -> None:
    report = _axis().move(10.0, 0.0, speed=speed, acceleration=acceleration)
    assert not report.accepted
    assert "must be positive" in (report.reason or "")


def test_the_encoder_does_not_tell_of_scale_and_error() -> None:
    axis = _axis(replace(EXACT, scale=1.02, error=2.0))
    off, t_s = [], 0.0
    for target in (50.0, -50.0) * 60:
        t_s = axis.move(target, t_s).ends_s
        assert axis.state(t_s).position == pytest.approx(target)
        off.append(axis.load(t_s) - 1.02 * target)
    assert np.std(off) == pytest.approx(2.0, rel=0.2)
    assert abs(np.mean(off)) < 0.6


def test_backlash_that_nobody_takes_up_shows_after_moves_down() -> None:
    axis = _axis(replace(LOOSE, takes_up=False))
    assert axis.config.describe().backlash == 0.0
    t_s = axis.move(20.0, 0.0).ends_s
    assert axis.load(t_s) == pytest.approx(20.0)
    t_s = axis.move(0.0, t_s).ends_s
    assert axis.state(t_s).position == pytest.approx(0.0)
    assert axis.load(t_s) == pytest.approx(0.5)
