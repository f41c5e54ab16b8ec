"""`xrm reconstruct` as people use it: whole, in parts, killed and started again, and on files that are wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.reconstruction.phantoms import Ball, coordinates_um, line_integrals, scan_of
from tests.storms.forked_cli import forked_cli
from xrm_control.processing.volumes import LOCK, parts_folder
from xrm_control.storage.durable import make_folder
from xrm_control.storage.formats.registry import read_volume
from xrm_control.storage.lock import hold_lock

ROOT = Path(__file__).parents[2]
ROWS, COLUMNS, AXIS_PX, PIXEL_UM, MU = 48, 65, 30.6, 0.5, 0.05
BALL = Ball(3, -4, 1, 5, MU)
# Parts of four rows.
LITTLE = ("--memory-gb", str(1.5 * 61 * COLUMNS * 80e-9))


def write(path: Path, views: int = 61, columns: int = COLUMNS, **change: Callable[[np.ndarray], Any]) -> Path:
    """A Data Exchange file with a ball in it; `change` by name of dataset."""
    theta = np.linspace(-90, 90, views)
    integrals = line_integrals(
        [BALL], theta, columns=columns, rows=ROWS, axis_px=min(AXIS_PX, columns / 2), pixel_um=PIXEL_UM
    )
    scan = scan_of(integrals, theta, PIXEL_UM, noise_seed=1)
    content = {"data": scan.projections[:], "theta": theta, "data_white": scan.flats, "data_dark": scan.darks}
    with h5py.File(path, "w") as file:
        for name, values in content.items():
            file[f"exchange/{name}"] = change.get(name, lambda same: same)(values)
        file["measurement/instrument/detector/pixel_size"] = PIXEL_UM
    return path


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "xrm_control.cli", "reconstruct", *map(str, arguments)]


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


Xrm = Callable[..., Done]


@pytest.fixture(scope="module")
def xrm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Xrm]:
    """`xrm reconstruct`, as `command` has it, in processes that start at once."""
    place = tmp_path_factory.mktemp("said")
    with forked_cli() as cli:

        def call(*arguments: object) -> Done:
            out, err = (place / f"{name}-{len(list(place.iterdir()))}" for name in ("out", "err"))
            code = cli.wait(cli.start(["reconstruct", *map(str, arguments)], {}, out, err))
            return Done(code, out.read_text(), err.read_text())

        yield call


def test_whole_and_in_parts_give_the_ball_that_was_scanned(xrm: Xrm, tmp_path: Path) -> None:
    scan = write(tmp_path / "scan.h5")
    done = xrm(scan, "--out", tmp_path / "whole.ome.tif")
    assert done.returncode == 0, done.stderr
    assert "rotation_axis_px" in done.stdout
    parts = xrm(scan, "--out", tmp_path / "parts.ome.tif", "--workers", 2, *LITTLE)
    assert parts.returncode == 0, parts.stderr
    assert parts.stderr.splitlines()[-1] == "48 of 48 rows"
    whole, voxel_um = read_volume(tmp_path / "whole.ome.tif")
    assert voxel_um == PIXEL_UM
    assert whole.shape == (ROWS, COLUMNS, COLUMNS)
    x, y = coordinates_um(COLUMNS, PIXEL_UM)
    z = ((np.arange(ROWS) - (ROWS - 1) / 2) * PIXEL_UM)[:, None, None]
    away = np.sqrt((x - BALL.x_um) ** 2 + (y - BALL.y_um) ** 2 + (z - BALL.z_um) ** 2)
    for volume in (whole, read_volume(tmp_path / "parts.ome.tif")[0]):
        assert volume[away < 3.5].mean() == pytest.approx(MU, rel=0.01)
        assert abs(volume[(away > 7) & (np.hypot(x, y) < 14)].mean()) < 0.01 * MU
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parts.ome.tif", "scan.h5", "whole.ome.tif"]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_what_was_stopped_goes_on_where_it_was_left(xrm: Xrm, tmp_path: Path, how: signal.Signals) -> None:
    """And comes to the same bytes as what was not stopped."""
    scan = write(tmp_path / "scan.h5")
    right = tmp_path / "right.ome.tif"
    assert xrm(scan, "--out", right, *LITTLE).returncode == 0
    target = tmp_path / "volume.ome.tif"
    arguments = (scan, "--out", target, "--workers", 1, *LITTLE)
    with subprocess.Popen(command(*arguments), cwd=ROOT, stderr=subprocess.PIPE, text=True) as first:
        if first.stderr is None:
            raise AssertionError
        line = first.stderr.readline()
        assert line.startswith("4 of 48 rows")
        os.kill(first.pid, how)
        said = first.stderr.read()
    assert first.returncode == (-signal.SIGKILL if how == signal.SIGKILL else 130)
    if how == signal.SIGINT:
        assert "the same command goes on from there" in said
    assert not target.exists()
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "volume.ome.tif.rows.part").glob("rows-*.json")}
    assert 1 <= len(kept) < 12
    again = xrm(*arguments)
    assert again.returncode == 0, again.stderr
    assert target.read_bytes() == right.read_bytes()
    assert not (tmp_path / "volume.ome.tif.rows.part").exists()


def test_two_at_once_on_one_volume(xrm: Xrm, tmp_path: Path) -> None:
    target = tmp_path / "volume.ome.tif"
    place = make_folder(parts_folder(target))
    with hold_lock(place / LOCK, "the volume"):
        done = xrm(write(tmp_path / "scan.h5"), "--out", target, *LITTLE)
    assert done.returncode == 6
    assert f"the volume is in use by process {os.getpid()}" in done.stderr
    assert not target.exists()


def spoiled(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(frames: np.ndarray) -> np.ndarray:
        frames = frames.astype(np.float32)
        frames[7, 2, 3] = value
        return frames

    return change


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "NaN": ({"data": spoiled(np.nan)}, "projections, view 7: 1 pixels are NaN or infinite"),
    "infinity": ({"data": spoiled(np.inf)}, "projections, view 7: 1 pixels are NaN or infinite"),
    "one view": ({"views": 1}, "views at two angles or more"),
    "no view": ({"data": lambda d: d[:0], "theta": lambda t: t[:0]}, "the scan is empty"),
    "no rows": (
        {"data": lambda d: d[:, :0], "data_white": lambda d: d[:, :0], "data_dark": lambda d: d[:, :0]},
        "the rows to reconstruct are not on the detector",
    ),
    "one angle": ({"theta": lambda t: t * 0}, "views at two angles or more"),
    "radians": ({"theta": np.radians}, "look like radians"),
    "too few angles": ({"theta": lambda t: t[1:]}, "one angle per projection"),
    "an angle that is none": ({"theta": lambda t: t * np.where(t == 0, np.nan, 1)}, "not a finite number"),
    "flats of another shape": ({"data_white": lambda w: w[:, :, 1:]}, "shape of the projections"),
    "no beam": ({"data_white": lambda w: w * 0}, "hold no beam"),
    "complex numbers": ({"data": lambda d: d.astype(complex)}, "numbers in 3 dimensions"),
    "a column alone": ({"columns": 1}, "give rotation_axis as a detector column"),
}


@pytest.mark.parametrize(("change", "says"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_refused_in_one_message(xrm: Xrm, tmp_path: Path, change: dict[str, Any], says: str) -> None:
    done = xrm(write(tmp_path / "scan.h5", **change), "--out", tmp_path / "volume.ome.tif")
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["scan.h5"]


ODD = {
    "a view twice": {"theta": lambda t: np.where(np.arange(len(t)) == 30, t[29], t)},
    "the other way round": {"data": lambda d: d[::-1], "theta": lambda t: t[::-1]},
    "wide integers": {"data": lambda d: d.astype(np.int64)},
}


@pytest.mark.parametrize("change", ODD.values(), ids=ODD)
def test_an_odd_file_is_reconstructed_rightly(xrm: Xrm, tmp_path: Path, change: dict[str, Any]) -> None:
    done = xrm(write(tmp_path / "scan.h5", **change), "--out", tmp_path / "volume.ome.tif")
    assert done.returncode == 0, done.stderr
    volume = read_volume(tmp_path / "volume.ome.tif")[0][round((ROWS - 1) / 2 + BALL.z_um / PIXEL_UM)]
    x, y = coordinates_um(COLUMNS, PIXEL_UM)
    assert volume[np.hypot(x - BALL.x_um, y - BALL.y_um) < 3.5].mean() == pytest.approx(MU, rel=0.02)


def test_options_that_cannot_be(xrm: Xrm, tmp_path: Path) -> None:
    scan = write(tmp_path / "scan.h5")
    for arguments, says in (
        (("--memory-gb", "0"), "--memory-gb"),
        (("--workers", "0"), "--workers"),
        (("--rows", "40:49"), "0 to 48"),
        (("--axis", "65"), "0 to 64"),
        (("--filter", "tukey"), "--filter"),
    ):
        done = xrm(scan, "--out", tmp_path / "volume.ome.tif", *arguments)
        assert done.returncode == 2, done.stderr
        assert says in done.stderr
