"""Formulas are read as numbers of atoms, or refused with the place where they stop making sense."""

from __future__ import annotations

import pytest

from xrm_control.core.formula import atoms

READ = [
    ("LiO2", {"Li": 1, "O": 2}),
    ("LiNi0.8Mn0.1Co0.1O2", {"Li": 1, "Ni": 0.8, "Mn": 0.1, "Co": 0.1, "O": 2}),
    ("Mn(SO4)2(H2O)7", {"Mn": 1, "S": 2, "O": 15, "H": 14}),
    ("Fe.7Mg.3O", {"Fe": 0.7, "Mg": 0.3, "O": 1}),
    ("Zn1.e-5Fe3O4", {"Zn": 1e-5, "Fe": 3, "O": 4}),
    ("((H2)3)2", {"H": 12}),
    ("CO Co", {"C": 1, "O": 1, "Co": 1}),
]


@pytest.mark.parametrize(("formula", "expected"), READ)
def test_read(formula: str, expected: dict[str, float]) -> None:
    assert atoms(formula) == pytest.approx(expected)


REFUSED = [
    ("", "empty"),
    ("  ", "empty"),
    ("2H", "follows no element"),
    ("H2 3", "follows no element"),
    ("(H", "not closed"),
    ("H)", "closes nothing"),
    ("()2", "closes nothing"),
    ("H0", "not above 0"),
    ("H1e999", "not above 0 and at most 10000"),
    ("h2o", "'h' at character 1"),
    ("H2O\n", "at character 4"),
    ("H₂O", "at character 2"),
    ("LiNi-O", "'-' at character 5"),
    ("(" * 11 + "H" + ")" * 11, "deeper than 10 at character 11"),
    ("H" * 201, "201 characters"),
]


@pytest.mark.parametrize(("formula", "said"), REFUSED)
def test_refused(formula: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        atoms(formula)
