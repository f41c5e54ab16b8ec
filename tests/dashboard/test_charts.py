"""Control charts: limits by the published rule, from runs that count; too few of them give none, and it is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.dashboard.conftest import BASE, HOSTS
from tests.reporting.conftest import results
from xrm_control.core.states import RunState
from xrm_control.dashboard.access import CLIENT_HEADER, Access
from xrm_control.dashboard.server import create_app
from xrm_control.storage.journal import Journal
from xrm_control.storage.records import RunRecord

# NIST/SEMATECH e-Handbook 6.3.2.2: flow rates, mean 50.81, mean moving range 1.8778, limits 45.8154 and 55.8041.
FLOW = (49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1)


def stand(root: Path, number: int, value: float | None, verdict: str = "complete", sha: str = "0" * 64) -> None:
    name = f"run-{number:02d}"
    path = root / name
    path.mkdir(parents=True)
    begun = f"2026-11-{number + 1:02d}T20:00:00+00:00"
    with Journal.create(path / "journal.sqlite", RunRecord(name, "powder", sha, "simulated", True, begun)) as journal:
        journal.set_state(RunState.DONE, t_s=100.0, reason="", utc=begun)
    told = results(name)
    told["recipe_sha256"] = sha
    told["verdict"] = {"status": verdict, "reasons": []}
    told["population"].pop("equivalent_diameter_um", None)
    if value is not None:
        told["population"]["equivalent_diameter_um"] = {"n": 40, "mean": value, "mean_interval": [value - 1, value + 1]}
    (path / "results.json").write_text(json.dumps(told))


@pytest.fixture
def client(tmp_path: Path) -> Any:
    (tmp_path / "runs").mkdir()
    with TestClient(create_app(tmp_path / "runs", tmp_path, Access(HOSTS)), BASE, headers={CLIENT_HEADER: "t"}) as one:
        yield one


def chart(client: TestClient, **more: str) -> dict[str, Any]:
    answer = client.get("/api/chart", params={"number": "equivalent_diameter_um", **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_limits_are_those_of_the_handbook(client: TestClient, tmp_path: Path) -> None:
    for number, value in enumerate(FLOW):
        stand(tmp_path / "runs", number, value)
    view = chart(client)
    assert [point["value"] for point in view["points"]] == list(FLOW)
    assert [point["run"] for point in view["points"]] == [f"run-{number:02d}" for number in range(10)]
    assert view["centre"] == pytest.approx(50.81)
    assert view["range_mean"] == pytest.approx(1.8778, abs=1e-4)
    assert (view["lower"], view["upper"]) == (pytest.approx(45.8154, abs=2e-3), pytest.approx(55.8041, abs=2e-3))
    assert view["range_upper"] == pytest.approx(3.267 * 1.8778, abs=1e-3)
    assert not any(point["outside"] or point["jumped"] for point in view["points"])
    assert (view["points"][0]["low"], view["points"][0]["high"], view["points"][0]["n"]) == (48.6, 50.6, 40)
    assert view["said"] == []
    assert "NIST" in view["rule"]
    assert [point["run"] for point in chart(client, search="run-07")["points"]] == ["run-07"]
    assert len(chart(client, since="2026-11-05T00:00:00Z", until="2026-11-08T00:00:00Z")["points"]) == 3


def test_one_that_does_not_belong_is_told_and_moves_no_limit(client: TestClient, tmp_path: Path) -> None:
    for number, value in enumerate(FLOW):
        stand(tmp_path / "runs", number, value)
    stand(tmp_path / "runs", 10, 70.0, "doubt", "1" * 64)
    stand(tmp_path / "runs", 11, None)
    view = chart(client)
    assert view["upper"] == pytest.approx(55.8041, abs=2e-3)
    assert [(point["run"], point["counts"]) for point in view["points"] if point["outside"]] == [("run-10", False)]
    assert view["left_out"] == 1
    assert [words.split(":")[0] for words in view["said"]] == [
        "1 run that is not complete is shown, and does not count for the limits",
        "2 different recipes",
    ]


def test_too_few_give_no_limits(client: TestClient, tmp_path: Path) -> None:
    for number, value in enumerate(FLOW[:7]):
        stand(tmp_path / "runs", number, value)
    view = chart(client)
    assert (view["centre"], view["lower"], view["upper"], view["range_upper"]) == (None, None, None, None)
    assert view["said"][0].startswith("no limits: 7 complete runs")
    assert not any(point["outside"] for point in view["points"])


def test_which_numbers_there_are(client: TestClient) -> None:
    found = {one["name"]: one for one in client.get("/api/chart/numbers").json()}
    assert {"equivalent_diameter_um", "voided_percent", "dead_volume_percent", "sphericity"} <= set(found)
    assert found["equivalent_diameter_um"]["unit"] == "µm"
    assert chart(client)["points"] == []
    answer = client.get("/api/chart", params={"number": "beauty"})
    assert (answer.status_code, answer.json()["value"]) == (404, "beauty")
