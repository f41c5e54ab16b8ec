"""Names, places, the lock, and the small files of a run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from xrm_control.core.errors import DataError, ResourceLocked, StorageError
from xrm_control.core.frame_id import FrameId
from xrm_control.storage.journal import Journal
from xrm_control.storage.run_folder import RunFolder

ROOT = Path(__file__).parents[2]
START = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("recipe", "start", "name"),
    [
        ("nmc811_screening", START, "20250102T030405Z_nmc811_screening_0a1b"),
        ("my recipe: v2/β", START, "20250102T030405Z_my-recipe-v2_0a1b"),
        ("../..", START, "20250102T030405Z_recipe_0a1b"),
        ("a", START.astimezone(timezone(timedelta(hours=9))), "20250102T030405Z_a_0a1b"),
    ],
)
def test_names(tmp_path: Path, recipe: str, start: datetime, name: str) -> None:
    folder = RunFolder.create(tmp_path / "runs", recipe, start, "0a1b")
    assert folder.name == name
    assert folder.path == tmp_path / "runs" / name
    assert folder.frames.is_dir()


@pytest.mark.parametrize(
    ("start", "token", "words"),
    [(START.replace(tzinfo=None), "0a1b", "time zone"), (START, "0a1", "4 hexadecimal"), (START, "../x", "4 hexa")],
)
def test_bad_names_are_refused(tmp_path: Path, start: datetime, token: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        RunFolder.create(tmp_path, "a", start, token)
    assert list(tmp_path.iterdir()) == []


def test_a_run_folder_is_made_once(folder: RunFolder) -> None:
    with pytest.raises(StorageError, match="exists already"):
        RunFolder.create(folder.path.parent, "nmc811_screening", START, "0a1b")


def test_open(folder: RunFolder, journal: Journal, tmp_path: Path) -> None:
    assert RunFolder.open(folder.path) == folder
    assert RunFolder.open(folder.journal) == folder
    near = f"mean .*{folder.name}"
    cases = [(tmp_path / "no", "no such run folder"), (folder.frames, "no run folder"), (tmp_path, near)]
    for path, words in cases:
        with pytest.raises(DataError, match=words):
            RunFolder.open(path)


def test_paths_are_those_of_the_design(folder: RunFolder) -> None:
    roi = folder.roi("roi-01")
    places = [
        *(folder.recipe, folder.plan, folder.journal, folder.log, folder.truth, folder.mosaic_tiff, folder.mosaic_png),
        *(folder.rois, folder.results, folder.report, roi.handoff, roi.volume, roi.labels, roi.particles, roi.voids),
        *(
            roi.quality,
            roi.figures,
            folder.frame_path(FrameId("mosaic/tile_r03_c05")),
            folder.frame_path(FrameId("roi-01/flat_0001"), 3),
        ),
    ]
    assert [folder.relative(place) for place in places] == [
        "recipe.yaml",
        "plan.json",
        "journal.sqlite",
        "log.jsonl",
        "truth.json",
        "mosaic.ome.tif",
        "mosaic.png",
        "rois.json",
        "results.json",
        "report.html",
        "roi-01/handoff.json",
        "roi-01/volume.ome.tif",
        "roi-01/labels.ome.tif",
        "roi-01/particles.csv",
        "roi-01/voids.csv",
        "roi-01/quality.json",
        "roi-01/figures",
        "frames/mosaic/tile_r03_c05.tif",
        "frames/roi-01/flat_0001.a3.tif",
    ]
    for name in ("../x", "frames", "", "a/b"):
        with pytest.raises(DataError, match="no name of a ROI"):
            folder.roi(name)
    with pytest.raises(DataError, match="outside the run folder"):
        folder.write_text(folder.path.parent / "x", "")


def test_json_and_text(folder: RunFolder) -> None:
    numbers = [np.int64(3), float("nan"), (1, None)]
    data = {"a": np.float32(0.5), "b": numbers, "c": np.arange(3), "d": Path("x/y"), 1: True}
    folder.write_json(folder.results, data)
    expected = {"a": 0.5, "b": [3, None, [1, None]], "c": [0, 1, 2], "d": "x/y", "1": True}
    assert json.loads(folder.results.read_text()) == expected
    with pytest.raises(StorageError, match="exists already"):
        folder.write_json(folder.results, {})
    folder.write_json(folder.results, {}, replace=True)
    assert folder.results.read_text() == "{}\n"
    assert folder.write_text(folder.roi("roi-01").particles, "µ\n").read_bytes() == b"\xc2\xb5\n"
    with pytest.raises(DataError, match="cannot be written as JSON"):
        folder.write_json(folder.rois, {"x": object()})


def test_log_is_one_json_a_line(folder: RunFolder) -> None:
    for number in range(3):
        folder.append_log({"t_s": number, "text": "two\nlines"})
    lines = folder.log.read_text().splitlines()
    assert [json.loads(line)["t_s"] for line in lines] == [0, 1, 2]


def test_unfinished_files_go_to_quarantine(folder: RunFolder) -> None:
    for _ in range(2):
        part = folder.frame_path(FrameId("roi-01/proj_0001")).with_suffix(".tif.part")
        part.parent.mkdir(exist_ok=True)
        part.write_bytes(b"half")
        folder.quarantine_parts()
    names = sorted(path.name for path in folder.quarantine.iterdir())
    assert names == [f"frames__roi-01__proj_0001.tif.part.{number}" for number in (1, 2)]
    assert folder.quarantine_parts() == []


def test_a_half_written_folder_goes_to_quarantine_with_what_is_in_it(folder: RunFolder) -> None:
    half = folder.path / "roi-01" / "reconstruction-1a2b.part"
    half.mkdir(parents=True)
    (half / "volume.ome.tif.part").write_bytes(b"half")
    (half.parent / "zeta.tif.part").write_bytes(b"half")
    moved = [path.name for path in folder.quarantine_parts()]
    assert moved == ["roi-01__reconstruction-1a2b.part.1", "roi-01__zeta.tif.part.1"]
    assert (folder.quarantine / moved[0] / "volume.ome.tif.part").read_bytes() == b"half"
    assert folder.quarantine_parts() == []


HOLDER = """
import sys
from pathlib import Path
from xrm_control.storage.run_folder import RunFolder
with RunFolder(Path(sys.argv[1])).lock():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_lock_names_its_holder_and_dies_with_it(folder: RunFolder) -> None:
    command = [sys.executable, "-c", HOLDER, str(folder.path)]
    holder = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ResourceLocked, match=f"in use by process {holder.pid}"), folder.lock():
            pass
        os.kill(holder.pid, signal.SIGKILL)
    with folder.lock():
        assert folder.lock_file.read_text().split()[0] == str(os.getpid())
        with pytest.raises(ResourceLocked, match=str(os.getpid())), folder.lock():
            pass
    with folder.lock():
        pass
    assert folder.lock_file.read_text() == ""
