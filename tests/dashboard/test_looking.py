"""What is shown is what the run's files hold; what is not there is said so; nothing outside is reached."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from xrm_control import app
from xrm_control.contracts.results import RESULTS
from xrm_control.contracts.rois import ROIS
from xrm_control.storage.journal_reader import JournalReader
from xrm_control.storage.run_folder import RunFolder


@pytest.fixture
def client(served: Any, ended: Path) -> Any:
    return served(ended.parent)


def test_the_list_of_runs(client: Any, ended: Path) -> None:
    (card,) = client.get("/api/runs").json()["runs"]
    results = RESULTS.read(RunFolder(ended).results)
    assert card["name"] == ended.name
    assert (card["state"], card["alive"], card["died"]) == ("done", False, False)
    assert card["verdict"] == results.verdict.status
    assert card["particles"] == results.counts.whole_particles


@pytest.mark.parametrize(
    ("search", "verdict", "found"),
    [("", "", 1), ("short", "", 1), ("Ni0.8 powder", "", 1), ("nothing", "", 0), ("", "failed", 0), ("%", "", 0)],
)
def test_runs_are_found_by_words_and_verdict(client: Any, search: str, verdict: str, found: int) -> None:
    chosen = {"search": search, **({"verdict": verdict} if verdict else {})}
    assert client.get("/api/runs", params=chosen).json()["total"] == found


def test_a_run_as_it_stands(client: Any, ended: Path) -> None:
    view = client.get(f"/api/runs/{ended.name}").json()
    with JournalReader.open(ended / "journal.sqlite") as journal:
        accounting = journal.accounting()
    assert (view["kept"], view["planned"], view["missing"]) == (accounting.kept, accounting.planned, 0)
    assert view["state"] == "done"
    assert view["remaining_s"] is None
    assert view["last_frame"]["frame_id"].startswith("roi-01/")
    possible = {action["name"]: action["possible"] for action in view["actions"]}
    assert not any(possible.values())
    assert all(action["reason"] == "the run is done" for action in view["actions"] if action["name"] != "resume")


def test_mosaic_and_regions_lie_where_they_are_on_the_stage(client: Any, ended: Path) -> None:
    mosaic = client.get(f"/api/runs/{ended.name}/mosaic").json()
    (region,) = client.get(f"/api/runs/{ended.name}/regions").json()["regions"]
    rois = ROIS.read(ended / "rois.json")
    (tile,) = mosaic["tiles"]
    # The stitched picture of one tile covers what that tile does.
    assert mosaic["x0_um"] == pytest.approx(tile["x_um"] - tile["width_um"] / 2, abs=0.6)
    assert mosaic["y0_um"] == pytest.approx(tile["y_um"] - tile["height_um"] / 2, abs=0.6)
    assert mosaic["width_um"] == pytest.approx(tile["width_um"], abs=0.6)
    assert (region["x_um"], region["y_um"]) == (rois.rois[0].x_um, rois.rois[0].y_um)
    assert region["state"] == "reported"
    assert region["particles"] == RESULTS.read(RunFolder(ended).results).counts.whole_particles


def test_pictures_are_the_frames(client: Any, ended: Path) -> None:
    answer = client.get(f"/api/runs/{ended.name}/frames/roi-01/proj_0003.png", params={"width": 2048})
    shown = np.asarray(Image.open(io.BytesIO(answer.content)), float)
    raw = tifffile.imread(ended / "frames" / "roi-01" / "proj_0003.tif").astype(float)
    assert shown.shape == raw.shape
    assert np.corrcoef(shown.ravel(), raw.ravel())[0, 1] > 0.99
    stitched = client.get(f"/api/runs/{ended.name}/mosaic.png")
    assert Image.open(io.BytesIO(stitched.content)).mode == "L"


@pytest.mark.parametrize(("plane", "axis"), [("xy", 0), ("xz", 1), ("yz", 2)])
def test_planes_are_the_volume_s(client: Any, ended: Path, plane: str, axis: int) -> None:
    place = f"/api/runs/{ended.name}/regions/roi-01"
    about = client.get(f"{place}/planes").json()
    volume = tifffile.imread(ended / "roi-01" / "volume.ome.tif")
    labels = tifffile.imread(ended / "roi-01" / "labels.ome.tif")
    assert tuple(about["shape"]) == volume.shape
    middle = volume.shape[axis] // 2
    answer = client.get(f"{place}/planes/{plane}/{middle}")
    rows, columns = int(answer.headers["x-rows"]), int(answer.headers["x-columns"])
    grey = np.frombuffer(answer.content, np.uint8).reshape(rows, columns)
    low, high = about["low_per_um"], about["high_per_um"]
    expected = np.clip((np.take(volume, middle, axis) - low) / (high - low) * 255, 0, 255)
    assert np.abs(grey - expected).max() <= 1
    told = np.frombuffer(client.get(f"{place}/labels/{plane}/{middle}").content, "<u2").reshape(rows, columns)
    assert np.array_equal(told, np.take(labels, middle, axis))


def test_a_volume_that_is_cut_while_it_is_looked_at_ends_nothing_but_the_answer(
    served: Any, ended: Path, tmp_path: Path
) -> None:
    run = tmp_path / "runs" / ended.name
    shutil.copytree(ended, run)
    client = served(run.parent)
    place = f"/api/runs/{run.name}/regions/roi-01"
    (depth, *_) = client.get(f"{place}/planes").json()["shape"]
    volume = run / "roi-01" / "volume.ome.tif"
    before = volume.stat()
    os.truncate(volume, before.st_size // 2)
    # As it was opened before: who cuts it does not wait for the clock's next tick.
    os.utime(volume, ns=(before.st_atime_ns, before.st_mtime_ns))
    answer = client.get(f"{place}/planes/xy/{depth - 1}")
    assert answer.status_code == 404
    assert "not as long" in answer.text
    assert client.get(f"/api/runs/{run.name}").status_code == 200


def largest_of(run: Path) -> dict[str, str]:
    rows = list(csv.DictReader((run / "particles.csv").read_text().splitlines()))
    return max(rows, key=lambda row: float(row["volume_um3"]))


def triangles_of(stl: bytes) -> NDArray[np.float64]:
    """(m, 3 corners, 3)."""
    (count,) = np.frombuffer(stl, "<u4", 1, 80)
    kind = np.dtype([("n", "<f4", 3), ("c", "<f4", (3, 3)), ("r", "<u2")])
    return np.frombuffer(stl, kind, count, 84)["c"].astype(float)


def test_a_particle_s_surface_is_the_table_s(client: Any, ended: Path) -> None:
    largest = largest_of(ended)
    answer = client.get(f"/api/runs/{ended.name}/regions/roi-01/particles/{largest['particle_id']}/mesh")
    assert "x-blocks" not in answer.headers
    a, b, c = triangles_of(answer.content).transpose(1, 0, 2)
    volume_um3 = np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6
    area_um2 = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2
    assert volume_um3 == pytest.approx(float(largest["volume_um3"]), rel=0.005)
    assert area_um2 == pytest.approx(float(largest["surface_area_um2"]), rel=0.03)
    # Of its box, which is not that of its mass.
    centre = (np.minimum(a, b).min(0) + np.maximum(a, b).max(0)) / 2
    assert centre == pytest.approx([float(largest[name]) for name in ("x_um", "y_um", "z_um")], abs=1.5)


@pytest.mark.parametrize("harm", ["altered", "gone"])
def test_without_its_own_volume_a_surface_runs_along_the_voxels_and_says_so(
    served: Any, ended: Path, tmp_path: Path, harm: str
) -> None:
    run = shutil.copytree(ended, tmp_path / "runs" / ended.name)
    volume, largest = run / "roi-01" / "volume.ome.tif", largest_of(ended)
    if harm == "gone":
        volume.unlink()
    else:
        with volume.open("ab") as file:
            file.write(b"one byte too many")
    answer = served(run.parent).get(f"/api/runs/{run.name}/regions/roi-01/particles/{largest['particle_id']}/mesh")
    said = {"altered": "is not what was recorded", "gone": "the volume of this region is not kept"}
    assert unquote(answer.headers["x-blocks"]).startswith(said[harm])
    a, b, c = triangles_of(answer.content).transpose(1, 0, 2)
    volume_um3 = np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6
    assert abs(volume_um3) == pytest.approx(float(largest["volume_um3"]), rel=0.12)


@pytest.mark.parametrize("kind", ["glb", "ply", "stl"])
def test_a_particle_s_mesh_is_what_the_export_writes(client: Any, ended: Path, tmp_path: Path, kind: str) -> None:
    (file,) = app.export_meshes(ended, kind, tmp_path, "roi-01", [1])
    answer = client.get(f"/api/runs/{ended.name}/regions/roi-01/particles/1/mesh/{kind}")
    assert answer.status_code == 200
    assert answer.content == file.path.read_bytes()
    assert answer.headers["content-disposition"] == f'attachment; filename="{file.path.name}"'


def test_the_table_is_the_file(client: Any, ended: Path) -> None:
    table = client.get(f"/api/runs/{ended.name}/tables/particles").json()
    rows = list(csv.DictReader((ended / "particles.csv").read_text().splitlines()))
    names = [column["name"] for column in table["columns"]]
    assert table["total"] == len(rows)
    at = names.index("volume_um3")
    assert [row[at] for row in table["rows"]] == pytest.approx([float(row["volume_um3"]) for row in rows])
    assert {column["name"]: column["unit"] for column in table["columns"]}["volume_um3"] == "µm³"


def test_particles_have_the_weights_of_the_report(client: Any, ended: Path) -> None:
    told = client.get(f"/api/runs/{ended.name}/tables/particles").json()
    at = [column["name"] for column in told["columns"]].index("population_weight")
    rows = list(csv.DictReader(io.StringIO((ended / "particles.csv").read_text())))
    assert [row[at] for row in told["rows"]] == pytest.approx([float(row["population_weight"]) for row in rows])


def test_a_table_is_asked_for_some_columns_and_names_the_others(client: Any, ended: Path) -> None:
    place = f"/api/runs/{ended.name}/tables/particles"
    whole = client.get(place).json()
    names = [column["name"] for column in whole["columns"]]
    some = client.get(place, params={"columns": "volume_um3,roi,no_such_column", "offset": 1, "limit": 2}).json()
    assert [column["name"] for column in some["columns"]] == [name for name in names if name in ("roi", "volume_um3")]
    assert [column["name"] for column in some["others"]] == [
        name for name in names if name not in ("roi", "volume_um3")
    ]
    at = [names.index(column["name"]) for column in some["columns"]]
    assert some["rows"] == [[row[i] for i in at] for row in whole["rows"][1:3]]
    assert (some["total"], whole["others"]) == (len(whole["rows"]), [])
    assert {column["name"] for column in whole["columns"] if not column["numeric"]} >= {"roi"}


def test_lines_page_back_to_the_first(client: Any, ended: Path) -> None:
    seen: list[int] = []
    before: int | None = None
    while True:
        page = client.get(
            f"/api/runs/{ended.name}/lines", params={"limit": 7, **({} if before is None else {"before": before})}
        ).json()
        if not page["lines"]:
            break
        seen = [line["id"] for line in page["lines"]] + seen
        before = seen[0]
    assert seen == list(range(1, page["last_id"] + 1))


@pytest.mark.parametrize(
    "path",
    [
        "runs/nothing",
        "runs/..%2f..",
        "runs/{run}/files/../{run}/journal.sqlite",
        "runs/{run}/files/journal.sqlite",
        "runs/{run}/files/..%2f..%2fetc%2fpasswd",
        "runs/{run}/files/%2fetc%2fpasswd",
        "runs/{run}/files/roi-01/../journal.sqlite",
        "runs/{run}/frames/mosaic/..%2f..%2frecipe.png",
        "runs/{run}/frames/roi-09/proj_0001.png",
        "runs/{run}/regions/..%2fframes/planes",
        "runs/{run}/regions/roi-07/planes",
        "runs/{run}/regions/roi-01/planes/xy/9999",
        "runs/{run}/regions/roi-01/planes/xy/-1",
        "runs/{run}/regions/roi-01/planes/zz/1",
        "runs/{run}/regions/roi-01/particles/99999/mesh",
        "runs/{run}/regions/roi-01/particles/99999/mesh/glb",
        "runs/{run}/regions/roi-01/particles/1/mesh/obj",
        "runs/{run}/regions/roi-07/particles/1/mesh/glb",
        "runs/{run}/tables/journal",
        "runs/{run}/lines?level=shout",
        "runs/{run}/lines?limit=0",
        "recipes/..%2fpasswd.yaml/settings",
    ],
)
def test_what_is_not_there_or_none_of_a_browser_s_business(client: Any, ended: Path, path: str) -> None:
    answer = client.get(f"/api/{path.format(run=ended.name)}")
    assert answer.status_code in (400, 404, 422)
    assert "root:" not in answer.text
    assert "SQLite format" not in answer.text


def test_links_lead_nowhere(served: Any, ended: Path, tmp_path: Path) -> None:
    root = tmp_path / "runs"
    root.mkdir()
    os.symlink(ended, root / "linked")
    assert served(root).get("/api/runs/linked").status_code == 404


def test_a_damaged_run_spoils_no_list(served: Any, tmp_path: Path) -> None:
    root = tmp_path / "runs"
    (root / "broken").mkdir(parents=True)
    (root / "broken" / "journal.sqlite").write_bytes(b"no journal at all" * 100)
    (card,) = served(root).get("/api/runs").json()["runs"]
    assert "journal" in card["problem"]


def test_prometheus(client: Any, ended: Path) -> None:
    text = client.get("/metrics").text
    assert f'xrm_run_state{{run="{ended.name}",state="done"}} 1.0' in text
    assert "xrm_disk_free_bytes" in text


def test_openapi_tells_all_of_it(client: Any) -> None:
    paths = json.loads(client.get("/api/openapi.json").content)["paths"]
    assert "/api/runs/{run}/commands" in paths
    assert "/api/runs/{run}/stream" in paths


@pytest.mark.parametrize(
    "name", ["NMC neu (gut)", "Prüfung Ä", "<img src=x onerror=alert(1)>", "100 % #1?x", ".hidden", "new\nline"]
)
def test_a_run_that_somebody_renamed_is_found_by_any_printable_name(
    served: Any, ended: Path, tmp_path: Path, name: str
) -> None:
    shutil.copytree(ended, tmp_path / "runs" / name)
    client = served(tmp_path / "runs")
    found = [run["name"] for run in client.get("/api/runs").json()["runs"]]
    assert found == ([name] if name.isprintable() and name[0] != "." else [])
    for part in ("", "/regions", "/lines", "/tables/particles", "/mosaic.png"):
        answer = client.get(f"/api/runs/{quote(name, safe='')}{part}")
        assert answer.status_code == (200 if found else 404), part
