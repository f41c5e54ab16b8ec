"""What a newcomer types first: --version, init, help; and that a recipe is checked without loading what computes."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from xrm_control import __version__
from xrm_control.app.starter import copy_recipes
from xrm_control.core.errors import StorageError

ROOT = Path(__file__).parents[2]
RECIPES = sorted(path.relative_to(ROOT / "recipes") for path in (ROOT / "recipes").rglob("*") if path.is_file())
HEAVY = {"scipy", "skimage", "numba", "matplotlib", "SimpleITK", "astra", "finufft", "xraydb", "h5py", "edt", "cc3d"}


def xrm(*arguments: str | Path, cwd: Path = ROOT, wide: bool = True) -> subprocess.CompletedProcess[str]:
    code = "from xrm_control.cli.main import main; main()"
    env = {"PATH": "/usr/bin", "PYTHONPATH": str(ROOT), "COLUMNS": "200" if wide else "80", "TERM": "dumb"}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=env, check=False)


def test_version() -> None:
    assert xrm("--version").stdout == f"xrm_control {__version__}\n"


def test_completion_can_be_installed() -> None:
    assert "--install-completion" in xrm("--help").stdout


def test_help_lists_the_kinds_that_there_are() -> None:
    assert "cgls, fbp, fourier, sirt, tv" in " ".join(xrm("reconstruct", "--help").stdout.replace("│", " ").split())


def test_init_copies_recipes_that_are_in_order(tmp_path: Path) -> None:
    said = xrm("init", tmp_path / "night")
    assert said.returncode == 0
    copied = sorted(path.relative_to(tmp_path / "night") for path in (tmp_path / "night").rglob("*") if path.is_file())
    assert copied == RECIPES
    for recipe in ("nmc811_screening.yaml", "overnight.yaml"):
        assert xrm("check", recipe, cwd=tmp_path / "night").returncode == 0
    # Its map of PVs is found beside it.
    assert xrm("check", "overnight.yaml", "--set", "instrument.backend=epics", cwd=tmp_path / "night").returncode == 0


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    mine = tmp_path / "overnight.yaml"
    mine.write_text("mine")
    told = dict(copy_recipes(tmp_path))
    assert [path for path, new in told.items() if not new] == [mine]
    assert mine.read_text() == "mine"


def test_init_says_where_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "instruments").write_text("a file in the place of a folder")
    with pytest.raises(StorageError, match="instruments"):
        list(copy_recipes(tmp_path))


def test_init_on_a_full_disk_leaves_no_half_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flush = os.fsync

    def full(descriptor: int) -> None:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(descriptor)

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match=r"README\S+: cannot be made durable: the disk is full"):
            list(copy_recipes(tmp_path))
    # What is there counts as somebody's own, and would never be written again.
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".part"]
    assert all(new for _, new in copy_recipes(tmp_path))


def test_a_check_loads_nothing_that_computes() -> None:
    code = (
        "import sys, json; from xrm_control import app; from pathlib import Path;"
        "app.check(app.load(Path('recipes/nmc811_screening.yaml'))); print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {name.partition(".")[0] for name in json.loads(done.stdout)} & HEAVY


def test_the_commands_are_known_before_models_and_arrays_are_loaded() -> None:
    code = "import sys, json, xrm_control.cli.main; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout)
    assert not {name.partition(".")[0] for name in loaded} & {*HEAVY, "numpy", "pydantic"}
    rooms = {".".join(name.split(".")[:2]) for name in loaded if name.startswith("xrm_control.")}
    assert rooms == {"xrm_control.cli", "xrm_control.core"}
