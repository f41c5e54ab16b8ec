"""Each deviation is explained by what the journals tell, and what they do not tell is called unexplained."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from xrm_control.contracts.account import Account, StageAccount
from xrm_control.contracts.comparison import Deviation
from xrm_control.contracts.outcomes import FrameOutcomes
from xrm_control.core.events import SourceDown
from xrm_control.core.states import FrameKind, Level, RoiState, RunState, Verdict
from xrm_control.processing.deviations import deviations
from xrm_control.processing.story import Story, Wait
from xrm_control.storage.records import EventRecord

ROI = "roi-01"


def stage(name: str = ROI, **changes: Any) -> StageAccount:
    """A hundred frames of 3 s each."""
    usual: dict[str, Any] = {
        "name": name, "begin_s": 100.0, "end_s": 400.0, "standing_s": 0.0,
        "frames": {FrameKind.PROJECTION: FrameOutcomes(kept=100)}, "exposures": 100, "retaken": 0,
        "bytes": 100_000_000, "beam_s": 100.0, "dose_gy": 50.0, "flux": 1000.0,
    }  # fmt: skip
    return StageAccount(**usual | changes)


def story(*stages: StageAccount, verdict: Verdict = Verdict.COMPLETE, **more: Any) -> Story:
    account = Account(
        run="r", recipe_name="r", recipe_sha256="0", rehearsal=more.pop("rehearsal", False), state=RunState.DONE,
        verdict=verdict, reasons=more.pop("reasons", ()), total_s=500.0, standing_s=0.0, resumed=0, disk_bytes=1,
        particles=more.pop("particles", None), whole_particles=None, ahead=0, stages=stages,
        holds=(), extremes=more.pop("extremes", {}),
    )  # fmt: skip
    return Story(account, **more)


def only(expected: Story, found: Story, what: str) -> Deviation:
    (one,) = [one for one in deviations(expected, found) if one.what == what]
    return one


def test_the_same_night_deviates_in_nothing() -> None:
    assert deviations(story(stage()), story(stage())) == ()


def test_a_hold_explains_its_time() -> None:
    held = stage(end_s=1120.0, standing_s=720.0)
    found = story(held, waits=(Wait(200.0, 920.0, "held: beam lost"),))
    one = only(story(stage()), found, "time")
    assert one.because == ("12 min 00 s held: beam lost",)
    assert not one.unexplained


@pytest.mark.parametrize(("extra_s", "left"), [(4.0, ""), (40.0, "+40.0 s"), (-60.0, "-60.0 s")])
def test_time_beyond_what_is_told_is_unexplained(extra_s: float, left: str) -> None:
    found = story(stage(end_s=1120.0 + extra_s, standing_s=720.0), waits=(Wait(200.0, 920.0, "held: beam lost"),))
    assert only(story(stage()), found, "time").unexplained == left


def test_a_stage_that_was_as_long_though_it_was_held_is_not_passed_over() -> None:
    """Two deviations that happen to cancel are two."""
    found = story(stage(standing_s=100.0), waits=(Wait(200.0, 300.0, "held: beam lost"),))
    assert only(story(stage()), found, "time").unexplained == "-1 min 40 s"


def test_what_the_rehearsal_met_and_the_night_did_not() -> None:
    expected = story(stage(end_s=520.0, standing_s=120.0), waits=(Wait(200.0, 320.0, "held: beam lost"),))
    one = only(expected, story(stage()), "time")
    assert one.because == ("in the expected night 2 min 00 s held: beam lost",)
    assert not one.unexplained


def test_retaken_exposures_are_told_with_their_reasons() -> None:
    found = story(stage(end_s=409.0, exposures=103, retaken=3), rejected={ROI: Counter({"no light": 2, "constant": 1})})
    one = only(story(stage()), found, "retaken")
    assert (one.expected, one.found, one.because) == ("0", "3", ("2 x no light", "1 x constant"))
    assert not one.unexplained
    assert only(story(stage()), story(stage(retaken=3)), "retaken").unexplained


def test_missing_frames_and_frames_that_were_not_reached() -> None:
    frames = {FrameKind.PROJECTION: FrameOutcomes(kept=90, missing=4, not_reached=6)}
    found = story(stage(frames=frames), missing={ROI: Counter({"stalled": 4})}, ends=("stopped by operator",))
    assert only(story(stage()), found, "missing").because == ("4 x stalled", "stopped by operator")
    assert only(story(stage()), story(stage(frames=frames)), "missing").unexplained


@pytest.mark.parametrize(
    ("found", "because"),
    [
        (story(stage(), ends=("stopped by operator",)), ("stopped by operator",)),
        (story(stage(), commands=("skip roi-02, by op: done",)), ("skip roi-02, by op: done",)),
        (story(stage()), ()),
    ],
)
def test_a_region_that_was_not_begun(found: Story, because: tuple[str, ...]) -> None:
    one = only(story(stage(), stage("roi-02")), found, "stage")
    assert (one.stage, one.found, one.because) == ("roi-02", "not begun", because)
    assert bool(one.unexplained) == (not because)


def test_a_region_that_nobody_expected() -> None:
    two = (stage(), stage("roi-02"))
    added = only(story(stage()), story(*two, added={"roi-02": "op@console"}), "stage")
    assert added.because == ("added by op@console",)
    assert only(story(stage()), story(*two), "stage").unexplained
    # That it lies at a place of its own is no reason why there is one more.
    here, there = {ROI: (0.0, 0.0)}, {ROI: (0.0, 0.0), "roi-02": (90.0, 0.0)}
    assert only(story(stage(), places=here), story(*two, places=there), "stage").unexplained


@pytest.mark.parametrize(
    ("rehearsal", "regions", "because"),
    [
        (True, 1, ("the twin carries a powder of its own",)),
        (True, 2, ("in one of the nights only: roi-02", "the twin carries a powder of its own")),
        (False, 2, ("in one of the nights only: roi-02",)),
        (False, 1, ()),
    ],
)
def test_another_number_of_particles(rehearsal: bool, regions: int, because: tuple[str, ...]) -> None:
    """Two runs of the same regions should count alike: that they do not is nobody's powder."""
    stages = (stage(), stage("roi-02"))[:regions]
    found = only(story(stage(), particles=40, rehearsal=rehearsal), story(*stages, particles=44), "particles")
    assert found.because == because
    assert bool(found.unexplained) is not bool(because)


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({}, ()),
        ({"retaken": 1}, (f"held, or frames taken again, in one of the nights: {ROI}",)),
        ({"standing_s": 600.0}, (f"held, or frames taken again, in one of the nights: {ROI}",)),
        ({"state": RoiState.QUARANTINED}, (f"set aside in one of the nights: {ROI}",)),
    ],
)
def test_another_number_of_particles_of_a_twins_own_powder(changes: dict[str, Any], because: tuple[str, ...]) -> None:
    """A simulated instrument and its twin carry the same powder: that is no reason."""
    expected = story(stage(), particles=4, rehearsal=True, powder="same")
    one = only(expected, story(stage(**changes), particles=6, powder="same"), "particles")
    assert one.because == because
    assert bool(one.unexplained) is not bool(because)
    other = only(expected, story(stage(**changes), particles=6, powder="another"), "particles")
    assert "the twin carries a powder of its own" in other.because


@pytest.mark.parametrize(
    ("changes", "what", "unexplained"),
    [
        ({"dose_gy": 52.0, "exposures": 104}, "dose", False),
        ({"dose_gy": 60.0}, "dose", True),
        ({"bytes": 300_000_000}, "disk", True),
    ],
)
def test_dose_and_disk_follow_the_exposures(changes: dict[str, Any], what: str, unexplained: bool) -> None:
    assert bool(only(story(stage()), story(stage(**changes)), what).unexplained) == unexplained


def test_flux_is_compared_within_each_night() -> None:
    """Another gain is no deviation; a beam that grows weaker is, and a loss before it explains it."""
    expected = story(stage(), stage("roi-02"))
    other_gain = story(stage(flux=2000.0), stage("roi-02", flux=2000.0))
    assert deviations(expected, other_gain) == ()
    weaker = (stage(), stage("roi-02", flux=800.0))
    assert only(expected, story(*weaker), "flux").unexplained
    lost = EventRecord(150.0, Level.WARNING, SourceDown.kind, "no beam")
    one = only(expected, story(*weaker, light=(lost,)), "flux")
    assert (one.because, one.unexplained) == (("no beam",), "")


def test_verdict_and_axes_of_the_run() -> None:
    calm = story(stage(), extremes={"x": (-200.0, 200.0)}, places={ROI: (0.0, 0.0)})
    other = story(
        stage(), verdict=Verdict.INCOMPLETE, reasons=("4 frames are missing",), extremes={"x": (-200.0, 250.0)},
        places={ROI: (50.0, 0.0)},
    )  # fmt: skip
    assert only(calm, other, "verdict").because == ("4 frames are missing",)
    assert only(calm, other, "axis").because == ("1 of 1 regions lie elsewhere: roi-01",)
    same_place = story(stage(), extremes={"x": (-200.0, 250.0)}, places={ROI: (0.0, 0.0)})
    assert only(calm, same_place, "axis").unexplained
