"""The hunt itself: every fault fits its place, is one that Python takes, and one that tests find is found."""

from __future__ import annotations

import ast
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.mutants.__main__ import ROOMS, main
from tests.mutants.generated import draw, mutants_of
from tests.mutants.hunt import Verdict, groups_of, judge
from tests.mutants.judged import EQUIVALENT
from tests.mutants.mutant import Mutant
from tests.mutants.planted import planted
from tests.mutants.reached import RECORDINGS
from tests.mutants.verdicts import Verdicts

ROOT = Path(__file__).parents[2]
SOURCE = """
def half(value: float) -> float:
    if not value > 0 and value != 1:
        raise ValueError("above 0")
    return value / 2
"""


def texts(mutant: Mutant, tmp_path: Path) -> tuple[str, str]:
    """Its file before and with it."""
    copy = tmp_path / mutant.path
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text((ROOT / mutant.path).read_text(encoding="utf-8"), encoding="utf-8")
    return mutant.plant(tmp_path), copy.read_text(encoding="utf-8")


def test_every_planted_fault_fits_its_place_and_changes_what_is_carried_out(tmp_path: Path) -> None:
    for mutant in planted():
        before, after = texts(mutant, tmp_path)
        assert ast.dump(ast.parse(before)) != ast.dump(ast.parse(after)), mutant.name(ROOT)


def test_faults_by_rule_are_the_same_for_the_same_seed_and_are_python(tmp_path: Path) -> None:
    drawn = draw(ROOT, ROOMS, seed=1)
    assert drawn == draw(ROOT, ROOMS, seed=1)
    assert drawn != draw(ROOT, ROOMS, seed=2)
    assert {mutant.room for mutant in drawn} >= set(ROOMS) - {"contracts"}
    for mutant in drawn:
        before, after = texts(mutant, tmp_path)
        assert ast.dump(ast.parse(before)) != ast.dump(ast.parse(after)), mutant.name(ROOT)


def test_the_kinds_of_faults_by_rule(tmp_path: Path) -> None:
    (tmp_path / "half.py").write_text(SOURCE)
    found = {mutant.what for mutant in mutants_of(tmp_path / "half.py", tmp_path)}
    assert found == {
        "> -> >=", "and -> or", "!= -> ==", "not value > 0 -> value > 0", "/ -> *", "0 -> 1", "1 -> 2", "2 -> 3",
        'raise ValueError("above 0") -> pass',
    }  # fmt: skip


@pytest.mark.parametrize(("test", "by"), [("half(4) == 2", True), ("half(4) is not None", False)])
def test_a_fault_is_found_by_a_test_that_looks_and_by_no_other(tmp_path: Path, test: str, by: bool) -> None:
    for folder in ("xrm_control/core", "tests/core"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "xrm_control/core/half.py").write_text(SOURCE)
    (tmp_path / "tests/core/test_half.py").write_text(
        "import pathlib\n\ndef test_half():\n"
        "    names = {}\n    exec(pathlib.Path('xrm_control/core/half.py').read_text(), names)\n"
        f"    half = names['half']\n    assert {test}\n"
    )
    fault = Mutant("xrm_control/core/half.py", "value / 2", "value * 2", "/ -> *")
    assert groups_of(fault, tmp_path) == [["tests/core/test_half.py"], ["tests/core"]]
    found = judge(fault, tmp_path)
    assert (found.by is not None) is by
    assert (tmp_path / "xrm_control/core/half.py").read_text() == SOURCE


def test_what_became_of_each_is_kept_and_the_latest_word_counts(tmp_path: Path) -> None:
    kept = Verdicts(tmp_path / "build" / "verdicts.tsv")
    assert not kept.knows("half.py:5: / -> *")
    kept.add("half.py:5: / -> *", None)
    kept.add("half.py:3: > -> >=", "tests/core/test_half.py::test_half")
    again = Verdicts(tmp_path / "build" / "verdicts.tsv")
    assert (again.knows("half.py:5: / -> *"), again.by("half.py:5: / -> *")) == (True, None)
    assert again.by("half.py:3: > -> >=") == "tests/core/test_half.py::test_half"
    again.add("half.py:5: / -> *", "tests/core/test_half.py::test_quarter")
    now = Verdicts(tmp_path / "build" / "verdicts.tsv")
    assert now.by("half.py:5: / -> *") == "tests/core/test_half.py::test_quarter"


@pytest.mark.parametrize(("asked", "met"), [("--go-on", ["c"]), ("--survivors", ["b"])])
def test_a_hunt_goes_on_where_it_was_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, asked: str, met: list[str]
) -> None:
    """Of three faults one was found and one survived before; all are summed up."""
    faults = [Mutant(f"xrm_control/core/{name}.py", "", "", name) for name in "abc"]
    kept = Verdicts(tmp_path / RECORDINGS / "verdicts.tsv")
    kept.add("a", "tests/core/test_a.py::test_a")
    kept.add("b", None)
    seen: list[str] = []

    def judged(mutant: Mutant, root: Path, reached: object) -> Verdict:
        seen.append(mutant.what)
        return Verdict(mutant, "tests/core/test_now.py::test_now")

    monkeypatch.setattr(Mutant, "name", lambda self, root: self.what)
    for name, value in {
        "ROOT": tmp_path, "planted": lambda: faults, "draw": lambda *_: [], "judge": judged,
        "copy_of": lambda root: nullcontext(root),
    }.items():  # fmt: skip
        monkeypatch.setattr(f"tests.mutants.__main__.{name}", value)
    monkeypatch.setattr("sys.argv", ["mutants", asked])
    main()
    assert seen == met
    assert Verdicts(tmp_path / RECORDINGS / "verdicts.tsv").by(met[0]) == "tests/core/test_now.py::test_now"
    assert f"core               2 of   {3 if asked == '--go-on' else 2}" in capsys.readouterr().out


def test_what_is_judged_to_be_no_fault_can_still_be_planted() -> None:
    """Each line of `judged.py` is one of a file that some rule makes of it."""
    made = {(one.path, one.line(ROOT)) for path, _ in EQUIVALENT for one in mutants_of(ROOT / path, ROOT)}
    assert EQUIVALENT.keys() <= made
