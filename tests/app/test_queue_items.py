"""What is put into a queue and changed in it: order, places on a holder, wrong input."""

from __future__ import annotations

import errno
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.app.queues import Bench
from tests.system.conftest import SHORT, write_recipe
from xrm_control.app.queue import items
from xrm_control.app.queue.facts import look
from xrm_control.app.queue.items import Wanted
from xrm_control.contracts.queue import Budget
from xrm_control.core.clock import utc_now
from xrm_control.core.errors import CommandRefusal, DataError, RecipeError, SafetyRefusal, StorageError, XrmError
from xrm_control.core.queue_states import ItemState
from xrm_control.processing.schedule import overrun
from xrm_control.recipe.document import Recipe
from xrm_control.recipe.loading import load_document
from xrm_control.storage.queue_folder import QueueFolder


def order(bench: Bench) -> list[str]:
    found = look(bench.queue)
    names = {item.number: item.name for item in found.items}
    return [names[slot.number] for slot in found.schedule.slots]


def test_priority_then_deadline_then_place(bench: Bench) -> None:
    now = utc_now()
    bench.add("plain")
    bench.add("late", deadline=now + timedelta(hours=9))
    bench.add("soon", deadline=now + timedelta(hours=3))
    bench.add("urgent", priority=5)
    bench.add("last", priority=-1)
    bench.add("beside", before="plain")
    assert order(bench) == ["urgent", "soon", "late", "beside", "plain", "last"]


@pytest.mark.parametrize(("priority", "fits"), [(-1001, False), (-1000, True), (1000, True), (1001, False)])
def test_priorities_end_at_either_side(bench: Bench, priority: int, fits: bool) -> None:
    """In an item itself, whoever makes it: command line and Python's interface refuse it before."""
    if fits:
        assert bench.add("one", priority=priority).priority == priority
    else:
        with pytest.raises(ValidationError, match="1000"):
            bench.add("one", priority=priority)


@pytest.mark.parametrize(
    ("text", "number"), [("1", 1), ("2", 2), ("3", 3), ("other", 2), ("same", "numbers 4, 5"), ("9", "no such item")]
)
def test_a_number_goes_before_a_name_that_looks_like_one(bench: Bench, text: str, number: int | str) -> None:
    for name in ("2", "other", "1", "same", "same"):
        bench.add(name)
    contents = QueueFolder.open(bench.queue).read()
    if isinstance(number, int):
        assert contents.named(text, bench.queue).number == number
    else:
        with pytest.raises(DataError, match=number):
            contents.named(text, bench.queue)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_one_that_could_not_be_begun_is_begun_under_the_same_name(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fails(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    bench.queue.mkdir()
    with monkeypatch.context() as full:
        full.setattr(os, call, fails)
        with pytest.raises(StorageError, match="the disk is full"):
            bench.add("first")
    assert bench.add("first").number == 1


@pytest.mark.parametrize("kept_back", [True, False])
def test_on_a_full_disk_an_item_is_put_on_record_in_the_room_that_was_kept_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, kept_back: bool
) -> None:
    """In place of what it was, once; then there is no room left."""
    item = bench.add("first")
    folder = QueueFolder.open(bench.queue)
    if kept_back:
        folder.keep_room()
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if not kept_back or (bench.queue / ".reserve").exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", full)
    running = item.entered(ItemState.RUNNING, utc_now(), "the queue")
    if not kept_back:
        with pytest.raises(StorageError, match="the disk is full"):
            folder.put(running)
        assert bench.states() == {"first": ItemState.WAITING}
        return
    folder.put(running)
    assert bench.states() == {"first": ItemState.RUNNING}
    assert not folder.use_reserve()


MOVES: list[tuple[dict[str, Any], list[str]]] = [
    ({"before": "a"}, ["c", "a", "b", "d"]),
    ({"after": "a"}, ["a", "c", "b", "d"]),
    ({"after": "4"}, ["a", "b", "d", "c"]),
    ({"first": True}, ["c", "a", "b", "d"]),
    ({"priority": -3}, ["a", "b", "d", "c"]),
]


@pytest.mark.parametrize(("where", "expected"), MOVES)
def test_moving(bench: Bench, where: dict[str, Any], expected: list[str]) -> None:
    for name in "abcd":
        bench.add(name)
    items.move(bench.queue, "c", **where)
    assert order(bench) == expected


def test_moved_a_hundred_times_between_the_same_two(bench: Bench) -> None:
    for name in "abc":
        bench.add(name)
    for _ in range(50):
        items.move(bench.queue, "c", before="b")
        items.move(bench.queue, "b", before="c")
    assert order(bench) == ["a", "b", "c"]


def test_a_deadline_is_not_passed_over_in_silence(bench: Bench) -> None:
    bench.add("plain")
    bench.add("soon", deadline=utc_now() + timedelta(hours=3))
    with pytest.raises(CommandRefusal, match="those with a deadline go first"):
        items.move(bench.queue, "plain", before="soon")
    assert order(bench) == ["soon", "plain"]


def test_one_thing_now(bench: Bench) -> None:
    bench.add("a", priority=7, deadline=utc_now() + timedelta(hours=3))
    bench.add("b")
    item, what = items.now(bench.queue, bench.recipe, {}, Wanted(name="quick"))
    assert what == "is done next"
    assert order(bench) == ["quick", "a", "b"]
    assert item.number == 3


@pytest.mark.parametrize(
    ("roi", "places"),
    [
        ({"kind": "manual", "positions": [{"x_um": 0, "y_um": 0}]}, {"positions": [(40.0, -60.5)]}),
        ({"kind": "grid", "rows": 1, "columns": 1, "centre": {"x_um": 3, "y_um": 4}}, {"centre": (43.0, -56.5)}),
        ({"kind": "most_particles", "count": 1}, {}),
    ],
)
def test_a_place_on_the_holder_moves_all_positions(tmp_path: Path, roi: dict[str, Any], places: dict[str, Any]) -> None:
    recipe = write_recipe(tmp_path, roi=roi, mosaic={"columns": 2, "rows": 2, "centre_x_um": 0, "centre_y_um": 10})
    item = items.add(tmp_path / "queue", recipe, {}, Wanted(at_um=(40, -60.5)))
    frozen, _ = load_document(tmp_path / "queue" / "items" / "0001_short" / "recipe.yaml", Recipe)
    assert (frozen.mosaic.centre_x_um, frozen.mosaic.centre_y_um) == (40, -50.5)
    dumped = frozen.roi.model_dump()
    if "positions" in places:
        assert [(p["x_um"], p["y_um"]) for p in dumped["positions"]] == places["positions"]
    if "centre" in places:
        assert (dumped["centre"]["x_um"], dumped["centre"]["y_um"]) == places["centre"]
    assert item.at_um == (40, -60.5)


def test_so_do_areas_to_avoid_and_places_that_must_be_scanned(tmp_path: Path) -> None:
    here = {"name": "here", "x_um": 3.0, "y_um": 4.0}
    roi = {"kind": "most_particles", "must": [here], "avoid": [{**here, "x_um": 80.0, "width_um": 20.0}]}
    recipe = write_recipe(tmp_path, roi=roi, mosaic={"columns": 2, "rows": 2, "centre_x_um": 0, "centre_y_um": 10})
    items.add(tmp_path / "queue", recipe, {}, Wanted(at_um=(40, -60.5)))
    frozen, _ = load_document(tmp_path / "queue" / "items" / "0001_short" / "recipe.yaml", Recipe)
    dumped = frozen.roi.model_dump()
    assert [(place["x_um"], place["y_um"]) for place in (*dumped["must"], *dumped["avoid"])] == [
        (43.0, -56.5),
        (120.0, -56.5),
    ]


def test_the_recipe_is_frozen(bench: Bench) -> None:
    bench.add("a")
    before = (bench.queue / "items" / "0001_a" / "recipe.yaml").read_text()
    bench.recipe.write_text("name: other\n")
    assert (bench.queue / "items" / "0001_a" / "recipe.yaml").read_text() == before


def test_the_plan_counts_what_the_run_will(bench: Bench) -> None:
    item = bench.add("a")
    # 4 tiles and a flat, 7 projections and 2 flats, of 1 s each; and two darks.
    assert (item.cost.frames, item.cost.beam_s, item.cost.rois) == (16, 14.0, 1)


WRONG: list[tuple[str, dict[str, Any], dict[str, str], type[XrmError], str]] = [
    ("a name", {"name": "../x"}, {}, RecipeError, "--name: is no name of an item"),
    ("a name with markup", {"name": "[red]"}, {}, RecipeError, "is no name of an item"),
    ("a setting", {}, {"scan.exposure": "2"}, RecipeError, "scan.exposure"),
    ("off the stage", {"at_um": (90_000.0, 0.0)}, {}, SafetyRefusal, "90000"),
    ("no place", {"at_um": (float("nan"), 0.0)}, {}, RecipeError, "is no place on a holder"),
    ("a deadline that is over", {"deadline": utc_now() - timedelta(hours=1)}, {}, RecipeError, "is over already"),
    ("two places", {"before": "1", "after": "1"}, {}, RecipeError, "only one place"),
    ("beside nothing", {"before": "seven"}, {}, DataError, "there is no such item"),
]


@pytest.mark.parametrize(("what", "wanted", "settings", "kind", "said"), WRONG, ids=[row[0] for row in WRONG])
def test_wrong_input_adds_nothing(
    bench: Bench, what: str, wanted: dict[str, Any], settings: dict[str, str], kind: type[XrmError], said: str
) -> None:
    bench.add("there")
    with pytest.raises(kind) as error:
        items.add(bench.queue, bench.recipe, settings, Wanted(**wanted))
    assert said in str(error.value)
    assert list(bench.items()) == ["there"]


def test_a_hostile_recipe_is_refused_and_makes_no_queue(tmp_path: Path) -> None:
    recipe = tmp_path / "bad.yaml"
    recipe.write_text("name: !!python/object/apply:os.system ['touch /tmp/owned']\n")
    with pytest.raises(RecipeError):
        items.add(tmp_path / "queue", recipe)
    assert not (tmp_path / "queue").exists()


def test_a_folder_with_something_else_in_it_is_no_queue(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("")
    with pytest.raises(DataError, match="holds something else"):
        items.add(tmp_path / "photos", write_recipe(tmp_path, **SHORT))
    with pytest.raises(DataError, match="is no queue"):
        look(tmp_path / "photos")
    with pytest.raises(DataError, match="there is no such queue"):
        look(tmp_path / "nowhere")


def test_skipped_removed_and_tried_again(bench: Bench) -> None:
    for name in "abc":
        bench.add(name)
    items.skip(bench.queue, "a", "sample fell off")
    items.remove(bench.queue, "b")
    assert bench.states() == {"a": ItemState.SKIPPED, "b": ItemState.REMOVED, "c": ItemState.WAITING}
    assert bench.items()["a"].reason == "sample fell off"
    assert order(bench) == ["c"]
    with pytest.raises(CommandRefusal, match="is skipped, and cannot be skipped"):
        items.skip(bench.queue, "a")
    with pytest.raises(CommandRefusal, match="has no place in the order"):
        items.move(bench.queue, "a", first=True)
    items.retry(bench.queue, "a")
    assert order(bench) == ["a", "c"]


def test_numbers_are_never_given_twice(bench: Bench) -> None:
    bench.add("a")
    items.remove(bench.queue, "a")
    assert bench.add("b").number == 2


def test_a_name_of_several_items_is_asked_for_by_number(bench: Bench) -> None:
    bench.add("a")
    bench.add("a")
    with pytest.raises(DataError, match="several items have that name"):
        items.skip(bench.queue, "a")
    assert items.skip(bench.queue, "2")[0].number == 2


def test_nobody_to_stop(bench: Bench) -> None:
    bench.add("a")
    with pytest.raises(CommandRefusal, match="nobody runs the queue"):
        items.stop(bench.queue)


def test_a_night_does_not_end_before_now(bench: Bench) -> None:
    with pytest.raises(RecipeError, match="is over already"):
        items.set_limits(bench.queue, end=utc_now() - timedelta(minutes=1))
    assert not bench.queue.exists()


@pytest.mark.parametrize(
    ("by", "said"),
    [
        (timedelta(seconds=20), "a moment"),
        (timedelta(minutes=1), "1 min"),
        (timedelta(minutes=99), "99 min"),
        (timedelta(minutes=592), "9 h 52 min"),
        (timedelta(days=3, minutes=4), "72 h 04 min"),
    ],
)
def test_an_overrun_is_said_as_people_do(by: timedelta, said: str) -> None:
    assert overrun(utc_now() + by, utc_now()) == said


def test_what_does_not_fit_is_said_beforehand(bench: Bench) -> None:
    bench.add("short")
    bench.add("dear", budget=Budget(dose_gy=1.0))
    bench.add("slow", budget=Budget(minutes=0.1))
    bench.add("late", deadline=utc_now() + timedelta(seconds=2))
    bench.add("second")
    items.set_limits(bench.queue, end=utc_now() + timedelta(seconds=50))
    found = look(bench.queue)
    told = {slot.number: slot.obstacle and slot.obstacle.reason for slot in found.schedule.slots}
    assert told[1] is None
    assert "Gy of its budget" in str(told[2])
    assert "of 0.1 min of its budget" in str(told[3])
    assert "after its deadline" in str(told[4])
    assert "after the end of the night" in str(told[5])
    assert found.schedule.seconds == pytest.approx(found.items[0].cost.total_s)
