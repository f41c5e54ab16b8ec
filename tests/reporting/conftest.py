"""A small finished run made of spheres whose every number is known, without simulator, reconstruction or analysis."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import matplotlib.image
import numpy as np
import pytest
import tifffile
from matplotlib.backends.backend_agg import FigureCanvasAgg

VOXEL_UM = 0.512
SIDE = 48
MU_PER_UM = 0.045
REGIONS = ("roi-01", "roi-02")
# x, y, z of the centre (volume frame, um), radius, radius of the void inside (0: none), cut by the border
SPHERES = (
    (-5.0, -5.0, 0.0, 4.0, 1.5, False),
    (5.0, -4.0, 2.0, 3.0, 0.0, False),
    (-5.0, 5.5, -2.0, 2.6, 1.2, False),
    (5.0, 5.0, 0.0, 5.0, 2.0, False),
    (0.0, 0.0, 7.5, 2.55, 0.0, False),
    (0.0, 0.0, -11.8, 3.5, 0.0, True),
)
PLANES = ("xy", "xz", "yz")
PLAN = {
    "stages": [
        {"name": "mosaic", "seconds": 54.2, "frames": 46, "bytes": 1_600_000},
        {"name": "roi-01", "seconds": 268.4, "frames": 152, "bytes": 5_400_000},
    ],
    "rois": 2,
    "projections": 7,
    "pixel_size_um": VOXEL_UM,
    "field_of_view_um": 65.536,
    "disk_bytes": 90_000_000,
    "memory_bytes": 80_000_000,
    "dose_per_scan_gy": 4000.0,
    "particles_in_mosaic": 1180,
    "particles_per_volume": 30,
    "limits": {"x": [-2000.0, 2000.0]},
    "total_s": 690.0,
}
AZIMUTHS = range(0, 360, 45)


def sphere_volume(radius: float) -> float:
    return 4 / 3 * np.pi * radius**3


def particle_row(roi: str, number: int, sphere: tuple[float, float, float, float, float, bool]) -> dict[str, Any]:
    x, y, z, radius, void, cut = sphere
    row: dict[str, Any] = {
        "particle_id": number,
        "roi": roi,
        "x_um": x,
        "y_um": y,
        "z_um": z,
        "volume_um3": sphere_volume(radius),
        "surface_area_um2": 4 * np.pi * radius**2,
        "sphericity": 1.0,
        "surface_to_volume_per_um": 3 / radius,
        "equivalent_diameter_um": 2 * radius,
        "radius_mean_um": radius,
        "void_count": int(void > 0),
        "touches_boundary": int(cut),
        "weight": 0 if cut else 1,
        "rays_in_contact": 0,
        "radius_single_u_um": 0.1,
        "roughness_floor_um": 0.21,
        "roughness_voxel_floor_um": 0.65,
        "volume_voxels_um3": sphere_volume(radius) * 1.02,
        "surface_faces_um2": 4 * np.pi * radius**2 * 1.5,
    }
    for plane in PLANES:
        row[f"radius_{plane}_um"] = radius
        row[f"roughness_{plane}_um"] = 0.4
        row[f"roughness_voxel_{plane}_um"] = 0.9
        row |= {f"radius_{plane}_{a:03d}_um": radius + (0.2 if a % 90 else -0.2) for a in AZIMUTHS}
    return row


def void_row(roi: str, number: int, particle: int, x: float, y: float, z: float, radius: float) -> dict[str, Any]:
    return {
        "void_id": number,
        "particle_id": particle,
        "roi": roi,
        "x_um": x,
        "y_um": y,
        "z_um": z,
        "volume_um3": sphere_volume(radius),
        "surface_area_um2": 4 * np.pi * radius**2,
        "sphericity": 1.0,
        "surface_to_volume_per_um": 3 / radius,
        "equivalent_diameter_um": 2 * radius,
        "kind": "closed",
    }


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> None:
    names = list(rows[0]) if rows else list(columns)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


def write_stack(path: Path, stack: np.ndarray, **options: Any) -> None:
    size = {f"PhysicalSize{axis}": VOXEL_UM for axis in "XYZ"} | {f"PhysicalSize{axis}Unit": "µm" for axis in "XYZ"}
    tifffile.imwrite(path, stack, ome=True, metadata={"axes": "ZYX", **size}, **options)


def write_region(folder: Path, roi: str) -> None:
    folder.mkdir(parents=True)
    axis = (np.arange(SIDE) - (SIDE - 1) / 2) * VOXEL_UM
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    volume = np.random.default_rng(1).normal(0, 0.004, (SIDE,) * 3).astype(np.float32)
    labels, phases = np.zeros((SIDE,) * 3, np.uint16), np.zeros((SIDE,) * 3, np.uint8)
    particles, voids = [], []
    for number, sphere in enumerate(SPHERES, start=1):
        cx, cy, cz, radius, void, _ = sphere
        distance = np.sqrt((x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2)
        labels[distance < radius] = number
        phases[distance < radius] = 1
        phases[distance < void] = 2
        volume[(distance < radius) & (distance >= void)] += MU_PER_UM
        particles.append(particle_row(roi, number, sphere))
        if void:
            voids.append(void_row(roi, len(voids) + 1, number, cx, cy, cz, void))
    write_stack(folder / "volume.ome.tif", volume)
    write_stack(folder / "labels.ome.tif", labels, compression="zlib")
    write_stack(folder / "phases.ome.tif", phases, compression="zlib")
    write_csv(folder / "particles.csv", particles)
    write_csv(folder / "voids.csv", voids)
    quality = {"void_detection_limit_um": 1.41, "edge_blur_fwhm_um": 1.1}
    (folder / "quality.json").write_text(json.dumps(quality))
    handoff = {
        "volume": "volume.ome.tif",
        "voxel_size_um": VOXEL_UM,
        "roi": roi,
        "inputs": {"volume.ome.tif": "ab" * 32},
    }
    (folder / "handoff.json").write_text(json.dumps(handoff))


def results(run: str) -> dict[str, Any]:
    table = {
        "particle": {
            "volume_um3": 251.3,
            "surface_area_um2": 187.2,
            "sphericity": 0.974,
            "surface_to_volume_per_um": 1.13,
            "equivalent_diameter_um": 6.61,
        },
        "void": {
            "volume_um3": 8.77,
            "surface_area_um2": 21.5,
            "sphericity": 0.911,
            "surface_to_volume_per_um": 2.61,
            "equivalent_diameter_um": 2.39,
        },
        "dead_volume_percent": 3.61,
        "voided_particles_percent": 53.2,
        "n_particles": 10,
        "n_voids": 6,
    }
    pairs = [
        {
            "roi": roi,
            "particle_id": number,
            "true_id": 100 * at + number,
            "diameter_um": 2 * radius * 1.01,
            "true_diameter_um": 2 * radius,
            "volume_um3": sphere_volume(radius) * 1.03,
            "true_volume_um3": sphere_volume(radius),
            "offset_um": 0.02,
            "surface_area_um2": 4 * np.pi * radius**2,
            "true_surface_area_um2": 4 * np.pi * radius**2,
        }
        for at, roi in enumerate(REGIONS)
        for number, (_, _, _, radius, _, cut) in enumerate(SPHERES, start=1)
        if not cut
    ]
    return {
        "run": run,
        "recipe_name": "nmc622_statistics",
        "recipe_sha256": "cd" * 32,
        "backend": "simulated",
        "simulated": True,
        "started_utc": "2031-05-06T07:08:09Z",
        "versions": {"numpy": "2.4"},
        "sample": {"name": "NMC622", "formula": "LiNi0.6Mn0.2Co0.2O2"},
        "instrument_times": {"mosaic_s": 55.1, "scan_s": {"roi-01": 271.0, "roi-02": 312.5}, "total_s": 700.0},
        "counts": {
            "tiles": 40,
            "particles_in_mosaic": 1130,
            "rois": 2,
            "projections": 7,
            "particles": 12,
            "whole_particles": 10,
            "voids": 6,
        },
        "table1": {"unbiased": table, "paper": {**table, "dead_volume_percent": 4.44}},
        "population": {
            "n_particles": 12,
            "n_whole": 10,
            "n_voids": 6,
            "equivalent_diameter_um": {
                "n": 10,
                "mean": 6.86,
                "mean_interval": [5.91, 7.77],
                "median": 6.13,
                "median_interval": [5.2, 8.1],
                "d10": 5.11,
                "d50": 6.13,
                "d90": 9.87,
                "sigma_ln": 0.273,
            },
            "voided_fraction": {"value": 0.532, "interval": [0.281, 0.766], "n": 10},
        },
        "quality": {
            "roi-01": {
                "snr": 10.2,
                "transmission_mean": 0.087,
                "rotation_axis_px": 63.871,
                "frames": {"kept": 152, "retaken": 1, "missing": 0},
            },
            "roi-02": {"snr": 9.4, "transmission_mean": 0.093, "frames": {"kept": 150, "retaken": 2, "missing": 3}},
        },
        "truth": {
            "min_diameter_um": 6.0,
            **{
                f"{name}_error_percent_{kind}": 2.5
                for name in ("diameter", "volume", "surface")
                for kind in ("median", "median_absolute", "p95_absolute")
            },
            "position_error_um_median": 0.03,
            "matched_fraction": 0.96,
            "n_true": 25,
            "n_matched": 24,
            "diameter_error_percent_median": 1.04,
            "volume_error_percent_median": 6.2,
            "rotation_axis_error_px": {"roi-01": -0.021, "roi-02": 0.31},
            "pairs": pairs,
            "missed": [{"roi": "roi-02", "true_id": 777, "true_diameter_um": 6.6}],
            "voids": [{"diameter_um": [2, 2.5], "n_true": 9, "detected_fraction": 0.778, "volume_ratio_median": 0.95}],
        },
        "verdict": {"status": "complete", "reasons": []},
    }


def write_run(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for roi in REGIONS:
        write_region(folder / roi, roi)
        frames = folder / "frames" / roi
        frames.mkdir(parents=True)
        for number in range(7):
            (frames / f"proj_{number:04d}.tif").touch()
        (frames / "proj_0003_a2.tif").touch()
    (folder / "results.json").write_text(json.dumps(results(folder.name)))
    (folder / "recipe.yaml").write_text("name: nmc622_statistics\n# 512 nm voxels\n")
    (folder / "plan.json").write_text(json.dumps(PLAN))
    rois = [
        {
            "name": roi,
            "x_um": 40.0 * at,
            "y_um": -20.0,
            "z_um": 0.0,
            "width_um": 65.5,
            "height_um": 65.5,
            "reason": "many particles",
            "expected_particles": 31,
        }
        for at, roi in enumerate(REGIONS)
    ]
    mosaic = {"pixel_size_um": VOXEL_UM, "x0_um": -80.0, "y0_um": -80.0, "shape": [300, 200], "particles": 1130}
    left = {
        "x_um": 70.0, "y_um": -30.0, "width_um": 65.5, "height_um": 65.5, "expected_particles": 4, "score": 4.0,
        "worth": 0.125, "why": "below_least_worth", "reason": "holds 4 of the best window's 32 whole particles",
    }  # fmt: skip
    hair = {"name": "hair", "reason": "seen by eye", "x_um": 1.0, "y_um": 2.0, "width_um": 9.0, "height_um": 30.0}
    document = {"mosaic": mosaic, "rois": rois, "rejected": [left], "avoided": [hair]}
    (folder / "rois.json").write_text(json.dumps(document))
    matplotlib.image.imsave(folder / "mosaic.png", np.random.default_rng(2).random((300, 200)), cmap="gray")
    return folder


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run; tests that change it copy it first."""
    return write_run(tmp_path_factory.mktemp("runs") / "20310506T070809_nmc622_statistics_0a1b")


@pytest.fixture
def undrawn_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made but not painted: for tests of what the page says, not of how it looks."""

    def print_png(canvas: FigureCanvasAgg, file: BinaryIO, **_: Any) -> None:
        file.write(b"\x89PNG\r\n")

    monkeypatch.setattr(FigureCanvasAgg, "print_png", print_png)
