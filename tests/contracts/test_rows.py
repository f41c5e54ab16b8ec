"""The one reader and writer of particles.csv and voids.csv."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xrm_control.contracts.column import Column, number
from xrm_control.contracts.columns import KNOWN_PARTICLE_COLUMNS
from xrm_control.contracts.rows import Rows, pool_rows, read_rows, write_rows
from xrm_control.contracts.tables import VOID_COLUMNS, Particle, Void
from xrm_control.core.errors import DataError

ROW = {
    "particle_id": 1, "roi": "roi-01", "x_um": 0.5, "y_um": -1.0, "z_um": 0.25, "volume_um3": 113.097,
    "equivalent_diameter_um": 6.0, "sphericity": 0.9, "touches_boundary": 0, "weight": 1.25,
}  # fmt: skip


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "roi-01" / "particles.csv"
    path.parent.mkdir()
    rows = [ROW, {**ROW, "particle_id": 2, "sphericity": float("nan"), "touches_boundary": 1, "weight": 0}]
    write_rows(path, Rows.of(rows, KNOWN_PARTICLE_COLUMNS))
    return path


def test_what_is_written_is_read_again(table: Path) -> None:
    rows = read_rows(table, KNOWN_PARTICLE_COLUMNS)
    assert table.read_text().splitlines()[2] == "2,roi-01,0.5,-1,0.25,113.097,,6,1,0"
    assert rows.ids(Particle.particle_id) == (1, 2)
    assert rows.texts(Particle.roi) == ("roi-01", "roi-01")
    assert rows.flags(Particle.touches_boundary).tolist() == [False, True]
    assert rows.numbers(Particle.volume_um3).tolist() == [113.097, 113.097]
    assert np.isnan(rows.numbers(Particle.sphericity)).tolist() == [False, True]
    assert not rows.has(Particle.surface_area_um2)
    assert np.isnan(rows.numbers(Particle.surface_area_um2)).all()


def test_columns_of_other_tables_are_kept_as_text(table: Path) -> None:
    lines = table.read_text().splitlines()
    table.write_text(f'{lines[0]},grade,Note!\n{lines[1]},"a, b",x\n')
    rows = read_rows(table, KNOWN_PARTICLE_COLUMNS)
    grade, note = rows.columns[-2:]
    assert (grade.name, grade.describable, note.name, note.describable) == ("grade", True, "Note!", False)
    assert rows.texts(grade) == ("a, b",)
    assert rows.records()[0]["Note!"] == "x"
    write_rows(table, rows)
    assert table.read_text() == f'{lines[0]},grade,Note!\n{lines[1]},"a, b",x\n'


def test_pooling_leaves_empty_what_one_of_them_lacks(table: Path) -> None:
    first = read_rows(table, KNOWN_PARTICLE_COLUMNS)
    other = Rows.of([{**ROW, "roi": "roi-02", "surface_area_um2": 113.0}], KNOWN_PARTICLE_COLUMNS)
    both = pool_rows([first, other])
    assert len(both) == 3
    assert both.texts(Particle.roi) == ("roi-01", "roi-01", "roi-02")
    assert np.isnan(both.numbers(Particle.surface_area_um2)).tolist() == [True, True, False]
    assert both.take([2, 0]).texts(Particle.roi) == ("roi-02", "roi-01")
    assert len(pool_rows([])) == 0


def test_a_column_that_nobody_defines_is_not_written() -> None:
    with pytest.raises(DataError, match="shininess"):
        Rows.of([{**ROW, "shininess": 1.0}], KNOWN_PARTICLE_COLUMNS)


PLANTED = {
    "a renamed column": ("volume_um3", "volume", "required column volume_um3 is missing"),
    "another unit": ("volume_um3", "volume_mm3", "required column volume_um3 is missing"),
    "no number": ("113.097,0.9", "large,0.9", r"row 2, column volume_um3: .*value large"),
    "a number that is none": (",0.9,", ",nan,", r"row 2, column sphericity: .*value nan"),
    "nothing below zero": ("113.097,0.9", "-113.097,0.9", r"row 2, column volume_um3: .*limit a finite number above 0"),
    "a flag that is none": ("6,0,1.25", "6,yes,1.25", r"row 2, column touches_boundary: .*limit 0 or 1"),
    "a weight below zero": ("6,0,1.25", "6,0,-1", r"row 2, column weight"),
    "an id that is none": ("\n1,roi", "\n1.5,roi", r"row 2, column particle_id"),
    "a column twice": ("sphericity", "volume_um3", "a column twice"),
    "a row too short": (",1.25\n", "\n", r"row 2: a row with another number of cells"),
    "no header": ("particle_id", "\n", "."),
}


@pytest.mark.parametrize(("old", "new", "said"), PLANTED.values(), ids=PLANTED)
def test_what_is_planted_is_found(table: Path, old: str, new: str, said: str) -> None:
    text = table.read_text()
    assert old in text
    table.write_text(text.replace(old, new, 1))
    with pytest.raises(DataError, match=rf"roi-01/particles\.csv.*{said}"):
        read_rows(table, KNOWN_PARTICLE_COLUMNS)


def test_a_void_of_no_known_kind(tmp_path: Path) -> None:
    path = tmp_path / "voids.csv"
    row = {
        "void_id": 1, "particle_id": 1, "roi": "roi-01", "x_um": 0.0, "y_um": 0.0, "z_um": 0.0, "volume_um3": 4.0,
        "equivalent_diameter_um": 2.0, "kind": "ajar",
    }  # fmt: skip
    write_rows(path, Rows.of([row], VOID_COLUMNS))
    with pytest.raises(DataError, match=f"{Void.kind.name}.*ajar.*closed, ambiguous, open"):
        read_rows(path, VOID_COLUMNS)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"", b"\n"])
def test_no_table(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "particles.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"particles\.csv"):
        read_rows(tmp_path / "particles.csv", KNOWN_PARTICLE_COLUMNS)
    with pytest.raises(DataError, match=r"gone\.csv"):
        read_rows(tmp_path / "gone.csv", KNOWN_PARTICLE_COLUMNS)


CELLS = st.one_of(
    st.text("0123456789.eE+-_ naif\n,é٣", max_size=6),
    st.sampled_from(["", "1e999", "-0", ".5", "5.", "1_0", "nan", "inf", " 1", "1\n", "٣"]),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)


@pytest.mark.parametrize("required", [False, True])
@pytest.mark.parametrize("dtype", ["id", "flag", "number", "positive", "weight"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=st.lists(CELLS, min_size=1, max_size=4))
def test_a_table_is_read_where_each_cell_fits_and_not_otherwise(
    tmp_path: Path, dtype: Literal["id", "flag", "number", "positive", "weight"], required: bool, cells: list[str]
) -> None:
    column = Column(name="it", label="it", meaning="it", source="test", dtype=dtype, required=required)
    other = Column(name="other", label="other", meaning="other", source="test", dtype="text")
    path = tmp_path / "table.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows([("it", "other"), *((cell, "x") for cell in cells)])
    if all(column.fits(cell) for cell in cells):
        found = read_rows(path, [column, other]).numbers(column)
        np.testing.assert_array_equal(found, [number(cell) for cell in cells])
    else:
        with pytest.raises(DataError, match="a cell that cannot be used"):
            read_rows(path, [column, other])
