"""A run over its time: the light of its flats, how far samples lie beside their places, the axis, the disk, and the
values that the recipe watches. All of it from the journal and the files that are there.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from xrm_control.acquisition.conditions import Condition
from xrm_control.contracts.quality import FOREIGN_QUALITY
from xrm_control.core.errors import XrmError
from xrm_control.core.events import ConditionEnded, ConditionViolated, RoiMoved, RoiPlaced, SampleCompared
from xrm_control.core.states import FrameKind
from xrm_control.dashboard.models_charts import Point, Spell, Trend, Trends, Watched
from xrm_control.dashboard.runs import recipe_of
from xrm_control.recipe.document import Recipe
from xrm_control.storage.journal_reader import JournalQueries, JournalReader
from xrm_control.storage.records import PlannedFrame, StoredFrame
from xrm_control.storage.run_folder import RunFolder

_MOST = 400
_Frames = Sequence[tuple[PlannedFrame, StoredFrame]]
_Utc = Callable[[float], str | None]


def trends_of(folder: RunFolder) -> Trends:
    """Of a run as it stands. Raises DataError where its journal cannot be read."""
    recipe = recipe_of(folder)
    with JournalReader.open(folder.journal) as journal:
        run, utc = journal.run(), _clock(journal)
        frames = journal.stored_frames()
        now_s = journal.last_t_s() or 0.0
        trends = [_flux(frames, utc), *_places(journal, recipe, utc), _axis(folder, frames, utc), _disk(frames, utc)]
        watched = () if recipe is None else tuple(_watched(journal, one, utc) for one in recipe.conditions)
    return Trends(
        t_s=now_s,
        started_utc=run.started_utc,
        trends=tuple(trends),
        watched=watched,
        disk_free_bytes=shutil.disk_usage(folder.path).free,
    )


def _flux(frames: _Frames, utc: _Utc) -> Trend:
    """Each flat's counts a second, its darks taken off, over those of the first of the same shape."""
    darks: dict[tuple[str, tuple[int, int]], list[float]] = {}
    for plan, frame in frames:
        if plan.kind is FrameKind.DARK and frame.mean_counts is not None:
            darks.setdefault((plan.roi, frame.shape), []).append(frame.mean_counts)
    first: dict[tuple[int, int], float] = {}
    points: list[Point] = []
    for plan, frame in frames:
        if plan.kind is not FrameKind.FLAT or frame.mean_counts is None or plan.exposure_s <= 0:
            continue
        dark = darks.get((plan.roi, frame.shape), [])
        light = (frame.mean_counts - (sum(dark) / len(dark) if dark else 0.0)) / plan.exposure_s
        if light > 0 and first.setdefault(frame.shape, light) > 0:
            points.append(_point(frame.exposure.t_end_s, 100 * light / first[frame.shape], str(plan.frame_id), utc))
    points.sort(key=lambda point: point.t_s)
    return Trend(
        name="flux", heading="Flux of the flats", unit="% of the first", points=_thinned(points),
        note="counts a second, darks taken off, over the first flat of the same binning",
    )  # fmt: skip


def _places(journal: JournalQueries, recipe: Recipe | None, utc: _Utc) -> list[Trend]:
    """How far samples lie beside where they were expected: regions on the mosaic, and views that were taken again."""
    kinds = dict.fromkeys((RoiPlaced.kind, RoiMoved.kind, SampleCompared.kind))
    events = [event for kind in kinds for event in journal.events_of(kind) if "x_um" in event.data]
    found = [(event, str(event.data.get("roi") or event.data.get("frame") or "")) for event in events]
    found.sort(key=lambda one: one[0].t_s)
    allowed = None if recipe is None else recipe.scan.moved_allowed_um
    return [
        Trend(
            name=f"beside_{axis}", heading=f"Sample beside its place, {axis}", unit="µm",
            points=_thinned([_point(event.t_s, float(event.data[f"{axis}_um"]), of, utc) for event, of in found]),
            low=None if allowed is None else -allowed, high=allowed,
            note="regions against the mosaic after their scan, and views that were taken again; beyond the limit"
            " (scan.moved_allowed_um, of the distance) a region is set aside",
        )
        for axis in ("x", "y")
    ]  # fmt: skip


def _axis(folder: RunFolder, frames: _Frames, utc: _Utc) -> Trend:
    """Where each region's reconstruction found the rotation axis."""
    ends: dict[str, float] = {}
    for plan, frame in frames:
        if plan.roi:
            ends[plan.roi] = max(ends.get(plan.roi, 0.0), frame.exposure.t_end_s)
    points: list[Point] = []
    for roi, end_s in sorted(ends.items(), key=lambda one: one[1]):
        try:
            offset = FOREIGN_QUALITY.read(folder.roi(roi).quality).rotation_axis_offset_px
        except XrmError:
            continue
        if offset is not None and math.isfinite(offset):
            points.append(_point(end_s, offset, roi, utc))
    return Trend(
        name="axis", heading="Rotation axis beside the detector's middle", unit="px", points=_thinned(points),
        note="as each region's reconstruction found it, at the end of its scan",
    )  # fmt: skip


def _disk(frames: _Frames, utc: _Utc) -> Trend:
    """Bytes of kept frames so far."""
    ordered = sorted(frames, key=lambda one: one[1].exposure.t_end_s)
    whole = sum(frame.bytes for _, frame in ordered)
    unit, size = ("GB", 1e9) if whole >= 1e9 else ("MB", 1e6)
    points: list[Point] = []
    total = 0
    for plan, frame in ordered:
        total += frame.bytes
        points.append(_point(frame.exposure.t_end_s, total / size, str(plan.frame_id), utc))
    return Trend(
        name="disk", heading="Disk taken by frames", unit=unit, points=_thinned(points),
        note="frames that are kept, without volumes",
    )  # fmt: skip


def _watched(journal: JournalQueries, condition: Condition, utc: _Utc) -> Watched:
    """When a watched value was out of order, as the journal tells."""
    ends = [one for one in journal.events_of(ConditionEnded.kind) if one.data["condition"] == condition.value]
    spells: list[Spell] = []
    for event in journal.events_of(ConditionViolated.kind):
        if event.data["condition"] != condition.value or event.data["limit"] != condition.limit:
            continue
        from_s = float(event.data["since_s"])
        to_s = next((one.t_s for one in ends if one.t_s >= event.t_s and one.data["limit"] == condition.limit), None)
        spells.append(
            Spell(
                from_s=from_s, to_s=to_s, from_utc=utc(from_s), to_utc=None if to_s is None else utc(to_s),
                value=str(event.data["value"]),
            )
        )  # fmt: skip
    return Watched(
        value=condition.value, limit=condition.limit, low=condition.low, high=condition.high, action=condition.action,
        spells=tuple(spells),
    )  # fmt: skip


def _point(t_s: float, value: float, of: str, utc: _Utc) -> Point:
    return Point(t_s=t_s, utc=utc(t_s), value=value, of=of)


def _thinned(points: Sequence[Point]) -> tuple[Point, ...]:
    """As many as a chart can show; first and last, and of each part between them the lowest and the highest."""
    if len(points) <= _MOST:
        return tuple(points)
    step = math.ceil(2 * len(points) / (_MOST - 2))
    chosen = {0, len(points) - 1}
    for begin in range(0, len(points), step):
        part = range(begin, min(begin + step, len(points)))
        chosen |= {min(part, key=lambda at: points[at].value), max(part, key=lambda at: points[at].value)}
    return tuple(points[at] for at in sorted(chosen))


def _clock(journal: JournalQueries) -> _Utc:
    """From instrument time to the wall's, by the states that were entered: a run that is gone on with has gaps."""
    marks = [(state.t_s, datetime.fromisoformat(state.utc)) for state in journal.states() if state.utc]

    def utc(t_s: float) -> str | None:
        mark = next((one for one in reversed(marks) if one[0] <= t_s), marks[0] if marks else None)
        return None if mark is None else (mark[1] + timedelta(seconds=t_s - mark[0])).isoformat(timespec="seconds")

    return utc
