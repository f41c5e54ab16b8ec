"""A rehearsal beside the plan: a guest process, one at a time, which no death of the server leaves behind."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.dashboard.conftest import HOSTS
from tests.session.scripted import SMALL
from tests.system.conftest import write_recipe
from xrm_control import app
from xrm_control.app.rehearsal.rehearse import read
from xrm_control.dashboard import rehearsing
from xrm_control.dashboard.access import Access

LONG = {**SMALL, "scan": {**SMALL["scan"], "projections": 4000}}


@pytest.fixture
def desk(served: Any, tmp_path: Path) -> Any:
    """A server with a short recipe and one that takes a while."""
    recipes, root = tmp_path / "recipes", tmp_path / "runs"
    recipes.mkdir()
    root.mkdir()
    for name, content in (("small", SMALL), ("long", LONG)):
        shutil.move(write_recipe(tmp_path, **content), recipes / f"{name}.yaml")
    return served(root, recipes=recipes)


def begin(client: Any, file: str, number: int, **settings: Any) -> Any:
    body = {"file": file, "settings": settings, "request": f"rehearsal-{number}"}
    return client.post("/api/rehearsal", json=body)


def ended(client: Any) -> dict[str, Any]:
    while (view := client.get("/api/rehearsal").json())["state"] == "playing":
        threading.Event().wait(0.05)
    return view


def test_what_it_says_is_what_xrm_rehearse_says(desk: Any, tmp_path: Path) -> None:
    assert desk.get("/api/rehearsal").json()["state"] == "none"
    assert begin(desk, "small.yaml", 1, **{"scan.projections": 9}).json()["state"] == "playing"
    view = ended(desk)
    assert (view["state"], view["said"]) == ("played", "")
    found = read(Path(view["folder"])).items[0]
    first, night = found.nights[0].account, view["night"]
    assert night["verdicts"] == ["complete"]
    assert night["time"] == found.time.model_dump()
    assert night["time"]["p10_s"] <= night["time"]["p50_s"] <= night["time"]["p90_s"]
    assert (night["kept"], night["missing"]) == (first.outcomes.kept, 0)
    assert night["planned_frames"] == night["kept"]
    assert (night["disk_bytes"], night["dose_gy"]) == (first.disk_bytes, first.dose_gy)
    theta = next(axis for axis in night["axes"] if axis["axis"] == "theta")
    assert (theta["unit"], theta["low"], theta["high"]) == ("°", *first.extremes["theta"])
    # Nothing of it is among the runs.
    assert desk.get("/api/runs").json()["total"] == 0
    assert (
        app.load(tmp_path / "recipes" / "small.yaml", {"scan.projections": "9"}).recipe.sha256() == found.recipe_sha256
    )


def test_one_at_a_time_and_cancelled(desk: Any, tmp_path: Path) -> None:
    first = begin(desk, "long.yaml", 2).json()
    assert first["state"] == "playing"
    assert begin(desk, "long.yaml", 2).json()["started_utc"] == first["started_utc"]
    refused = begin(desk, "small.yaml", 3)
    assert (refused.status_code, refused.json()["value"]) == (409, "long.yaml")
    assert desk.post("/api/rehearsal/cancel").status_code == 200
    assert ended(desk)["state"] == "cancelled"
    assert begin(desk, "small.yaml", 4).json()["state"] == "playing"
    assert ended(desk)["state"] == "played"


def test_what_takes_too_long_is_ended(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsing, "_S_PER_FRAME", 0.0)
    desk.app.state.window.rehearser.limit_s = 0.5
    assert begin(desk, "long.yaml", 5).json()["state"] == "playing"
    view = ended(desk)
    assert view["state"] == "troubled"
    assert "took too long" in view["said"]


@pytest.mark.parametrize(
    ("settings", "limit_s", "words"),
    [
        ({"scan.projections": -3}, 900.0, "there are faults: mend them first"),
        ({}, 10.0, "it would take about 1 min, limit 0 min: use `xrm rehearse`"),
    ],
)
def test_where_it_cannot_be_the_reason_is_told_before(
    desk: Any, settings: dict[str, Any], limit_s: float, words: str
) -> None:
    desk.app.state.window.rehearser.limit_s = limit_s
    view = desk.post("/api/drafts/check", json={"file": "long.yaml", "settings": settings}).json()
    assert view["rehearse"] == {"name": "rehearse", "possible": False, "reason": words}
    answer = begin(desk, "long.yaml", 6, **settings)
    assert (answer.status_code, words in answer.json()["what"]) == (400, True)


def test_viewers_rehearse_nothing(served: Any, tmp_path: Path) -> None:
    client = served(tmp_path, Access(HOSTS, "o" * 16, "v" * 16))
    headers = {"Authorization": f"Bearer {'v' * 16}"}
    assert client.get("/api/rehearsal", headers=headers).status_code == 200
    assert client.post("/api/rehearsal/cancel", headers=headers).status_code == 403
