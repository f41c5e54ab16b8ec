"""The volumes of a run measured again: beside what is there, once, and never of a volume that is not the run's."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import xrm_control as xrm
from tests.processing.test_verification import flip
from xrm_control import app
from xrm_control.core.errors import Altered, RecipeError, ResourceLocked
from xrm_control.core.exit_code import ExitCode
from xrm_control.core.states import Verdict
from xrm_control.storage.journal import JournalReader
from xrm_control.storage.run_folder import RunFolder

ROOT = Path(__file__).parents[2]
OTSU = {"analysis.threshold.kind": "otsu"}
# Only the large ones: measured in a moment.
FEW = {"analysis.min_particle_um": "6"}


@pytest.fixture
def run(ended: RunFolder, tmp_path: Path) -> RunFolder:
    return RunFolder.open(Path(shutil.copytree(ended.path, tmp_path / "run")))


def hashes(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in ("journal.sqlite", ".lock")]
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if "reanalyses" not in path.parts
    }


def test_other_settings_make_a_result_of_their_own_on_the_same_chain(run: RunFolder) -> None:
    before = hashes(run.path)
    again = xrm.reanalyze(run.path, OTSU)
    assert hashes(run.path) == before
    assert again.folder.parent == run.reanalyses
    own, new = xrm.open_run(run.path).results, again.results
    assert new.reanalysis is not None
    assert (new.run, new.chain, new.reanalysis.settings) == (own.run, own.chain, {"analysis.threshold.kind": '"otsu"'})
    levels = [{roi: one.threshold_per_um for roi, one in results.quality.items()} for results in (own, new)]
    assert all(levels[0][roi] != levels[1][roi] for roi in ("roi-01", "roi-02"))
    assert {name: new.reanalysis.inputs[name] for name in new.reanalysis.inputs} == {
        name: before[name] for roi in ("roi-01", "roi-02") for name in (f"{roi}/volume.ome.tif", f"{roi}/handoff.json")
    }
    assert new.instrument_times == own.instrument_times
    assert new.truth is not None
    assert again.complete
    assert len(again.rows("particles")) == new.counts.particles > 0
    page = again.report.read_text(encoding="utf-8")
    assert own.chain is not None
    for said in (own.run, own.chain.sha256, "analysis.threshold.kind=", "Re-analysis"):
        assert said in page
    found = xrm.open_run(run.path).verify()
    assert found.exit_code == ExitCode.OK
    assert [one for one in found.findings if one.state.value != "aside"] == []
    flip(again.folder / "roi-01" / "particles.csv")
    (finding,) = (one for one in app.verify(run.path).findings if one.state.value != "aside")
    assert finding.name.endswith("roi-01/particles.csv")
    assert "xrm reanalyze" in finding.remedy


def test_the_run_s_own_settings_give_its_own_tables(run: RunFolder) -> None:
    again = app.reanalyze(run.path, {})
    for name in ("particles.csv", "voids.csv", "columns.json", "roi-01/particles.csv", "roi-02/labels.ome.tif"):
        assert (again.folder / name).read_bytes() == (run.path / name).read_bytes(), name
    own = json.loads(run.results.read_text())
    assert json.loads((again.folder / "results.json").read_text()) | {"reanalysis": None} == own


def test_the_same_again_does_nothing(run: RunFolder) -> None:
    first = app.reanalyze(run.path, FEW)
    with JournalReader.open(run.journal) as journal:
        end = journal.chain_end()
    said: list[str] = []
    second = app.reanalyze(run.path, {"analysis": "{min_particle_um: 6.0}", "compute.kind": "inline"}, said.append)
    assert second == first
    assert said == [f"is there already: {first.folder}"]
    with JournalReader.open(run.journal) as journal:
        assert journal.chain_end() == end
    assert app.reanalyze(run.path, {"analysis.min_particle_um": "7"}).folder != first.folder


def test_what_was_damaged_of_it_is_made_anew(run: RunFolder) -> None:
    first = app.reanalyze(run.path, FEW)
    before = {path: path.read_bytes() for path in first.folder.rglob("*") if path.is_file()}
    for name in ("roi-02/particles.csv", "results.json"):
        flip(first.folder / name)
    said: list[str] = []
    app.reanalyze(run.path, FEW, said.append)
    assert said == ["roi-02 is measured"]
    assert {path: path.read_bytes() for path in before} == before


REFUSED = [
    ("reconstruction.method.kind", "xrm reconstruct"),
    ("scan.exposure_s", "a run of its own"),
    ("name", "a run of its own"),
    ("sample.density_g_cm3", "a run of its own"),
    ("analysis.thresold.kind", "thresold"),
    ("handoff.core", "no such analysis core"),
]


@pytest.mark.parametrize(("key", "said"), REFUSED)
def test_what_cannot_be_changed_any_more_is_refused(run: RunFolder, key: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        app.reanalyze(run.path, {key: "x"})
    assert getattr(refused.value, "exit_code", None) == ExitCode.USAGE
    assert not run.reanalyses.exists()


@pytest.mark.parametrize("name", ["roi-01/volume.ome.tif", "roi-02/handoff.json", "rois.json", "truth.json"])
def test_nothing_is_made_of_what_was_altered(run: RunFolder, name: str) -> None:
    flip(run.path / name)
    with pytest.raises(Altered, match=name) as refused:
        app.reanalyze(run.path, FEW)
    assert refused.value.exit_code == ExitCode.ALTERED
    assert not run.reanalyses.exists()


def test_a_recipe_that_was_altered_is_refused(run: RunFolder) -> None:
    run.recipe.write_text(run.recipe.read_text().replace("seed: 3", "seed: 4"))
    with pytest.raises((Altered, RecipeError), match=r"recipe\.yaml"):
        app.reanalyze(run.path, FEW)


def test_a_run_that_is_carried_out_is_left_alone(run: RunFolder) -> None:
    with run.lock(), pytest.raises(ResourceLocked):
        app.reanalyze(run.path, FEW)


def test_a_region_that_cannot_be_measured_so_is_named(run: RunFolder) -> None:
    again = app.reanalyze(run.path, {"analysis.threshold": "{kind: fixed, level_per_um: 99}"})
    assert (again.exit_code, again.results.verdict.status) == (ExitCode.PARTLY, Verdict.INCOMPLETE)
    assert all("cannot be measured so" in reason for reason in again.results.verdict.reasons)
    assert len(again.results.verdict.reasons) == 2
    assert "cannot be measured so" in (again.folder / "report.html").read_text(encoding="utf-8")


def test_another_core_takes_the_volumes(run: RunFolder) -> None:
    table = "particle_id,roi,x_um,y_um,z_um,volume_um3,equivalent_diameter_um,touches_boundary,weight\\n"
    program = (
        "import json, pathlib, sys\n"
        "handoff, out = map(pathlib.Path, sys.argv[1:])\n"
        "about = json.loads(handoff.read_text())\n"
        "assert (handoff.parent / about['volume']).stat().st_size > 0\n"
        "(out / 'results.json').write_text('{}')\n"
        f"(out / 'particles.csv').write_text('{table}1,' + about['roi'] + ',0.5,-1,2e-1,113.1,6,0,1\\n')\n"
    )
    again = app.reanalyze(run.path, {"handoff.command": json.dumps([sys.executable, "-c", program])})
    assert again.exit_code == ExitCode.OK
    assert (again.results.counts.particles, again.results.counts.voids) == (2, None)


def test_killed_in_the_middle_it_goes_on(run: RunFolder, ended: RunFolder, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "xrm_control.cli",
        "reanalyze",
        str(run.path),
        "--set",
        "analysis.min_particle_um=6",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, cwd=ROOT) as process:
        assert process.stderr is not None
        first = process.stderr.readline().strip()
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    found = app.verify(run.path)
    states = {one.state.value for one in found.findings} - {"aside"}
    assert states <= {"unfinished"}
    said: list[str] = []
    again = app.reanalyze(run.path, FEW, said.append)
    assert first == "roi-01 is measured"
    assert said == ["roi-02 is measured"]
    assert app.verify(run.path).exit_code == ExitCode.OK
    other = RunFolder.open(Path(shutil.copytree(ended.path, tmp_path / "other")))
    whole = app.reanalyze(other.path, FEW)
    assert again.folder.name == whole.folder.name
    for path in whole.folder.rglob("*.*"):
        if path.name not in ("recipe.yaml", "report.html") and path.is_file():
            assert path.read_bytes() == (again.folder / path.relative_to(whole.folder)).read_bytes(), path
