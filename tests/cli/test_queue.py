"""`xrm queue` as its user meets it: what is said, exit codes, wrong input."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.app.queues import Bench
from tests.cli.test_cli import xrm
from tests.system.conftest import SHORT, write_recipe
from xrm_control.app.queue import items, runner
from xrm_control.cli.queue import _budget, _moment
from xrm_control.core.clock import utc_now
from xrm_control.core.errors import RecipeError
from xrm_control.core.exit_code import ExitCode
from xrm_control.processing.schedule import at

__all__ = ["xrm"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the user's, with a recipe."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "250")
    return write_recipe(tmp_path, **SHORT)


def test_added_listed_moved_skipped(xrm: Any, here: Path) -> None:
    assert xrm("queue", "add", here, "--name", "one").out == "item 1 (one): added\n"
    said = xrm("queue", "add", here, "--name", "two", "--at", "0,40", "--budget", "90min,500kGy", "--json")
    assert json.loads(said.out)["item"] == 2
    xrm("queue", "add", here, "--name", "three", "--priority", "2", "--set", "scan.exposure_s=0.9")
    listed = json.loads(xrm("queue", "list", "--json").out)
    assert listed["order"] == [3, 1, 2]
    assert listed["items"][1]["budget"] == {"minutes": 90.0, "dose_gy": 500_000.0}
    assert listed["seconds"] == pytest.approx(sum(item["cost"]["total_s"] for item in listed["items"]))
    assert xrm("queue", "move", "two", "--before", "3").code == 0
    assert xrm("queue", "skip", "1", "--reason", "[red]fell off[/x]").out == "item 1 (one): skipped\n"
    text = xrm("queue", "list")
    assert "item 1 (one): [red]fell off[/x]\n" in text.out
    assert "2 item(s) ahead" in text.out
    assert "nobody runs it" in text.out
    assert xrm("queue", "retry", "one").code == 0
    assert xrm("queue", "set", "--end", "+8h", "--budget", "12h").out.endswith("budget: 720 min\n")
    assert xrm("queue", "report").out.strip() == str(here.parent / "queue" / "morning.html")


WRONG: list[tuple[tuple[str, ...], str]] = [
    (("add", "missing.yaml"), "missing.yaml"),
    (("add", "short.yaml", "--at", "here"), "--at: is no place (value here, limit X,Y in um"),
    (("add", "short.yaml", "--at", "1,nan"), "--at: is no place"),
    (("add", "short.yaml", "--deadline", "tomorrow"), "--deadline: is no time (value tomorrow, limit 07:30"),
    (("add", "short.yaml", "--deadline", "25:00"), "--deadline: is no time"),
    (("add", "short.yaml", "--deadline", "2026-13-01T00:00"), "--deadline: is no time"),
    (("add", "short.yaml", "--deadline", "2020-01-01T00:00"), "--deadline: is over already"),
    (("add", "short.yaml", "--budget", "90"), "--budget: is no budget (value 90, limit a time"),
    (("add", "short.yaml", "--budget", "0min"), "--budget: is no budget"),
    (("add", "short.yaml", "--budget", "1h,90min"), "--budget: is given twice"),
    (("add", "short.yaml", "--name", "a b"), "--name: is no name of an item"),
    (("add", "short.yaml", "--priority", "1001"), "less than or equal to 1000"),
    (("add", "short.yaml", "--priority=-1001"), "greater than or equal to -1000"),
    (("add", "short.yaml", "--set", "scan.exposure_s=-1"), "scan.exposure_s"),
    (("add", "short.yaml", "--before", "7"), "there is no such item"),
    (("add", "short.yaml", "--queue", "short.yaml"), "holds something else"),
    (("move", "1"), "where to?"),
    (("move", "1", "--before", "1"), "is the same item"),
    (("move", "1", "--first", "--after", "2"), "only one place can be wanted"),
    (("skip", "9"), "there is no such item"),
    (("remove", "[red]"), "there is no such item"),
    (("stop",), "nobody runs the queue"),
    (("set",), "nothing is to be set"),
    (("list", "--queue", "nowhere"), "there is no such queue -> `xrm queue add RECIPE` begins one"),
    (("run", "--queue", "nowhere"), "there is no such queue"),
    (("report", "--queue", "nowhere"), "there is no such queue"),
]


def test_wrong_input_is_told_and_changes_nothing(xrm: Any, here: Path) -> None:
    for name in ("one", "two"):
        items.add(here.parent / "queue", here, {}, items.Wanted(name=name))
    before = {path: path.read_bytes() for path in (here.parent / "queue").rglob("*.*") if path.is_file()}
    for arguments, said in WRONG:
        answer = xrm("queue", *arguments)
        assert (answer.code, said in answer.err.replace("\n", "")) == (2, True), (arguments, answer.err)
    after = {path: path.read_bytes() for path in (here.parent / "queue").rglob("*.*") if path.is_file()}
    assert after == before
    assert not (here.parent / "nowhere").exists()


def test_run_says_how_it_ended(xrm: Any, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(here.parent)
    bench.add("one")
    items.skip(bench.queue, "one")
    said = xrm("queue", "run")
    assert said.code == 5
    assert said.out.splitlines() == [
        "ended    nothing is left that can be begun now",
        f"page     {bench.queue}/morning.html",
    ]
    items.retry(bench.queue, "one")
    items.remove(bench.queue, "one")
    assert json.loads(xrm("queue", "run", "--json").out)["exit_code"] == 0


@pytest.mark.parametrize(
    ("said", "seconds"), [((), 14_400.0), (("--patience", "1.5"), 90.0), (("--patience", "0"), 0.0)]
)
def test_patience_is_given_in_minutes(
    xrm: Any, here: Path, monkeypatch: pytest.MonkeyPatch, said: tuple[str, ...], seconds: float
) -> None:
    asked: list[float] = []

    def carried_out(folder: Path, *_: Any, patience_s: float) -> runner.Carried:
        asked.append(patience_s)
        return runner.Carried(folder, ExitCode.OK, "all is done")

    monkeypatch.setattr(runner, "run", carried_out)
    assert xrm("queue", "run", *said).code == 0
    assert asked == [seconds]


@pytest.mark.parametrize(
    ("text", "minutes", "dose_gy"),
    [("90min", 90, None), ("2h", 120, None), ("30 s", 0.5, None), ("1e3Gy", None, 1000), ("1.5MGy, 2h", 120, 1.5e6)],
)
def test_budgets(text: str, minutes: float | None, dose_gy: float | None) -> None:
    assert (_budget(text).minutes, _budget(text).dose_gy) == (minutes, dose_gy)


@pytest.mark.parametrize(("text", "ahead"), [("+90min", 1.5), ("+8h", 8), ("+3d", 72)])
def test_times_from_now(text: str, ahead: float) -> None:
    moment = _moment(text, "--deadline")
    assert not isinstance(moment, str)
    assert moment is not None
    assert abs((moment - utc_now()).total_seconds() - 3600 * ahead) < 60


@pytest.mark.parametrize("text", ["00:00", "7:30", "23:59"])
def test_a_time_of_day_is_the_next_one(text: str) -> None:
    moment = _moment(text, "--deadline")
    assert not isinstance(moment, str)
    assert moment is not None
    assert timedelta() < moment - utc_now() <= timedelta(hours=25)
    assert f"{moment:%H:%M}" == text.zfill(5)


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("now", "text", "then", "shown"),
    [
        # Clocks are put back at 3:00, and the hour from 2 to 3 comes twice.
        ("2026-10-24T20:00", "07:30", "2026-10-25T06:30", "2026-10-25 07:30 CET"),
        ("2026-10-25T00:10", "02:50", "2026-10-25T00:50", "2026-10-25 02:50 CEST"),
        ("2026-10-25T00:40", "02:30", "2026-10-25T01:30", "2026-10-25 02:30 CET"),
        ("2026-10-25T01:10", "02:50", "2026-10-25T01:50", "2026-10-25 02:50 CET"),
        ("2026-10-25T01:10", "01:50", "2026-10-26T00:50", "2026-10-26 01:50 CET"),
        ("2026-10-24T20:00", "+8h", "2026-10-25T04:00", "2026-10-25 05:00 CET"),
        ("2026-10-24T20:00", "2026-10-25T02:30", "2026-10-25T00:30", "2026-10-25 02:30 CEST"),
        # Clocks are put forward at 2:00, and there is no 2:30: an hour earlier, and told so.
        ("2026-03-28T22:00", "07:30", "2026-03-29T05:30", "2026-03-29 07:30 CEST"),
        ("2026-03-28T22:00", "02:30", "2026-03-29T00:30", "2026-03-29 01:30 CET"),
        ("2026-03-28T22:00", "+8h", "2026-03-29T06:00", "2026-03-29 08:00 CEST"),
    ],
)
@pytest.mark.usefixtures("berlin")
def test_times_in_the_nights_when_clocks_are_changed(
    now: str, text: str, then: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xrm_control.cli.queue.utc_now", lambda: datetime.fromisoformat(f"{now}+00:00"))
    moment = _moment(text, "--deadline")
    assert isinstance(moment, datetime)
    assert moment == datetime.fromisoformat(f"{then}+00:00")
    assert at(moment) == shown


@pytest.mark.parametrize("text", ["24:00", "7", "2026-11-27", "+h", "+-3h", "07:30:00 or so"])
def test_no_times(text: str) -> None:
    with pytest.raises(RecipeError):
        _moment(text, "--deadline")
