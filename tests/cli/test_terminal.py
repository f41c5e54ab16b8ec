"""Terminals of any width, or of none: no number vanishes, no message either."""

from __future__ import annotations

import os
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Group
from rich.table import Table

from tests.cli.test_cli import NMC811, xrm
from tests.reporting.results import region_results
from xrm_control import app
from xrm_control.cli import doctor, tables
from xrm_control.cli.plain import LEAST_WIDTH, PlainConsole, widen_environment
from xrm_control.contracts.table1 import PAPER, Table1
from xrm_control.core.clock import utc_now
from xrm_control.core.findings import Finding
from xrm_control.core.states import RunState
from xrm_control.reporting.table import paper_table
from xrm_control.storage.journal import Journal
from xrm_control.storage.records import RunRecord
from xrm_control.storage.run_folder import RunFolder

__all__ = ["xrm"]

NUMBER = re.compile(r"[-+]?\d[\d.:]*(?:e[-+]\d+)?")


def shown(width: int, *renderables: Any, colours: bool = False) -> str:
    file = StringIO()
    console = PlainConsole(file=file, width=width, highlight=False, soft_wrap=True, force_terminal=colours)
    for one in renderables:
        console.print(one)
    return file.getvalue()


def plan_and_trade_off(tmp_path: Path) -> list[Table | Group]:
    loaded = app.load(Path(NMC811))
    return [*tables.plan_tables(app.plan(loaded, tmp_path)), tables.trade_off_table(app.trade_off(loaded, (1, 8)))]


def status(tmp_path: Path) -> list[Table | Group]:
    folder = RunFolder.create(tmp_path, "r", utc_now(), "0000")
    with Journal.create(folder.journal, RunRecord("run", "r", "", "b", True, utc_now().isoformat())) as journal:
        journal.set_state(RunState.SCANNING, t_s=12345.6, reason="x", utc=None)
    return [tables.status_view(app.status(folder.path))]


def table_1(_: Path) -> list[Table | Group]:
    return [paper_table(region_results(Table1(unbiased=PAPER, paper=PAPER), "NMC622"))]


def findings(_: Path) -> list[Table | Group]:
    long = "free 20 GB of /a/very/long/path/that/no/terminal/of/forty/columns/holds/in/a/line/4711"
    return [doctor.table([Finding("disk free here", False, "12.5 GB", long)])]


@pytest.mark.parametrize("width", [0, 1, 20, 40, 80, 1000])
@pytest.mark.parametrize("make", [plan_and_trade_off, status, table_1, findings])
def test_no_number_vanishes_at_any_width(tmp_path: Path, make: Any, width: int) -> None:
    renderables = make(tmp_path)
    wide = NUMBER.findall(shown(2000, *renderables))
    assert len(wide) > 1
    narrow = shown(width, *renderables)
    found = set(NUMBER.findall(narrow)) | set(NUMBER.findall(re.sub(r"[\s│┃]+", "", narrow)))
    joined = re.sub(r"[^0-9]", "", narrow)
    missing = [n for n in wide if n not in found and re.sub(r"[^0-9]", "", n) not in joined]
    assert missing == []
    if make is table_1:
        rows = [line for line in narrow.splitlines() if "particle volume V" in line]
        assert [line.split().count("238") for line in rows] == [3]
    assert "\x1b" not in narrow


def test_tables_are_no_wider_than_a_terminal_of_eighty_columns(tmp_path: Path) -> None:
    text = shown(80, *plan_and_trade_off(tmp_path))
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("columns", ["0", "1", "19", "-5", "wide", "20", "200"])
def test_a_width_of_no_use_is_forgotten(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    widen_environment()
    assert os.environ.get("COLUMNS") == (columns if columns in ("20", "200") else None)


@pytest.mark.parametrize("columns", ["0", "1", "40"])
def test_messages_appear_at_any_width(xrm: Any, monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    said = xrm("check", NMC811, "--set", "scan.exposur=3")
    assert (said.code, "did you mean 'exposure_s'?" in said.err) == (2, True)
    said = xrm("chek")
    assert (said.code, "No such command" in said.err) == (2, True)
    assert "in order" in xrm("check", NMC811).out
    assert "--version" in xrm("--help").out


@pytest.mark.parametrize("variable", ["NO_COLOR", "TERM"])
def test_no_colours_where_none_are_wanted(xrm: Any, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "dumb")
    for command in (["plan", NMC811], ["check", "nofile.yaml"], ["chek"]):
        said = xrm(*command)
        assert "\x1b[3" not in said.out + said.err


def test_a_console_is_never_narrower_than_a_number() -> None:
    assert PlainConsole(file=StringIO(), width=0).width == LEAST_WIDTH


def test_a_plan_in_the_units_that_stand_beside_its_numbers() -> None:
    plan = app.check(app.load(Path(NMC811)))
    stages, facts = (
        [[str(cell) for cell in column.cells] for column in table.columns] for table in tables.plan_tables(plan)
    )
    told = dict(zip(*facts, strict=True))
    # Pixels of 64 nm, eight by eight; 128 of them a side.
    assert (told["pixel"], told["field of view"]) == ("512 nm", "65.5 um")
    assert told["projections per scan"] == "141"
    assert told["limits theta"].endswith(" deg")
    assert told["limits x"].endswith(" um")
    dose, unit = told["surface dose per scan"].split()
    assert (float(dose), unit) == (pytest.approx(plan.dose_per_scan_gy, rel=0.01), "Gy")
    names, frames, *_ = stages
    assert (names[-1], int(frames[-1])) == ("total", sum(int(count) for count in frames[:-1]))
