"""The mosaic of a run before used again, through whole runs: what is exposed, where regions are, what is refused."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.session.scripted import SMALL, Night
from tests.system.conftest import SHORT, write_recipe
from xrm_control import app
from xrm_control.app.rehearsal import Wish, rehearse
from xrm_control.contracts.rois import ROIS
from xrm_control.core.errors import RecipeError
from xrm_control.core.events import FrameKept, MosaicDoubted, MosaicFoundAgain, RoiPlaced
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.states import FrameKind
from xrm_control.mosaic.file import read_mosaic, write_mosaic
from xrm_control.storage.artifacts import record_file
from xrm_control.storage.journal import Journal
from xrm_control.storage.run_folder import RunFolder

MOSAIC = {**SMALL["mosaic"], "columns": 3, "rows": 2, "overlap_percent": 10}
CHOSEN: dict[str, Any] = {"mosaic": MOSAIC, "roi": {"kind": "most_particles", "count": 1}}
MOVED_UM = (4.2, -2.6)


def again(run: Path, **changes: Any) -> dict[str, Any]:
    return {**CHOSEN, "mosaic": {**MOSAIC, "earlier": {"run": str(run), "looks": 3}}, **changes}


def lying_elsewhere() -> dict[str, Any]:
    """Whoever put the sample back put it elsewhere: content that was at x stands where the stage reads x + moved."""
    faults = [
        {"kind": "offset", "at_s": 0.0, "hidden": True, "axis": axis, "amount": -amount}
        for axis, amount in zip("xy", MOVED_UM, strict=True)
    ]
    return {"instrument": {**SHORT["instrument"], "faults": faults}}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Night:
    night = Night(tmp_path_factory.mktemp("first"), **CHOSEN)
    assert night.error is None
    return night


def test_a_few_tiles_are_looked_at_and_the_region_is_found_where_it_lies_now(first: Night, tmp_path: Path) -> None:
    night = Night(tmp_path, **again(first.folder, **lying_elsewhere()))
    assert night.error is None
    (told,) = night.events(MosaicFoundAgain)
    assert (told.run, told.looks, told.recognised) == (first.folder.name, 3, 3)
    assert (told.x_um, told.y_um) == pytest.approx(MOVED_UM, abs=0.1)
    tiles = [one.frame for one in night.events(FrameKept) if one.frame_kind == FrameKind.TILE]
    assert len(tiles) == 3
    before, now = (ROIS.read(one.folder / "rois.json") for one in (first, night))
    assert now.mosaic.particles == before.mosaic.particles
    for was, place in zip(before.mosaic.places_um, now.mosaic.places_um, strict=True):
        assert (place[0] - was[0], place[1] - was[1]) == pytest.approx(MOVED_UM, abs=0.1)
    # The judge is the scan: its own view at 0 degrees against the map.
    (placed,) = night.events(RoiPlaced)
    assert (placed.x_um, placed.y_um) == pytest.approx((0.0, 0.0), abs=0.3)
    assert now.mosaic.earlier is not None
    assert now.mosaic.earlier.run == first.folder.name
    assert f"The mosaic is that of the run {first.folder.name}" in (night.folder / "report.html").read_text()
    verified = app.verify(night.folder)
    assert verified.exit_code is ExitCode.OK
    with night.journal() as journal:
        made = journal.artifacts()["mosaic.ome.tif"]
    assert made.inputs["earlier_mosaic.ome.tif"] == now.mosaic.earlier.sha256


def test_what_spoke_against_it_is_not_forgotten(first: Night, tmp_path: Path) -> None:
    """A mosaic that could not be relied on is no better for having been found again."""
    copy = tmp_path / "copy"
    shutil.copytree(first.folder, copy)
    mosaic = read_mosaic(copy / "mosaic.ome.tif")
    assert mosaic.registration is not None
    doubted = replace(mosaic, registration=replace(mosaic.registration, refused="the stage jumped"))
    write_mosaic(doubted, copy / "mosaic.ome.tif")
    with Journal.open(copy / "journal.sqlite") as journal:
        record_file(RunFolder.open(copy), journal, copy / "mosaic.ome.tif", "mosaic", 1000.0)
    night = Night(tmp_path, **again(copy))
    assert night.error is None
    assert "the stage jumped" in [one.reason for one in night.events(MosaicDoubted)]
    assert "The mosaic is not to be relied on: the stage jumped" in (night.folder / "report.html").read_text()


def test_the_earlier_run_may_go_once_its_mosaic_is_here(first: Night, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(first.folder, copy)
    loaded = app.load(write_recipe(tmp_path, **{**SMALL, **again(copy)}))
    begun = app.run(loaded, tmp_path / "runs", None, until="mosaic")
    shutil.rmtree(copy)
    ended = app.resume(begun.folder, None)
    assert ended.exit_code in (ExitCode.OK, ExitCode.PARTLY)
    assert ROIS.read(begun.folder / "rois.json").mosaic.earlier is not None


def test_another_sample_ends_the_run_before_anything_is_chosen(first: Night, tmp_path: Path) -> None:
    other = {"instrument": {**SHORT["instrument"], "seed": 41}}
    night = Night(tmp_path, **again(first.folder, **other))
    assert "does not look like the earlier mosaic" in str(night.error)
    assert not (night.folder / "rois.json").exists()


@pytest.mark.parametrize(
    ("mosaic", "says"),
    [
        ({"columns": 2}, "mosaic.columns: the earlier run's mosaic was taken otherwise"),
        ({"overlap_percent": 0}, "write overlap_percent: 10"),
        ({"binning": 4}, "value 4, there 8"),
        ({"earlier": {"run": "nowhere"}}, "mosaic.earlier.run: no such run folder"),
        ({"earlier": {"run": "."}}, "is no run folder"),
        ({"earlier": {"run": __file__}}, "is a file"),
        ({"earlier": {"run": "x", "looks": 2}}, "mosaic.earlier.looks"),
    ],
)
def test_a_mosaic_that_does_not_fit_is_refused_before_the_night(
    first: Night, tmp_path: Path, mosaic: dict[str, Any], says: str
) -> None:
    changed = again(first.folder)
    changed["mosaic"] = {**changed["mosaic"], **mosaic}
    with pytest.raises(RecipeError) as refused:
        app.check(app.load(write_recipe(tmp_path, **{**SMALL, **changed})))
    assert says in str(refused.value)


@pytest.mark.parametrize(("harm", "says"), [("altered", "another mosaic than its journal"), ("gone", "another mosaic")])
def test_a_mosaic_that_is_not_what_was_recorded_is_refused(first: Night, tmp_path: Path, harm: str, says: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(first.folder, copy)
    path = copy / "mosaic.ome.tif"
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\0")
    with pytest.raises(RecipeError, match=says):
        app.check(app.load(write_recipe(tmp_path, **{**SMALL, **again(copy)})))


def test_a_rehearsal_without_pictures_takes_it_unseen_and_says_so(first: Night, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, **{**SMALL, **again(first.folder)})
    folder, found = rehearse(recipe, Wish(images=False, out=tmp_path / "rehearsals"))
    assert len(found.items) == 1
    run = next((folder / "runs").iterdir())
    assert "used again unseen" in (run / "log.jsonl").read_text()
    earlier = ROIS.read(run / "rois.json").mosaic.earlier
    assert earlier is not None
    assert (earlier.looks, earlier.scatter_um) == (0, None)
