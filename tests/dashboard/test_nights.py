"""A night on one page: what was carried out in it and nothing else, good first, problems with what to do."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.app.queues import Bench
from tests.dashboard.conftest import BASE, HOSTS
from tests.reporting.conftest import results
from xrm_control.app.queue.page import report
from xrm_control.core.clock import utc_now
from xrm_control.core.states import RunState
from xrm_control.dashboard.access import CLIENT_HEADER, Access
from xrm_control.dashboard.server import create_app
from xrm_control.storage.journal import Journal
from xrm_control.storage.records import RunRecord

EVENING = datetime(2024, 11, 26, 18, 0, tzinfo=UTC)


def night_of(client: TestClient, begin: datetime, hours: float = 24.0) -> dict[str, Any]:
    span = {"since": begin.isoformat(), "until": (begin + timedelta(hours=hours)).isoformat()}
    answer = client.get("/api/night", params=span)
    assert answer.status_code == 200, answer.text
    return answer.json()


def names(view: dict[str, Any], part: str) -> list[str]:
    return [one["run"]["name"] for one in view[part]]


def stand(root: Path, name: str, begun: datetime, ended: datetime, state: RunState, verdict: str = "") -> Path:
    """A run's folder as it would be left behind."""
    path = root / name
    path.mkdir(parents=True)
    record = RunRecord(name, "powder", "0" * 64, "simulated", True, begun.isoformat())
    with Journal.create(path / "journal.sqlite", record) as journal:
        journal.set_state(state, t_s=100.0, reason="the shutter is stuck", utc=ended.isoformat())
    if verdict:
        told = results(name)
        told["verdict"] = {"status": verdict, "reasons": [] if verdict == "complete" else ["roi-01 was set aside"]}
        (path / "results.json").write_text(json.dumps(told))
    return path


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def client(tmp_path: Path) -> Any:
    root, hour = tmp_path / "runs", timedelta(hours=1)
    root.mkdir()
    stand(root, "day-before", EVENING - 40 * hour, EVENING - 30 * hour, RunState.DONE, "complete")
    stand(root, "into-the-night", EVENING - 3 * hour, EVENING + hour, RunState.DONE, "complete")
    stand(root, "doubtful", EVENING + hour, EVENING + 2 * hour, RunState.DONE, "doubt")
    stand(root, "stuck", EVENING + 3 * hour, EVENING + 4 * hour, RunState.FAILED)
    stand(root, "next-day", EVENING + 30 * hour, EVENING + 31 * hour, RunState.DONE, "complete")
    (root / "torn").mkdir()
    (root / "torn" / "journal.sqlite").write_bytes(b"no journal")
    with TestClient(
        create_app(root, tmp_path, Access(HOSTS), tmp_path / "queue"), BASE, headers={CLIENT_HEADER: "a-tab"}
    ) as client:
        yield client


def test_only_what_was_carried_out_in_the_night(client: TestClient) -> None:
    view = night_of(client, EVENING)
    assert names(view, "good") == ["into-the-night"]
    assert sorted(names(view, "problems")) == ["doubtful", "stuck"]
    assert (view["going_on"], view["items"], view["queue"], view["left_out"]) == ([], [], None, 0)
    assert names(night_of(client, EVENING + timedelta(hours=25)), "good") == ["next-day"]
    assert client.get("/api/runs", params={"since": (EVENING + timedelta(hours=25)).isoformat()}).json()["total"] == 1


def test_a_problem_has_its_evidence_and_what_to_do(client: TestClient, tmp_path: Path) -> None:
    (stuck,) = (one for one in night_of(client, EVENING)["problems"] if one["run"]["name"] == "stuck")
    place = tmp_path / "runs" / "stuck"
    assert stuck["next"] == [f"xrm status {place}", f"xrm resume {place}"]
    (alarm,) = stuck["run"]["alarms"]
    assert (alarm["evidence"], alarm["action"]) == ("the shutter is stuck", "resume")
    assert stuck["used_s"] == 100.0
    assert stuck["dose_gy"] is None, "no plan tells"
    assert stuck["last_utc"] == (EVENING + timedelta(hours=4)).isoformat()


def test_the_queue_s_items_are_told_as_its_own_page_tells_them(client: TestClient, bench: Bench) -> None:
    bench.add("first")
    bench.add("second", {"stands": "", "code": 2, "says": "no"})
    bench.run()
    now = utc_now()
    view, morning = night_of(client, now - timedelta(hours=1), 2), report(bench.queue)[1]
    by_number = {item.number: item for item in morning.items}
    (good,) = view["good"]
    assert good["next"] == list(by_number[good["item"]].next)
    (item,) = view["items"]
    assert (item["name"], item["state"], item["retry"]) == ("second", str(bench.states()["second"]), True)
    assert item["next"] == list(by_number[item["number"]].next)
    assert view["queue"]["said"] == "1 of 2 done"
    assert view["queue"]["reasons"][0].startswith("item 2 (second)")
    assert night_of(client, now - timedelta(hours=30), 24)["items"] == []
    (card,) = client.get("/api/runs", params={"search": "queue first"}).json()["runs"]
    assert card["name"] == good["run"]["name"]
    assert "first" in card["campaign"]


@pytest.mark.parametrize(
    ("since", "until", "status"),
    [
        ("2024-11-26T18:00:00Z", "2024-11-26T17:00:00Z", 404),
        ("2024-11-26T18:00:00", "2024-11-27T17:00:00Z", 422),
        ("yesterday", "today", 422),
    ],
)
def test_what_is_no_night_is_refused(client: TestClient, since: str, until: str, status: int) -> None:
    answer = client.get("/api/night", params={"since": since, "until": until})
    assert answer.status_code == status
    assert answer.json()["what"]
