"""Runs in the list: the one begun last first, whatever its folder is called; by each column; found while they go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.system.conftest import SHORT
from xrm_control.core.states import RunState, Verdict
from xrm_control.dashboard.models_run import RunCard
from xrm_control.dashboard.run_order import RunOrder, in_order
from xrm_control.storage.journal import Journal
from xrm_control.storage.records import RunRecord


def card(name: str, begun: str, **about: Any) -> RunCard:
    plain = {
        "recipe_name": name, "sample": "", "state": RunState.DONE, "alive": False, "died": False, "simulated": True,
        "kept": 0, "planned": 0, "particles": None, "verdict": None,
    }  # fmt: skip
    return RunCard.model_validate({"name": name, "started_utc": begun, **plain, **about})


# In different zones and spellings: the first is the latest, the third the earliest; of one nothing can be read.
CARDS = [
    card("a renamed one", "2026-03-01T12:00:00+02:00", sample="silicon", particles=4, kept=7, state=RunState.SCANNING),
    card("zz", "2026-03-01T09:30:00+00:00", sample="", particles=12, kept=3, verdict=Verdict.FAILED),
    card("m", "2026-02-01T00:00:00Z", sample="NMC811", kept=9, verdict=Verdict.COMPLETE, died=True),
    card("20260228T235959Z_x_0001", "", recipe_name="", state=None),
]
LATEST = ["a renamed one", "zz", "20260228T235959Z_x_0001", "m"]


@pytest.mark.parametrize(
    ("order", "descending", "names"),
    [
        (RunOrder.BEGUN, True, LATEST),
        (RunOrder.BEGUN, False, LATEST[::-1]),
        (RunOrder.RECIPE, False, ["20260228T235959Z_x_0001", "a renamed one", "m", "zz"]),
        (RunOrder.SAMPLE, False, ["m", "a renamed one", "zz", "20260228T235959Z_x_0001"]),
        (RunOrder.SAMPLE, True, ["a renamed one", "m", "zz", "20260228T235959Z_x_0001"]),
        (RunOrder.STATE, False, ["m", "a renamed one", "zz", "20260228T235959Z_x_0001"]),
        (RunOrder.FRAMES, True, ["m", "a renamed one", "zz", "20260228T235959Z_x_0001"]),
        (RunOrder.PARTICLES, True, ["zz", "a renamed one", "20260228T235959Z_x_0001", "m"]),
        (RunOrder.VERDICT, True, ["zz", "m", "a renamed one", "20260228T235959Z_x_0001"]),
    ],
)
def test_runs_stand_in_an_order(order: RunOrder, descending: bool, names: list[str]) -> None:
    for cards in (CARDS, CARDS[::-1]):
        assert [one.name for one in in_order(cards, order, descending=descending)] == names


def begin(root: Path, name: str, begun: str, recipe: str) -> None:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(recipe)
    with Journal.create(folder / "journal.sqlite", RunRecord(name, "r", "0" * 64, "simulated", True, begun)):
        pass


def test_the_list_of_a_folder(served: Any, tmp_path: Path) -> None:
    root = tmp_path / "runs"
    recipe = yaml.safe_dump({**SHORT, "sample": {"name": "mine", "formula": "Si", "density_g_cm3": 2.3}})
    long = "ü" * 100 + "x" * 55  # 255 bytes: the longest that a folder can be called
    begin(root, "zebra", "2026-01-01T00:00:00+00:00", recipe)
    begin(root, "ape", "2026-01-02T00:00:00+00:00", "sample: [no recipe")
    begin(root, long, "2026-01-03T00:00:00+00:00", recipe)
    client = served(root)

    def names(**chosen: Any) -> list[str]:
        return [one["name"] for one in client.get("/api/runs", params=chosen).json()["runs"]]

    assert names() == [long, "ape", "zebra"]
    assert names(limit=1, offset=1) == ["ape"]
    assert names(order="recipe", descending=False) == names()
    # Found by its sample before there are results of it.
    assert names(search="mine Si") == [long, "zebra"]
    assert client.get(f"/api/runs/{long}").json()["sample"] == "mine, Si"
    assert client.get("/api/runs", params={"order": "colour"}).status_code == 422
