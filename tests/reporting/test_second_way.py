"""The report's numbers, computed a second way: from the rows of the tables, in plain arithmetic, without our code."""

from __future__ import annotations

import csv
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.reporting.conftest import PLAN
from tests.reporting.page import Page
from xrm_control.analysis.population import pool
from xrm_control.contracts.columns import KNOWN_PARTICLE_COLUMNS
from xrm_control.contracts.rows import pool_rows, read_rows
from xrm_control.contracts.tables import VOID_COLUMNS
from xrm_control.reporting.formatting import figure
from xrm_control.reporting.report import build_report

REGIONS = ("roi-01", "roi-02")
SNR = {"roi-01": 9.0, "roi-02": 14.0}
SCAN_S = {"roi-01": 251.0, "roi-02": 287.5}
Row = dict[str, Any]


def one_region(roi: str, rng: np.random.Generator) -> tuple[list[Row], list[Row]]:
    """Particles and voids of many sizes; no two columns of a row are in a simple ratio, so none stands for another."""
    particles: list[Row] = []
    voids: list[Row] = []
    for number in range(1, 31):
        diameter = float(np.exp(rng.normal(np.log(6), 0.4)))
        volume, area = math.pi / 6 * diameter**3, math.pi * diameter**2 * rng.uniform(1.0, 1.2)
        holes = [float(rng.uniform(0.02, 0.05)) * volume for _ in range(rng.integers(0, 3))]
        cut = number % 5 == 0
        kinds = [("closed", "ambiguous", "open")[int(rng.integers(0, 3))] for _ in holes]
        internal = [hole for hole, kind in zip(holes, kinds, strict=True) if kind != "open"]
        particles.append(
            {
                "particle_id": number, "roi": roi, "x_um": 1.0, "y_um": 2.0, "z_um": 3.0, "volume_um3": volume,
                "surface_area_um2": area, "sphericity": rng.uniform(0.7, 1.0),
                "surface_to_volume_per_um": area / volume * rng.uniform(0.9, 1.1), "equivalent_diameter_um": diameter,
                "void_count": len(internal), "void_volume_um3": sum(internal),
                "dead_volume_percent": 100 * sum(internal) / volume, "touches_boundary": int(cut),
                "weight": 0 if cut else rng.uniform(1, 2), "volume_voxels_um3": volume * rng.uniform(1.0, 1.1),
                "surface_faces_um2": area * rng.uniform(1.4, 1.6),
            }
        )  # fmt: skip
        for hole, kind in zip(holes, kinds, strict=True):
            voids.append(
                {
                    "void_id": len(voids) + 1, "particle_id": number, "roi": roi, "x_um": 1.0, "y_um": 2.0,
                    "z_um": 3.0, "volume_um3": hole, "surface_area_um2": 5 * hole**0.6,
                    "sphericity": rng.uniform(0.5, 1), "surface_to_volume_per_um": 5 * hole**-0.4,
                    "equivalent_diameter_um": (6 * hole / math.pi) ** (1 / 3), "kind": kind,
                    "volume_voxels_um3": hole * 0.8, "surface_faces_um2": 8 * hole**0.6,
                }
            )  # fmt: skip
    return particles, voids


def read(folder: Path, name: str) -> list[Row]:
    rows: list[Row] = []
    for roi in REGIONS:
        with (folder / roi / name).open() as file:
            for row in csv.DictReader(file):
                rows.append({key: cell if key in ("roi", "kind") else float(cell) for key, cell in row.items()})
    return rows


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "20310506T070809Z_second_0a1b"
    rng = np.random.default_rng(11)
    for roi in REGIONS:
        (folder / roi).mkdir(parents=True)
        for name, rows in zip(("particles.csv", "voids.csv"), one_region(roi, rng), strict=True):
            with (folder / roi / name).open("w", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
    particles = pool_rows(read_rows(folder / roi / "particles.csv", KNOWN_PARTICLE_COLUMNS) for roi in REGIONS)
    voids = pool_rows(read_rows(folder / roi / "voids.csv", VOID_COLUMNS) for roi in REGIONS)
    found = pool(particles, voids)
    plain = read(folder, "particles.csv")
    results = {
        "run": folder.name, "recipe_name": "second", "recipe_sha256": "0", "backend": "epics", "simulated": False,
        "started_utc": "2031-05-06T07:08:09Z", "versions": {}, "sample": {"name": "powder"},
        "instrument_times": {"mosaic_s": 44.4, "scan_s": SCAN_S, "total_s": 900.0},
        "counts": {
            "tiles": 40, "particles_in_mosaic": 1100, "rois": 2, "projections": 141, "particles": len(plain),
            "whole_particles": sum(row["touches_boundary"] == 0 for row in plain),
            "voids": len(read(folder, "voids.csv")),
        },
        "table1": found.table1.model_dump(), "population": found.population.model_dump(),
        "quality": {
            roi: {"snr": snr, "frames": {"kept": 100 + at, "retaken": 3, "missing": 2 * at}}
            for at, (roi, snr) in enumerate(SNR.items())
        },
        "truth": None, "verdict": {"status": "incomplete", "reasons": ["volumes are not part of this run"]},
    }  # fmt: skip
    (folder / "results.json").write_text(json.dumps(results))
    (folder / "plan.json").write_text(json.dumps(PLAN))
    return folder


@pytest.fixture(scope="module")
def page(run: Path) -> Page:
    return Page(build_report(run))


def weighted(rows: list[Row], value: Callable[[Row], float]) -> float:
    return sum(value(row) * row["weight"] for row in rows) / sum(row["weight"] for row in rows)


def plainly(rows: list[Row], value: Callable[[Row], float]) -> float:
    return sum(map(value, rows)) / len(rows)


def expected_table1(run: Path) -> list[tuple[float, float]]:
    """(paper's convention, unbiased) row after row."""
    whole = [row for row in read(run, "particles.csv") if row["touches_boundary"] == 0]
    hosts = {(row["roi"], row["particle_id"]): row for row in whole}
    voids = [
        {**void, "weight": hosts[void["roi"], void["particle_id"]]["weight"]}
        for void in read(run, "voids.csv")
        if void["kind"] != "open" and (void["roi"], void["particle_id"]) in hosts
    ]
    rows: list[tuple[float, float]] = []
    for bodies in (whole, voids):
        volume, area = (plainly(bodies, lambda r, n=n: r[n]) for n in ("volume_voxels_um3", "surface_faces_um2"))
        paper = [
            volume,
            area,
            math.pi ** (1 / 3) * (6 * volume) ** (2 / 3) / area,
            plainly(bodies, lambda r: r["surface_faces_um2"] / r["volume_voxels_um3"]),
            plainly(bodies, lambda r: (6 * r["volume_voxels_um3"] / math.pi) ** (1 / 3)),
        ]
        names = ("volume_um3", "surface_area_um2", "sphericity", "surface_to_volume_per_um", "equivalent_diameter_um")
        rows += zip(paper, [weighted(bodies, lambda r, n=n: r[n]) for n in names], strict=True)
    voided = [row for row in whole if row["void_count"] > 0]
    dead = (
        100 * rows[5][0] / rows[0][0],
        100 * weighted(voided, lambda r: r["void_volume_um3"]) / weighted(voided, lambda r: r["volume_um3"]),
    )
    share = (100 * len(voided) / len(whole), 100 * weighted(whole, lambda r: float(r["void_count"] > 0)))
    return [*rows, dead, share, (len(whole), len(whole)), (len(voids), len(voids))]


def test_table_1(run: Path, page: Page) -> None:
    """Every cell of both conventions as printed, units and order too."""
    expected = expected_table1(run)
    shown = page.parts["table1"].tables[0][1:]
    assert [row[1] for row in shown] == [*["µm³", "µm²", "–", "µm⁻¹", "µm"] * 2, "%", "%", "–", "–"]
    for row, (paper, unbiased) in zip(shown, expected, strict=True):
        whole = row[0].endswith("counted")
        assert [cell.partition(" (")[0] for cell in row[3:]] == [
            figure(int(v) if whole else v) for v in (paper, unbiased)
        ], row[0]


def test_statistics(run: Path, page: Page) -> None:
    whole = [row for row in read(run, "particles.csv") if row["touches_boundary"] == 0]
    voided = [row for row in whole if row["void_count"] > 0]
    for label, name, rows in (
        ("volume (µm³)", "volume_um3", whole),
        ("surface area (µm²)", "surface_area_um2", whole),
        ("sphericity", "sphericity", whole),
        ("equivalent diameter (µm)", "equivalent_diameter_um", whole),
        ("dead volume (%)", "dead_volume_percent", voided),
    ):
        shown = page.parts["statistics"].row(label)
        mean = weighted(rows, lambda r, n=name: r[n])
        sigma = math.sqrt(weighted(rows, lambda r, n=name, m=mean: (r[n] - m) ** 2))
        told = (shown[1], shown[2].partition(" (")[0], shown[6].partition(" (")[0])
        assert told == (str(len(rows)), figure(mean), figure(sigma)), label


def test_headlines_and_instrument(run: Path, page: Page) -> None:
    rows = read(run, "particles.csv")
    text = page.parts[""].text
    whole = sum(row["touches_boundary"] == 0 for row in rows)
    for value, name in (
        (str(whole), f"whole particles measuredof {len(rows)} with the cut ones"),
        (str(len(read(run, "voids.csv"))), "voids"),
        ("1100", "particles in the mosaic"),
        ("44.4 s", "mosaic"),
        ("4 min 48 s", "longest scan"),
        ("11.5", "SNR, mean of the scans"),
    ):
        assert f"{value}{name}" in text, name
    assert page.parts["times"].row("particles per radiograph")[2] == "27.5"
    assert [row[1:] for row in page.parts["quality"].tables[1][1:]] == [
        ["100", "3", "0"],
        ["101", "3", "2"],
        ["201", "6", "2"],
    ]
    assert [row[0:3] for row in page.parts["quality"].tables[1][1:]][2][0] == "all"


def test_a_metric_s_own_column_has_its_heading(run: Path, tmp_path: Path) -> None:
    """What columns.json tells of a column is what the report calls it."""
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    column = {"name": "grain_um", "label": "size of grains", "meaning": "x", "source": "metric", "unit": "µm"}
    for roi in REGIONS:
        lines = (folder / roi / "particles.csv").read_text().splitlines()
        (folder / roi / "particles.csv").write_text(
            "\n".join([f"{lines[0]},grain_um", *(f"{r},1.5" for r in lines[1:])]) + "\n"
        )
        (folder / roi / "columns.json").write_text(json.dumps({"particles": [{**column, "statistics": "whole"}]}))
    results = json.loads((folder / "results.json").read_text())
    results["population"]["grain_um"] = {"n": 48, "mean": 1.5}
    (folder / "results.json").write_text(json.dumps(results))
    assert Page(build_report(folder)).parts["statistics"].row("size of grains (µm)")[1:3] == ["48", "1.50"]
