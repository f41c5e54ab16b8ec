"""Meshes of particles, read by a program of others, against bodies of known volume, area and extent."""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import trimesh

import xrm_control as xrm
from tests.exports.bodies import VOXEL_UM, Body, ball, dumbbell, ellipsoid, hollow
from tests.exports.measured_runs import measured_run
from tests.exports.runs import ROI, plan_one_more, scanned_run
from xrm_control import app
from xrm_control.cli.main import main
from xrm_control.contracts.rows import read_rows
from xrm_control.contracts.tables import PARTICLE_COLUMNS, VOID_COLUMNS, Particle, Void
from xrm_control.core.errors import Altered, AnalysisError, DataError, RecipeError, StorageError
from xrm_control.core.triangles import Triangles
from xrm_control.exports.mesh_exporter import ExportedMesh, write_mesh
from xrm_control.exports.mesh_formats.glb import Glb
from xrm_control.exports.mesh_formats.ply import Ply
from xrm_control.exports.mesh_formats.stl import Stl
from xrm_control.processing.meshes import RegionMeshes
from xrm_control.storage.artifacts import record_file
from xrm_control.storage.durable import sha256_file
from xrm_control.storage.formats.ome_tiff import write_volume
from xrm_control.storage.journal import Journal
from xrm_control.storage.records import ArtifactKind
from xrm_control.storage.run_folder import RunFolder

KINDS = ("glb", "ply", "stl")
BODIES: dict[str, tuple[Body, float, float]] = {
    # With bounds of volume and area against the truth, in per cent: those of the table, and of the mesh beside it.
    "ball of 12 um": (ball(0.3, -0.2, 0.1, 6.0), 0.8, 1.5),
    "ball of 6 um": (ball(0.1, 0.2, -0.3, 3.0), 2.0, 2.5),
    "ellipsoid": (ellipsoid(8.0, 5.0, 3.5), 1.0, 2.0),
    "dumbbell": (dumbbell(4.5, 5.0), 1.0, 2.5),
    "shell": (hollow(ball(0, 0, 0, 7.0), ball(0, 0, 0, 4.0)), 1.0, 1.5),
    "two voids": (hollow(ball(0, 0, 0, 7.0), ball(-2.8, 0, 0, 2.0), ball(3.0, 0.5, 0, 1.5)), 1.0, 1.5),
}


def read(path: Path) -> trimesh.Trimesh:
    """All of a file as one mesh in um, by trimesh alone; glTF's metres are turned into um."""
    loaded: Any = trimesh.load(path)
    if isinstance(loaded, trimesh.Scene):
        loaded = loaded.to_mesh()
        loaded.apply_scale(1e6)
    loaded.merge_vertices(digits_vertex=6)
    return loaded


@pytest.fixture(scope="module", params=BODIES)
def drawn_body(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, RunFolder]:
    return request.param, measured_run(tmp_path_factory.mktemp("run"), [BODIES[request.param][0]])


def exported(run: RunFolder, out: Path, kind: str, **how: Any) -> ExportedMesh:
    (file,) = app.export_meshes(run.path, kind, out, **how)
    assert (file.bytes, file.sha256) == (file.path.stat().st_size, sha256_file(file.path))
    return file


@pytest.mark.parametrize("kind", KINDS)
def test_a_mesh_is_the_body(drawn_body: tuple[str, RunFolder], tmp_path: Path, kind: str) -> None:
    name, run = drawn_body
    body, volume_bound, area_bound = BODIES[name]
    mesh = read(exported(run, tmp_path, kind).path)
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert (mesh.area_faces > 0).all()
    parts = sorted(mesh.split(only_watertight=True), key=lambda part: -abs(part.volume))
    assert len(parts) == 1 + len(body.pores)
    # Two closed surfaces without a handle: 2 each.
    assert mesh.euler_number == 2 * len(parts)
    hull, *voids = parts
    assert hull.volume == pytest.approx(body.volume_um3, rel=volume_bound / 100)
    assert hull.area == pytest.approx(body.area_um2, rel=area_bound / 100)
    assert np.ravel(hull.bounds) == pytest.approx(body.bounds_um, abs=0.3 * VOXEL_UM)
    for void, pore_um3 in zip(voids, body.pores, strict=True):
        # Inner walls look into the void.
        assert -void.volume == pytest.approx(pore_um3, rel=0.06)
        assert np.linalg.norm(void.vertices, axis=1).max() < 7.0 - VOXEL_UM
    assert mesh.volume == pytest.approx(body.volume_um3 - sum(body.pores), rel=0.02)


def test_a_mesh_agrees_with_the_table_and_says_by_how_much(drawn_body: tuple[str, RunFolder], tmp_path: Path) -> None:
    _, run = drawn_body
    file = exported(run, tmp_path, "glb")
    parts = sorted(read(file.path).split(only_watertight=True), key=lambda part: -abs(part.volume))
    rows, voids = read_rows(run.roi(ROI).particles, PARTICLE_COLUMNS), read_rows(run.roi(ROI).voids, VOID_COLUMNS)
    volume_um3, area_um2 = rows.numbers(Particle.volume_um3)[0], rows.numbers(Particle.surface_area_um2)[0]
    assert abs(file.volume_difference_percent) < 0.05
    assert abs(file.area_difference_percent) < 3
    assert 100 * (parts[0].volume / volume_um3 - 1) == pytest.approx(file.volume_difference_percent, abs=0.01)
    assert 100 * (parts[0].area / area_um2 - 1) == pytest.approx(file.area_difference_percent, abs=0.01)
    pores = sorted(voids.numbers(Void.volume_um3), reverse=True)
    assert [-part.volume for part in parts[1:]] == pytest.approx(pores, rel=0.005)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Two balls that touch, one of them hollow, and one that the end of the volume cuts."""
    shell = hollow(ball(-4.0, 0, 0, 4.0), ball(-4.0, 0, 0, 1.8))
    return measured_run(tmp_path_factory.mktemp("pair"), [shell, ball(4.0, 0, 0, 4.0), ball(0, 2.0, 13.0, 3.5)])


def test_touching_particles_are_parted_where_their_labels_are(pair: RunFolder, tmp_path: Path) -> None:
    files = app.export_meshes(pair.path, "ply", tmp_path)
    assert len(files) == 3
    meshes = [read(file.path) for file in files]
    assert all(mesh.is_watertight for mesh in meshes)
    left, right = sorted((mesh for mesh in meshes if abs(mesh.bounds[1][2]) < 6), key=lambda mesh: mesh.bounds[0][0])
    # Half a voxel on either side of the plane of contact, and no further into the other.
    assert left.bounds[1][0] == pytest.approx(0, abs=0.6 * VOXEL_UM)
    assert right.bounds[0][0] == pytest.approx(0, abs=0.6 * VOXEL_UM)
    assert left.bounds[1][0] - right.bounds[0][0] < 0.1 * VOXEL_UM


def test_a_particle_that_the_field_cuts_is_closed_and_named_so(pair: RunFolder, tmp_path: Path) -> None:
    files = app.export_meshes(pair.path, "stl", tmp_path, ROI)
    (cut,) = [file for file in files if file.notes]
    assert "cut by the border of the volume" in cut.notes[0]
    assert b"CUT" in cut.path.read_bytes()[:80]
    mesh = read(cut.path)
    assert mesh.is_watertight
    # The volume's last face is 28 voxels from its middle.
    assert mesh.bounds[1][2] == pytest.approx(28 * VOXEL_UM, abs=0.3 * VOXEL_UM)


def test_all_formats_hold_the_same(pair: RunFolder, tmp_path: Path) -> None:
    meshes = [read(exported(pair, tmp_path, kind, roi=ROI, particles=[1]).path) for kind in KINDS]
    for mesh in meshes[1:]:
        assert len(mesh.faces) == len(meshes[0].faces)
        assert mesh.volume == pytest.approx(meshes[0].volume, rel=1e-5)
        assert np.ravel(mesh.bounds) == pytest.approx(np.ravel(meshes[0].bounds), abs=1e-4)


def test_what_a_file_says_of_itself(pair: RunFolder, tmp_path: Path) -> None:
    rows = read_rows(pair.roi(ROI).particles, PARTICLE_COLUMNS)
    (hollow_one,) = (int(one) for one in rows.numbers(Particle.particle_id)[rows.numbers(Particle.void_count) > 0])
    at = rows.ids(Particle.particle_id).index(hollow_one)
    scene: Any = trimesh.load(exported(pair, tmp_path, "glb", particles=[hollow_one]).path)
    assert sorted(scene.graph.nodes_geometry) == ["hull", "void 1"]
    materials = {name: scene.geometry[scene.graph[name][1]].visual.material for name in ("hull", "void 1")}
    assert (materials["hull"].alphaMode, materials["void 1"].alphaMode) == ("BLEND", None)
    data = (tmp_path / f"{pair.name}_{ROI}_particle-{hollow_one:03d}.glb").read_bytes()
    size = int(np.frombuffer(data, "<u4", 1, 12)[0])
    document = json.loads(data[20 : 20 + size])
    told = document["asset"]["extras"]
    diameter_um = rows.numbers(Particle.equivalent_diameter_um)[at]
    assert (told["run"], told["roi"], told["particle_id"]) == (pair.name, ROI, hollow_one)
    assert (told["voxel_size_um"], told["equivalent_diameter_um"]) == (VOXEL_UM, diameter_um)
    assert document["nodes"][0]["scale"] == [1e-6] * 3
    assert "volume's centre" in told["frame"]
    ply = exported(pair, tmp_path, "ply", particles=[hollow_one]).path
    head = ply.read_bytes().split(b"end_header")[0].decode().splitlines()
    assert {"comment unit: um", f"comment run: {pair.name}", f"comment particle_id: {hollow_one}"} <= set(head)
    raw: Any = trimesh.load(ply, process=False)
    assert set(raw.metadata["_ply_raw"]["face"]["data"]["part"].ravel()) == {0, 1}
    stl = exported(pair, tmp_path, "stl", particles=[hollow_one]).path.read_bytes()[:80]
    assert stl.startswith(f"xrm_control um, origin volume centre; {ROI} particle {hollow_one};".encode())


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"particles": [1, 77]}, DataError, "there is no such particle .*77.*1 to 3"),
    ({"roi": "roi-07"}, DataError, "no particles were measured .*roi-07.*measured: roi-01"),
    ({"to": "obj"}, RecipeError, "--to: no such format of meshes .*obj.*glb, ply, stl"),
    ({"out": "inside"}, DataError, "lies in the run's own folder"),
]


@pytest.mark.parametrize(("change", "error", "told"), REFUSED)
def test_refused(pair: RunFolder, tmp_path: Path, change: dict[str, Any], error: type[Exception], told: str) -> None:
    out = pair.path / "meshes" if change.get("out") else tmp_path / "out"
    with pytest.raises(error, match=told):
        app.export_meshes(pair.path, change.get("to", "glb"), out, change.get("roi"), change.get("particles", ()))
    assert not out.exists()


def test_what_a_run_does_not_hold_is_said(tmp_path: Path) -> None:
    run = scanned_run(tmp_path)
    with pytest.raises(DataError, match="no region whose particles were measured"):
        app.export_meshes(run.path, "glb", tmp_path / "out")
    with pytest.raises(RecipeError, match="needs its region"):
        app.export_meshes(run.path, "glb", tmp_path / "out", particles=[1])


@pytest.fixture
def own_pair(tmp_path: Path) -> RunFolder:
    return measured_run(tmp_path, [ball(0, 0, 0, 4.0)], (40, 40, 40))


def test_without_its_volume_nothing_is_made(own_pair: RunFolder, tmp_path: Path) -> None:
    own_pair.roi(ROI).volume.unlink()
    with pytest.raises(DataError, match=r"the volume of this region is not kept.*xrm reconstruct"):
        app.export_meshes(own_pair.path, "glb", tmp_path / "out")


def test_of_a_volume_that_is_not_what_was_recorded_nothing_is_made(own_pair: RunFolder, tmp_path: Path) -> None:
    volume = own_pair.roi(ROI).volume
    with Journal.open(own_pair.journal) as journal:
        record_file(own_pair, journal, volume, ArtifactKind.VOLUME, 1.0, ROI)
    assert exported(own_pair, tmp_path / "out", "glb").path.is_file()
    data = bytearray(volume.read_bytes())
    data[-5] ^= 1
    volume.write_bytes(data)
    with pytest.raises(Altered, match=r"volume\.ome\.tif: is not what was recorded"):
        app.export_meshes(own_pair.path, "stl", tmp_path / "out")


@pytest.mark.parametrize("voxels", [4, 14])
def test_labels_beside_the_matter_are_told_or_refused(own_pair: RunFolder, tmp_path: Path, voxels: int) -> None:
    for name in ("labels.ome.tif", "phases.ome.tif"):
        path = own_pair.roi(ROI).path / name
        moved = np.roll(tifffile.imread(path), voxels, axis=2)
        path.unlink()
        write_volume(path, [moved], VOXEL_UM)
    if voxels < 8:
        assert "may not belong together" in exported(own_pair, tmp_path / "out", "glb").notes[0]
        return
    with pytest.raises(AnalysisError, match="is not denser than what surrounds it"):
        app.export_meshes(own_pair.path, "glb", tmp_path / "out")


def test_a_file_that_is_there_stays_unless_it_shall_be_replaced(pair: RunFolder, tmp_path: Path) -> None:
    file = exported(pair, tmp_path, "stl", particles=[2])
    file.path.write_bytes(b"of somebody else")
    with pytest.raises(DataError, match="not overwritten"):
        app.export_meshes(pair.path, "stl", tmp_path)
    assert file.path.read_bytes() == b"of somebody else"
    # Nothing was begun.
    assert os.listdir(tmp_path) == [file.path.name]
    assert exported(pair, tmp_path, "stl", particles=[2], replace=True).sha256 == sha256_file(file.path)


def test_a_full_disk_is_told_and_nothing_is_left(
    pair: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StorageError, match="the disk is full"):
        app.export_meshes(pair.path, "ply", tmp_path, ROI, [1])
    assert os.listdir(tmp_path) == []


class Shifted(Stl):
    """Writes one corner elsewhere."""

    def decode(self, data: bytes) -> list[Triangles]:
        (found,) = super().decode(data)
        points = found.points_um.copy()
        points[7, 1] += 0.01
        return [Triangles(points, found.faces)]


class Lacking(Ply):
    """Loses a triangle."""

    def decode(self, data: bytes) -> list[Triangles]:
        first, *rest = super().decode(data)
        return [Triangles(first.points_um, first.faces[:-1]), *rest]


@pytest.mark.parametrize("exporter", [Shifted(), Lacking()])
def test_what_reads_back_otherwise_is_thrown_away(pair: RunFolder, tmp_path: Path, exporter: Stl | Ply) -> None:
    mesh = RegionMeshes(pair, ROI).mesh(1)
    with pytest.raises(DataError, match="read back, is not what was written"):
        write_mesh(exporter, exporter.kind, mesh, tmp_path / "one", replace=False)
    assert os.listdir(tmp_path) == []
    assert write_mesh(Glb(), "glb", mesh, tmp_path / "one", replace=False).triangles


def test_the_command_and_the_python_call(
    pair: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(*more: str, to: str = "glb", code: int = 0) -> str:
        words = ["xrm", "export", str(pair.path), "--to", to, "--out", str(tmp_path), *more]
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == code
        captured = capsys.readouterr()
        return captured.err if code else captured.out

    assert "of the table's" in said("--particle", "1", "--particle", "2")
    (told,) = json.loads(said("--json", "--replace", "--roi", ROI, "--particle", "1"))
    (file,) = xrm.open_run(pair.path).export_meshes("glb", tmp_path, roi=ROI, particles=[1], replace=True)
    assert (told["path"], told["particle_id"], told["bytes"]) == (str(file.path), 1, file.bytes)
    assert "only meshes are of single particles" in said("--particle", "1", to="nxtomo", code=2)


def test_a_region_that_is_still_scanned_may_be_asked(pair: RunFolder, tmp_path: Path) -> None:
    plan_one_more(pair)
    assert exported(pair, tmp_path, "stl", particles=[1]).triangles > 100
