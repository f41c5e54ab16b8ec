"""Which tests meet a fault: recorded from what they enter, also in processes that they start."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.hunt import judge
from tests.mutants.mutant import Mutant
from tests.mutants.reached import Reached, enclosing, load, record

SOURCE = '''"""Arithmetic."""

from __future__ import annotations

import numba

LIMIT = 4


@numba.njit
def fifth(value):
    return value / 5


class Number:
    """A number."""

    def half(self, value):
        """Half of it."""
        return value / 2

    def twice(self, value): return value * 2


def third(value):
    return value / 3
'''
TESTS = """
import subprocess, sys
import pytest
from xrm_control.arithmetic import Number, fifth, third

THIRD = "from xrm_control.arithmetic import third; third(3)"

@pytest.fixture(scope="module")
def made():
    return Number().twice(2)

def test_compiled(): assert fifth(5) == 1
def test_half(): assert Number().half(4) == 2
def test_of_what_was_made(made): assert made
def test_the_value_that_was_made(made): assert made == 4
def test_elsewhere(): subprocess.run([sys.executable, "-c", THIRD], check=True)
def test_fails(): third(1); assert False
"""
FILE = "tests/test_arithmetic.py"
TWICE = Mutant("xrm_control/arithmetic.py", "value * 2", "value * 3", "2 -> 3")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    for folder in ("xrm_control", "tests"):
        (root / folder).mkdir()
    (root / "xrm_control/__init__.py").write_text("")
    (root / "xrm_control/arithmetic.py").write_text(SOURCE)
    (root / FILE).write_text(TESTS)
    return root


@pytest.fixture(scope="module")
def reached(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Reached:
    kept = tmp_path_factory.mktemp("kept")
    assert record(tree, kept, [FILE], 0) == 1
    (tree / "xrm_control/arithmetic.py").write_text(SOURCE)
    return load(kept)


EVERY = ["compiled", "elsewhere", "half", "of_what_was_made", "the_value_that_was_made"]
CASES = [
    ("value / 2", "Number.half", ["half"]),
    # By a fixture of the module: any of its tests may look at it; those that fail anyhow find nothing.
    ("value * 2", "Number.twice", EVERY),
    ("value / 3", "third", ["elsewhere"]),
    # Outside of any function: whoever enters one of the module.
    # Machine code cannot say that it is entered.
    ("value / 5", "fifth", EVERY),
    ("LIMIT = 4", "", EVERY),
]


@pytest.mark.parametrize(("text", "name", "tests"), CASES)
def test_who_enters_it(tree: Path, reached: Reached, text: str, name: str, tests: list[str]) -> None:
    fault = Mutant("xrm_control/arithmetic.py", text, "", "gone")
    assert enclosing(fault, tree) == f"xrm_control/arithmetic.py::{name}"
    assert sorted(reached.of(fault, tree, 60)) == [f"{FILE}::test_{test}" for test in tests]


def test_no_more_than_the_seconds_that_are_given_and_at_least_one(tree: Path, reached: Reached) -> None:
    assert len(reached.of(TWICE, tree, -1)) == 1


def test_a_fault_is_found_by_them(tree: Path, reached: Reached) -> None:
    assert judge(TWICE, tree, reached).by == f"{FILE}::test_the_value_that_was_made"
    assert (tree / "xrm_control/arithmetic.py").read_text() == SOURCE
