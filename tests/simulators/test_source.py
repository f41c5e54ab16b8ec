import math
from itertools import pairwise

import pytest

from simulators.faults import Fault, FaultScript
from simulators.source import Shutter, Source, without


def test_the_blade_takes_its_time_and_starts_closed() -> None:
    shutter = Shutter(0.05, FaultScript(()))
    assert not shutter.state(0.0).open
    assert shutter.command(True, 1.0) == 1.05
    assert (shutter.state(1.02).open, shutter.state(1.02).moving) == (False, True)
    assert (shutter.state(1.05).open, shutter.state(1.05).moving) == (True, False)


def test_light_passes_only_while_it_is_open() -> None:
    shutter = Shutter(0.05, FaultScript(()))
    shutter.command(True, 1.0)
    shutter.command(False, 2.0)
    assert shutter.open_periods(0.0, 3.0) == [(1.05, 2.05)]
    assert shutter.open_periods(1.5, 2.5) == [(1.5, 2.05)]
    assert shutter.open_periods(2.5, 3.0) == []


def test_a_blade_turned_back_on_its_way_never_arrives() -> None:
    shutter = Shutter(0.05, FaultScript(()))
    shutter.command(True, 1.0)
    shutter.command(False, 1.01)
    assert not shutter.state(2.0).open


def test_a_stuck_shutter_ignores_commands_until_the_fault_is_over() -> None:
    shutter = Shutter(0.05, FaultScript((Fault("stuck_shutter", at_s=5.0, duration_s=10.0),)))
    shutter.command(True, 1.0)
    shutter.command(False, 6.0)
    assert shutter.state(9.0).open
    shutter.command(False, 15.0)
    assert not shutter.state(15.1).open


def test_flux_wanders_by_about_a_per_cent_and_slowly() -> None:
    source = Source(0.01, 1, FaultScript(()))
    flux = [source.flux(float(t_s)) for t_s in range(0, 5000, 10)]
    assert 0.985 < min(flux) < 0.996
    assert 1.004 < max(flux) < 1.015
    assert max(abs(a - b) for a, b in pairwise(flux)) < 1e-3


def test_lost_beam_is_seen_while_it_lasts() -> None:
    source = Source(0.01, 1, FaultScript((Fault("beam_loss", at_s=10.0, duration_s=5.0),)))
    assert [source.state(t_s).available for t_s in (9.9, 10.0, 14.9, 15.0)] == [True, False, False, True]
    assert source.state(12.0).flux_relative == 0.0
    assert Source(0.0, 1, FaultScript((Fault("beam_loss", at_s=1.0),))).dark_periods() == [(1.0, math.inf)]


@pytest.mark.parametrize(
    ("gaps", "left"),
    [
        ([], [(0.0, 10.0)]),
        ([(2.0, 3.0)], [(0.0, 2.0), (3.0, 10.0)]),
        ([(-1.0, 4.0), (3.0, 5.0)], [(5.0, 10.0)]),
        ([(0.0, math.inf)], []),
        ([(20.0, 30.0)], [(0.0, 10.0)]),
    ],
)
def test_periods_without_gaps(gaps: list[tuple[float, float]], left: list[tuple[float, float]]) -> None:
    assert without([(0.0, 10.0)], gaps) == left


def test_a_blade_knows_when_it_was_closed() -> None:
    shutter = Shutter(1.0, FaultScript(()), is_open=True)
    assert shutter.closed_periods() == []
    shutter.command(False, 4.0)
    assert shutter.closed_periods() == [(5.0, math.inf)]
    shutter.command(True, 9.0)
    assert shutter.closed_periods() == [(5.0, 10.0)]
    assert Shutter(1.0, FaultScript(())).closed_periods() == [(-math.inf, math.inf)]
