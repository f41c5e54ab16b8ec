"""The adapter to the individual radii, and the rule that picks particles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xrm_control.core.errors import DataError
from xrm_control.reporting.radii import (
    AZIMUTHS_DEG,
    PLANES,
    local_differences_um,
    radii_um,
    radii_uncertainty_um,
    varied_sizes,
)
from xrm_control.reporting.rows import Rows, pool, read_rows


def particles(diameters: list[float], **columns: list[str]) -> Rows:
    count = len(diameters)
    cells = {"equivalent_diameter_um": tuple(map(str, diameters)), "particle_id": tuple(map(str, range(count)))}
    for at, plane in enumerate(PLANES):
        for azimuth in AZIMUTHS_DEG:
            cells[f"radius_{plane}_{azimuth:03d}_um"] = tuple(f"{d / 2 + at + azimuth / 1000}" for d in diameters)
    return Rows({**cells, **{name: tuple(values) for name, values in columns.items()}}, count)


def test_radii_by_plane_and_azimuth() -> None:
    radii = radii_um(particles([10.0, 6.0]))
    assert radii.shape == (2, 3, 8)
    assert radii[1, 2, 3] == pytest.approx(3 + 2 + 0.135)


def test_radii_degrade_when_absent() -> None:
    without = Rows({"equivalent_diameter_um": ("10", "6")}, 2)
    assert np.isnan(radii_um(without)).all()
    assert len(varied_sizes(without, 0.5)) == 0
    assert radii_um(Rows({}, 0)).shape == (0, 3, 8)


@pytest.mark.parametrize(
    ("diameters", "columns", "chosen"),
    [
        # From 40 to 5 evenly in the logarithm: 40, 20, 10, 5.
        ([5.0, 7.0, 10.5, 19.0, 30.0, 40.0], {}, ["5", "3", "2", "0"]),
        ([40.0, 30.0, 19.0, 10.5, 7.0, 5.0], {}, ["0", "2", "3", "5"]),
        ([4.0, 4.9, 12.0], {}, ["2"]),
        ([8.0, 9.0, 10.0], {"touches_boundary": ["0", "1", "0"]}, ["2", "0"]),
        ([8.0, 9.0, 10.0], {"rays_in_contact": ["3", "0", ""]}, ["2", "1"]),
        ([8.0, 9.0, 10.0], {"radius_xy_045_um": ["4", "", "5"]}, ["2", "0"]),
        ([6.0] * 6, {}, ["0", "1", "2", "3"]),
        ([], {}, []),
    ],
)
def test_varied_sizes(diameters: list[float], columns: dict[str, list[str]], chosen: list[str]) -> None:
    sample = varied_sizes(particles(diameters, **columns), 0.5)
    assert list(sample.particles.texts("particle_id")) == chosen
    assert sample.radii_um.shape == (len(chosen), 3, 8)


def test_uncertainty_is_the_table_s_or_half_a_voxel() -> None:
    table = particles([10.0, 6.0], radius_single_u_um=["0.07", ""])
    assert radii_uncertainty_um(table, 0.512).tolist() == [0.07, 0.256]
    assert np.isnan(radii_uncertainty_um(table, None)[1])


def test_local_differences_go_round_the_circle() -> None:
    radii = np.arange(8.0)[None, None, :].repeat(3, 1)
    assert local_differences_um(radii)[0, 0].tolist() == [1, 1, 1, 1, 1, 1, 1, 7]


def test_rows_pool_and_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('id,name\n1,"x, ""y"""\n2,µ\n\n')
    first = read_rows(tmp_path / "a.csv")
    both = pool([first, Rows({"id": ("3",), "more": ("4",)}, 1)])
    assert first.texts("name") == ('x, "y"', "µ")
    assert both.numbers("id").tolist() == [1, 2, 3]
    assert both.texts("more") == ("", "", "4")
    assert both.take([2, 0]).texts("id") == ("3", "1")
    assert np.isnan(both.numbers("name")).all()
    assert len(pool([])) == 0
    with pytest.raises(DataError, match=r"gone\.csv"):
        read_rows(tmp_path / "gone.csv")
