"""What a run took, in however many sittings: sums by hand, from a journal by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from xrm_control import app
from xrm_control.core.events import RunResumed, StageBegun, StageEnded
from xrm_control.core.frame_id import FrameId
from xrm_control.core.geometry import Pose
from xrm_control.core.states import FrameKind, RunState
from xrm_control.processing.achieved import Achieved, achieved, shortcomings
from xrm_control.storage.journal import Journal
from xrm_control.storage.records import PlannedFrame, RunRecord
from xrm_control.storage.run_folder import RunFolder

RECIPE = Path(__file__).parents[2] / "recipes" / "nmc811_screening.yaml"
Step = tuple[float, RunState | str]
MAPPED: list[Step] = [(0, RunState.CONNECTING), (5, RunState.MOSAICKING), (5, "begun mosaic"), (45, "ended mosaic")]


def scan(begun_s: float, roi: str, checked_s: float | None) -> list[Step]:
    steps: list[Step] = [(begun_s, RunState.ALIGNING), (begun_s + 4, f"begun {roi} references")]
    return [*steps, (checked_s, RunState.CHECKING)] if checked_s is not None else steps


def resumed(stood_s: float, back_s: float) -> list[Step]:
    return [(back_s, f"resumed {stood_s}"), (back_s, RunState.CONNECTING), (back_s, "begun again roi-01/proj_0001")]


DIED = [*MAPPED, *scan(50, "roi-01", None), *resumed(80, 500), *scan(510, "roi-01", 600)]
CASES: dict[str, tuple[list[Step], float | None, dict[str, float]]] = {
    "in one go": ([*MAPPED, *scan(50, "roi-01", 150), *scan(150, "roi-02", 260)], 40, {"roi-01": 100, "roi-02": 110}),
    "it died in the first scan": (DIED, 40, {"roi-01": 30 + 90}),
    "and in the second sitting": (
        [*MAPPED, *scan(50, "roi-01", None), *resumed(80, 500), *scan(510, "roi-01", None), *resumed(530, 900),
         *scan(905, "roi-01", 950)], 40, {"roi-01": 30 + 20 + 45},
    ),
    "it was aborted": (
        [*MAPPED, *scan(50, "roi-01", None), (90, RunState.ABORTED), *resumed(95, 500), *scan(510, "roi-01", 600)],
        40, {"roi-01": 40 + 90},
    ),
    "between two scans": (
        [*MAPPED, *scan(50, "roi-01", 150), *resumed(151, 400), *scan(410, "roi-02", 500)],
        40, {"roi-01": 100, "roi-02": 90},
    ),
    "it has not come back": ([*MAPPED, *scan(50, "roi-01", 150), *scan(150, "roi-02", None)], 40, {"roi-01": 100}),
    "it died in the mosaic": (
        [*MAPPED[:3], *resumed(25, 300), (310, "begun mosaic"), (340, "ended mosaic"), *scan(350, "roi-01", 450)],
        20 + 30, {"roi-01": 100},
    ),
    "a tile is taken again, and nobody knows when that ends": (
        [*MAPPED, *scan(50, "roi-01", 150), *resumed(150, 300), (310, "begun mosaic")], 40, {"roi-01": 100},
    ),
    "a scan has to be taken up after the next one": (
        [*MAPPED, *scan(50, "roi-01", 150), *scan(150, "roi-02", 260), *resumed(270, 300), *scan(310, "roi-01", 320)],
        40, {"roi-01": 100 + 10, "roi-02": 110},
    ),
    "no mosaic yet": (MAPPED[:3], None, {}),
}  # fmt: skip


@pytest.mark.parametrize(("steps", "mosaic_s", "scan_s"), CASES.values(), ids=CASES)
def test_time_spent_is_summed_over_all_sittings(
    tmp_path: Path, steps: list[Step], mosaic_s: float | None, scan_s: dict[str, float]
) -> None:
    folder = RunFolder.create(tmp_path, "sittings", datetime(2025, 1, 2, tzinfo=UTC), "0000")
    record = RunRecord(folder.name, "sittings", "0" * 64, "simulated", True, "2025-01-02T00:00:00+00:00")
    with Journal.create(folder.journal, record) as journal:
        for roi in ("roi-01", "roi-02"):
            frame = FrameId.projection(roi, 0)
            journal.plan_frames([PlannedFrame(frame, roi, FrameKind.PROJECTION, 0, Pose(0, 0, 0, 0), 1.0, 8, roi)])
        for t_s, what in steps:
            _happened(journal, t_s, what)
        found = achieved(folder, journal)
    assert found.mosaic_s == mosaic_s
    assert dict(found.scan_s) == scan_s


def _happened(journal: Journal, t_s: float, what: RunState | str) -> None:
    if isinstance(what, RunState):
        journal.set_state(what, t_s=t_s)
        return
    verb, _, name = what.partition(" ")
    kinds: dict[str, Any] = {"begun": StageBegun.kind, "ended": StageEnded.kind, "resumed": RunResumed.kind}
    data = {"stood_s": float(name)} if verb == "resumed" else {"stage": name}
    journal.record_event(kinds[verb], name, t_s=t_s, data=data)


FOUND = Achieved(
    mosaic_s=40.0, particles_in_mosaic=100, rois=("roi-01", "roi-02", "roi-03"), scan_s={}, lives={}, added=(),
    reported=(), quarantined={}, missing=(), open_frames=0, total_s=500.0,
)  # fmt: skip
ASIDE = {"roi-02": "the camera dreamt"}


def lost(roi: str, count: int) -> tuple[FrameId, ...]:
    return tuple(FrameId.projection(roi, number) for number in range(count))


# Of three regions that the recipe wants: what a run has achieved, and what it falls short of.
SHORT: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "nothing": ({}, ()),
    "two were found": ({"rois": ("roi-01", "roi-02")}, ("2 of 3 regions were found",)),
    "two were found, and one was added": ({"added": ("roi-03",)}, ("2 of 3 regions were found",)),
    "one more was added": ({"rois": (*FOUND.rois, "roi-04"), "added": ("roi-04",)}, ()),
    "none are chosen yet": ({"rois": ()}, ()),
    "two frames": ({"missing": lost("roi-01", 2)}, ("2 frames are missing: roi-01/proj_0000, roi-01/proj_0001",)),
    "more frames than are named": (
        {"missing": lost("roi-03", 7)},
        ("7 frames are missing: " + ", ".join(f"roi-03/proj_000{number}" for number in range(5)),),
    ),
    "frames of a region that is set aside": (
        {"missing": lost("roi-02", 2), "quarantined": ASIDE}, ("roi-02 is set aside: the camera dreamt",)
    ),
    "of another one too": (
        {"missing": lost("roi-02", 2) + lost("roi-01", 1), "quarantined": ASIDE},
        ("roi-02 is set aside: the camera dreamt", "1 frames are missing: roi-01/proj_0000"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "reasons"), SHORT.values(), ids=SHORT)
def test_what_a_run_falls_short_of(changes: dict[str, Any], reasons: tuple[str, ...]) -> None:
    recipe = app.load(RECIPE, {"roi.count": "3"}).recipe
    assert shortcomings(replace(FOUND, **changes), recipe) == reasons
