"""Whole short runs whose volumes another core takes: with the least that it may give back, and with less."""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.reporting.page import Page
from tests.session.scripted import Night
from tests.system.conftest import SHORT
from xrm_control.core.events import RoiQuarantined
from xrm_control.core.states import RoiState, Verdict
from xrm_control.reporting.report import build_report
from xrm_control.reporting.run_data import read_run
from xrm_control.reporting.sections.summary import verdict

# Three particles that are not there, and not one file or column more than a core must write.
LEAST = """
import json, pathlib, sys
handoff, out = map(pathlib.Path, sys.argv[1:])
roi = json.loads(handoff.read_text())["roi"]
(out / "results.json").write_text("{}")
rows = ["particle_id,roi,x_um,y_um,z_um,volume_um3,equivalent_diameter_um,touches_boundary,weight"]
rows += [f"{n},{roi},{n},0,-{n},113.1,6,{int(n == 3)},1" for n in (1, 2, 3)]
"""
# As many whole ones as the mosaic promises, and one that is cut: a core that found fewer would be doubted. They are the
# largest pieces of the volume, with their own sizes: places without matter would be faults.
PROMISED = (
    LEAST
    + """
expected = json.loads((handoff.parent.parent / "rois.json").read_text())["rois"][0]["expected_particles"]
import numpy as np, tifffile
from scipy import ndimage
voxel_um = json.loads(handoff.read_text())["voxel_size_um"]
grey = ndimage.gaussian_filter(tifffile.imread(handoff.parent / "volume.ome.tif").astype(float), 0.7)
pieces, count = ndimage.label(grey > (np.median(grey) + np.quantile(grey, 0.995)) / 2)
sizes = np.bincount(pieces.ravel())[1:]
ends = np.unique([piece for axis in range(3) for end in (0, -1) for piece in np.unique(np.take(pieces, end, axis))])
cut = np.isin(np.arange(1, count + 1), ends)
order = np.argsort(-sizes)
largest = np.concatenate([order[~cut[order]][:expected], order[cut[order]][:1]])
at_um = (np.array(ndimage.center_of_mass(pieces > 0, pieces, largest + 1)) - (np.array(grey.shape) - 1) / 2) * voxel_um
rows[1:] = []
for n, (piece, (z, y, x)) in enumerate(zip(largest, at_um), start=1):
    volume = sizes[piece] * voxel_um**3
    rows.append(f"{n},{roi},{x},{y},{z},{volume},{(6 * volume / np.pi) ** (1 / 3)},{int(n > expected)},1")
"""
)
WRITES = "(out / 'particles.csv').write_text('\\n'.join(rows) + '\\n')\n"


def night(folder: Path, program: str, **handoff: Any) -> Night:
    return Night(folder, handoff={"command": [sys.executable, "-c", program], **handoff})


def test_the_least_that_a_core_may_give_back_makes_a_complete_run(tmp_path: Path) -> None:
    # Views enough for particles of the size that is wanted: nothing else is to be doubted.
    run = Night(tmp_path, handoff={"command": [sys.executable, "-c", PROMISED + WRITES]}, scan=SHORT["scan"])
    assert (run.error, run.code, run.results["verdict"]["status"]) == (None, 0, Verdict.COMPLETE)
    counts = run.results["counts"]
    expected = json.loads((run.folder / "rois.json").read_text())["rois"][0]["expected_particles"]
    assert (counts["particles"], counts["whole_particles"], counts["voids"]) == (expected + 1, expected, None)
    population, table = run.results["population"], run.results["table1"]
    with (run.folder / "roi-01" / "particles.csv").open() as file:
        told = [row for row in csv.DictReader(file) if row["touches_boundary"] == "0"]
    # Weighted by how often bodies of a size lie whole in the field.
    diameters, volumes = ([float(row[name]) for row in told] for name in ("equivalent_diameter_um", "volume_um3"))
    assert min(diameters) < population["equivalent_diameter_um"]["mean"] < max(diameters)
    assert "voided_fraction" not in population
    assert min(volumes) < table["unbiased"]["particle"]["volume_um3"] < max(volumes)
    unknown = ("dead_volume_percent", "voided_particles_percent", "n_voids")
    assert {table[convention][name] for convention in ("unbiased", "paper") for name in unknown} == {None}
    assert table["paper"]["particle"]["volume_um3"] is None
    data = read_run(run.folder)
    assert (data.problems, verdict(data).word) == ((), "complete")
    page = Page(build_report(run.folder))
    said = page.parts["verdict"].text
    assert "Not measured by this core: surface area, sphericity, surface to volume, radius mean," in said
    assert said.rstrip().endswith("voids.")
    assert not {"radii", "roughness"} & set(page.parts)
    assert "Voids were not looked for" in page.parts["distributions"].text
    assert [image["alt"] for image in page.parts["distributions"].images] == [
        f"Particles: equivalent diameter: distribution of {expected} values"
    ]
    assert [row[0] for row in page.parts["table1"].tables[0]] == [
        "Quantity", "particle volume V", "particle equivalent diameter dₑ", "particles counted",
    ]  # fmt: skip
    assert [row[0] for row in page.parts["statistics"].tables[0]][1:3] == ["volume (µm³)", "equivalent diameter (µm)"]


def test_a_core_that_finds_less_than_the_mosaic_shows_is_doubted(tmp_path: Path) -> None:
    run = Night(tmp_path, handoff={"command": [sys.executable, "-c", LEAST + WRITES]}, scan=SHORT["scan"])
    assert (run.code, run.results["verdict"]["status"]) == (5, Verdict.DOUBT)
    assert "2 whole particles in the window for" in " ".join(run.results["verdict"]["reasons"])


def test_the_run_s_own_table_holds_the_regions(tmp_path: Path) -> None:
    run = night(tmp_path, LEAST + WRITES)
    whole, region = ((run.folder / name).read_text() for name in ("particles.csv", "roi-01/particles.csv"))
    # By what particles count in the population is the run's own.
    assert [line.rpartition(",")[0] for line in whole.splitlines()] == region.splitlines()
    assert whole.splitlines()[0].rpartition(",")[2] == "population_weight"
    assert not (run.folder / "voids.csv").exists()
    told = json.loads((run.folder / "columns.json").read_text())
    assert [column["name"] for column in told["particles"]] == whole.splitlines()[0].split(",")
    with run.journal() as journal:
        assert {"particles.csv", "columns.json", "results.json"} <= set(journal.artifacts())


LESS = [
    ("rows[0] = rows[0].replace('weight', 'wt')\n" + WRITES, r"roi-01, particles.csv, row 1, column weight: .*lacks a"),
    ("rows[2] = rows[2].replace('113.1', '')\n" + WRITES, r"particles.csv, row 3, column volume_um3: .*value nothing"),
    ("rows[1] = rows[1].replace('113.1', 'inf')\n" + WRITES, r"particles.csv, row 2, column volume_um3: .*value inf"),
    ("pass", "did not write particles.csv"),
    ("import time; time.sleep(600)", r"was ended, it took too long \(limit 2 s \(handoff.timeout_s"),
    ("raise KeyError('[/x]')", r"handoff.command: the analysis command failed: .*KeyError: '\[/x\]'"),
]


@pytest.mark.parametrize(("program", "reason"), LESS)
def test_less_sets_the_region_aside_and_the_run_goes_on(tmp_path: Path, program: str, reason: str) -> None:
    timeout_s = 2 if "sleep" in program else 600
    run = night(tmp_path, LEAST + program, timeout_s=timeout_s)
    assert (run.error, run.code, run.results["verdict"]["status"]) == (None, 5, Verdict.INCOMPLETE)
    (told,) = run.events(RoiQuarantined)
    with run.journal() as journal:
        state = journal.roi_states()["roi-01"]
    assert state.state == RoiState.QUARANTINED
    for said in (told.text, state.reason, run.results["verdict"]["reasons"][0]):
        assert re.search(reason, said, re.DOTALL), said
    assert (run.folder / "report.html").is_file()
    assert not list((run.folder / "roi-01").glob("*.csv"))
