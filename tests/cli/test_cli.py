"""The command line as its user meets it: exit codes, one clear message, JSON on request, never a traceback."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from xrm_control.cli.main import main
from xrm_control.reconstruction.astra_session import gpu_available

ROOT = Path(__file__).parents[2]
NMC811 = str(ROOT / "recipes" / "nmc811_screening.yaml")


class Said:
    """What a command printed, and its exit code."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def xrm(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*arguments: str | Path) -> Said:
        monkeypatch.setattr(sys, "argv", ["xrm", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err + captured.out
        return Said(int(end.value.code or 0), captured.out, captured.err)

    return call


def test_check_and_plan(xrm: Any) -> None:
    assert xrm("check", NMC811).code == 0
    said = xrm("plan", NMC811)
    assert said.code == 0
    assert "mosaic" in said.out
    assert "roi-04" in said.out


def test_plan_as_json(xrm: Any) -> None:
    plan = json.loads(xrm("plan", NMC811, "--json").out)
    assert plan["projections"] == 141
    assert plan["total_s"] == pytest.approx(sum(stage["seconds"] for stage in plan["stages"]))


def test_compare(xrm: Any) -> None:
    rows = json.loads(
        xrm("plan", NMC811, "--compare", "binning=1,8", "--set", "scan.useful_diameter_um=64", "--json").out
    )
    assert [row["projections"] for row in rows] == [1571, 196]
    assert "1571" in xrm("plan", NMC811, "--compare", "binning=1,2,4,8").out


BAD_RECIPES = [
    ("name: a\nroi: {kind: grid}\ninstrument: {backend: simulated}\nscan: {projektions: 3}\n", ":4", "projections"),
    ("name: a\nname: b\n", ":2", "given twice"),
    ("name: a\nroi: {kind: grid}\ninstrument: {backend: simulated}\nscan: {exposure_s: 0}\n", "scan.exposure_s", "0"),
    (
        "name: a\nroi: {kind: grid}\ninstrument: {backend: simulated}\nscan: {exposure_ms: 5}\n",
        "exposure_ms",
        "exposure_s",
    ),
    ("name: [\n", "yaml", ":"),
    ("", "yaml", "empty"),
]


@pytest.mark.parametrize(("text", "where", "what"), BAD_RECIPES)
@pytest.mark.parametrize("command", ["check", "plan", "run"])
def test_a_bad_recipe_is_one_message_and_exit_2(
    xrm: Any, tmp_path: Path, command: str, text: str, where: str, what: str
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    said = xrm(command, path)
    assert said.code == 2
    assert where in said.err
    assert what in said.err


REFUSED = [
    (["check", "nowhere.yaml"], 2, "no such recipe"),
    (["check", NMC811, "--set", "scan.binning"], 2, "key=value"),
    (["check", NMC811, "--set", "scan.binning=3"], 2, "--set scan.binning"),
    (["check", NMC811, "--set", "roi={kind: manual, positions: [{x_um: 9000, y_um: 0}]}"], 4, "9000"),
    (["plan", NMC811, "--compare", "exposure=1"], 2, "binning=1,2,4,8"),
    (["plan", NMC811, "--compare", "binning=3"], 2, "does not have this binning"),
    (["plan", NMC811, "--set", "output.keep_free_gb=1e6"], 1, "disk would fill"),
    (["run", NMC811, "--set", "output.keep_free_gb=1e6"], 1, "disk would fill"),
    (["run", NMC811, "--speed", "warp"], 2, "--speed"),
    (["status", "nowhere"], 2, "no such run folder"),
    (["report", "nowhere"], 2, "no such run folder"),
    *(
        (
            ["check", NMC811, "--set", f"reconstruction.method={{kind: {kind}, device: gpu{more}}}"],
            2,
            "no GPU can be used",
        )
        for kind, more in (("fbp", ""), ("cgls", ", noise: null"))
        if not gpu_available()
    ),
    (["reconstruct", "nowhere.h5", "--out", "v.tif"], 2, "nowhere.h5"),
    (["analyze", "nowhere.tif", "--out", "o"], 2, "nowhere.tif"),
    (["analyze", "nowhere.json", "--out", "o"], 2, "nowhere.json"),
    (["reconstruct", NMC811, "--out", "v.tif"], 2, "nmc811_screening.yaml"),
    (["reconstruct", "a.h5", "--out", "v.tif", "--filter", "tukey"], 2, "--filter"),
    (["reconstruct", "a.h5", "--out", "v.tif", "--rows", "5"], 2, "--rows"),
    (["reconstruct", "a.h5", "--out", "v.tif", "--method", "magic"], 2, "cgls, fbp, fourier, sirt, tv"),
    (["analyze", "a.tif", "--out", "o", "--threshold", "magic"], 2, "fixed, iso50, otsu"),
    (["reconstruct", "a.h5", "--out", "v.raw"], 2, ".ome.tif"),
]


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    REFUSED,
    ids=lambda item: " ".join(map(str, item))[-40:] if isinstance(item, list) else "",
)
def test_refusals_name_what_is_wrong(
    xrm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    said = xrm(*arguments)
    assert (said.code, text in said.err) == (code, True), said.err
    assert not list(tmp_path.glob("runs/*"))


def test_an_error_as_json(xrm: Any) -> None:
    said = xrm("check", NMC811, "--set", "scan.binning=3", "--json")
    content = json.loads(said.out)
    assert (content["ok"], content["exit_code"], content["error"]) == (False, 2, "RecipeError")


UNREADABLE = {
    "text": b"this is no volume",
    "truncated": b"II*\x00\x08\x00\x00\x00",
    "empty": b"",
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_an_unreadable_volume_is_refused(xrm: Any, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "volume.tif"
    path.write_bytes(content)
    said = xrm("analyze", path, "--out", tmp_path / "out", "--voxel-size-um", "0.5")
    assert said.code == 2
    assert "volume.tif" in said.err


def test_a_volume_without_particles_says_empty(xrm: Any, tmp_path: Path) -> None:
    path = tmp_path / "volume.tif"
    noise = np.random.default_rng(1).normal(0, 0.001, (32, 64, 64)).astype(np.float32)
    tifffile.imwrite(path, noise)
    said = xrm("analyze", path, "--out", tmp_path / "out", "--voxel-size-um", "0.5")
    assert said.code == 1
    assert "particle" in said.err


def test_a_volume_that_does_not_say_its_voxel_size(xrm: Any, tmp_path: Path) -> None:
    path = tmp_path / "volume.tif"
    tifffile.imwrite(path, np.zeros((32, 32, 32), np.float32))
    said = xrm("analyze", path, "--out", tmp_path / "out")
    assert said.code == 2
    assert "--voxel-size-um" in said.err


def test_verify_names_what_is_missing_and_writes_nothing(xrm: Any, tmp_path: Path) -> None:
    run = Path(shutil.copytree(ROOT / "tests" / "data" / "version_1", tmp_path / "run"))
    before = {path: path.stat().st_mtime_ns for path in (run, *run.rglob("*"))}
    said = xrm("verify", run)
    assert said.code == 9
    assert "missing      frames/roi-01/proj_0003.tif: is not there -> put it back from a copy" in said.out
    told = json.loads(xrm("verify", run, "--json").out)
    assert (told["ok"], told["exit_code"], told["died"]) == (False, 9, False)
    assert ("frames/roi-01/proj_0003.tif", "missing") in {(one["name"], one["state"]) for one in told["findings"]}
    assert {path: path.stat().st_mtime_ns for path in (run, *run.rglob("*"))} == before
    assert xrm("verify", run, "--expect", "nothing").code == 2
    assert xrm("verify", tmp_path).code == 2


def test_reanalyze_refuses_what_is_not_there(xrm: Any, tmp_path: Path) -> None:
    run = Path(shutil.copytree(ROOT / "tests" / "data" / "version_1", tmp_path / "run"))
    said = xrm("reanalyze", run, "--set", "analysis.threshold.kind=otsu")
    assert said.code == 9
    assert "roi-01/volume.ome.tif" in said.err
    assert "xrm verify" in said.err
    assert xrm("reanalyze", run, "--set", "scan.exposure_s=2").code == 2


def test_schema_and_states(xrm: Any) -> None:
    schema = json.loads(xrm("schema").out)
    assert {"name", "scan", "roi", "instrument"} <= set(schema["properties"])
    assert "stateDiagram" in xrm("states").out


def test_doctor_finds_this_installation_fit(xrm: Any) -> None:
    findings = json.loads(xrm("doctor", "--json").out)
    by_name = {finding["what"]: finding for finding in findings}
    assert by_name["fbp: a disc of known attenuation"]["ok"]
    assert by_name["fourier: a disc of known attenuation"]["ok"]
    assert by_name["transitions"]["ok"]
