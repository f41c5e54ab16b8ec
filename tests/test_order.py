"""The longest files are run first: those that the list in `conftest.py` names are there, each once."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import LONGEST

HERE = Path(__file__).parent


def test_the_longest_files_are_there_each_once() -> None:
    assert [name for name in LONGEST if not (HERE / name).is_file()] == []
    assert len(set(LONGEST)) == len(LONGEST)
