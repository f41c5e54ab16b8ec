"""The folder of a run of a whole day, by the journal's own writer: 300 regions, 44 000 frames, 12 000 particles. What a
region measured is one short run's, with other numbers for its particles; of frames there are the rows, and no files.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from xrm_control import app
from xrm_control.contracts.rois import ROIS, RoiRecord, RoisDocument
from xrm_control.core.frame_id import FrameId
from xrm_control.core.geometry import Pose
from xrm_control.core.states import FrameKind, Level, RoiState, RunState
from xrm_control.storage.journal import Journal
from xrm_control.storage.records import Exposure, Intent, PlannedFrame, RunRecord, StoredFrame
from xrm_control.storage.run_folder import RunFolder

REGIONS, FRAMES, PARTICLES, TILES = 300, 146, 40, 40
DAY_S = 24 * 3600.0
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
RECIPE = """
name: short
instrument: {backend: simulated, specimen: nmc811, seed: 3, noise: false}
mosaic: {columns: 1, rows: 1, flats: 1, darks: 1}
roi: {kind: manual, positions: [{x_um: 0, y_um: 0}]}
scan: {projections: 61, useful_diameter_um: 20, references: {kind: both, count: 1}, darks: 1}
reconstruction: {rows: [56, 72]}
compute: {kind: inline}
output: {keep_free_gb: 0}
"""


def a_day(root: Path, regions: int = REGIONS) -> RunFolder:
    """In `root`, which is made; the run is in the midst of its last region, and nobody carries it out."""
    root.mkdir(parents=True, exist_ok=True)
    recipe = root / "short.yaml"
    recipe.write_text(RECIPE)
    pattern = RunFolder(app.run(app.load(recipe), root / "pattern", None).folder)
    folder = RunFolder(root / "runs" / f"{BEGAN:%Y%m%dT%H%M%SZ}_day_0001")
    folder.path.mkdir(parents=True)
    names = [f"roi-{number:02d}" for number in range(1, regions + 1)]
    for name in ("recipe.yaml", "plan.json", "mosaic.ome.tif", "truth.json"):
        shutil.copy(pattern.path / name, folder.path / name)
    for name in names:
        _region(pattern, folder, name)
    _rois(pattern, folder, names)
    record = RunRecord(folder.name, "day", "0" * 64, "simulated", True, BEGAN.isoformat(timespec="seconds"))
    with Journal.create(folder.journal, record) as journal:
        _journal(journal, names)
    return folder


def say(journal: Journal, number: int, t_s: float) -> None:
    """A line of the log as a night has them: a warning now and then."""
    level = Level.WARNING if number % 50 == 0 else Level.INFO
    journal.record_event("frame.kept", f"frame {number} kept, 37000 counts", t_s=t_s, level=level, utc=_utc(t_s))


def _region(pattern: RunFolder, folder: RunFolder, name: str) -> None:
    place, one = folder.roi(name), pattern.roi("roi-01")
    place.path.mkdir()
    for path in one.path.iterdir():
        if path.is_file():
            os.link(path, place.path / path.name)
    for path in (one.particles, one.voids):
        (place.path / path.name).unlink()
        rows = list(csv.DictReader(path.read_text().splitlines()))
        out = io.StringIO()
        if rows:
            writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            for number in range(PARTICLES if path.name == "particles.csv" else len(rows)):
                writer.writerow({**rows[number % len(rows)], "particle_id": number + 1, "roi": name})
        (place.path / path.name).write_text(out.getvalue() or path.read_text())


def _rois(pattern: RunFolder, folder: RunFolder, names: list[str]) -> None:
    known = ROIS.read(pattern.rois)
    made = tuple(
        RoiRecord(
            name=name,
            x_um=70.0 * (number % 20),
            y_um=70.0 * (number // 20),
            z_um=0.0,
            width_um=65.5,
            height_um=65.5,
            reason="varied sizes",
            expected_particles=PARTICLES,
        )
        for number, name in enumerate(names)
    )
    ROIS.write(folder.rois, RoisDocument(mosaic=known.mosaic, rois=made))


def _journal(journal: Journal, names: list[str]) -> None:
    plans = list(_plans(names))
    journal.set_state(RunState.MOSAICKING, t_s=0.0, utc=_utc(0.0))
    journal.plan_frames(plans)
    each_s = DAY_S / len(plans)
    journal.intend(plans[0].frame_id, theta_deg=0.0, t_s=0.0)
    for number, (plan, following) in enumerate(zip(plans, [*plans[1:], None], strict=True)):
        t_s = number * each_s
        if plan.number == 0 and plan.roi:
            journal.set_state(RunState.SCANNING, t_s=t_s, utc=_utc(t_s))
        shot = Exposure(plan.target, t_s, t_s + 1.0, number + 1)
        path = f"frames/{plan.frame_id}.tif"
        frame = StoredFrame(plan.frame_id, 1, path, 32_768, (128, 128), "uint16", "0" * 64, shot, 37_000.0)
        if following is None:
            journal.commit(frame)
        else:
            journal.commit_and_intend(frame, Intent(following.frame_id, following.target.theta_deg, t_s))
        if number % 2 == 0:
            say(journal, number, t_s)
        if plan.roi and (following is None or following.roi != plan.roi) and plan.roi != names[-1]:
            for state in (RoiState.RECONSTRUCTING, RoiState.ANALYSING, RoiState.REPORTED):
                journal.set_roi_state(plan.roi, state, t_s=t_s, utc=_utc(t_s))


def _plans(names: list[str]) -> Iterator[PlannedFrame]:
    for number in range(TILES):
        row, column = divmod(number, 8)
        pose = Pose(65.0 * column, 65.0 * row, 0, 0)
        yield PlannedFrame(FrameId.tile(row, column), "mosaic", FrameKind.TILE, number, pose, 1.0, 8)
    for place, name in enumerate(names):
        for number in range(FRAMES):
            pose = Pose(70.0 * (place % 20), 70.0 * (place // 20), 0, 180.0 * number / FRAMES)
            frame = FrameId.projection(name, number)
            yield PlannedFrame(frame, name, FrameKind.PROJECTION, number, pose, 1.0, 8, name)


def _utc(t_s: float) -> str:
    return (BEGAN + timedelta(seconds=t_s)).isoformat(timespec="milliseconds")
