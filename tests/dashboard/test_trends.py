"""A run over its time: what the journal holds, with its limits; nothing that nobody measured."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from xrm_control.acquisition.conditions import Condition
from xrm_control.core.events import ConditionEnded, ConditionViolated, RoiPlaced
from xrm_control.core.states import FrameKind, Level, RunState
from xrm_control.dashboard.conditions import watched_now
from xrm_control.dashboard.models_charts import Point
from xrm_control.dashboard.trends import _clock, _thinned, _watched
from xrm_control.storage.journal import Journal
from xrm_control.storage.journal_reader import JournalReader
from xrm_control.storage.records import RunRecord

BEGUN = datetime(2026, 11, 26, 20, 0, tzinfo=UTC)


def test_what_is_shown_is_what_the_journal_holds(served: Any, ended: Path) -> None:
    view = served(ended.parent).get(f"/api/runs/{ended.name}/trends").json()
    trends = {trend["name"]: trend for trend in view["trends"]}
    with JournalReader.open(ended / "journal.sqlite") as journal:
        frames, now_s = journal.stored_frames(), journal.last_t_s()
    flats = [str(plan.frame_id) for plan, _ in frames if plan.kind is FrameKind.FLAT]
    assert sorted(point["of"] for point in trends["flux"]["points"]) == sorted(flats)
    # Without noise and decay the light is the same all the time, the first flat's by definition.
    assert trends["flux"]["points"][0]["value"] == 100.0
    assert [point["value"] for point in trends["flux"]["points"]] == pytest.approx([100.0] * len(flats), abs=1.0)
    assert trends["disk"]["unit"] == "MB"
    assert trends["disk"]["points"][-1]["value"] == pytest.approx(sum(frame.bytes for _, frame in frames) / 1e6)
    times = [point["t_s"] for point in trends["disk"]["points"]]
    assert times == sorted(times)
    assert (trends["beside_x"]["low"], trends["beside_x"]["high"]) == (-5.0, 5.0)
    assert [point["of"] for point in trends["beside_x"]["points"]] == ["roi-01"]
    assert [point["of"] for point in trends["axis"]["points"]] == ["roi-01"]
    assert view["t_s"] == now_s
    assert all(datetime.fromisoformat(point["utc"]) for point in trends["flux"]["points"])


def test_a_watched_value_has_its_limits_and_its_spells(tmp_path: Path) -> None:
    watched = Condition(value="hutch_temperature", low=20.0, high=25.0, action="hold")
    other = Condition(value="hutch_temperature", low=0.0, high=99.0, action="stop")
    record = RunRecord("r", "r", "0" * 64, "simulated", True, BEGUN.isoformat())
    with Journal.create(tmp_path / "journal.sqlite", record) as journal:
        journal.set_state(RunState.MOSAICKING, t_s=0.0, reason="", utc=BEGUN.isoformat())

        def tell(kind: str, t_s: float, **data: Any) -> None:
            about = {"condition": watched.value, "limit": watched.limit, **data}
            journal.record_event(kind, "told", t_s=t_s, level=Level.WARNING, data=about, utc=None)

        tell(ConditionViolated.kind, 100.0, value="27", action="hold", since_s=90.0)
        assert [one.out for one in watched_now(journal, (watched, other))] == ["27", ""]
        tell(ConditionEnded.kind, 160.0, value="24", lasted_s=70.0)
        assert [one.out for one in watched_now(journal, (watched, other))] == ["", ""]
        tell(ConditionViolated.kind, 300.0, value="26", action="hold", since_s=290.0)
        # Gone on with the next morning: instrument time has no gap, the wall's has.
        journal.set_state(RunState.SCANNING, t_s=200.0, reason="", utc=(BEGUN + timedelta(hours=10)).isoformat())
        found, none = (_watched(journal, one, _clock(journal)) for one in (watched, other))
    assert (found.low, found.high, found.limit) == (20.0, 25.0, "20 to 25")
    assert [(spell.from_s, spell.to_s, spell.value) for spell in found.spells] == [
        (90.0, 160.0, "27"),
        (290.0, None, "26"),
    ]
    assert found.spells[0].from_utc == (BEGUN + timedelta(seconds=90)).isoformat()
    assert found.spells[1].from_utc == (BEGUN + timedelta(hours=10, seconds=90)).isoformat()
    assert none.spells == ()


def test_the_run_s_page_says_where_its_sample_lies(served: Any, ended: Path) -> None:
    view = served(ended.parent).get(f"/api/runs/{ended.name}").json()
    with JournalReader.open(ended / "journal.sqlite") as journal:
        placed = journal.events_of(RoiPlaced.kind)[-1].data
    assert view["beside"] == {"of": "roi-01", "x_um": placed["x_um"], "y_um": placed["y_um"], "allowed_um": 5.0}
    assert view["watched"] == []


def test_thinned_a_trend_keeps_its_ends_and_its_extremes() -> None:
    points = [Point(t_s=at, utc=None, value=float(at % 1000), of="") for at in range(9_000)]
    points[4321] = points[4321].model_copy(update={"value": 1e6})
    points[7777] = points[7777].model_copy(update={"value": -1e6})
    kept = _thinned(points)
    assert len(kept) <= 402
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert points[4321] in kept
    assert points[7777] in kept
    assert list(kept) == sorted(kept, key=lambda point: point.t_s)
