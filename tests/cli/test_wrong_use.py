"""Wrong commands: exit code 2 before anything is done, and a message that names what is wrong and what is right."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_cli import NMC811, xrm

__all__ = ["xrm"]

ROOT = Path(__file__).parents[2]

R = NMC811
V = "volume.ome.tif"
SCAN = ["reconstruct", "nofile.h5", "--out", V]
VOLUME = ["analyze", "nofile.tif", "--out", "o"]

WRONG: list[tuple[list[str], str]] = [
    (["chekc"], "xrm: No such command 'chekc'. Did you mean 'check'? -> see `xrm --help`"),
    (["run"], "xrm run: Missing argument 'recipe' -> see `xrm run --help`"),
    (["run", R, "--outt", "x"], "xrm run: No such option: --outt"),
    (["run", R, "--out"], "Option '--out' requires an argument -> see `xrm --help`"),
    (["pause", "a", "b"], "xrm pause: Got unexpected extra argument"),
    (["serve", "--port", "abc"], "xrm serve: Invalid value for '--port': "),
    (["queue", "frob"], "xrm queue: No such command 'frob' -> see `xrm queue --help`"),
    (["check", "nofile.yaml"], "nofile.yaml: no such recipe file"),
    (["check", "nodir/x.yaml"], "there is no such folder (value nodir)"),
    (["check", "."], "is a folder, not a recipe"),
    (["check", "/dev/zero"], "is a device, not a recipe"),
    (["check", R, "--set", "scan.exposure_s"], "--set: write --set key=value (value scan.exposure_s)"),
    (["check", R, "--set", "=3"], "--set: write --set key=value"),
    (["check", R, "--set", "scan.exposur=3"], "--set scan.exposur=3: unknown key; did you mean 'exposure_s'?"),
    (
        ["check", R, "--set", "scan.binning=8", "--set", "scan.binning=4"],
        "scan.binning: is given twice (value 4, limit",
    ),
    (["check", R, "--set", "scan..x=1"], "is no key; write --set scan.binning=4"),
    (["check", R, "--set", "scan.exposure_s.x=1"], "scan.exposure_s is a single value, not a group of keys"),
    (["check", R, "--set", "roi.positions[0].x_um=1"], "roi.positions: unknown key"),
    (["check", R, "--set", "scan.exposure_s="], "expected a number, got nothing"),
    (["check", R, "--set", "scan.exposure_s=1s"], "write 1 (exposure_s is in s)"),
    (["check", R, "--set", "instrument.map=x"], "--set instrument.map=x: unknown key"),
    (["plan", R, "--out", "/proc/x"], "--out: is no disk: it holds no files of ours (value /proc/x, limit /proc)"),
    (["plan", R, "--out", "/sys"], "--out: is no disk"),
    (["plan", R, "--out", "afile"], "--out: is a file, or below one"),
    (["plan", R, "--out", "afile/runs"], "--out: is a file, or below one"),
    (["plan", R, "--out", "/dev/null"], "--out: is a file, or below one"),
    (["run", R, "--out", "/proc/x"], "--out: is no disk"),
    (["plan", R, "--out", "x" * 300], "--out: is no folder that can be made: File name too long"),
    (["run", R, "--speed", "fast"], "--speed: no such speed (value fast, limit virtual, 1, or a factor above 0)"),
    (["run", R, "--speed", "nan"], "--speed: no such speed"),
    (["run", R, "--speed", "0"], "--speed: no such speed"),
    (["run", R, "--set", "scan.exposure_s=9"], "the open beam saturates the camera"),
    (["plan", R, "--compare", "binning=3"], "the camera does not have this binning (value 3, limit 1, 2, 4, 8)"),
    (["plan", R, "--compare", "binning=1", "--set", "scan.useful_diameter_um=500"], "larger than the field of view"),
    (["plan", R, "--compare", "bin=3"], "write binning=1,2,4,8"),
    (["status", "nodir"], "no such run folder"),
    (["status", "."], "is no run folder"),
    (["resume", "nodir"], "no such run folder"),
    (["report", "afile"], "is no run folder"),
    ([*SCAN], "no such file"),
    ([*SCAN, "--method", "art"], "--method art: unknown kind 'art' (kinds: cgls, fbp, fourier, sirt, tv)"),
    ([*SCAN, "--rows", "5"], "--rows: not a slab of rows (value 5) -> write FIRST:END"),
    ([*SCAN, "--method", "tv", "--iterations", "-3"], "--iterations -3: must be at least 1, got -3"),
    ([*SCAN, "--iterations", "5"], "--iterations 5: this method has no such setting"),
    ([*SCAN, "--filter", "hanning"], "--filter hanning: expected 'ram-lak'"),
    ([*SCAN, "--axis", "nan"], "--axis NaN: must be a finite number"),
    ([*SCAN, "--rings", "-2"], "--rings -2: must be at least 0"),
    ([*SCAN, "--memory-gb", "0"], "--memory-gb 0.0: must be more than 0 GB"),
    ([*SCAN, "--pixel-size-um", "-1"], "--pixel-size-um: must be a length above 0 (value -1"),
    ([*VOLUME], "no such file"),
    ([*VOLUME, "--threshold", "half"], "--threshold half: unknown kind 'half' (kinds: fixed, iso50, otsu)"),
    ([*VOLUME, "--set", "x=1"], "--set x=1: unknown key"),
    ([*VOLUME, "--voxel-size-um", "nan"], "--voxel-size-um: must be a length above 0"),
    (["handoff", "check", "nodir"], "nodir: no such folder"),
    (["handoff", "check", "."], "say --roi NAME"),
    (["doctor", "--expose"], "name a recipe"),
]


@pytest.mark.parametrize(
    ("command", "said"), WRONG, ids=lambda item: " ".join(item).replace(R, "R")[:60] if item else ""
)
def test_wrong_use(xrm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], said: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "afile").write_text("x")
    found = xrm(*command)
    assert (found.code, found.out) == (2, "")
    assert said in found.err, found.err
    assert [path.name for path in tmp_path.iterdir()] == ["afile"]


def test_a_disk_that_would_fill_says_where_the_folder_would_be(xrm: Any, tmp_path: Path) -> None:
    found = xrm("plan", R, "--out", tmp_path / "no" / "runs", "--set", "output.keep_free_gb=900000")
    assert found.code == 1
    assert f"{tmp_path}/no/runs, to be made in {tmp_path}: the disk would fill" in found.err


def test_warnings_are_told_beside_what_is_in_order(xrm: Any) -> None:
    found = xrm("check", R, "--set", "scan.projections=41")
    assert found.code == 0
    assert "in order, with 1 warning(s)" in found.out
    assert found.err.startswith("warning: --set scan.projections=41: few projections")


@pytest.mark.parametrize("command", [["doctor"], ["queue", "list"]], ids=" ".join)
def test_a_folder_that_is_gone_is_no_place_for_a_command(tmp_path: Path, command: list[str]) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    code = "import os, sys; os.rmdir(os.getcwd()); from xrm_control.cli.main import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code, *command], cwd=gone, capture_output=True, text=True, env=environment, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: the folder that this command was given in is gone -> `cd` to one that is there\n"
