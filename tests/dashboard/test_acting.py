"""Acts reach the run, once, under the name of whoever wants them; what cannot be is refused with the reason."""

from __future__ import annotations

import json
import shutil
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.dashboard.conftest import listening
from tests.session.scripted import SMALL
from tests.system.conftest import write_recipe
from xrm_control import app
from xrm_control.contracts.commands import Abort
from xrm_control.core.errors import CommandRefusal, CommandUnanswered, Interrupted
from xrm_control.core.states import RunState
from xrm_control.dashboard.access import CLIENT_HEADER
from xrm_control.storage.inbox import Inbox
from xrm_control.storage.run_folder import RunFolder

pytestmark = pytest.mark.usefixtures("white_figures")


@pytest.fixture
def living(tmp_path: Path) -> Iterator[Path]:
    """A run that somebody carries out, on the wall clock; ended by the test's end at the latest."""
    loaded, root, ends = app.load(write_recipe(tmp_path, **SMALL)), tmp_path / "runs", list[str]()

    def carry_out() -> None:
        try:
            app.run(loaded, root, "4")
        except Interrupted as error:
            ends.append(str(error))

    thread = threading.Thread(target=carry_out)
    thread.start()
    while not (found := list(root.glob("*/journal.sqlite"))):
        threading.Event().wait(0.01)
    path = found[0].parent
    yield path
    if RunFolder(path).holder() is not None:
        with suppress(CommandRefusal, CommandUnanswered):
            app.send(path, Abort(), within_s=120.0)
    thread.join()


def wish(kind: str, number: int, **more: Any) -> dict[str, Any]:
    return {"command": {"kind": kind, **more}, "request": f"request-{number}"}


def sent(client: Any, run: str, body: dict[str, Any], **more: Any) -> Any:
    """Asked again, under the same name, while a busy machine has not answered."""
    while (answer := client.post(f"/api/runs/{run}/commands", json=body, **more)).status_code == 504:
        pass
    return answer


def state_of(client: Any, run: str) -> str:
    return client.get(f"/api/runs/{run}").json()["state"]


def until(client: Any, run: str, state: str) -> None:
    while state_of(client, run) != state:
        threading.Event().wait(0.02)


def test_pause_continue_add_skip_and_abort(served: Any, living: Path) -> None:
    client, run = served(living.parent), living.name
    client.post("/api/control/take", json={"name": "Ada"})
    for _ in range(2):
        assert sent(client, run, wish("pause", 1000001)).status_code == 200
    until(client, living.name, "paused")
    view = client.get(f"/api/runs/{living.name}").json()
    possible = {action["name"]: action["possible"] for action in view["actions"]}
    assert possible == {
        "pause": False, "continue": True, "resume": False, "skip": possible["skip"], "order": False, "add": True,
        "until": True, "stop": True, "abort": True,
    }  # fmt: skip
    assert any("paused" in alarm["cause"] and alarm["action"] == "continue" for alarm in view["alarms"])
    cost = client.post(f"/api/runs/{living.name}/cost", json={"x_um": 0, "y_um": 0, "width_um": 100, "height_um": 60})
    assert cost.json()["windows"] == 2
    assert sent(client, run, wish("continue", 1000002)).status_code == 200
    refused = sent(client, run, wish("skip", 1000003, roi="roi-77"))
    assert refused.status_code == 409
    assert "roi-77" in refused.json()["what"]
    assert sent(client, run, wish("abort", 1000004)).status_code == 200
    until(client, living.name, "aborted")
    log = client.get(f"/api/runs/{living.name}/lines", params={"limit": 1000}).json()["lines"]
    taken = [line["text"] for line in log if line["kind"] == "command.taken"]
    assert sum("pause" in text for text in taken) == 1
    assert all("Ada by" in text for text in taken)
    while (view := client.get(f"/api/runs/{living.name}").json())["alive"]:
        threading.Event().wait(0.02)
    assert {one["name"] for one in view["actions"] if one["possible"]} >= {"resume"}


def test_sent_twice_at_the_same_time_it_is_done_once(living: Path, tmp_path: Path) -> None:
    """As by a browser that asks again on another connection before it has heard an answer."""
    body = json.dumps(wish("pause", 5000001)).encode()
    with listening(living.parent, tmp_path) as address:

        def post() -> None:
            headers = {CLIENT_HEADER: "a-tab", "Content-Type": "application/json"}
            asked = urllib.request.Request(f"{address}/api/runs/{living.name}/commands", body, headers)
            with suppress(urllib.error.HTTPError), urllib.request.urlopen(asked, timeout=60) as answer:
                answer.read()

        threads = [threading.Thread(target=post) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    letters = list((living / "commands").rglob("*-request-5000001.json"))
    assert len(letters) == 1


def test_who_is_not_in_control_may_only_look_pause_and_abort(served: Any, living: Path) -> None:
    client, run = served(living.parent), living.name
    client.post("/api/control/take", json={"name": "Ada"})
    other = {CLIENT_HEADER: "another-tab"}
    assert client.get("/api/control", params={"client": "another-tab"}).json()["you"] is False
    answer = sent(client, run, wish("stop", 2000001), headers=other)
    assert (answer.status_code, answer.json()["value"]) == (403, "Ada")
    assert Inbox(RunFolder(living)).sent("request-2000001") is None
    assert sent(client, run, wish("pause", 2000002), headers=other).status_code == 200
    assert client.post("/api/control/take", json={"name": "Bob"}, headers=other).json()["you"] is True
    assert sent(client, run, wish("stop", 2000003)).status_code == 403


def test_of_two_tabs_that_act_at_once_one_has_control(served: Any, ended: Path) -> None:
    """Both saw nobody in control: whoever is later takes it from nobody unasked."""
    client, other = served(ended.parent), {CLIENT_HEADER: "another-tab"}
    first = client.post("/api/control/take", json={"name": "Ada", "free": True})
    second = client.post("/api/control/take", json={"name": "Bob", "free": True}, headers=other)
    assert (first.json()["you"], second.status_code, second.json()["value"]) == (True, 403, "Ada")
    assert client.post("/api/control/take", json={"name": "Ada", "free": True}).json()["you"] is True
    seen = client.get("/api/control", params={"client": "another-tab"}).json()
    assert (seen["holder"], seen["you"], seen["seen_utc"] is None) == ("Ada", False, False)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"command": {"kind": "format"}, "request": "request-1"},
        {"command": {"kind": "skip", "roi": "../roi-01"}, "request": "request-1"},
        {"command": {"kind": "add", "x_um": "nan", "y_um": 0}, "request": "request-1"},
        {"command": {"kind": "add", "x_um": 1e400, "y_um": 0}, "request": "request-1"},
        {"command": {"kind": "pause"}, "request": "../../evil"},
        {"command": {"kind": "pause"}, "request": "short"},
        {"command": {"kind": "pause", "more": 1}, "request": "request-1"},
    ],
)
def test_what_is_no_command_reaches_no_run(served: Any, ended: Path, body: dict[str, Any]) -> None:
    text = json.dumps(body)
    client = served(ended.parent)
    answer = client.post(f"/api/runs/{ended.name}/commands", content=text, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["what"]
    assert not (ended / "commands").exists()


def test_a_run_that_is_done_takes_nothing(served: Any, ended: Path) -> None:
    client = served(ended.parent)
    answer = client.post(f"/api/runs/{ended.name}/commands", json=wish("pause", 3000001))
    assert answer.status_code == 409
    assert "nobody carries the run out" in answer.json()["what"]


def test_a_recipe_is_checked_planned_and_started_once(served: Any, tmp_path: Path) -> None:
    recipes, root = tmp_path / "recipes", tmp_path / "runs"
    recipes.mkdir()
    root.mkdir()
    shutil.move(write_recipe(tmp_path, **SMALL), recipes / "small.yaml")
    client = served(root, recipes=recipes)
    assert [card["file"] for card in client.get("/api/recipes").json()] == ["small.yaml"]
    settings = {one["path"]: one for one in client.get("/api/recipes/small.yaml/settings").json()}
    assert settings["scan.projections"]["value"] == SMALL["scan"]["projections"]
    bad = client.post("/api/drafts/check", json={"file": "small.yaml", "settings": {"scan.projections": -3}}).json()
    assert "scan.projections" in str(bad["faults"])
    good = client.post("/api/drafts/check", json={"file": "small.yaml", "settings": {"scan.projections": 9}}).json()
    assert (good["faults"], good["plan"]["projections"]) == ([], 9)
    start = {"file": "small.yaml", "settings": {"scan.projections": 9}, "request": "request-4000001"}
    first = client.post("/api/runs", json=start)
    assert first.status_code == 200, first.text
    assert client.post("/api/runs", json=start).json() == first.json()
    run = first.json()["text"]
    while client.get(f"/api/runs/{run}").json()["state"] not in ("done", "failed"):
        threading.Event().wait(0.05)
    assert len(list(root.glob("*/journal.sqlite"))) == 1
    assert app.status(root / run).state.state is RunState.DONE  # type: ignore[union-attr]
    refused = client.post(
        "/api/runs", json={**start, "settings": {"scan.projections": -3}, "request": "request-4000002"}
    )
    assert refused.status_code == 400


@pytest.mark.parametrize(
    ("place", "status", "words"),
    [
        ({"x_um": 0.0, "y_um": 0.0}, 400, "overlaps that of roi-01"),
        ({"x_um": 4000.0, "y_um": 0.0}, 400, "leaves the mosaic"),
        ({"x_um": 0.0, "y_um": 0.0, "width_um": 900.0}, 400, "leaves the mosaic"),
        ({"x_um": 0.0, "y_um": 0.0, "width_um": 1e300}, 400, "too many regions"),
        ({"x_um": 0.0, "y_um": 0.0, "width_um": -1.0}, 422, "greater than 0"),
    ],
)
def test_a_place_that_cannot_be_is_refused_before_it_is_confirmed(
    served: Any, ended: Path, place: dict[str, float], status: int, words: str
) -> None:
    answer = served(ended.parent).post(f"/api/runs/{ended.name}/cost", json=place)
    assert (answer.status_code, words in answer.json()["what"]) == (status, True), answer.text
