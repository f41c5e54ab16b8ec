"""The queue in the window: what is shown is the queue's; what is changed is changed in its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.app.queues import Bench
from tests.dashboard.conftest import BASE, HOSTS
from xrm_control.app.queue import items
from xrm_control.core.queue_states import ItemState
from xrm_control.dashboard.access import CLIENT_HEADER, Access
from xrm_control.dashboard.server import create_app


@pytest.fixture
def client(tmp_path: Path) -> Any:
    root = tmp_path / "runs"
    root.mkdir()
    app = create_app(root, tmp_path, Access(HOSTS), tmp_path / "queue")
    with TestClient(app, BASE, headers={CLIENT_HEADER: "a-tab"}) as client:
        yield client


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def names(client: Any, part: str = "ahead") -> list[str]:
    return [item["name"] for item in client.get("/api/queue").json()[part]]


def number(bench: Bench, name: str) -> int:
    return bench.items()[name].number


def test_before_there_is_a_queue(client: Any) -> None:
    view = client.get("/api/queue").json()
    assert (view["ahead"], view["over"], view["runner"], view["morning"]) == ([], [], "", False)


def test_the_order_is_the_queue_s_and_can_be_changed(client: Any, bench: Bench) -> None:
    for name in ("first", "second", "third"):
        bench.add(name)
    assert names(client) == ["first", "second", "third"]
    ahead = client.get("/api/queue").json()["ahead"]
    assert ahead[0]["ends"] <= ahead[1]["begins"]
    moves = f"/api/queue/items/{number(bench, 'third')}/move"
    assert client.post(moves, json={"before": number(bench, "first")}).status_code == 200
    assert names(client) == ["third", "first", "second"]
    assert client.post(moves, json={"after": number(bench, "second")}).status_code == 200
    assert names(client) == ["first", "second", "third"]
    assert client.post(moves, json={"first": True}).status_code == 200
    assert names(client) == ["third", "first", "second"]


def test_skipped_and_tried_again(client: Any, bench: Bench) -> None:
    bench.add("first")
    bench.add("second")
    client.post("/api/control/take", json={"name": "Ada"})
    place = f"/api/queue/items/{number(bench, 'first')}"
    assert client.post(f"{place}/skip").status_code == 200
    assert bench.states()["first"] is ItemState.SKIPPED
    assert "Ada" in bench.items()["first"].reason
    (over,) = client.get("/api/queue").json()["over"]
    assert (over["name"], over["actions"]) == ("first", ["retry"])
    assert client.post(f"{place}/retry").status_code == 200
    assert bench.states()["first"] is ItemState.WAITING


def test_the_runs_of_its_items_are_among_the_runs(client: Any, bench: Bench) -> None:
    bench.add("first")
    bench.run()
    (over,) = client.get("/api/queue").json()["over"]
    assert over["state"] == "done"
    assert over["run"]
    assert [card["name"] for card in client.get("/api/runs").json()["runs"]] == [over["run"]]
    assert client.get(f"/api/runs/{over['run']}").json()["state"] == "done"
    page = client.get("/api/queue/morning.html")
    assert page.status_code == (200 if client.get("/api/queue").json()["morning"] else 404)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("items/9/skip", None, 404),
        ("items/1/move", {}, 400),
        ("items/1/move", {"before": 1}, (400, 404, 409)),
        ("items/1/move", {"before": "../../x"}, 422),
        ("items/x/skip", None, 422),
        ("stop", None, 409),
    ],
)
def test_what_cannot_be_is_refused(client: Any, bench: Bench, path: str, body: Any, status: int | tuple[int]) -> None:
    bench.add("first")
    before = bench.items()
    answer = client.post(f"/api/queue/{path}", json=body)
    assert answer.status_code in (status if isinstance(status, tuple) else (status,)), answer.text
    assert answer.json()["what"]
    assert bench.items() == before


def test_only_who_is_in_control_changes_it(client: Any, bench: Bench) -> None:
    items.add(bench.queue, bench.recipe)
    client.post("/api/control/take", json={"name": "Ada"})
    answer = client.post("/api/queue/items/1/skip", headers={CLIENT_HEADER: "another"})
    assert answer.status_code == 403
    assert bench.items()["short"].state is ItemState.WAITING
