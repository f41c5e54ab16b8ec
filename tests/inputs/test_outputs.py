"""What is to be written is asked before the work: refused where it cannot be, never over something in silence."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.analysis.phantoms import VOXEL_UM, ball, render
from tests.inputs.files import data_exchange
from xrm_control import app
from xrm_control.analysis.core import AnalysisSpec
from xrm_control.app.outputs import require_new_file, require_results_folder
from xrm_control.core.errors import DataError, StorageError
from xrm_control.reconstruction.pipeline import ReconstructionSpec
from xrm_control.storage.formats.registry import open_volume

pytestmark = pytest.mark.usefixtures("white_figures")


@pytest.fixture
def closed() -> Path:
    """A folder that takes no file, from anybody."""
    return Path("/proc")


def test_where_no_volume_can_be_written(tmp_path: Path, closed: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    (tmp_path / "folder.ome.tif").mkdir()
    # There is no scan at all: the output is asked first.
    scan = tmp_path / "nowhere.h5"
    for target, says in (
        (tmp_path / "none" / "v.ome.tif", "no such folder"),
        (tmp_path / "none" / "of" / "these" / "v.tif", "no such folder"),
        (file / "v.ome.tif", "no such folder"),
        (tmp_path / "folder.ome.tif", "is a folder"),
        (closed / "v.ome.tif", "nothing can be written"),
        (tmp_path / "v.raw", r"end in \.ome\.tif"),
    ):
        with pytest.raises(DataError, match=says):
            app.reconstruct(scan, target, ReconstructionSpec())


def test_a_volume_is_written_over_only_when_told(tmp_path: Path) -> None:
    scan, target = data_exchange(tmp_path / "scan.h5"), tmp_path / "v.ome.tif"
    target.write_text("mine")
    with pytest.raises(DataError, match=r"not overwritten.*--replace"):
        app.reconstruct(scan, target, ReconstructionSpec())
    assert target.read_text() == "mine"
    made = app.reconstruct(scan, target, ReconstructionSpec(), replace=True)
    assert made.origins.scale == "0.5 um, from measurement/instrument/detection_system/objective/resolution in um"
    assert made.origins.angles.startswith("61 views from -90 to 90 degrees, from exchange/theta")
    found = open_volume(target)
    assert found.reconstruction
    assert found.grey == "1/um"
    assert found.scale_source.endswith(f"there from {made.origins.scale}")


def test_where_no_results_can_be_written(tmp_path: Path, closed: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    volume = tmp_path / "nowhere.tif"
    for out, says in (
        (file, "results need a folder"),
        (file / "out", "no folder can be made in it"),
        (file / "deep" / "out", "no folder can be made in it"),
        (closed / "out", "nothing can be written"),
        (closed / "a" / "b", "nothing can be written"),
    ):
        with pytest.raises(DataError, match=says):
            app.analyze(volume, out, AnalysisSpec(), 0.5)


def test_results_are_written_over_only_when_told(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", render([ball(0, 0, 0, 4)], (24, 24, 24)))
    out = tmp_path / "made" / "out"
    first = app.analyze(tmp_path / "v.npy", out, AnalysisSpec(), VOXEL_UM)
    assert first.scale == "0.512 um, from --voxel-size-um"
    before = (out / "particles.csv").read_bytes()
    with pytest.raises(DataError, match=r"holds results already.*particles\.csv.*--replace"):
        app.analyze(tmp_path / "v.npy", out, AnalysisSpec(), 2 * VOXEL_UM)
    assert (out / "particles.csv").read_bytes() == before
    app.analyze(tmp_path / "v.npy", out, AnalysisSpec(), 2 * VOXEL_UM, replace=True)
    assert (out / "particles.csv").read_bytes() != before


def test_what_may_be_written(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("other things do no harm")
    require_results_folder(tmp_path, replace=False)
    require_results_folder(tmp_path / "not" / "there", replace=False)
    require_new_file(tmp_path / "v.ome.tif", replace=False)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_results_come_all_at_once_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "v.npy", render([ball(0, 0, 0, 4)], (24, 24, 24)))
    out, fsync, left = tmp_path / "out", os.fsync, [6]

    def fails(descriptor: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.EIO, "Input/output error")
        fsync(descriptor)

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", fails)
        with pytest.raises(StorageError, match="the disk reports an error"):
            app.analyze(tmp_path / "v.npy", out, AnalysisSpec(), VOXEL_UM)
    assert not out.exists()
    app.analyze(tmp_path / "v.npy", out, AnalysisSpec(), VOXEL_UM)
    # Over others: without the results of before nobody takes what is there for theirs.
    left[0] = 3
    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", fails)
        with pytest.raises(StorageError, match="the disk reports an error"):
            app.analyze(tmp_path / "v.npy", out, AnalysisSpec(), 2 * VOXEL_UM, replace=True)
    assert not (out / "results.json").exists()
    app.analyze(tmp_path / "v.npy", out, AnalysisSpec(), 2 * VOXEL_UM, replace=True)


@pytest.mark.parametrize("replace", [False, True])
def test_results_that_cannot_be_written_leave_nothing_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, replace: bool
) -> None:
    np.save(tmp_path / "v.npy", render([ball(0, 0, 0, 4)], (24, 24, 24)))
    out = tmp_path / "out"
    if replace:
        app.analyze(tmp_path / "v.npy", out, AnalysisSpec(), 2 * VOXEL_UM)
    before = {path.name: path.read_bytes() for path in out.glob("*")}

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(tifffile, "imwrite", full)
        with pytest.raises(StorageError, match=r"the disk is full.*free space"):
            app.analyze(tmp_path / "v.npy", out, AnalysisSpec(), VOXEL_UM, replace=replace)
    assert {path.name: path.read_bytes() for path in out.glob("*")} == before
    app.analyze(tmp_path / "v.npy", out, AnalysisSpec(), VOXEL_UM, replace=replace)


def test_a_disk_that_fails_is_no_wrong_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(tempfile, "TemporaryFile", fails)
    for ask in (require_new_file, require_results_folder):
        with pytest.raises(StorageError, match="the disk reports an error"):
            ask(tmp_path / "new", replace=False)
