"""The adapter to the individual radii, and the rule that picks particles."""

from __future__ import annotations

import numpy as np
import pytest

from xrm_control.contracts.columns import KNOWN_PARTICLE_COLUMNS
from xrm_control.contracts.rows import Rows
from xrm_control.contracts.tables import AZIMUTHS_DEG, PLANES, Particle
from xrm_control.reporting.radii import (
    local_differences_um,
    radii_um,
    radii_uncertainty_um,
    varied_sizes,
)


def particles(diameters: list[float], **columns: list[str]) -> Rows:
    count = len(diameters)
    cells = {"equivalent_diameter_um": tuple(map(str, diameters)), "particle_id": tuple(map(str, range(count)))}
    for at, plane in enumerate(PLANES):
        for azimuth in AZIMUTHS_DEG:
            cells[f"radius_{plane}_{azimuth:03d}_um"] = tuple(f"{d / 2 + at + azimuth / 1000}" for d in diameters)
    table = {**cells, **{name: tuple(values) for name, values in columns.items()}}
    rows = [{name: float(values[at] or "nan") for name, values in table.items()} for at in range(count)]
    return Rows.of(rows, KNOWN_PARTICLE_COLUMNS)


def test_radii_by_plane_and_azimuth() -> None:
    radii = radii_um(particles([10.0, 6.0]))
    assert radii.shape == (2, 3, 8)
    assert radii[1, 2, 3] == pytest.approx(3 + 2 + 0.135)


def test_radii_degrade_when_absent() -> None:
    without = Rows.of([{"equivalent_diameter_um": d} for d in (10, 6)], KNOWN_PARTICLE_COLUMNS)
    assert np.isnan(radii_um(without)).all()
    assert len(varied_sizes(without, 0.5)) == 0
    assert radii_um(Rows((), {}, 0)).shape == (0, 3, 8)


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
    assert list(sample.particles.texts(Particle.particle_id)) == chosen
    assert sample.radii_um.shape == (len(chosen), 3, 8)


def test_uncertainty_is_the_table_s_or_half_a_voxel() -> None:
    table = particles([10.0, 6.0], radius_single_u_um=["0.07", ""])
    assert radii_uncertainty_um(table, 0.512).tolist() == [0.07, 0.256]
    assert np.isnan(radii_uncertainty_um(table, None)[1])


def test_local_differences_go_round_the_circle() -> None:
    radii = np.arange(8.0)[None, None, :].repeat(3, 1)
    assert local_differences_um(radii)[0, 0].tolist() == [1, 1, 1, 1, 1, 1, 1, 7]
