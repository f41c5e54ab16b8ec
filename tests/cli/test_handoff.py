"""`xrm handoff check`: the contract as the writer of a core meets it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from xrm_control.cli.main import main

TABLE = (
    "particle_id,roi,x_um,y_um,z_um,volume_um3,equivalent_diameter_um,touches_boundary,weight,grade\n"
    "1,roi-03,0,0,0,113.1,6,0,1,A\n"
)


@pytest.fixture
def answer(tmp_path: Path) -> Path:
    (tmp_path / "results.json").write_text("{}")
    (tmp_path / "particles.csv").write_text(TABLE)
    (tmp_path / "handoff.json").write_text('{"volume": "v.tif", "voxel_size_um": 0.5, "roi": "roi-03"}')
    return tmp_path


def xrm(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["xrm", "handoff", "check", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr()
    return int(end.value.code or 0), said.out + said.err


def test_in_order(answer: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = xrm(capsys, monkeypatch, answer)
    assert code == 0
    assert "in order; roi-03, 1 particles, no table of voids" in said
    assert "columns of its own: grade" in said
    assert "left out of the report: surface area, sphericity" in said


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("particles.csv", "weight", "wt", "particles.csv, row 1, column weight: the table lacks a column"),
        (
            "particles.csv",
            "113.1",
            "-1",
            "particles.csv, row 2, column volume_um3: .* (value -1, limit a finite number",
        ),
        ("particles.csv", "1,roi-03", "1,roi-01", "particles.csv, row 2, column roi: the table is of another region"),
        (
            "particles.csv",
            ",",
            ";",
            "particles.csv, row 1, column roi: the table lacks a column.* limit cells separated by commas, not by ';'",
        ),
        ("results.json", "{}", "[]", "results.json: the file is not the JSON of an object"),
    ],
)
def test_each_fault_with_its_place_and_exit_code(
    answer: Path, name: str, old: str, new: str, told: str,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (answer / name).write_text((answer / name).read_text().replace(old, new))
    code, said = xrm(capsys, monkeypatch, answer)
    assert code == 1
    before, _, after = told.partition(".* ")
    assert before in said
    assert after in said


def test_a_columns_json_is_held_against_the_contract_too(
    answer: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    column = {"name": "grain_um", "label": "grain", "meaning": "x", "source": "x", "unit": "nm"}
    (answer / "columns.json").write_text(json.dumps({"particles": [column]}))
    code, said = xrm(capsys, monkeypatch, answer, "--json")
    assert code == 1
    (fault,) = json.loads(said)["faults"]
    assert fault["file"] == "columns.json"
    assert "unit 'nm'" in fault["what"]


def test_the_region_is_asked_for(
    answer: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (answer / "handoff.json").rename(answer.parent / "elsewhere.json")
    code, said = xrm(capsys, monkeypatch, answer)
    assert code == 2
    assert "--roi" in said
    assert xrm(capsys, monkeypatch, answer, "--handoff", answer.parent / "elsewhere.json")[0] == 0
    assert xrm(capsys, monkeypatch, answer, "--roi", "roi-03")[0] == 0
    assert xrm(capsys, monkeypatch, answer / "nowhere", "--roi", "roi-03")[0] == 2
