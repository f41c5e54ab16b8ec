"""A specification in the recipe: what names mean, and what is refused before anything moves."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from xrm_control.contracts.columns import KNOWN_PARTICLE_COLUMNS
from xrm_control.contracts.specification import SpecificationLine, diagnose_specification, quantity_of

NAMES = {
    "voided_share": ("share", "void_count", "mean"),
    "sphericity": ("number", "sphericity", "mean"),
    "D90_um": ("number", "equivalent_diameter_um", "d90"),
    "Dv50_um": ("volume", "equivalent_diameter_um", "d50"),
    "volume_weighted_diameter_um.d10": ("volume", "equivalent_diameter_um", "d10"),
    "equivalent_diameter_um.sigma_ln": ("number", "equivalent_diameter_um", "sigma_ln"),
    "dead_volume_percent.median": ("number", "dead_volume_percent", "median"),
}
NOTHING = (
    "",
    "D33_um",
    "Dv25_um",
    "sphericity.mode",
    "void_count",
    "volume_weighted_diameter_um",
    "voided",
    "x_um.mean",
)
REFUSED = [
    ({"quantity": "sphericty", "at_least": 0.9}, "specification.0.quantity", "no such quantity"),
    ({"quantity": "Dv50_um", "between": (11, 9)}, "specification.0.between", "no lot can lie"),
    ({"quantity": "Dv50_um", "at_most": -1}, "specification.0.at_most", "never below 0"),
    ({"quantity": "voided_share", "at_most": 20}, "specification.0.at_most", "between 0 and 1"),
    ({"quantity": "voided_share", "at_least": 0}, "specification.0.at_least", "between 0 and 1"),
    ({"quantity": "dead_volume_percent", "at_most": 200}, "specification.0.at_most", "100 %"),
]


@pytest.mark.parametrize(("name", "meant"), NAMES.items())
def test_names(name: str, meant: tuple[str, str, str]) -> None:
    found = quantity_of(name, KNOWN_PARTICLE_COLUMNS)
    assert found is not None
    assert (found.kind, found.column.name, found.statistic) == meant


@pytest.mark.parametrize("name", NOTHING)
def test_names_that_mean_nothing(name: str) -> None:
    assert quantity_of(name, KNOWN_PARTICLE_COLUMNS) is None


@pytest.mark.parametrize(("line", "field", "what"), REFUSED)
def test_refused(line: dict, field: str, what: str) -> None:
    found = list(diagnose_specification([SpecificationLine.model_validate(line)], KNOWN_PARTICLE_COLUMNS))
    assert any(one.fields[0] == field and what in one.what for one in found), found
    assert all(one.refuses and one.value and one.limit and one.remedy for one in found)


def test_sound_ones_are_not_refused() -> None:
    lines = [
        SpecificationLine(quantity="voided_share", at_most=0.2),
        SpecificationLine(quantity="Dv50_um", between=(9, 11)),
        SpecificationLine(quantity="roughness_xy_um", at_most=0),
    ]
    assert not list(diagnose_specification(lines, KNOWN_PARTICLE_COLUMNS))
    twice = [lines[0], SpecificationLine(quantity="voided_share", at_least=0.1)]
    assert [one.what for one in diagnose_specification(twice, KNOWN_PARTICLE_COLUMNS)] == [
        "two lines of the specification limit one quantity"
    ]


@pytest.mark.parametrize(
    "line",
    [
        {"quantity": "sphericity"},
        {"quantity": "sphericity", "at_most": 1, "between": [0, 1]},
        {"quantity": "sphericity", "at_most": 1, "alpha": 0},
        {"quantity": "sphericity", "at_moast": 1},
        {"quantity": "sphericity", "at_most": float("inf")},
    ],
)
def test_not_a_line(line: dict) -> None:
    with pytest.raises(ValidationError):
        SpecificationLine.model_validate(line)
