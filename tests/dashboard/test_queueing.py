"""The queue in the window: what is shown is the queue's; what is changed is changed in its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.app.queues import Bench
from tests.dashboard.conftest import BASE, HOSTS
from xrm_control.app.queue import items
from xrm_control.app.queue.items import sender
from xrm_control.contracts.queue import Item
from xrm_control.core.queue_states import ItemState
from xrm_control.dashboard.access import CLIENT_HEADER, Access
from xrm_control.dashboard.guests import NOTE, Note
from xrm_control.dashboard.queues import QueueLooks
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


def test_one_look_serves_all_who_watch(tmp_path: Path, bench: Bench) -> None:
    queue, looks = tmp_path / "queue", QueueLooks()
    bench.add("first")
    seen = looks.view(queue)
    assert looks.view(queue) is seen
    # Whoever changes it elsewhere is seen at once, as is what was done from here.
    bench.add("second")
    assert [item.name for item in looks.view(queue).ahead] == ["first", "second"]
    seen = looks.view(queue)
    looks.forget()
    assert looks.view(queue) is not seen


def test_a_recipe_is_put_in_once_with_its_settings_and_who_wanted_it(client: Any, bench: Bench) -> None:
    bench.add("first")
    client.post("/api/control/take", json={"name": "Ada"})
    draft = {"file": "short.yaml", "settings": {"name": "late", "scan.projections": 9}, "request": "a-request-1"}
    answers = [client.post("/api/queue/items", json=draft) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["text"] for answer in answers} == {"item 2 (late) waits in the queue"}
    assert names(client) == ["first", "late"]
    assert bench.items()["late"].history[0].by == f"Ada by {sender()}"
    assert "projections: 9" in next((bench.queue / "items").glob("*late*/recipe.yaml")).read_text()
    now = {**draft, "settings": {"name": "soon"}, "request": "a-request-2", "first": True}
    assert client.post("/api/queue/items", json=now).json()["text"] == "item 3 (soon) is done next"
    assert names(client) == ["soon", "first", "late"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"settings": {"scan.projections": -4}}, 400),
        ({"settings": {"scan.nothing": 1}}, 400),
        ({"file": "other.yaml"}, 404),
        ({"file": "../short.yaml"}, 422),
        ({"request": "x"}, 422),
    ],
)
def test_what_cannot_be_put_in_is_refused_and_nothing_is_added(
    client: Any, bench: Bench, change: dict[str, Any], status: int
) -> None:
    bench.add("first")
    draft = {"file": "short.yaml", "settings": {}, "request": "a-request-1", **change}
    assert client.post("/api/queue/items", json=draft).status_code == status
    # The same again is not tried anew.
    assert client.post("/api/queue/items", json=draft).status_code in (status, 409)
    assert names(client) == ["first"]


def test_a_request_of_which_nobody_knows_what_became_is_not_carried_out_again(
    client: Any, bench: Bench, tmp_path: Path
) -> None:
    bench.add("first")
    draft = {"file": "short.yaml", "settings": {}, "request": "a-request-1"}
    asked = ("queue", "add", str(tmp_path / "short.yaml"), "--queue", str(bench.queue))
    # As a server leaves it that is killed in the midst.
    place = tmp_path / "runs" / ".window"
    place.mkdir()
    (place / "a-request-1.json").write_text(NOTE.text(Note(arguments=asked)))
    answer = client.post("/api/queue/items", json=draft)
    assert answer.status_code == 409
    assert "nobody knows what became of it" in answer.json()["what"]
    assert names(client) == ["first"]


def test_an_empty_queue_is_not_run(client: Any) -> None:
    answer = client.post("/api/queue/run", json={"request": "a-request-1"})
    assert (answer.status_code, answer.json()["what"]) == (409, "nothing is in the queue")


def test_skipped_and_tried_again(client: Any, bench: Bench) -> None:
    bench.add("first")
    bench.add("second")
    client.post("/api/control/take", json={"name": "Ada"})
    place = f"/api/queue/items/{number(bench, 'first')}"
    assert client.post(f"{place}/skip").status_code == 200
    assert bench.states()["first"] is ItemState.SKIPPED
    assert bench.items()["first"].reason == f"skipped by Ada by {sender()}"
    (over,) = client.get("/api/queue").json()["over"]
    assert (over["name"], over["actions"]) == ("first", ["retry"])
    assert client.post(f"{place}/retry").status_code == 200
    assert bench.states()["first"] is ItemState.WAITING
    assert [entry.by for entry in bench.items()["first"].history[1:]] == [f"Ada by {sender()}"] * 2


def test_who_moved_an_item_is_on_record(client: Any, bench: Bench) -> None:
    bench.add("first")
    bench.add("second")
    place = f"/api/queue/items/{number(bench, 'second')}/move"
    for name, where in (("Ada", {"first": True}), ("Bea", {"after": number(bench, "first")})):
        client.post("/api/control/take", json={"name": name})
        assert client.post(place, json=where).status_code == 200
    moves = bench.items()["second"].moves
    assert [(move.by, move.asked) for move in moves] == [
        (f"Ada by {sender()}", "first"),
        (f"Bea by {sender()}", f"after item {number(bench, 'first')}"),
    ]
    first = bench.items()["first"]
    assert not first.moves
    # As it was sealed before moves were kept.
    assert Item.model_validate_json(first.model_dump_json(exclude={"moves"})).seal == first.seal != ""


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
