"""`xrm rehearse` and `xrm compare` as their user meets them: what is said, exit codes, wrong input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_cli import xrm
from tests.system.conftest import SHORT, write_recipe
from xrm_control.contracts.comparison import Comparison
from xrm_control.contracts.rehearsal import Rehearsal

__all__ = ["xrm"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the user's, with a recipe."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "250")
    return write_recipe(tmp_path, **SHORT)


def test_a_night_is_rehearsed_and_compared(xrm: Any, here: Path) -> None:
    told = xrm("rehearse", here, "--without-images")
    assert told.code == 0
    for words in ("simulated, no data", "complete", "drawn anew", "start    begins at home", "rehearsal.html"):
        assert words in told.out
    (folder,) = Path("rehearsals").iterdir()
    assert not Path("runs").exists()
    found = Rehearsal.model_validate_json((folder / "rehearsal.json").read_text())
    run = folder / str(found.items[0].nights[0].run)
    assert "REHEARSAL, no data" in xrm("status", run).out
    beside = xrm("compare", run, "--with", folder)
    assert beside.code == 0
    assert "no deviation\n" in beside.out
    assert "0 deviation(s), 0 with something unexplained" in beside.out
    comparison = Comparison.model_validate(json.loads(xrm("compare", run, "--with", folder, "--json").out))
    assert comparison.found.run == run.name


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rehearse", "missing.yaml"), "missing.yaml"),
        (("rehearse", "short.yaml", "--storm", "hurricane"), "no such storm"),
        (("rehearse", "short.yaml", "--nights", "0"), "played so often"),
        (("rehearse", "."), "queue"),
        (("compare", "nowhere", "--with", "."), "no such run folder"),
    ],
)
def test_wrong_use_is_told(xrm: Any, here: Path, words: tuple[str, ...], said: str) -> None:
    here.rename("short.yaml")
    told = xrm(*words)
    assert told.code == 2
    assert said in told.err
    assert not Path("rehearsals").exists()
