"""A night before it begins: on the twin, in its own folder, marked, and held against the plan."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest
import yaml

from tests.ioc_process import client_environment
from xrm_control import app
from xrm_control.app.comparison import compare
from xrm_control.app.queue import items
from xrm_control.app.queue.items import Wanted
from xrm_control.app.rehearsal import Wish, rehearse
from xrm_control.app.rehearsal.rehearse import read
from xrm_control.app.rehearsal.twin import text_of, twin_of
from xrm_control.contracts.rehearsal import Rehearsal
from xrm_control.core.errors import DataError, RecipeError
from xrm_control.core.rehearsal import REHEARSAL_BACKEND
from xrm_control.core.states import Verdict
from xrm_control.recipe.document import Recipe
from xrm_control.recipe.loading import load_document, load_text
from xrm_control.storage import rehearsal_folder
from xrm_control.storage.rehearsal_folder import RehearsalFolder

pytestmark = pytest.mark.usefixtures("white_figures")

RECIPES = Path(__file__).parents[2] / "recipes"
MAP = RECIPES / "instruments" / "simulated_ioc.yaml"
NIGHT = {
    "name": "short_night",
    "instrument": {"backend": "simulated", "seed": 3},
    "mosaic": {"columns": 3, "rows": 1, "flats": 2, "darks": 2},
    "roi": {"kind": "grid", "rows": 1, "columns": 2, "pitch_um": 70},
    "scan": {"projections": 16, "binning": 4, "darks": 2, "references": {"kind": "every", "interval": 8, "count": 2}},
    "compute": {"kind": "inline"},
    "output": {"keep_free_gb": 0},
}
STORM = [
    {"kind": "beam_loss", "at_s": 60.0, "duration_s": 100.0},
    {"kind": "dark_frame", "at_s": 20.0},
]


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("night"), NIGHT)


@pytest.fixture(scope="module")
def calm(night: Path) -> tuple[Path, Rehearsal]:
    return rehearse(night, Wish(images=False, nights=3, out=night.parent / "rehearsals"))


@pytest.fixture(scope="module")
def stormy(night: Path) -> tuple[Path, Rehearsal]:
    storm = night.parent / "storm.yaml"
    storm.write_text(yaml.safe_dump({"faults": STORM}))
    return rehearse(night, Wish(images=False, storm=str(storm), out=night.parent / "rehearsals"))


def written(folder: Path, content: dict[str, object]) -> Path:
    path = folder / f"{content['name']}.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize("one_disk", [True, False])
def test_a_rehearsed_run_is_kept_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, one_disk: bool
) -> None:
    run = tmp_path / "played" / "run"
    (run / "frames").mkdir(parents=True)
    for name in ("recipe.yaml", "frames/a.tif"):
        (run / name).write_text(name)
    folder = RehearsalFolder(tmp_path / "rehearsal")
    folder.path.mkdir()
    monkeypatch.setattr(rehearsal_folder, "_on_one_disk", lambda *_: one_disk)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(folder.path))

    with monkeypatch.context() as disk:
        disk.setattr(rehearsal_folder, "publish_file", full)
        disk.setattr(shutil, "copyfile", full)
        with pytest.raises(OSError, match=r"No space left|the disk is full"):
            folder.keep(run)
    assert not (folder.runs / "run").exists()
    other = tmp_path / "played" / "again"
    run.rename(other)
    kept = folder.path / folder.keep(other)
    assert {path.name: path.read_text() for path in kept.rglob("*.*")} == {
        "recipe.yaml": "recipe.yaml",
        "a.tif": "frames/a.tif",
    }


def test_a_calm_night_comes_to_what_was_planned(night: Path, calm: tuple[Path, Rehearsal]) -> None:
    plan, item = app.check(app.load(night)), calm[1].items[0]
    found = item.nights[0].account
    assert [one.account.verdict for one in item.nights] == [Verdict.COMPLETE] * 3
    assert found.outcomes.kept == found.outcomes.planned == sum(stage.frames for stage in plan.stages)
    assert found.total_s == pytest.approx(plan.total_s, rel=0.05)
    assert found.disk_bytes == pytest.approx(plan.disk_bytes, rel=0.15)
    assert found.dose_gy == pytest.approx(plan.dose_per_scan_gy * plan.rois)
    assert {stage.name: stage.outcomes.kept for stage in found.stages} == {
        stage.name: stage.frames for stage in plan.stages if stage.frames
    }


def test_extremes_are_those_of_the_planned_ways(calm: tuple[Path, Rehearsal]) -> None:
    extremes = calm[1].items[0].nights[0].account.extremes
    assert extremes["theta"] == pytest.approx((-90.0, 90.0), abs=0.05)
    assert extremes["y"] == pytest.approx((0.0, 0.0), abs=0.5)
    # References stand beside the strip.
    assert max(map(abs, extremes["x"])) > 190


def test_quantiles_are_of_the_nights_that_were_played(calm: tuple[Path, Rehearsal]) -> None:
    time, nights = calm[1].items[0].time, calm[1].items[0].nights
    played = sorted(night.account.total_s for night in nights)
    assert played[0] <= time.p10_s <= time.p50_s <= time.p90_s <= played[-1]
    assert time.of == "3 nights played"
    assert [night.seed for night in nights] == [3, 4, 5]
    assert [night.run is not None for night in nights] == [True, False, False]


def test_it_is_read_as_it_was_written_and_says_what_it_is(calm: tuple[Path, Rehearsal]) -> None:
    folder, found = calm
    assert read(folder) == found
    assert "rehearsal-of" in folder.name
    page = (folder / "rehearsal.html").read_text()
    assert "simulated, no data" in page
    assert sorted(path.name for path in folder.iterdir()) == ["rehearsal.html", "rehearsal.json", "runs"]


def test_nobody_takes_its_run_for_data(calm: tuple[Path, Rehearsal]) -> None:
    folder, found = calm
    run = folder / str(found.items[0].nights[0].run)
    summary = app.status(run)
    assert summary.run.rehearsal
    assert summary.run.backend == REHEARSAL_BACKEND
    assert (run / "recipe.yaml").read_text().startswith("# REHEARSAL of")
    assert "Rehearsal, no data" in app.report(run).read_text()
    assert app.verify(run).exit_code == 0


def test_a_storm_is_told_with_what_it_cost(calm: tuple[Path, Rehearsal], stormy: tuple[Path, Rehearsal]) -> None:
    bad, good = stormy[1].items[0].nights[0], calm[1].items[0].nights[0]
    assert bad.faults == ("beam_loss at 60 s (duration_s 100)", "dark_frame at 20 s")
    assert bad.account.verdict is Verdict.COMPLETE
    assert bad.account.retaken == 1
    (hold,) = bad.account.holds
    assert hold.to_s is not None
    # The frame in flight is lost with the beam, and it is looked at every few seconds whether it is back.
    assert hold.to_s - hold.from_s == pytest.approx(100, abs=12)
    assert bad.account.total_s - good.account.total_s == pytest.approx(hold.to_s - hold.from_s, abs=8)


def test_one_night_is_spread_by_its_own_steps(stormy: tuple[Path, Rehearsal]) -> None:
    item = stormy[1].items[0]
    assert "drawn anew" in item.time.of
    assert item.time.p10_s < item.nights[0].account.total_s < item.time.p90_s
    # The one hold of a hundred seconds is no step that another night would have twice.
    assert item.time.p90_s - item.time.p10_s < 20


def test_its_recipe_is_known_again(night: Path, calm: tuple[Path, Rehearsal]) -> None:
    loaded = app.load(night)
    assert calm[1].item(loaded.recipe.sha256()) == calm[1].items[0]
    assert calm[1].item("0" * 64) is None


@pytest.mark.parametrize("images", [True, False])
def test_a_twin_is_the_same_recipe_in_writing(night: Path, images: bool) -> None:
    twin = twin_of(app.load(night).recipe, images=images)
    assert load_text(text_of(twin.recipe, "it"), Recipe, {})[0] == twin.recipe
    assert twin.recipe.alerts.on == ()
    assert not twin.start.read
    assert "stands nowhere" in twin.start.note


@pytest.mark.parametrize("images", [True, False])
@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_twin_of_each_recipe_is_in_order(path: Path, images: bool) -> None:
    loaded = app.load(path)
    twin = twin_of(loaded.recipe, images=images)
    recipe, source = load_text(text_of(twin.recipe, path.name), Recipe, {}, name=path.name)
    plan, real = app.check(app.Loaded(recipe, source.text, path, source)), app.check(loaded)
    assert plan.total_s == pytest.approx(real.total_s, rel=1e-6)
    assert plan.dose_per_scan_gy == pytest.approx(real.dose_per_scan_gy)
    assert [stage.frames for stage in plan.stages] == [stage.frames for stage in real.stages]


def test_the_twin_of_a_site_has_its_axes_and_opens_nothing(tmp_path: Path) -> None:
    """No server is there: the night begins at home, and says so."""
    # As all tests of a process start Channel Access, which is started once.
    client_environment()
    site = yaml.safe_load(MAP.read_text())
    site["channel_access"] = {"connect_s": 0.1, "address_list": "127.0.0.1", "auto_address_list": False}
    site["axes"]["x"] |= {"limits": [-900, 800], "speed": 77.0}
    site["camera"] |= {"width_px": 512, "height_px": 256}
    content = NIGHT | {
        "instrument": {"backend": "epics", "map": site},
        "conditions": [{"value": "$(P)Ring:Current", "low": 150}, {"value": "disk_free_gb", "low": 1}],
    }
    recipe, _ = load_document(written(tmp_path, content), Recipe)
    twin = twin_of(recipe, images=False)
    about = twin.recipe.instrument.describe()
    assert (about.axes["x"].low_limit, about.axes["x"].high_limit, about.axes["x"].speed) == (-900, 800, 77)
    assert about.camera.field_of_view_um == recipe.instrument.describe().camera.field_of_view_um
    assert (about.energy_kev, about.flux_per_um2_s) == pytest.approx(
        (recipe.instrument.describe().energy_kev, recipe.instrument.describe().flux_per_um2_s)
    )
    assert [condition.value for condition in twin.recipe.conditions] == ["disk_free_gb"]
    assert any("Ring:Current" in note for note in twin.notes)
    assert not twin.start.read
    assert twin.start.note.startswith("begins at home: ")
    with pytest.raises(RecipeError, match="without-images"):
        twin_of(recipe, images=True)


def test_items_of_a_queue_are_played_in_their_turn(night: Path, tmp_path: Path) -> None:
    queue = tmp_path / "queue"
    for name, priority in (("late", 0), ("soon", 5)):
        items.add(queue, night, {"roi.columns": "1", "roi.rows": "1"}, Wanted(name=name, priority=priority))
    before = sorted(path.name for path in queue.rglob("*"))
    _, found = rehearse(queue, Wish(images=False, out=tmp_path / "rehearsals"))
    assert [item.name for item in found.items] == ["soon", "late"]
    assert found.time.p50_s == pytest.approx(sum(item.time.p50_s for item in found.items), rel=0.01)
    assert sorted(path.name for path in queue.rglob("*")) == before


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (Wish(storm="hurricane"), "no such storm"),
        (Wish(nights=0), "played so often"),
        (Wish(storm="missing.yaml"), "missing.yaml"),
        (Wish(settings={"scan.binning": "3"}), "binning"),
    ],
)
def test_what_cannot_be_rehearsed(night: Path, tmp_path: Path, wish: Wish, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        rehearse(night, Wish(wish.settings, False, wish.nights, wish.storm, tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_a_run_is_no_rehearsal(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no rehearsal"):
        read(tmp_path)


def test_a_night_is_laid_beside_its_rehearsal(calm: tuple[Path, Rehearsal], stormy: tuple[Path, Rehearsal]) -> None:
    """The stormy one stands for the real night: its hold and its retaken frame are found, and nothing else."""
    run = stormy[0] / str(stormy[1].items[0].nights[0].run)
    found = compare(run, calm[0])
    assert found.rehearsed
    # The frame without light was a projection: its region gets the dose of one more.
    assert {(one.stage, one.what) for one in found.deviations} == {
        ("roi-01", "retaken"),
        ("roi-01", "dose"),
        ("roi-02", "time"),
    }
    assert not found.unexplained
    (time,) = [one for one in found.deviations if one.what == "time"]
    assert "held: beam lost" in time.because[0]
    assert any("itself a rehearsed run" in note for note in found.notes)
    same = compare(run, run)
    assert (same.deviations, same.rehearsed) == ((), False)
