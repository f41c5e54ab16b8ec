"""`xrm status --watch`: all of it at every width, without colours, in a terminal and without one."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from tests.dashboard.browser.fake_run import FakeRun
from xrm_control.cli import watching
from xrm_control.cli.plain import PlainConsole
from xrm_control.cli.watching import Picture
from xrm_control.core.states import RunState
from xrm_control.dashboard.models import Line
from xrm_control.dashboard.models_mosaic import Regions
from xrm_control.dashboard.models_run import RunView
from xrm_control.storage.journal import Journal
from xrm_control.storage.records import RunRecord
from xrm_control.storage.run_folder import RunFolder

CAUSE, EVIDENCE, CURE = "the source is down", "flux 3 % of the first flat", "it goes on by itself when the beam is back"


def picture(regions: int = 300) -> Picture:
    """The run that the page's tests show: held in a scan, with an alarm, many regions and a hostile line."""
    fake = FakeRun(state="held", reason="no beam", tiles=12)
    fake.alarms = [{"level": "error", "cause": CAUSE, "evidence": EVIDENCE, "cure": CURE, "action": "continue"}]
    for number in range(regions):
        state = "reported" if number < regions - 10 else "scanning" if number == regions - 10 else "waiting"
        done = {"reported": 100, "scanning": 40}.get(state, 0)
        fake.add_region(70.0 * number, 0.0, state=state, done=done, particles=21 if state == "reported" else None)
    fake.say("a frame was taken again: too dark", "warning")
    fake.say("evil \x1b[31m name \x07 " + "x" * 90, "error")
    stages = [{"name": "roi-291", "roi": "roi-291", "done": 40, "planned": 100}]
    view = RunView.model_validate({**fake.view(), "stages": stages})
    return Picture(
        view, Regions.model_validate({"regions": fake.regions}), [Line.model_validate(x) for x in fake.lines]
    )


def drawn(width: int, **settings: object) -> str:
    out = io.StringIO()
    PlainConsole(file=out, width=width, **settings).print(picture().drawn(width))
    return out.getvalue()


@pytest.mark.parametrize("width", [20, 40, 80, 120, 200])
def test_all_is_said_and_nothing_is_cut_at_any_width(width: int) -> None:
    text = drawn(width)
    assert max(map(len, text.splitlines())) <= width
    said = " ".join(text.split())
    for words in (
        "demo", "[scanning: held]", "held: no beam", "58 min 00 s left", "40 of 100",
        "300: 290 reported, 1 scanning, 9 waiting",
        "roi-291", "scanning, 40 of 100 frames", f"ALARM {CAUSE}", EVIDENCE, f"cure: {CURE} (`xrm continue`)",
        "! 1.0 s", "X 2.0 s", "too dark", "64.0 GB free",
    ):  # fmt: skip
        assert words in said, words
    assert "\x1b" not in text
    assert "\x07" not in text
    if width >= 40:
        assert len(text.splitlines()) <= {40: 75, 80: 40}.get(width, 34)


def test_no_colour_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[" in drawn(80, force_terminal=True, color_system="standard")
    monkeypatch.setenv("NO_COLOR", "1")
    plain = drawn(80, force_terminal=True, color_system="standard")
    assert "\x1b[3" not in plain
    assert "ALARM" in plain


@pytest.fixture
def journal(tmp_path: Path) -> tuple[RunFolder, Journal]:
    folder = RunFolder(tmp_path / "20260101T000000Z_night_0000")
    folder.path.mkdir()
    record = RunRecord(folder.name, "night", "0" * 64, "simulated", True, "2026-01-01T00:00:00+00:00")
    journal = Journal.create(folder.journal, record)
    journal.set_state(RunState.SCANNING, t_s=0.0)
    return folder, journal


def test_without_a_terminal_what_is_new_comes_line_by_line(
    journal: tuple[RunFolder, Journal], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, writer = journal
    pauses: list[float] = []

    def one_step(seconds: float) -> None:
        pauses.append(seconds)
        writer.record_event("frame.kept", f"frame {len(pauses)} kept", t_s=float(len(pauses)))
        if len(pauses) == 3:
            writer.set_state(RunState.DONE, t_s=4.0)

    monkeypatch.setattr(watching, "pause", one_step)
    monkeypatch.setattr(RunFolder, "holder", lambda _: "1")
    out = io.StringIO()
    console = Console(file=out, width=60)
    last = watching.watch(console, folder.path)
    writer.close()
    text = out.getvalue()
    assert last.state is RunState.DONE
    assert [text.count(f"frame {number} kept") for number in (1, 2)] == [2, 2]  # as it came, and at the end
    assert text.index("[scanning]") < text.index("frame 1 kept") < text.index("frame 3 kept") < text.index("[done]")
