"""Members that another package offers: in the schema, in a check, among the command line's choices, in the tables."""

from __future__ import annotations

import csv
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.analysis.phantoms import VOXEL_UM, ball, render
from tests.exports.bodies import ball as mesh_ball
from tests.exports.bodies import hollow
from tests.exports.measured_runs import measured_run
from tests.exports.runs import scanned_run
from tests.plugins.offered import MEMBERS, install
from tests.system.conftest import SHORT
from xrm_control.storage.formats.ome_tiff import write_volume

ROOT = Path(__file__).parents[2]
GOOD = {
    "metrics": {"elongation": "theirs:Elongation"},
    "reconstructors": {"zeros": "theirs:Zeros"},
    "thresholds": {"quarter": "theirs:Quarter"},
    "backends": {"elsewhere": "theirs:Elsewhere"},
    "exporters": {"angles": "theirs:Angles"},
    "mesh_exporters": {"corners": "theirs:Corners"},
    "strategies": {"corner": "theirs:Corner"},
    "orders": {"backwards": "theirs:Backwards"},
    "reference_schemes": {"thirds": "theirs:Thirds"},
    "executors": {"here": "theirs:Here"},
}


class Installed:
    """The command line where some packages are installed."""

    def __init__(self, site: Path) -> None:
        self.site = site

    def xrm(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(self.site), str(ROOT)])
        code = "from xrm_control.cli.main import main; main()"
        return subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            cwd=self.site,
            env={**os.environ, "PYTHONPATH": path, "COLUMNS": "250"},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    site = tmp_path_factory.mktemp("site")
    install(site, "theirs", MEMBERS, GOOD)
    return Installed(site)


def recipe(folder: Path, **changes: object) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({**SHORT, **changes}), encoding="utf-8")
    return path


def test_the_schema_knows_them(theirs: Installed) -> None:
    text = json.dumps(json.loads(theirs.xrm("schema").stdout))
    for kind in (kind for group, members in GOOD.items() if "exporters" not in group for kind in members):
        assert f'"const": "{kind}"' in text, kind


def test_a_recipe_may_choose_them(theirs: Installed, tmp_path: Path) -> None:
    path = recipe(
        tmp_path,
        instrument={"backend": "elsewhere", "seed": 4},
        reconstruction={"method": {"kind": "zeros"}},
        analysis={"threshold": {"kind": "quarter"}},
        roi={"kind": "corner", "rows": 1, "columns": 1},
        scan={**SHORT["scan"], "order": {"kind": "backwards"}, "references": {"kind": "thirds"}},
        compute={"kind": "here"},
    )
    said = theirs.xrm("check", path)
    assert (said.returncode, "in order" in said.stdout) == (0, True), said.stderr


def test_without_the_package_they_are_unknown(tmp_path: Path) -> None:
    said = Installed(tmp_path).xrm("check", recipe(tmp_path, analysis={"threshold": {"kind": "quarter"}}))
    assert said.returncode == 2
    assert "unknown kind 'quarter'" in said.stderr


@pytest.mark.parametrize(
    ("command", "kind"), [("reconstruct", "zeros"), ("analyze", "quarter"), ("export", "angles"), ("export", "corners")]
)
def test_the_command_line_offers_them(theirs: Installed, command: str, kind: str) -> None:
    assert kind in theirs.xrm(command, "--help").stdout


def test_a_volume_is_measured_by_them(theirs: Installed, tmp_path: Path) -> None:
    volume = write_volume(tmp_path / "volume.ome.tif", [render([ball(0, 0, 0, 6.0)])], VOXEL_UM)
    out = tmp_path / "out"
    said = theirs.xrm("analyze", volume, "--out", out, "--threshold", "quarter", "--json")
    assert said.returncode == 0, said.stderr
    with (out / "particles.csv").open(encoding="utf-8") as file:
        assert [row["elongation"] for row in csv.DictReader(file)] == ["1.25"]
    results = json.loads((out / "results.json").read_text())
    assert results["population"]["elongation"]["mean"] == 1.25
    columns = json.loads((out / "columns.json").read_text())["particles"]
    assert [one["meaning"] for one in columns if one["name"] == "elongation"] == ["longest over shortest radius"]


FAILING = """
from typing import Literal
from theirs import Elongation


class Failing(Elongation):
    kind: Literal["failing"] = "failing"

    def measure(self, particle):
        raise KeyError("no such particle")
"""


def test_one_that_fails_is_told_beside_what_was_measured(tmp_path: Path) -> None:
    install(tmp_path, "theirs", MEMBERS, {"metrics": {"failing": "failing:Failing"}})
    (tmp_path / "failing.py").write_text(FAILING)
    volume = write_volume(tmp_path / "volume.ome.tif", [render([ball(0, 0, 0, 6.0)])], VOXEL_UM)
    said = Installed(tmp_path).xrm("analyze", volume, "--out", tmp_path / "out")
    assert (said.returncode, "metric failing failed for 1 of 1 particles" in said.stdout) == (0, True), said.stderr
    with (tmp_path / "out" / "particles.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["elongation"], float(row["equivalent_diameter_um"])) == ("", pytest.approx(12.0, rel=0.01))


def test_a_run_is_exported_by_them(theirs: Installed, tmp_path: Path) -> None:
    run, out = scanned_run(tmp_path), tmp_path / "out"
    said = theirs.xrm("export", run.path, "--to", "angles", "--out", out, "--json")
    assert said.returncode == 0, said.stderr
    (told,) = json.loads(said.stdout)
    assert told["path"] == str(out / f"{run.path.name}_roi-01.txt")
    assert [float(line) for line in Path(told["path"]).read_text().split()] == [float(x) for x in range(-90, 91, 3)]


def test_particles_become_meshes_by_them(theirs: Installed, tmp_path: Path) -> None:
    """A hollow ball of 7 um radius: its table's volume is that of the hull, and the void's wall turns inwards."""
    run, out = measured_run(tmp_path, [hollow(mesh_ball(0, 0, 0, 7.0), mesh_ball(0, 0, 0, 4.0))]), tmp_path / "out"
    said = theirs.xrm("export", run.path, "--to", "corners", "--out", out, "--json")
    assert said.returncode == 0, said.stderr
    (told,) = json.loads(said.stdout)
    assert told["path"] == str(out / f"{run.path.name}_roi-01_particle-001.csv")
    assert (told["kind"], told["voids"]) == ("corners", 1)
    volumes_um3: dict[str, float] = {}
    for name, *numbers in csv.reader(Path(told["path"]).read_text().splitlines()):
        a, b, c = np.array(numbers, float).reshape(3, 3)
        volumes_um3[name] = volumes_um3.get(name, 0.0) + float(a @ np.cross(b, c)) / 6
    assert list(volumes_um3) == ["hull", "void 1"]
    assert volumes_um3["hull"] == pytest.approx(4 / 3 * math.pi * 7.0**3, rel=0.02)
    assert volumes_um3["void 1"] == pytest.approx(-4 / 3 * math.pi * 4.0**3, rel=0.03)


def test_a_mesh_that_does_not_read_back_as_it_was_is_thrown_away(tmp_path: Path) -> None:
    half = MEMBERS.replace(
        "return [Triangles(points", "points = points[: len(points) // 6 * 3]\n        return [Triangles(points"
    )
    install(tmp_path / "site", "theirs", half, {"mesh_exporters": GOOD["mesh_exporters"]})
    run, out = measured_run(tmp_path, [mesh_ball(0, 0, 0, 3.0)], (40, 40, 40)), tmp_path / "out"
    said = Installed(tmp_path / "site").xrm("export", run.path, "--to", "corners", "--out", out)
    assert said.returncode != 0
    assert "read back, is not what was written" in said.stderr
    assert not list(out.glob("*"))


def test_doctor_lists_them(theirs: Installed) -> None:
    found = {item["what"]: item["found"] for item in json.loads(theirs.xrm("doctor", "--json").stdout)}
    assert found["backends"] == "elsewhere, epics, rehearsal, simulated"
    assert found["exporters"] == "angles, data_exchange, nxtomo"
    assert found["mesh exporters"] == "corners, glb, ply, stl"
    assert found["metrics"] == "elongation, radii, roughness, shape, size"


HASHES = """
import sys
from pathlib import Path
from xrm_control import app
for path in sys.argv[1:]:
    print(app.load(Path(path)).recipe.sha256())
"""


def hashes(site: Path, *recipes: Path) -> list[str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}
    command = [sys.executable, "-c", HASHES, *map(str, recipes)]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.split()


def test_a_run_is_of_the_same_recipe_whatever_is_installed_after_it(theirs: Installed, tmp_path: Path) -> None:
    names = ("usual", "deeper", "named", "named_own")
    usual = [{"kind": kind} for kind in ("radii", "roughness", "shape", "size")]
    parts = ({}, {"min_particle_um": 3}, {"metrics": [*usual, {"kind": "elongation"}]}, {"metrics": usual})
    for name, part in zip(names, parts, strict=True):
        (tmp_path / name).mkdir()
        recipe(tmp_path / name, analysis=part)
    own, deeper, named, named_own = (tmp_path / name / "recipe.yaml" for name in names)
    with_it = hashes(theirs.site, own, deeper, named, named_own)
    assert with_it[0] == with_it[3]
    assert len(set(with_it)) == 3
    assert hashes(tmp_path / "nowhere", own, deeper, named_own) == [with_it[0], with_it[1], with_it[3]]


BROKEN = {
    "no_import": ("metrics", "missing_module:Metric", "cannot be imported: ModuleNotFoundError: No module named"),
    "no_name": ("metrics", "theirs:Nothing", "cannot be imported: AttributeError"),
    "no_metric": ("metrics", "theirs:NoMetric", "is no xrm_control.analysis.metric.Metric"),
    "unfinished": ("metrics", "theirs:Unfinished", "lacks measure"),
    "unknown": ("metrics", "theirs:Unknown", "has a field whose type is not known: name 'NobodyKnows' is not defined"),
    "tableless": ("metrics", "tableless:Tableless", "Tableless.columns must be a tuple"),
    "other_name": ("metrics", "theirs:Elongation", 'needs a field kind: Literal["other_name"]'),
    "size": ("metrics", "theirs:Elongation", "is xrm_control's own; broken must choose another name"),
    "zeros": ("reconstructors", "theirs:Zeros", "several packages offer kind 'zeros': broken, theirs"),
    "leaves": ("thresholds", "leaves:Quarter", "cannot be imported: SystemExit: no licence"),
    "falls": ("thresholds", "broken:Falls", "cannot be imported: AttributeError"),
}


TABLELESS = """
from theirs import Elongation


class Tableless(Elongation):
    columns = ("elongation",)
"""


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    site = tmp_path_factory.mktemp("broken")
    install(site, "theirs", MEMBERS, GOOD)
    points: dict[str, dict[str, str]] = {"analysis_cores": {"gone": "missing_module:core"}}
    for name, (group, value, _) in BROKEN.items():
        points.setdefault(group, {})[name] = value
    (site / "tableless.py").write_text(TABLELESS)
    (site / "leaves.py").write_text("raise SystemExit('no licence')\n")
    install(site, "broken", "", points)
    return Installed(site)


def test_doctor_names_each_that_cannot_be_used(broken: Installed) -> None:
    said = broken.xrm("doctor", "--json")
    found = {item["what"]: (item["ok"], item["found"]) for item in json.loads(said.stdout)}
    assert said.returncode == 1
    for name, (group, _, reason) in BROKEN.items():
        ok, text = found[f"{group}: {name}"]
        assert (ok, reason in text) == (False, True), text
    assert found["analysis cores: gone"][0] is False
    # The rest is whole.
    assert found["metrics"] == (True, "elongation, radii, roughness, shape, size")
    assert found["reconstructors"] == (True, "cgls, fbp, fourier, sirt, tv")


ASKED = [
    ({"analysis": {"threshold": {"kind": "falls"}}}, ":", "'falls' cannot be used: cannot be imported"),
    ({"reconstruction": {"method": {"kind": "zeros"}}}, ":", "several packages offer kind 'zeros'"),
    ({"handoff": {"core": "gone"}}, "handoff.core", "cannot be imported: ModuleNotFoundError"),
]


@pytest.mark.parametrize(("changes", "where", "text"), ASKED)
def test_a_recipe_that_asks_for_one_is_told_why(
    broken: Installed, tmp_path: Path, changes: dict[str, object], where: str, text: str
) -> None:
    said = broken.xrm("check", recipe(tmp_path, **changes))
    assert (said.returncode, where in said.stderr, text in said.stderr) == (2, True, True), said.stderr


def test_other_recipes_and_the_schema_are_untouched(broken: Installed, tmp_path: Path) -> None:
    assert broken.xrm("check", recipe(tmp_path)).returncode == 0
    assert '"falls"' not in broken.xrm("schema").stdout


LONGER = """
from typing import Literal

from theirs import Elongation


class Longer(Elongation):
    kind: Literal["longer"] = "longer"
"""
# Kind -> why it is measured only where it is asked for.
ON_DEMAND = {
    "choosy": ("theirs:Choosy", "it needs settings: depth_um: Field required"),
    "ball": ("theirs:Ball", "shape gives the column sphericity, too"),
    "elongation": ("theirs:Elongation", None),
    "longer": ("longer:Longer", "elongation gives the column elongation, too"),
}


def test_a_metric_that_cannot_be_among_the_usual_ones_is_measured_where_it_is_asked_for(tmp_path: Path) -> None:
    install(tmp_path, "theirs", MEMBERS, {"metrics": {kind: point for kind, (point, _) in ON_DEMAND.items()}})
    (tmp_path / "longer.py").write_text(LONGER)
    there = Installed(tmp_path)
    said = there.xrm("doctor", "--json")
    found = {item["what"]: (item["ok"], item["found"]) for item in json.loads(said.stdout)}
    for kind, (_, reason) in ON_DEMAND.items():
        wanted = None if reason is None else (True, f"not measured by default: {reason}")
        assert found.get(f"metrics: {kind}") == wanted
    usual = [{"kind": kind} for kind in ("radii", "roughness", "size")]
    asked = {"metrics": [*usual, {"kind": "ball"}, {"kind": "choosy", "depth_um": 1.0}]}
    for changes in ({}, {"analysis": asked}):
        done = there.xrm("check", recipe(tmp_path, **changes))
        assert done.returncode == 0, done.stderr
