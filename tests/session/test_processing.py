"""The hand-off to another analysis core: by command line, and what is said when it fails."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from xrm_control.core.errors import AnalysisError, DataError
from xrm_control.recipe.handoff import HandoffSpec, find_core
from xrm_control.session.processing import analyse_roi

WRITES = """
import json, pathlib, sys
handoff, out = map(pathlib.Path, sys.argv[1:])
assert json.loads(handoff.read_text())["units"] == "1/um"
(out / "results.json").write_text("{}")
(out / "particles.csv").write_text("particle_id\\n1\\n")
(out / "quality.json").write_text('{"snr": 9.5}')
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "handoff.json").write_text('{"units": "1/um"}')
    return tmp_path


def taker(program: str) -> HandoffSpec:
    return HandoffSpec(command=(sys.executable, "-c", program))


def test_a_command_takes_the_hand_off(place: Path) -> None:
    assert analyse_roi(place / "handoff.json", place, taker(WRITES)) == {"snr": 9.5}
    assert (place / "particles.csv").read_text() == "particle_id\n1\n"
    assert sorted(path.name for path in place.iterdir()) == [
        "handoff.json",
        "particles.csv",
        "quality.json",
        "results.json",
    ]


def test_running_it_again_changes_nothing(place: Path) -> None:
    analyse_roi(place / "handoff.json", place, taker(WRITES))
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    analyse_roi(place / "handoff.json", place, taker(WRITES))
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before


FAILURES = [
    ("import sys; sys.exit('no licence')", "no licence"),
    ("pass", "did not write results.json"),
]


@pytest.mark.parametrize(("program", "said"), FAILURES)
def test_a_command_that_fails_is_told_and_leaves_nothing_behind(place: Path, program: str, said: str) -> None:
    with pytest.raises(AnalysisError, match=said):
        analyse_roi(place / "handoff.json", place, taker(program))
    assert [path.name for path in place.iterdir()] == ["handoff.json"]


def test_a_command_that_is_not_there() -> None:
    with pytest.raises(AnalysisError, match="cannot be started"):
        analyse_roi(Path("handoff.json"), Path(), HandoffSpec(command=("/no/such/program",)))


def test_a_core_that_is_not_installed_is_found_before_the_run() -> None:
    find_core(HandoffSpec())
    with pytest.raises(DataError, match=r"nobody.*builtin"):
        find_core(HandoffSpec(core="nobody"))
