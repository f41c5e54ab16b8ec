"""Rows of a core's tables beside each other: each is possible by itself, and the tables are not."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from xrm_control.analysis.handoff_check import check_results
from xrm_control.contracts.handoff import HandoffSpec

HANDED = HandoffSpec(volume="v.ome.tif", shape=(80, 80, 80), voxel_size_um=0.5)
Row = dict[str, Any]


def body(number: int, x: float, y: float, z: float, radius: float, **more: object) -> Row:
    volume, surface = 4 / 3 * math.pi * radius**3, 4 * math.pi * radius**2
    return {
        "roi": "roi-01", "x_um": x, "y_um": y, "z_um": z, "volume_um3": volume, "surface_area_um2": surface,
        "sphericity": 1.0, "surface_to_volume_per_um": surface / volume, "equivalent_diameter_um": 2 * radius,
        "particle_id": number, **more,
    }  # fmt: skip


def ball(number: int, x: float, y: float, z: float, radius: float, void: float = 0.0, **more: object) -> Row:
    held = 4 / 3 * math.pi * void**3
    own = {"radius_mean_um": radius, "void_count": int(void > 0), "void_volume_um3": held}
    return body(number, x, y, z, radius, **own, touches_boundary=0, weight=1, **more)


def hollow(number: int, host: int, x: float, y: float, z: float, radius: float, kind: str = "closed") -> Row:
    return {**body(host, x, y, z, radius), "void_id": number, "kind": kind}


BALLS = [ball(1, 12, -15, 3, 3, 1), ball(2, -9, 4, -6, 4), ball(3, 2, 14, 10, 3.5), ball(4, -14, -12, -12, 2.5)]
VOIDS = [hollow(1, 1, 12.2, -15, 3, 1)]
POWERS = {"volume_um3": 3, "surface_area_um2": 2, "void_volume_um3": 3, "surface_to_volume_per_um": -1}
POWERS |= {"equivalent_diameter_um": 1, "radius_mean_um": 1}
PLACES = {"x_um": 1, "y_um": 1, "z_um": 1}


def scaled(rows: list[Row], factor: float, powers: Mapping[str, int]) -> list[Row]:
    return [{name: x * factor ** powers[name] if name in powers else x for name, x in row.items()} for row in rows]


def changed(rows: list[Row], *numbers: int, **values: object) -> list[Row]:
    """With other values in the rows of these numbers, or all; None takes the column out."""

    def one(row: Row, chosen: bool) -> Row:
        new = {**row, **values} if chosen else row
        return {name: x for name, x in new.items() if name not in values or values[name] is not None}

    return [one(row, not numbers or n in numbers) for n, row in enumerate(rows)]


def each(rows: list[Row], name: str, act: Callable[[Any], object]) -> list[Row]:
    return [{**row, name: act(row[name])} for row in rows]


@dataclass(frozen=True)
class Case:
    particles: list[Row] = field(default_factory=lambda: BALLS)
    voids: list[Row] | None = field(default_factory=lambda: VOIDS)
    says: str = ""
    counts: Mapping[str, object] = field(default_factory=dict[str, object])
    handed: HandoffSpec | None = HANDED


SILENT_OF_VOIDS = changed(BALLS, void_count=None, void_volume_um3=None)
RIGHT: dict[str, Case] = {
    "as it is": Case(),
    "no voids told": Case(voids=None),
    "no hand-off": Case(handed=None),
    "voids of hosts that count none": Case(SILENT_OF_VOIDS),
    "an open void beside, not counted": Case(voids=[*VOIDS, hollow(2, 1, 11, -15, 3, 1, "open")]),
    "an open void that counts": Case(voids=[{**VOIDS[0], "kind": "open"}]),
    "touching": Case([ball(1, 0, 0, 0, 3), ball(2, 6, 0, 0, 3), ball(3, 0, 4, 0, 1)], None),
    "one at the border, cut": Case([*BALLS, ball(5, 19.5, 5, 0, 3) | {"touches_boundary": 1}]),
    "counts": Case(counts={"particles": 4, "voids": 1, "whole_particles": 4}),
    "no particle": Case([], None),
}  # fmt: skip
WRONG: dict[str, Case] = {
    "sizes in voxels": Case(
        scaled([ball(1, 0, 0, 0, 3), ball(2, 6.2, 0, 0, 3)], 2, POWERS), None, "lies in the particle"
    ),
    "half of the radii": Case(each(BALLS, "radius_mean_um", lambda r: r / 2), says="radii are 0.5 times"),
    "all rounder than a ball": Case(
        [body(n, 9 * n - 20, 0, 0, 4) | {"sphericity": 1.1, "surface_area_um2": "", "surface_to_volume_per_um": "",
         "touches_boundary": 0, "weight": 1} for n in range(1, 5)], None, "rounder than a ball"
    ),
    "a void with no wall around": Case(SILENT_OF_VOIDS, [hollow(1, 1, 12, -15, 3, 2.98)], "leaves no wall"),
    "all in millimetres, no hand-off": Case(
        scaled(BALLS, 1e-3, POWERS | PLACES), scaled(VOIDS, 1e-3, POWERS | PLACES), "no microscope", handed=None
    ),
    "voids in voxels": Case(voids=scaled(VOIDS, 2, POWERS), says="is not the volume of its voids"),
    "diameters for radii": Case(each(BALLS, "radius_mean_um", lambda r: 2 * r), says="radii are 2 times"),
    "radii in voxels of 4 um": Case(each(BALLS, "radius_mean_um", lambda r: r / 4), says="radii are 0.25 times"),
    "one in another": Case([*BALLS, ball(5, -9, 4, -5, 1.5)], says="lies in the particle of row 3"),
    "one told twice, nearly": Case([*BALLS, ball(5, 12.5, -15, 3, 3)], says="lies in the particle of row"),
    "whole beyond the border": Case([*BALLS, ball(5, 19, 5, 0, 3)], says="told to be whole"),
    "more than the volume holds": Case(
        changed([*BALLS, *(ball(5 + n, 3 * n, 0, 0, 15) for n in range(5))], sphericity=None), None, "all particles"
    ),
    "a void larger than its host": Case(SILENT_OF_VOIDS, [hollow(1, 1, 12, -15, 3, 3.3)], "larger than its particle"),
    "voids that fill more than their host": Case(
        SILENT_OF_VOIDS, [hollow(n, 1, 12 + n / 10, -15, 3, 2.2) for n in range(1, 5)], "together are larger"
    ),
    "a void elsewhere": Case(voids=[hollow(1, 1, -12, 15, -3, 1)], says="does not reach so far"),
    "a void of another": Case(SILENT_OF_VOIDS, [hollow(1, 2, 12.2, -15, 3, 1)], "does not reach so far"),
    "places of particles alone with x for z": Case(
        [{**row, "x_um": row["z_um"], "z_um": row["x_um"]} for row in BALLS], says="does not reach so far"
    ),
    "voids that are not in their table": Case(voids=[], says="counts other voids"),
    "too many voids counted": Case(changed(BALLS, 0, void_count=3), says="counts other voids"),
    "another volume of voids": Case(changed(BALLS, 0, void_volume_um3=20.0), says="is not the volume of its voids"),
    "results with other voids": Case(counts={"voids": 5}, says="count other bodies"),
    "results with other whole ones": Case(counts={"whole_particles": 2}, says="count other bodies"),
    "results that count in words": Case(counts={"particles": "4"}, says="count other bodies"),
}  # fmt: skip


def write(path: Path, rows: list[Row], like: Row) -> None:
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, fieldnames=list(rows[0] if rows else like))
        table.writeheader()
        table.writerows(rows)


def faults_of(folder: Path, case: Case) -> list[str]:
    write(folder / "particles.csv", case.particles, BALLS[0])
    if case.voids is not None:
        write(folder / "voids.csv", case.voids, VOIDS[0])
    (folder / "results.json").write_text(json.dumps({"counts": dict(case.counts)}))
    return [f"{one.where}: {one.what} ({one.limit})" for one in check_results(folder, "roi-01", case.handed)]


@pytest.mark.parametrize("case", RIGHT.values(), ids=RIGHT)
def test_tables_that_can_be(tmp_path: Path, case: Case) -> None:
    assert faults_of(tmp_path, case) == []


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_tables_that_cannot(tmp_path: Path, case: Case) -> None:
    found = faults_of(tmp_path, case)
    assert found
    assert any(part in fault for fault in found for part in case.says.split("|")), found


def test_a_row_with_a_comma_at_its_end(tmp_path: Path) -> None:
    faults_of(tmp_path, Case(voids=None))
    path = tmp_path / "particles.csv"
    path.write_text(path.read_text().replace("\n", ",\n"))
    (fault,) = check_results(tmp_path, "roi-01")
    assert (fault.row, fault.what) == (1, "the table has a column without a name")
