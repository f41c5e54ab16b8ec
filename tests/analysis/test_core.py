"""The hand-off from file to file, and what bad input gets."""

import concurrent.futures
import csv
import hashlib
import json
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.analysis.phantoms import MU, VOXEL_UM, ball, render
from xrm_control.analysis.core import AnalysisSpec, analyze_volume, run_core
from xrm_control.analysis.handoff import load_volume
from xrm_control.contracts.rows import read_rows
from xrm_control.contracts.tables import PARTICLE_COLUMNS, VOID_COLUMNS, Particle
from xrm_control.core.errors import AnalysisError, DataError
from xrm_control.storage.formats.registry import read_volume

BODIES = [ball(-6, 1, 2, 4.5), ball(-6, 1, 2, 1.5, -1), ball(6, -1, -4, 3)]
DESIGN_COLUMNS = [
    *("particle_id", "roi", "x_um", "y_um", "z_um", "volume_um3", "surface_area_um2", "sphericity"),
    *("surface_to_volume_per_um", "equivalent_diameter_um", "radius_mean_um", "radius_xy_um", "radius_xz_um"),
    *("radius_yz_um", "roughness_xy_um", "roughness_xz_um", "roughness_yz_um", "void_count", "void_volume_um3"),
    *("dead_volume_percent", "mean_attenuation_per_um", "touches_boundary", "weight"),
]


@pytest.fixture(scope="module")
def volume() -> np.ndarray:
    return render(BODIES, (48, 64, 64), fwhm_voxels=2.0)


def hand_off(folder: Path, grey: np.ndarray, **changes: object) -> Path:
    tifffile.imwrite(folder / "volume.ome.tif", grey, metadata={"axes": "ZYX"})
    content = {
        "volume": "volume.ome.tif",
        "shape": list(grey.shape),
        "voxel_size_um": VOXEL_UM,
        "units": "1/um",
        "attenuation_scale": 1.0,
        "roi": "roi-03",
        "centre_stage_um": {"x": 100.0, "y": -50.0, "z": 5.0},
        "rotation_axis_px": 63.1,
        "quality": {"opaque_fraction": 0.01},
        "inputs": {"volume.ome.tif": hashlib.sha256((folder / "volume.ome.tif").read_bytes()).hexdigest()},
        "sample": {"name": "NMC811"},
        "recipe": {"name": "test", "sha256": "0"},
        "analysis": AnalysisSpec().model_dump(mode="json"),
    }
    path = folder / "handoff.json"
    path.write_text(json.dumps(content | changes))
    return path


def test_hand_off(tmp_path: Path, volume: np.ndarray) -> None:
    run_core(hand_off(tmp_path, volume), tmp_path / "out")
    with (tmp_path / "out" / "particles.csv").open() as file:
        header = next(csv.reader(file))
    assert header[: len(DESIGN_COLUMNS)] == DESIGN_COLUMNS
    assert header == [column.name for column in AnalysisSpec().columns]
    assert header[: len(PARTICLE_COLUMNS)] == [column.name for column in PARTICLE_COLUMNS]
    table = read_rows(tmp_path / "out" / "particles.csv", AnalysisSpec().columns)
    rows = sorted(table.records(), key=lambda row: row["x_um"])
    voids = read_rows(tmp_path / "out" / "voids.csv", VOID_COLUMNS).records()
    assert list(voids[0]) == [column.name for column in VOID_COLUMNS]
    assert [row["roi"] for row in rows] == ["roi-03", "roi-03"]
    assert rows[0]["volume_um3"] == pytest.approx(BODIES[0].volume, rel=0.02)
    # Stage x is volume x, stage y is volume z, stage z is minus volume y.
    assert [rows[0][f"stage_{a}_um"] for a in "xyz"] == pytest.approx([94, -48, 4], abs=0.05)
    assert voids[0]["particle_id"] == rows[0]["particle_id"]
    assert [voids[0][f"{a}_um"] for a in "xyz"] == pytest.approx([-6, 1, 2], abs=0.15)
    labels = load_volume(tmp_path / "out" / "labels.ome.tif")
    assert labels.shape == volume.shape
    assert labels.dtype == np.uint16
    assert read_volume(tmp_path / "out" / "labels.ome.tif")[1] == pytest.approx(VOXEL_UM)
    quality = json.loads((tmp_path / "out" / "quality.json").read_text())
    assert quality["snr"] == pytest.approx(10, rel=0.1)
    assert quality["opaque_fraction"] == 0.01
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["roi"] == "roi-03"
    assert results["counts"] == {"particles": 2, "whole_particles": 2, "moved_particles": None, "voids": 1}
    assert results["table1"]["unbiased"]["voided_particles_percent"] == pytest.approx(50, abs=10)


def test_another_programs_hand_off_is_taken_and_its_own_keys_are_named(tmp_path: Path, volume: np.ndarray) -> None:
    run_core(hand_off(tmp_path, volume, colour="red", remarks=["did not settle"]), tmp_path / "out")
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["warnings"] == ["did not settle", "handoff.json: colour is not known and was left out"]
    assert results["sample"]["name"] == "NMC811"


def test_attenuation_scale(tmp_path: Path, volume: np.ndarray) -> None:
    counts = np.clip(volume / 1e-5 + 2000, 0, 65535).astype(np.uint16)
    run_core(hand_off(tmp_path, counts, attenuation_scale=1e-5), tmp_path)
    rows = read_rows(tmp_path / "particles.csv", PARTICLE_COLUMNS)
    assert rows.numbers(Particle.mean_attenuation_per_um) == pytest.approx(MU + 0.02, rel=0.03)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"voxel_size_um": 0}, "voxel_size_um"),
        ({"voxel_size_um": "wide"}, "voxel_size_um"),
        ({"units": "1/cm"}, "units"),
        ({"shape": [1, 2, 3]}, "shape"),
        ({"volume": "elsewhere.tif", "inputs": {}}, "cannot be read"),
        ({"inputs": {"volume.ome.tif": "0" * 64}}, "hash"),
    ],
)
def test_bad_hand_offs(tmp_path: Path, volume: np.ndarray, changes: dict, words: str) -> None:
    with pytest.raises(DataError, match=words):
        run_core(hand_off(tmp_path, volume, **changes), tmp_path / "out")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_hand_offs_that_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "handoff.json").write_text(text)
    with pytest.raises(DataError, match=r"handoff\.json"):
        run_core(tmp_path / "handoff.json", tmp_path)


def test_a_missing_hand_off(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        run_core(tmp_path / "handoff.json", tmp_path)


def with_nan(volume: np.ndarray) -> np.ndarray:
    spoilt = volume.copy()
    spoilt[3, 4, 5] = math.nan
    return spoilt


@pytest.mark.parametrize(
    ("change", "voxel_um", "words"),
    [
        (with_nan, VOXEL_UM, "no numbers"),
        (lambda v: v[0], VOXEL_UM, "three dimensions"),
        (lambda v: v[:4], VOXEL_UM, "too small"),
        (lambda v: v.astype(complex), VOXEL_UM, "real numbers"),
        (lambda v: v, 0.0, "voxel size"),
        (lambda v: v, math.nan, "voxel size"),
        (lambda v: v, -1.0, "voxel size"),
    ],
)
def test_bad_volumes(volume: np.ndarray, change, voxel_um: float, words: str) -> None:
    with pytest.raises(DataError, match=words):
        analyze_volume(change(volume), voxel_um, AnalysisSpec())


@pytest.mark.parametrize(
    "spec", [{}, {"min_particle_um": 20}, {"threshold": {"kind": "fixed", "level_per_um": 0.2}}], ids=str
)
def test_empty(volume: np.ndarray, spec: dict) -> None:
    grey = volume if spec else volume[:, :, ::-1] * 0 + np.random.default_rng(0).normal(0, 0.004, volume.shape)
    with pytest.raises(AnalysisError, match="empty"):
        analyze_volume(grey, VOXEL_UM, AnalysisSpec.model_validate(spec))


def test_unreadable_volumes(tmp_path: Path) -> None:
    (tmp_path / "text.tif").write_text("no picture")
    tifffile.imwrite(tmp_path / "flat.tif", np.zeros((5, 5)))
    for name, words in (("text", "cannot be read"), ("flat", "three dimensions"), ("none", "cannot be read")):
        with pytest.raises(DataError, match=words):
            load_volume(tmp_path / f"{name}.tif")


def test_the_same_in_another_process(volume: np.ndarray) -> None:
    spec = AnalysisSpec()
    assert pickle.loads(pickle.dumps(spec)) == spec
    here = analyze_volume(volume, VOXEL_UM, spec)
    with concurrent.futures.ProcessPoolExecutor(1) as pool:
        there = pool.submit(analyze_volume, volume, VOXEL_UM, spec).result()
    assert there.particles == here.particles
    assert there.quality == here.quality
    assert np.array_equal(there.labels, here.labels)


def test_one_particle_in_a_slab(volume: np.ndarray) -> None:
    """Few rows: every particle is cut, none is counted, nothing fails."""
    result = analyze_volume(volume[24:34], VOXEL_UM, AnalysisSpec())
    assert result.particles
    assert all(row["touches_rows"] for row in result.particles)
