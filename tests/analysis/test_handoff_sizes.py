"""A core's numbers beside each other: what no particle can have, and columns or units that were mixed up, are told."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from xrm_control.analysis.handoff_check import check_results
from xrm_control.contracts.handoff import HandoffSpec

# A sphere of 3 um radius with a void of 1 um radius, in a volume of 40 um.
RADIUS = 3.0
VOLUME, SURFACE, VOID = 4 / 3 * math.pi * RADIUS**3, 4 * math.pi * RADIUS**2, 4 / 3 * math.pi
BALL: dict[str, float | str] = {
    "particle_id": 1, "roi": "roi-01", "x_um": 12.0, "y_um": -15.0, "z_um": 3.0,
    "volume_um3": VOLUME, "equivalent_diameter_um": 2 * RADIUS, "surface_area_um2": SURFACE, "sphericity": 1.0,
    "surface_to_volume_per_um": SURFACE / VOLUME, "radius_mean_um": RADIUS, "void_count": 1, "void_volume_um3": VOID,
    "dead_volume_percent": 100 * VOID / VOLUME, "mean_attenuation_per_um": 0.05, "touches_boundary": 0, "weight": 1.2,
}  # fmt: skip
HANDED = HandoffSpec(volume="v.ome.tif", shape=(80, 80, 80), voxel_size_um=0.5)


def written(folder: Path, **changes: float | str) -> Path:
    row = {**BALL, **changes}
    text = f"{','.join(row)}\n{','.join(map(str, row.values()))}\n"
    (folder / "particles.csv").write_text(text)
    (folder / "results.json").write_text("{}")
    return folder


RIGHT: list[dict[str, float | str]] = [
    {},
    {"surface_area_um2": 2.5 * SURFACE, "surface_to_volume_per_um": 2.5 * SURFACE / VOLUME, "sphericity": 0.4},
    {"surface_area_um2": 0.95 * SURFACE, "surface_to_volume_per_um": 0.95 * SURFACE / VOLUME, "sphericity": 1.05},
    {"surface_area_um2": "", "sphericity": "", "radius_mean_um": "", "void_count": "", "dead_volume_percent": ""},
    {"void_count": 0, "void_volume_um3": 0, "dead_volume_percent": 0},
    {"dead_volume_percent": round(100 * VOID / VOLUME, 1)},
    {"radius_mean_um": 0.6 * RADIUS},
    {"x_um": 20.0, "touches_boundary": 1},
    {"weight": 1}, {"weight": 1.0, "touches_boundary": 1}, {"weight": 0, "touches_boundary": 1}, {"weight": 30},
    {"radius_xy_um": 0.3 * RADIUS, "radius_yz_um": 3 * RADIUS, "roughness_xz_um": -0.02},
    {"volume_um3_u": 0, "sphericity_u": 0.5, "x_um_u": 2.0, "dead_volume_percent_u": 90},
]  # fmt: skip


@pytest.mark.parametrize("changes", RIGHT)
def test_what_a_particle_may_have(tmp_path: Path, changes: dict[str, float | str]) -> None:
    assert check_results(written(tmp_path, **changes), "roi-01", HANDED) == ()


MM, M = 1e-3, 1e-6
WRONG: list[tuple[dict[str, float | str], str]] = [
    *(({"surface_area_um2": SURFACE * factor}, "surface_area_um2") for factor in (-1, 0, MM**2, 0.3, 0.8, 1e3)),
    *(({"sphericity": value}, "sphericity") for value in (-1, 0, 0.001, 1.2, 2, 100)),
    *(({"surface_to_volume_per_um": value}, "surface_to_volume_per_um") for value in (MM, 0.5, 1e3)),
    *(({"radius_mean_um": RADIUS * factor}, "radius_mean_um") for factor in (-1, 0, MM, 1e3)),
    *(({"void_volume_um3": VOID * factor}, "void_volume_um3") for factor in (-1, 1e3)),
    *(({"dead_volume_percent": value}, "dead_volume_percent") for value in (-1, VOID / VOLUME, 50, 370)),
    *(({"void_count": value}, "void_count") for value in (-1, 0.5)),
    *(({"mean_attenuation_per_um": value}, "mean_attenuation_per_um") for value in (-0.05, 0, 50, 500)),
    *(({axis: value}, axis) for axis in ("x_um", "y_um", "z_um") for value in (21.0, -12_000.0)),
    *(({"sphericity": value}, "sphericity") for value in (0.8, 1.2, 0.5)),
    *(({"weight": value}, "weight") for value in (0, 0.3, 1e6)),
    *(({f"radius_{plane}_um": RADIUS * factor}, f"radius_{plane}_um") for plane in ("xy", "xz", "yz")
      for factor in (-1, MM, 1e3)),
    *(({"roughness_xy_um": value}, "roughness_xy_um") for value in (-300, 1e3)),
    *(({f"{name}_u": value}, f"{name}_u") for name in ("volume_um3", "equivalent_diameter_um", "sphericity")
      for value in (-0.01, 1e5)),
    ({"x_um_u": -1}, "x_um_u"),
    ({"volume_um3": 0.01, "equivalent_diameter_um": (0.06 / math.pi) ** (1 / 3)}, "volume_um3"),
    ({"volume_um3": 1e6, "equivalent_diameter_um": (6e6 / math.pi) ** (1 / 3)}, "volume_um3"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "column"), WRONG)
def test_what_none_has_is_told(tmp_path: Path, changes: dict[str, float | str], column: str) -> None:
    faults = check_results(written(tmp_path, **changes), "roi-01", HANDED)
    assert [(fault.row, fault.limit is not None) for fault in faults if fault.column == column] == [(2, True)]


def test_a_table_in_millimetres_is_told(tmp_path: Path) -> None:
    powers = {"volume_um3": 3, "surface_area_um2": 2, "void_volume_um3": 3, "surface_to_volume_per_um": -1}
    lengths = {**powers, **dict.fromkeys(("x_um", "y_um", "z_um", "equivalent_diameter_um", "radius_mean_um"), 1)}
    faults = check_results(
        written(tmp_path, **{name: float(BALL[name]) * MM**power for name, power in lengths.items()}), "roi-01", HANDED
    )
    assert [(fault.column, fault.what) for fault in faults] == [("volume_um3", "is smaller than a voxel")]


@pytest.mark.parametrize(("rows", "column"), [(1, None), (0, "counts.particles"), (3, "counts.particles")])
def test_results_that_count_other_particles_are_told(tmp_path: Path, rows: int, column: str | None) -> None:
    (written(tmp_path) / "results.json").write_text(f'{{"counts": {{"particles": {rows}}}}}')
    assert [fault.column for fault in check_results(tmp_path, "roi-01")] == ([] if column is None else [column])


@pytest.mark.parametrize(("moved", "faults"), [(0.0, 1), (-7.0, 0)])
def test_a_body_that_is_there_twice_is_told(tmp_path: Path, moved: float, faults: int) -> None:
    path = written(tmp_path) / "particles.csv"
    again = {**BALL, "particle_id": 2, "x_um": float(BALL["x_um"]) + moved}
    path.write_text(f"{path.read_text()}{','.join(map(str, again.values()))}\n")
    found = check_results(tmp_path, "roi-01", HANDED)
    assert [(fault.row, fault.what) for fault in found] == [
        (3, "the table has the same place and size twice, first in row 2")
    ] * faults


def test_results_of_another_region_are_told(tmp_path: Path) -> None:
    (written(tmp_path) / "results.json").write_text('{"roi": "roi-09"}')
    (fault,) = check_results(tmp_path, "roi-01")
    assert (fault.file, fault.column, fault.value, fault.limit) == ("results.json", "roi", "roi-09", "roi-01")


def test_the_built_in_core_is_held_to_its_sizes_alone(tmp_path: Path) -> None:
    odd = written(tmp_path, surface_area_um2=0.3 * SURFACE, x_um=21.0)
    assert check_results(odd, "roi-01", HANDED, own=True) == ()
    assert len(check_results(odd, "roi-01", HANDED)) == 4
