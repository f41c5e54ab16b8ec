"""The page of columns is that of the definitions, and every column is told of in full."""

from __future__ import annotations

from pathlib import Path

import pytest

from xrm_control.analysis.core import AnalysisSpec
from xrm_control.contracts.column import Column, uncertainty
from xrm_control.contracts.columns import KNOWN_PARTICLE_COLUMNS
from xrm_control.contracts.dictionary import page
from xrm_control.contracts.headings import heading
from xrm_control.contracts.tables import VOID_COLUMNS, Particle, Void

PAGE = Path(__file__).parents[2] / "docs/columns.md"


def test_the_page_is_not_stale() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make columns`"


@pytest.mark.parametrize("columns", [KNOWN_PARTICLE_COLUMNS, VOID_COLUMNS], ids=["particles", "voids"])
def test_every_column_once_with_a_meaning_of_its_own(columns: tuple[Column, ...]) -> None:
    assert len({column.name for column in columns}) == len(columns)
    assert len({column.label for column in columns}) == len(columns)


@pytest.mark.parametrize("table", [Particle, Void])
def test_an_attribute_is_its_columns_name(table: type) -> None:
    """So that code which names a column says the name that stands in the file."""
    single = {name: column for name, column in vars(table).items() if isinstance(column, Column)}
    assert single
    assert {name: column.name for name, column in single.items()} == {name: name for name in single}


def test_what_the_metrics_give_is_on_the_page() -> None:
    assert set(AnalysisSpec().columns) == set(KNOWN_PARTICLE_COLUMNS)


@pytest.mark.parametrize(
    ("name", "unit"),
    [("volume_um3", "µm²"), ("volume_um3", ""), ("sphericity", "µm"), ("slope_per_um", "µm"), ("slope_per_um", "1/cm")],
)
def test_a_wrong_unit_is_no_column(name: str, unit: str) -> None:
    with pytest.raises(ValueError, match=f"column {name}: unit"):
        Column(name=name, label="x", meaning="x", source="x", unit=unit)


def test_an_uncertainty_has_its_columns_unit() -> None:
    assert uncertainty(Particle.mean_attenuation_per_um).unit == "1/µm"
    assert uncertainty(Particle.mean_attenuation_per_um).name == "mean_attenuation_per_um_u"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("equivalent_diameter_um", "equivalent diameter (µm)"),
        ("edge_blur_fwhm_um", "edge blur, FWHM (µm)"),
        ("snr", "SNR"),
        ("n_voids", "internal voids of whole particles"),
        ("voided_fraction", "share of particles with voids"),
        ("volume_weighted_diameter_um", "diameter weighted by volume (µm)"),
        ("nobody_knows_um3", "nobody knows (µm³)"),
    ],
)
def test_headings(name: str, said: str) -> None:
    assert heading(name) == said


def test_a_runs_own_columns_come_first() -> None:
    own = Column(name="grain_um", label="size of grains", meaning="x", source="metric grains", unit="µm")
    assert heading("grain_um", (own,)) == "size of grains (µm)"
