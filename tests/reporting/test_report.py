"""The page as a whole: every section is there, says what the files say, and needs nothing from outside."""

from __future__ import annotations

import base64
import json
import re
import shutil
from pathlib import Path

import pytest

from tests.reporting.page import Page
from xrm_control.core.errors import DataError
from xrm_control.reporting.report import build_report

SECTIONS = [
    "verdict", "findings", "mosaic", "times", "table1", "regions", "radii", "roughness", "distributions", "statistics",
    "particles", "quality", "truth", "axes", "provenance",
]  # fmt: skip
HOSTILE = "<script>alert('x')</script>\"><img src=http://example.org/x.png onerror=alert(1)>"


@pytest.fixture(scope="module")
def text(finished_run: Path) -> str:
    return build_report(finished_run)


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_sections_in_the_order_of_reading(page: Page) -> None:
    assert [key for key in page.parts if key] == SECTIONS


def test_well_formed(page: Page) -> None:
    assert page.open == []
    assert page.tags.count("html") == page.tags.count("body") == page.tags.count("h1") == 1


def test_nothing_from_outside(page: Page, text: str) -> None:
    for reference in page.references:
        assert reference.startswith(("data:image/", "#")), reference
    assert not re.search(r"@import|url\(", text)
    assert "link" not in page.tags
    assert "iframe" not in page.tags


def test_inner_links_lead_somewhere(page: Page) -> None:
    for reference in page.references:
        if reference.startswith("#"):
            assert reference[1:] in page.parts


def test_images_are_what_they_say(page: Page) -> None:
    magic = {"image/png": b"\x89PNG\r\n", "image/jpeg": b"\xff\xd8\xff", "image/svg+xml": b"<?xml"}
    images = [image for part in page.parts.values() for image in part.images]
    assert len(images) == 1 + 2 * 4 + 3 + 3 + 7 + 2 * 5 + 4 + 1
    for image in images:
        mime, data = re.fullmatch(r"data:([a-z+/]+);base64,(.+)", image["src"]).groups()  # type: ignore[union-attr]
        assert base64.b64decode(data).startswith(magic[mime])
        assert image["alt"]


def test_size(text: str) -> None:
    assert len(text.encode()) < 8_000_000


def test_same_folder_same_text(finished_run: Path, undrawn_figures: None) -> None:
    assert build_report(finished_run) == build_report(finished_run)


@pytest.mark.parametrize(
    ("section", "row", "cells"),
    [
        ("times", "mosaic", ["54.2 s", "55.1 s", "under 1 min", "yes"]),
        ("times", "scan of roi-01", ["4 min 28 s", "4 min 31 s", "under 5 min", "yes"]),
        ("times", "scan of roi-02", ["–", "5 min 12 s", "under 5 min", "no"]),
        ("times", "radiographs", ["–", "40", "40", "yes"]),
        ("times", "particles in the mosaic", ["1180", "1130", "over 1000", "yes"]),
        ("times", "particles per radiograph", ["–", "28.2", "about 30", "–"]),
        ("times", "projections", ["7", "7", "141", "–"]),
        ("times", "SNR", ["–", "9.80", "10.4", "–"]),
        ("times", "mean transmission", ["–", "9.0 %", "8.5 %", "–"]),
        ("table1", "Quantity", ["Unit", "Paper (NMC622)", "This run, paper's convention", "This run, unbiased"]),
        ("table1", "particle volume", ["µm³", "238", "251", "251"]),
        ("table1", "void equivalent diameter", ["µm", "2.4", "2.39", "2.39"]),
        ("table1", "dead volume", ["%", "3.8", "4.44", "3.61"]),
        ("table1", "particles with internal voids", ["%", "55", "53.2", "53.2"]),
        ("table1", "particles counted", ["–", "–", "10", "10"]),
        ("radii", "roi-01 no. 4", ["10.0", "5.00", "5.00", "5.00", "5.00", "0.400", "0.400", "0.400", "1.00"]),
        (
            "statistics",
            "equivalent diameter",
            ["10", "6.86 (5.91\u00a0to\u00a07.77)", "5.11", "6.13 (5.20\u00a0to\u00a08.10)", "9.87"],
        ),
        ("statistics", "share of particles with voids", ["0.532", "0.281 to 0.766"]),
        ("quality", "roi-01", ["10.2", "8.70 %", "–", "63.871", "–", "4 min 31 s"]),
        ("truth", "matched one to one (24 of 25)", ["96.0 %", "≥ 95 %", "yes"]),
        ("truth", "median error of the diameter", ["+1.04 %", "within 2 %", "yes"]),
        ("truth", "median error of the volume", ["+6.20 %", "within 5 %", "no"]),
        ("truth", "rotation axis, error roi-01", ["−0.0210 px", "within 0.15 px", "yes"]),
        ("truth", "rotation axis, error roi-02", ["+0.310 px", "within 0.15 px", "no"]),
        ("truth", "777", ["roi-02", "6.60"]),
        ("truth", "2 to 2.5", ["9", "77.8 %", "0.950"]),
        ("provenance", "SHA-256 of the recipe", ["cd" * 32]),
        ("mosaic", "70.0, −30.0", ["4", "12 %", "holds 4 of the best window's 32 whole particles"]),
        ("mosaic", "hair", ["1.0, 2.0", "9.00 × 30.0", "seen by eye"]),
        ("provenance", "roi-01", ["volume.ome.tif", "ab" * 32]),
    ],
)
def test_values_are_the_files(page: Page, section: str, row: str, cells: list[str]) -> None:
    assert page.parts[section].row(row)[1 : 1 + len(cells)] == cells


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("verdict", "3 frames of roi-02 are missing"),
        ("verdict", "Incomplete"),
        ("mosaic", "many particles; 31 particles expected; at 40.0, −20.0, 0.0 µm"),
        ("regions", "48 × 48 × 48 voxels of 512 nm: 24.6 × 24.6 × 24.6 µm. 6 particles, 5 of them whole. 3 voids."),
        ("radii", "nearest to 4 diameters spaced evenly"),
        ("roughness", "0.400 µm with sub-voxel radii (a sphere: 0.210 µm); 0.900 µm with radii in whole voxels"),
        ("distributions", "less than 1.4 µm are missed"),
        ("table1", "2.4 % (paper’s convention), 7.1 of 300 miles; 1.9 % (unbiased), 5.8 of 300 miles"),
        ("axes", "Of the stage’s axes the volume’s are x = x, y = −z, z = y"),
        ("provenance", "# 512 nm voxels"),
    ],
)
def test_sentences(page: Page, section: str, said: str) -> None:
    assert said in page.parts[section].text


def test_frames_add_up(page: Page) -> None:
    rows = {row[0]: row[1:] for row in page.parts["quality"].tables[1]}
    assert rows["roi-01"] == ["152", "1", "0"]
    assert rows["roi-02"] == ["150", "2", "3"]
    assert rows["all"] == ["302", "3", "3"]


def test_complete_run_is_called_complete(finished_run: Path, tmp_path: Path, undrawn_figures: None) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    results = json.loads((run / "results.json").read_text())
    results["quality"]["roi-02"]["frames"]["missing"] = 0
    (run / "results.json").write_text(json.dumps(results))
    assert "Complete" in Page(build_report(run)).parts["verdict"].text


def test_hostile_strings_stay_text(finished_run: Path, tmp_path: Path, undrawn_figures: None) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    results = json.loads((run / "results.json").read_text())
    results |= {"run": HOSTILE, "recipe_name": HOSTILE, "started_utc": HOSTILE, "backend": HOSTILE}
    results["sample"] = {"name": HOSTILE}
    results["verdict"] = {"status": "incomplete", "reasons": [HOSTILE]}
    results["versions"] = {HOSTILE: HOSTILE}
    results["quality"]["roi-01"]["further"] = {HOSTILE: HOSTILE}
    results["population"][HOSTILE] = {"n": 3, "mean": 1.0}
    results["truth"]["rotation_axis_error_px"] = {HOSTILE: 0.1}
    (run / "results.json").write_text(json.dumps(results))
    rois = json.loads((run / "rois.json").read_text())
    rois["rois"][0]["reason"] = HOSTILE
    (run / "rois.json").write_text(json.dumps(rois))
    (run / "recipe.yaml").write_text(f"name: {HOSTILE}\n</pre>{HOSTILE}")
    handoff = json.loads((run / "roi-01" / "handoff.json").read_text())
    handoff["inputs"] = {HOSTILE: HOSTILE}
    (run / "roi-01" / "handoff.json").write_text(json.dumps(handoff))
    particles = (
        (run / "roi-01" / "particles.csv").read_text().replace("roi-01", f'"{HOSTILE.replace(chr(34), chr(34) * 2)}"')
    )
    (run / "roi-01" / "particles.csv").write_text(particles)
    hostile = Page(build_report(run))
    assert hostile.tags.count("script") == 1
    assert all(reference.startswith(("data:image/", "#")) for reference in hostile.references)
    assert hostile.open == []
    assert HOSTILE in hostile.parts["provenance"].text
    assert hostile.parts["statistics"].row(HOSTILE)[1:3] == ["3", "1.00"]


@pytest.mark.parametrize(
    "name", ["results.json", "rois.json", "plan.json", "roi-01/quality.json", "roi-01/handoff.json"]
)
def test_hostile_keys_are_named_as_text(finished_run: Path, tmp_path: Path, name: str, undrawn_figures: None) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    content = json.loads((run / name).read_text())
    (run / name).write_text(json.dumps({**content, HOSTILE: HOSTILE}))
    hostile = Page(build_report(run))
    assert hostile.tags.count("script") == 1
    assert hostile.open == []
    assert f"{name}: a key that is not known" in hostile.parts["verdict"].text


BROKEN: dict[str, tuple[str, ...]] = {
    "not analysed": ("results.json", "particles.csv", "voids.csv", "quality.json", "labels.ome.tif", "phases.ome.tif"),
    "not reconstructed": ("volume.ome.tif", "handoff.json", "labels.ome.tif", "mosaic.png"),
    "tables only": ("volume.ome.tif", "labels.ome.tif", "phases.ome.tif", "handoff.json", "rois.json", "recipe.yaml"),
    "volumes only": ("results.json", "particles.csv", "voids.csv", "handoff.json", "plan.json"),
}


@pytest.mark.parametrize("how", ["missing", "scrambled"])
@pytest.mark.parametrize("names", BROKEN.values(), ids=BROKEN)
def test_page_of_a_run_in_pieces(
    finished_run: Path, tmp_path: Path, names: tuple[str, ...], how: str, undrawn_figures: None
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    for name in names:
        for path in [*run.glob(name), *run.glob(f"roi-*/{name}")]:
            if how == "missing":
                path.unlink()
            else:
                path.write_bytes(b"\x00\xff scrambled")
    page = Page(build_report(run))
    assert page.open == []
    without = {"truth"}
    without |= {"findings"} if "results.json" in names else set()
    without |= {"particles"} if "particles.csv" in names else set()
    assert [key for key in page.parts if key and key not in without] == [key for key in SECTIONS if key not in without]
    assert ("findings" in page.parts) == ("findings" not in without)
    assert "Complete" not in page.parts["verdict"].text
    for name in names:
        assert name in page.parts["verdict"].text or name in {"phases.ome.tif", "mosaic.png"}


def test_run_that_has_just_begun(tmp_path: Path, undrawn_figures: None) -> None:
    (tmp_path / "recipe.yaml").write_text("name: x\n")
    page = Page(build_report(tmp_path))
    assert "Unfinished" in page.parts["verdict"].text
    assert "No region was chosen." in page.parts["regions"].text
    assert "truth" not in page.parts


def test_empty_tables(finished_run: Path, tmp_path: Path, undrawn_figures: None) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    for name in ("particles.csv", "voids.csv"):
        for roi in ("roi-01", "roi-02"):
            header = (run / roi / name).read_text().splitlines()[0]
            (run / roi / name).write_text(header + "\n")
    page = Page(build_report(run))
    assert "no particle was measured" in page.parts["radii"].text
    assert "No void was found." in page.parts["distributions"].text


@pytest.mark.parametrize("value", [None, "text", 1e300, [None], {"a": None}], ids=repr)
def test_results_of_any_shape(finished_run: Path, tmp_path: Path, value: object, undrawn_figures: None) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    results = json.loads((run / "results.json").read_text())
    (run / "results.json").write_text(json.dumps(dict.fromkeys(results, value)))
    assert Page(build_report(run)).open == []


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_not_a_run(tmp_path: Path, name: str) -> None:
    if name == "empty":
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="run"):
        build_report(tmp_path / name)
