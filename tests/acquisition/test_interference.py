"""Other people, a source that wavers, references that lie: what is not as it was is never kept as good.

The judge is the instrument's own trace, and the same acquisition on a calm day.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from tests.acquisition.bench import ALL_KEPT, STEPS, Bench, exposures
from xrm_control.acquisition.engine import RetryPolicy
from xrm_control.acquisition.steps import FrameStep
from xrm_control.core.errors import MotionInterrupted, Saturated
from xrm_control.core.events import FrameConfirmed, FrameWithdrawn
from xrm_control.core.frame_id import FrameId
from xrm_control.core.geometry import Pose
from xrm_control.core.states import FrameKind

# A fault of the source is placed by the frame that it hits: from so long after its begin.
DURING = {"hits": "roi-01/proj_0002", "after_s": 0.2, "duration_s": 0.5}


@lru_cache
def calm_day(steps: tuple[FrameStep, ...]) -> Bench:
    """The same acquisition, undisturbed: nothing is retaken."""
    bench = Bench(specimen="nmc811")
    bench.run(steps)
    assert bench.sink.reasons == []
    return bench


def placed(fault: dict[str, Any], steps: tuple[FrameStep, ...]) -> dict[str, Any]:
    """The fault with the time at which the frame that it `hits` is exposed on a calm day."""
    if "hits" not in fault:
        return fault
    words = {name: value for name, value in fault.items() if name not in ("hits", "after_s")}
    return {**words, "at_s": calm_day(steps).sink.kept[fault["hits"]].started_s + fault["after_s"]}


DISTURBED: list[tuple[dict[str, Any], str]] = [
    ({"kind": "nudge_frame", "axis": "x", "amount": 5.0}, "axis x was sent"),
    ({"kind": "nudge_frame", "axis": "theta", "amount": 0.4}, "axis theta was sent"),
    ({"kind": "shove_frame", "axis": "y", "amount": -3.0}, "not where it was before the exposure"),
    ({"kind": "shove_frame", "axis": "theta", "amount": 20.0}, "somebody else moved the axis"),
    ({"kind": "exposure_frame", "factor": 0.5}, "the camera was set to"),
    ({"kind": "exposure_frame", "factor": 2.0}, "the camera was set to"),
    ({"kind": "shutter_frame"}, "shutter was open for a part"),
    ({"kind": "foreign_frame"}, "unique id does not follow"),
    ({"kind": "recount_frame"}, "unique id does not follow"),
    ({"kind": "repeated_frame"}, "unique id does not follow"),
    ({"kind": "dark_frame"}, "no light"),
    ({"kind": "beam_loss", **DURING}, "the relative flux fell"),
    ({"kind": "flux", "factor": 0.1, **DURING}, "the relative flux fell"),
    ({"kind": "flux", "factor": 0.5, "hidden": True, **DURING}, "neighbours in angle"),
    ({"kind": "flux", "factor": 0.0, "hidden": True, **DURING, "duration_s": 0.2}, "neighbours in angle"),
    ({"kind": "flux", "factor": 1.5, "hidden": True, **DURING}, "neighbours in angle"),
]


@pytest.mark.parametrize(("fault", "reason"), DISTURBED, ids=[fault["kind"] for fault, _ in DISTURBED])
def test_a_disturbed_exposure_is_taken_again_with_its_reason(fault: dict[str, Any], reason: str) -> None:
    where = {} if "hits" in fault else {"frames": [4]}
    bench, calm = Bench({**placed(fault, STEPS), **where}, specimen="nmc811"), calm_day(STEPS)
    bench.run(STEPS)
    assert bench.outcomes() == ALL_KEPT
    assert bench.violations() == []
    assert len(bench.sink.reasons) == 1
    assert reason in bench.sink.reasons[0]
    assert exposures(bench).count("roi-01/proj_0002") == 2
    for name, frame in bench.sink.kept.items():
        ratio = frame.image.astype(float).mean() / calm.sink.kept[name].image.astype(float).mean()
        assert ratio == pytest.approx(1.0, abs=0.01), name


def test_an_axis_that_keeps_being_moved_is_left_to_whoever_moves_it() -> None:
    bench = Bench({"kind": "shove_frame", "axis": "theta", "amount": 20.0, "frames": [4]})
    bench.run(STEPS)
    (reason, begun_s, ended_s) = bench.holds[0]
    assert "somebody else moved the axis" in reason
    assert ended_s - begun_s >= bench.policy.interrupted_wait_s
    assert bench.violations() == []


@pytest.mark.parametrize(("lasts_s", "ends"), [(20.0, False), (None, True)])
def test_an_offset_that_somebody_changed_is_held_for_and_then_ends_the_run(lasts_s: float | None, ends: bool) -> None:
    bench = Bench({"kind": "offset", "axis": "x", "amount": 30.0, "at_s": 6.7, "duration_s": lasts_s})
    if ends:
        with pytest.raises(MotionInterrupted, match=r"offset of axis x was changed from 0 to 30 um; tried 3 times"):
            bench.run(STEPS)
    else:
        bench.run(STEPS)
        assert bench.outcomes() == ALL_KEPT
    assert "offset of axis x" in bench.holds[0][0]
    kept = [frame for name, frame in bench.sink.kept.items() if "proj" in name]
    assert all(frame.ended_s <= 6.7 or frame.started_s >= 26.7 for frame in kept)
    assert bench.violations() == []


def test_the_camera_is_configured_anew_after_the_second_failure_in_a_row() -> None:
    told: list[str] = []

    def watched(instrument: Any) -> Any:
        camera, configure, expose = instrument.camera, instrument.camera.configure, instrument.camera.expose

        async def configured(*settings: Any) -> Any:
            told.append("configure")
            return await configure(*settings)

        async def exposed() -> Any:
            told.append("expose")
            return await expose()

        camera.configure, camera.expose = configured, exposed
        return instrument

    bench = Bench({"kind": "dropped_frame", "frames": [3, 4]}, change=watched)
    bench.run(STEPS)
    assert bench.outcomes() == ALL_KEPT
    assert told == ["configure", *["expose"] * 4, "configure", *["expose"] * 4]


def test_a_counter_that_jumps_at_every_frame_is_never_kept_as_good() -> None:
    """Somebody's live view: only what follows a new configuration can be told from it."""
    bench = Bench({"kind": "foreign_frame", "frames": list(range(2, 9))}, policy=RetryPolicy(frame_attempts=2))
    bench.run(STEPS)
    assert bench.violations() == []
    assert any("unique id does not follow" in reason for reason in bench.sink.reasons)


CLEAR = Pose(250, 0, 0, -45)


def scan(*, darks: int = 3, flats: int = 3, views: int = 5) -> tuple[FrameStep, ...]:
    """References beside the strip, then views a degree apart."""
    return (
        *(
            FrameStep(FrameId(f"roi-01/dark_{i:04d}"), FrameKind.DARK, i, CLEAR, shutter_open=False)
            for i in range(darks)
        ),
        *(FrameStep(FrameId(f"roi-01/flat_{i:04d}"), FrameKind.FLAT, i, CLEAR) for i in range(flats)),
        *(
            FrameStep(FrameId(f"roi-01/proj_{i:04d}"), FrameKind.PROJECTION, i, Pose(0, 0, 0, -45.0 + i))
            for i in range(views)
        ),
    )


FIRST_FLAT = {"hits": "roi-01/flat_0000", "after_s": -0.02, "duration_s": 1.04}
LAST_FLAT = {**FIRST_FLAT, "hits": "roi-01/flat_0002"}
# Exposures are counted from 1: three darks, three flats, five views.
REFERENCES: list[tuple[str, dict[str, Any], dict[str, int], str]] = [
    ("the first dark bright", {"kind": "light_leak_frame", "frames": [1]}, {}, "roi-01/dark_0000"),
    ("a dark in the middle bright", {"kind": "light_leak_frame", "frames": [2]}, {}, "roi-01/dark_0001"),
    ("the only dark bright", {"kind": "light_leak_frame", "frames": [1]}, {"darks": 1}, "roi-01/dark_0000"),
    ("one of two darks bright", {"kind": "light_leak_frame", "frames": [1]}, {"darks": 2}, "roi-01/dark_0000"),
    ("the first flat dark", {"kind": "dark_frame", "frames": [4]}, {}, "roi-01/flat_0000"),
    ("the last flat dark", {"kind": "dark_frame", "frames": [6]}, {}, "roi-01/flat_0002"),
    ("the first flat dim", {"kind": "flux", **FIRST_FLAT, "factor": 0.5}, {}, "roi-01/flat_0000"),
    ("the only flat dim", {"kind": "flux", **FIRST_FLAT, "factor": 0.5}, {"flats": 1},
     "roi-01/flat_0000"),
    ("powder in the first flat", {"kind": "offset", "axis": "x", "amount": -220.0, **FIRST_FLAT}, {},
     "roi-01/flat_0000"),
    ("powder in the last flat", {"kind": "offset", "axis": "x", "amount": -220.0, **LAST_FLAT}, {},
     "roi-01/flat_0002"),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "shape", "odd"), [case[1:] for case in REFERENCES], ids=[c[0] for c in REFERENCES])
def test_a_reference_that_lies_is_found_and_the_region_survives(
    fault: dict[str, Any], shape: dict[str, int], odd: str
) -> None:
    fault = {**fault, "hidden": True} if fault["kind"] in ("flux", "offset") else fault
    steps = scan(**shape)
    bench, calm = Bench(placed(fault, steps), specimen="nmc811"), calm_day(steps)
    bench.run(steps)
    assert bench.outcomes() == dict.fromkeys((step.frame_id for step in steps), "keep")
    retaken = [name for what, name, _ in bench.sink.calls if what == "retake"]
    assert odd in retaken
    assert bench.violations() == []
    for name, frame in bench.sink.kept.items():
        image, usual = (one.image.astype(float) for one in (frame, calm.sink.kept[name]))
        assert image.mean() == pytest.approx(usual.mean(), rel=0.02), name
        assert np.abs(np.median(image, axis=0) / np.median(usual, axis=0) - 1).max() < 0.1, name


def test_a_view_that_dips_first_of_all_is_found_when_the_others_are_known() -> None:
    steps = scan()
    calm = calm_day(steps)
    first = calm.sink.kept[FrameId("roi-01/proj_0000")]
    dip = {"kind": "flux", "hits": "roi-01/proj_0000", "after_s": 0.2, "duration_s": 0.5, "factor": 0.4, "hidden": True}
    bench = Bench(placed(dip, steps), specimen="nmc811")
    bench.run(steps)
    assert bench.outcomes() == calm.outcomes()
    assert FrameWithdrawn.kind in bench.seen
    kept = bench.sink.kept[FrameId("roi-01/proj_0000")]
    assert kept.image.astype(float).mean() == pytest.approx(first.image.astype(float).mean(), rel=0.02)


def test_what_is_the_sample_itself_costs_one_exposure_and_is_kept() -> None:
    """Two views far apart in brightness and near in angle: the edge of the strip."""
    steps = (
        *scan(views=0),
        FrameStep(FrameId("roi-01/proj_0000"), FrameKind.PROJECTION, 0, Pose(190, 0, 0, 0)),
        FrameStep(FrameId("roi-01/proj_0001"), FrameKind.PROJECTION, 1, Pose(0, 0, 0, 1)),
    )
    bench = Bench(specimen="nmc811")
    bench.run(steps)
    assert bench.outcomes() == dict.fromkeys((step.frame_id for step in steps), "keep")
    assert exposures(bench).count("roi-01/proj_0001") == 2
    assert FrameConfirmed.kind in bench.seen


TILES = (
    *(FrameStep(FrameId(f"mosaic/dark_{i:04d}"), FrameKind.DARK, i, CLEAR, shutter_open=False) for i in range(3)),
    *(FrameStep(FrameId(f"mosaic/flat_{i:04d}"), FrameKind.FLAT, i, CLEAR) for i in range(3)),
    *(FrameStep(FrameId(f"mosaic/tile_r00_c0{i}"), FrameKind.TILE, i, Pose(-120 + 60 * i, 0, 0, 0)) for i in range(5)),
)


def test_a_tile_under_a_dip_is_taken_again() -> None:
    second = calm_day(TILES).sink.kept[FrameId("mosaic/tile_r00_c01")]
    dip = {"kind": "flux", "hits": "mosaic/tile_r00_c01", "after_s": 0.3, "duration_s": 0.5, "factor": 0.0}
    bench = Bench({**placed(dip, TILES), "hidden": True}, specimen="nmc811")
    bench.run(TILES)
    assert [name for what, name, _ in bench.sink.calls if what == "retake"] == ["mosaic/tile_r00_c01"]
    kept = bench.sink.kept[FrameId("mosaic/tile_r00_c01")]
    assert kept.image.astype(float).mean() == pytest.approx(second.image.astype(float).mean(), rel=0.02)


@pytest.mark.parametrize("exposure_s", [2.0, 3.0])
def test_the_first_saturated_frame_ends_the_run_and_says_what_to_do(exposure_s: float) -> None:
    bench = Bench(exposure_s=exposure_s)
    with pytest.raises(Saturated, match=rf"saturated with {exposure_s:g} s .*65535 counts.*shorten scan.exposure_s"):
        bench.run(scan())
    assert exposures(bench)[-1] == "roi-01/flat_0000"
    assert len(exposures(bench)) == 4


def test_a_surge_in_mid_run_costs_frames_and_one_that_stays_ends_it() -> None:
    surge = {"kind": "flux", "at_s": 11.0, "factor": 3.0, "hidden": True}
    bench = Bench({**surge, "duration_s": 1.5})
    bench.run(scan())
    assert set(bench.outcomes().values()) == {"keep"}
    assert any("saturated" in reason for reason in bench.sink.reasons)
    with pytest.raises(Saturated):
        Bench(surge).run(scan())


def test_hot_pixels_are_normal() -> None:
    bench = Bench(exposure_s=1.4)
    bench.run(scan())
    assert bench.sink.reasons == []
    full = [int((frame.image == 65535).sum()) for name, frame in bench.sink.kept.items() if "flat" in name]
    assert max(full) >= 1
