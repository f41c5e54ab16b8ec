"""A run folder in any state is read; what is missing or broken is named."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from xrm_control.reporting.report import render
from xrm_control.reporting.run_data import read_run


def remove(name: str) -> Callable[[Path], object]:
    return lambda run: (run / name).unlink()


def write(name: str, content: str | bytes) -> Callable[[Path], object]:
    data = content.encode() if isinstance(content, str) else content
    return lambda run: (run / name).write_bytes(data)


def truncate(name: str) -> Callable[[Path], object]:
    return lambda run: (run / name).write_bytes((run / name).read_bytes()[:-3000])


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no results": (remove("results.json"), "results.json: missing"),
    "no recipe": (remove("recipe.yaml"), "recipe.yaml: missing"),
    "no plan": (remove("plan.json"), "plan.json: missing"),
    "no rois": (remove("rois.json"), "rois.json: missing"),
    "no mosaic": (remove("mosaic.png"), ""),
    "no volume": (remove("roi-01/volume.ome.tif"), "roi-01/volume.ome.tif: missing"),
    "no labels": (remove("roi-01/labels.ome.tif"), "roi-01/labels.ome.tif: missing"),
    "no phases": (remove("roi-01/phases.ome.tif"), ""),
    "no particles": (remove("roi-01/particles.csv"), "roi-01/particles.csv: missing"),
    "no voids": (remove("roi-02/voids.csv"), "roi-02/voids.csv: missing"),
    "no quality": (remove("roi-01/quality.json"), "roi-01/quality.json: missing"),
    "no hand-off": (remove("roi-01/handoff.json"), "roi-01/handoff.json: missing"),
    "no region": (lambda run: shutil.rmtree(run / "roi-02"), "roi-02: no folder"),
    "half a results.json": (write("results.json", '{"run": "x", "counts": {'), "results.json: cannot be read"),
    "a list for results": (write("results.json", "[1, 2]"), "results.json: holds a list"),
    "bytes for a recipe": (write("recipe.yaml", b"\xff\xfe\x00"), "recipe.yaml: cannot be read"),
    "bytes for a table": (write("roi-01/particles.csv", b"\xff\xfe\x00\x00"), "roi-01/particles.csv: not a readable"),
    "an empty table": (write("roi-01/particles.csv", ""), "roi-01/particles.csv: a table without a header"),
    "a ragged table": (write("roi-01/voids.csv", "void_id,roi\n1\n"), "roi-01/voids.csv: a row with another number"),
    "text for a volume": (write("roi-01/volume.ome.tif", "no tiff"), "roi-01/volume.ome.tif: not a readable volume"),
    "a cut volume": (truncate("roi-01/volume.ome.tif"), "roi-01/volume.ome.tif: not a readable volume"),
    "cut labels": (truncate("roi-01/labels.ome.tif"), "roi-01/labels.ome.tif: not a readable volume"),
    "text for a mosaic": (write("mosaic.png", "no png"), ""),
    "half a mosaic": (truncate("mosaic.png"), ""),
}


@pytest.mark.parametrize(("damage", "said"), DAMAGE.values(), ids=DAMAGE)
def test_missing_and_broken_pieces_are_named(
    finished_run: Path, tmp_path: Path, damage: Callable[[Path], object], said: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    damage(run)
    problems = read_run(run).problems
    assert len(problems) == bool(said)
    assert not said or problems[0].startswith(said)


@pytest.mark.parametrize("file", ["roi-01/volume.ome.tif", "roi-02/volume.ome.tif"])
def test_a_volume_that_is_cut_while_the_report_reads_it_is_named_and_left_out(
    finished_run: Path, tmp_path: Path, undrawn_figures: None, file: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    data = read_run(run)
    os.truncate(run / file, (run / file).stat().st_size // 2)
    page = render(data)
    assert f"{file}: the volume&#39;s file is not as long as it has to be" in page


def test_whole_run_has_no_problems(finished_run: Path) -> None:
    run = read_run(finished_run)
    assert run.problems == ()
    assert [region.name for region in run.regions] == ["roi-01", "roi-02"]
    assert len(run.particles) == 12
    assert len(run.voids) == 6


def test_results_win_over_the_region_s_own_quality(finished_run: Path) -> None:
    quality = read_run(finished_run).regions[0].quality
    assert quality.snr == 10.2
    assert quality.void_detection_limit_um == 1.41


@pytest.mark.parametrize("name", ["../secret", "..", "", "/etc", 7])
def test_names_that_climb_out_of_the_run_are_no_regions(finished_run: Path, tmp_path: Path, name: object) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    rois = json.loads((run / "rois.json").read_text())
    rois["rois"][0]["name"] = name
    (run / "rois.json").write_text(json.dumps(rois))
    data = read_run(run)
    assert [region.name for region in data.regions] == ["roi-01", "roi-02"]
    assert data.problems[0].startswith("rois.json: ")
    assert "rois.0.name" in data.problems[0]
