"""Alerts against a real server on this machine, which is the judge of what was told: alive, dead, hanging, refusing."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import get_args

import pytest
import yaml

from tests.alerts.server import SECRET, nobody, server
from tests.session.scripted import Night, with_faults
from xrm_control import app
from xrm_control.alerts.channels import channels
from xrm_control.alerts.delivery import Channel, Delivered, Delivery
from xrm_control.alerts.messages import Composer, Message
from xrm_control.alerts.spec import AlertsSpec
from xrm_control.app import alerts
from xrm_control.cli.main import main
from xrm_control.core.errors import RecipeError
from xrm_control.core.events import (
    AlertSent,
    AlertUndelivered,
    AnyEvent,
    ConditionViolated,
    PolicyApplied,
    RunFailed,
    RunStopped,
    StateEntered,
)
from xrm_control.core.states import RunState

pytest.importorskip("apprise")
# Of what apprise imports.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
HELLO = Message(None, "xrm: hello", "a body", grave=True)


def delivered(*addresses: str, timeout_s: float = 1.0) -> Delivered:
    told: list[Delivered] = []
    delivery = Delivery(channels(addresses), timeout_s, told.append)
    assert delivery.post(HELLO)
    assert delivery.close(30.0) == ()
    return told[0]


def test_alive_it_is_told() -> None:
    with server() as alive:
        assert delivered(alive.address).channel == "channel 1 (json)"
    (heard,) = alive.heard
    assert (heard["title"], heard["message"], heard["type"]) == (HELLO.title, HELLO.body, "failure")


@pytest.mark.parametrize("mood", ["dead", "refusing", "hanging"])
def test_the_second_channel_is_tried_when_the_first_fails(mood: str) -> None:
    with server() as second, server("hanging" if mood == "hanging" else "refusing") as first:
        what = delivered(nobody() if mood == "dead" else first.address, second.address)
        alone = delivered(nobody() if mood == "dead" else first.address)
    assert what.channel == "channel 2 (json)"
    assert [heard["title"] for heard in second.heard] == [HELLO.title]
    assert alone.channel is None
    for problem in (*what.problems, *alone.problems):
        assert problem.startswith("channel 1 (json): ")
        assert ("no answer within 1 s" in problem) == (mood == "hanging")
        assert SECRET not in problem


def test_whoever_posts_never_waits_and_too_many_are_refused() -> None:
    begun, go = threading.Event(), threading.Event()

    def send(message: Message, picture: Path | None) -> bool:
        begun.set()
        return go.wait(60)

    told: list[Delivered] = []
    delivery = Delivery([Channel("slow", send)], 60.0, told.append)
    posted = [delivery.post(HELLO)]
    assert begun.wait(30)
    posted += [delivery.post(HELLO) for _ in range(60)]
    assert posted.count(True) == 51
    go.set()
    assert delivery.close(30.0) == ()
    assert len(told) == 51


def test_what_waits_when_the_run_is_over_is_named() -> None:
    delivery = Delivery([Channel("stuck", lambda *_: threading.Event().wait(60))], 60.0, lambda _: None)
    for _ in range(3):
        delivery.post(HELLO)
    assert len(delivery.close(0.2)) in (2, 3)


MESSAGES: list[tuple[AnyEvent, str | None]] = [
    (StateEntered(RunState.DONE), "finished"),
    (RunStopped("stopped after roi-01 by x"), "ended in order"),
    (RunFailed("no beam"), None),
    (StateEntered(RunState.FAILED), "failed"),
    (StateEntered(RunState.ABORTED), "aborted"),
    (StateEntered(RunState.SCANNING), None),
    (ConditionViolated("flux", "0.1", "at least 0.5", "hold", 7.0), "flux is out of order"),
    (PolicyApplied("axis_stalled", "skip", "roi-01", "theta"), "goes on otherwise (skip)"),
]


@pytest.mark.parametrize(("event", "title"), MESSAGES)
def test_what_is_worth_an_alert(event: AnyEvent, title: str | None) -> None:
    message = Composer("night").of(event)
    assert (None if message is None else message.title) == (None if title is None else f"xrm night: {title}")


def test_why_it_failed_is_in_the_alert() -> None:
    composer = Composer("night")
    composer.of(RunFailed("the shutter does not follow"))
    message = composer.of(StateEntered(RunState.FAILED))
    assert message is not None
    assert (message.body, message.grave) == ("the shutter does not follow", True)
    assert message.occasion in get_args(AlertsSpec.model_fields["on"].annotation)[0].__args__


def test_a_run_tells_by_its_second_channel_and_keeps_the_addresses_to_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first hangs: every alert costs its time limit, and the run nothing."""
    away = {"kind": "beam_loss", "at_s": 20.0, "duration_s": 1200.0}
    with server() as alive, server("hanging") as hanging:
        place = tmp_path / "alerts.yaml"
        place.write_text(yaml.safe_dump({"channels": [hanging.address, alive.address], "timeout_s": 0.5}))
        place.chmod(0o644)
        monkeypatch.setenv(alerts.FILE, str(place))
        night = Night(tmp_path, alerts={"held_min": 10, "disk_free_gb": 0}, **with_faults(away))
    titles = [heard["title"].partition(": ")[2] for heard in alive.heard]
    assert titles == ["held for more than 10 min", "finished"]
    (picture,) = alive.heard[-1]["attachments"]
    assert picture["filename"] in ("preview.png", "mosaic.png")
    assert len(picture["base64"]) > 1000
    assert [event.channel for event in night.events(AlertSent)] == ["channel 2 (json)"] * 2
    (doubt,) = night.events(AlertUndelivered)
    assert "others may read its addresses (mode 644)" in doubt.problem
    assert not any(SECRET.encode() in path.read_bytes() for path in night.folder.rglob("*") if path.is_file())
    assert night.states[-1] is RunState.DONE


def test_an_undelivered_alert_ends_nothing_and_is_on_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(alerts.ADDRESSES, nobody())
    night = Night(tmp_path, conditions=[{"value": "temperature", "low": 30, "action": "alert"}])
    assert night.states[-1] is RunState.DONE
    undelivered = night.events(AlertUndelivered)
    assert {event.alert.partition(": ")[2] for event in undelivered} >= {"temperature is out of order", "finished"}
    assert all("channel 1 (json): was not delivered" in event.problem for event in undelivered)
    assert "nobody was told" in (night.folder / "log.jsonl").read_text()


def test_the_test_of_the_alerts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with server() as alive:
        monkeypatch.setenv(alerts.ADDRESSES, f"{alive.address} {nobody()}")
        monkeypatch.setattr("sys.argv", ["xrm", "alert", "--test"])
        with pytest.raises(SystemExit) as ended:
            main()
    said = capsys.readouterr()
    assert ended.value.code == 1
    assert "channel 1 (json)" in said.out
    assert "was not delivered" in said.out
    assert SECRET not in said.out + said.err
    assert [heard["title"] for heard in alive.heard] == ["xrm: a test"]


WRONG = [
    ("channels: []", "cannot be used"),
    ("chanels: ['json://x']", "cannot be used"),
    (f"channels: [nothing://{SECRET}]", "does not know such an address"),
    (f"channels: ['json://{SECRET}']\ntimeout_s: -1", "cannot be used"),
]


@pytest.mark.parametrize(("text", "told"), WRONG)
def test_doctor_and_check_tell_of_alerts_that_would_reach_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    place, recipe = tmp_path / "alerts.yaml", tmp_path / "one.yaml"
    place.write_text(text)
    place.chmod(0o600)
    recipe.write_text("name: one\nroi: {kind: grid}\ninstrument: {backend: simulated, specimen: empty}\n")
    monkeypatch.setenv(alerts.FILE, str(place))
    finding = alerts.examine()
    assert not finding.ok
    assert told in finding.found
    assert finding.remedy
    assert SECRET not in f"{finding}"
    assert "nobody will be told" in [warning.what for warning in app.check(app.load(recipe)).warnings]
    quiet = app.load(recipe, {"alerts.on": "[]"})
    assert "nobody will be told" not in [warning.what for warning in app.check(quiet).warnings]


def test_alerts_that_nobody_asked_for_are_no_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(alerts.ADDRESSES, raising=False)
    monkeypatch.delenv(alerts.FILE, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert (alerts.examine().ok, alerts.examine().note) == (True, False)
    place = tmp_path / "open.yaml"
    place.write_text("channels: ['json://localhost']")
    place.chmod(0o644)
    monkeypatch.setenv(alerts.FILE, str(place))
    assert alerts.examine().note


@pytest.mark.parametrize(("text", "told"), WRONG)
def test_a_file_that_cannot_be_used_is_told_without_its_addresses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    place = tmp_path / "alerts.yaml"
    place.write_text(text)
    monkeypatch.delenv(alerts.ADDRESSES, raising=False)
    monkeypatch.setenv(alerts.FILE, str(place))
    with pytest.raises(RecipeError, match=told) as refused:
        alerts.test()
    assert SECRET not in str(refused.value)
