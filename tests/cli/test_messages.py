"""What the command line says: only commands that exist, and text from outside as text."""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.cli.test_cli import xrm
from tests.reporting.results import region_results
from xrm_control.cli import progress, tables
from xrm_control.cli.main import cli
from xrm_control.cli.plain import PlainConsole
from xrm_control.contracts.table1 import PAPER, Table1
from xrm_control.core.clock import utc_now
from xrm_control.core.events import RunFailed, RunHeld, StageBegun
from xrm_control.core.findings import Finding
from xrm_control.core.states import Level, RoiState, RunState
from xrm_control.reporting.table import paper_table
from xrm_control.storage.journal import Journal
from xrm_control.storage.records import RunRecord
from xrm_control.storage.run_folder import RunFolder

__all__ = ["xrm"]

ROOT = Path(__file__).parents[2]
NMC811 = str(ROOT / "recipes" / "nmc811_screening.yaml")
COMMANDS = set(typer.main.get_command(cli).commands)  # type: ignore[attr-defined]
NAMED = re.compile(r"\bxrm ([a-z][a-z_-]*)")
NOT_YET = re.compile(r"\bresume the run\b|\bresume it\b|start or resume")

HOSTILE = ["[/x]", "[bold]", "[/]", "[link=x]y[/link]", "a [red", "\\[", ":smile:", "[@click=quit]x[/]"]


def strings() -> Iterator[tuple[Path, str]]:
    """Every string in the sources, docstrings and the constant parts of f-strings, and every document."""
    for package in ("xrm_control", "simulators"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield path, node.value
    for pattern in ("*.md", "docs/**/*.md", "recipes/**/*.yaml", "simulators/**/*.bob", "xrm_control/**/*.html"):
        for path in sorted(ROOT.glob(pattern)):
            yield path, path.read_text(encoding="utf-8")


def test_no_message_names_a_command_that_does_not_exist() -> None:
    said = [(path, text) for path, text in strings() if "xrm " in text or "resume" in text]
    assert len(said) > 10
    unknown = [(path.name, name) for path, text in said for name in NAMED.findall(text) if name not in COMMANDS]
    assert unknown == []
    assert [(path.name, text) for path, text in said if NOT_YET.search(text)] == []


def shown(*renderables: Any) -> str:
    """What appears of them on a console without a width to speak of."""
    file = StringIO()
    console = PlainConsole(file=file, width=2000, highlight=False)
    for one in renderables:
        console.print(one)
    return file.getvalue()


@pytest.fixture
def run_of(tmp_path: Path) -> Any:
    """A run folder whose names and reasons say something."""

    def make(text: str) -> RunFolder:
        folder = RunFolder.create(tmp_path, "r", utc_now(), "0000")
        record = RunRecord(text, text, "", text, True, utc_now().isoformat())
        with Journal.create(folder.journal, record) as journal:
            journal.set_state(RunState.SCANNING, t_s=1.0, reason=text, utc=None)
            journal.set_roi_state("roi-01", RoiState.QUARANTINED, t_s=1.0, reason=text, utc=None)
            journal.record_event("e", text, t_s=1.0, level=Level.ERROR, data={}, utc=None)
        return folder

    return make


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_progress(text: str) -> None:
    for terminal in (False, True):
        file = StringIO()
        console = PlainConsole(file=file, width=300, force_terminal=terminal, color_system=None, highlight=False)
        with progress.display(console) as listener:
            listener(StageBegun(text, 3, t_s=1.0))
            listener(RunFailed(text, t_s=2.0))
            listener(RunHeld(text, t_s=2.0))
        assert file.getvalue().count(text) >= 3


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_status(xrm: Any, run_of: Any, text: str) -> None:
    from xrm_control import app

    folder = run_of(text)
    assert shown(tables.status_view(app.status(folder.path))).count(text) >= 2
    assert xrm("status", folder.path).code == 8
    assert json.loads(xrm("status", folder.path, "--json").out)["last_event"]["text"] == text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_errors_results_and_findings(
    xrm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    key = text.replace("=", "-")
    for command in (["check", text], ["status", text], ["report", text], ["plan", NMC811, "--set", f"{key}=1"]):
        said = xrm(*command)
        assert (said.code, command[-1].removesuffix("=1") in said.err) == (2, True), said.err
    assert xrm(text).code == 2
    assert xrm("check", NMC811, text).code == 2
    assert text in shown(paper_table(region_results(Table1(unbiased=PAPER, paper=PAPER), text)))
    monkeypatch.setattr("xrm_control.cli.doctor.examine", lambda: [Finding(text, False, text, text)])
    said = xrm("doctor")
    assert said.code == 1
    assert text[:4] in said.out


@pytest.mark.parametrize(
    "text", ["\N{RIGHT-TO-LEFT OVERRIDE}nepo", "a\N{LINE SEPARATOR}b", "\N{RIGHT-TO-LEFT ISOLATE}x"]
)
def test_nothing_from_outside_turns_letters_about(run_of: Any, text: str) -> None:
    from xrm_control import app

    said = shown(text, tables.status_view(app.status(run_of(text).path)))
    assert not set(text) & set(map(chr, range(0x2000, 0x2070))) & set(said)
    assert "\\u20" in said


@pytest.mark.parametrize("text", ["\x1b[2J", "\x1b]0;owned\x07", "\x9b31m", "a\rb"])
def test_nothing_from_outside_commands_the_terminal(run_of: Any, text: str) -> None:
    from xrm_control import app

    said = shown(text, tables.status_view(app.status(run_of(text).path)))
    assert not set("\x1b\x07\x9b\r") & set(said)
    assert "\\x" in said


def test_a_run_whose_process_is_suspended_says_how_it_goes_on(run_of: Any) -> None:
    """It holds its lock as one that lives, and does nothing."""
    from xrm_control import app

    folder = run_of("night")
    program = (
        "import pathlib, sys, time\n"
        "from xrm_control.storage.lock import hold_lock\n"
        "with hold_lock(pathlib.Path(sys.argv[1]), 'it'):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(600)\n"
    )
    command = [sys.executable, "-c", program, str(folder.lock_file)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert not app.status(folder.path).suspended
        os.kill(holder.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, holder.pid, os.WSTOPPED | os.WNOWAIT)
        summary = app.status(folder.path)
        holder.kill()
    assert (summary.alive, summary.died, summary.suspended) == (True, False, True)
    assert f"`kill -CONT {holder.pid}` lets it go on" in tables.life(summary)
    assert app.status(folder.path).died


def test_a_folder_whose_name_is_markup(xrm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`xrm report` and `xrm check` print paths."""
    recipe = tmp_path / "[/x] [bold].yaml"
    recipe.parent.mkdir()
    recipe.write_bytes(Path(NMC811).read_bytes())
    assert str(recipe) in xrm("check", recipe).out
    monkeypatch.setattr("xrm_control.app.report", lambda run: Path(str(run)))
    assert xrm("report", "[/x]/run").out == "[/x]/run\n"
