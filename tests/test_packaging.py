"""What is built carries what a user needs: recipes, docs, screens, types; tried in an environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_SOURCE = ("xrm_control", "simulators", "recipes", "docs")
_FILES = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md")


def built(hook: str, source: Path, out: Path) -> Path:
    """The sdist or wheel that the build backend makes of a source tree."""
    out.mkdir(exist_ok=True)
    code = f"import sys; from setuptools import build_meta; print(build_meta.{hook}(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, out], cwd=source, capture_output=True, text=True, check=False, env=environment()
    )
    assert done.returncode == 0, done.stderr
    return out / done.stdout.splitlines()[-1]


def environment() -> dict[str, str]:
    """Without a path into the checkout."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """From a copy, so that nothing is left in the checkout."""
    folder = tmp_path_factory.mktemp("sdist")
    source = folder / "source"
    for name in _SOURCE:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "runs"))
    for name in (*_FILES, "constraints.txt", "Makefile"):
        shutil.copy(ROOT / name, source / name)
    return built("build_sdist", source, folder / "dist")


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """From the sdist alone: it lacks nothing."""
    folder = tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        # Filters came with Python 3.11.4.
        if hasattr(tarfile, "data_filter"):
            archive.extractall(folder, filter="data")
        else:
            archive.extractall(folder)
    (source,) = folder.iterdir()
    return built("build_wheel", source, folder / "dist")


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh environment with the wheel in it, which borrows what it depends on from this one."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, with_pip=False)
    scripts = place / "bin"
    pip = [sys.executable, "-m", "pip", "--python", str(scripts / "python"), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)], check=True, env=environment())
    (site,) = place.glob("lib/python*/site-packages")
    # A line with a path: it comes after what is installed here, and no editable install comes along.
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return scripts


def xrm(scripts: Path, cwd: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [scripts / "xrm", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environment(), check=False)


def names_in(folder: Path) -> set[str]:
    """Files below a folder of the checkout, as they are named in the wheel."""
    paths = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(ROOT)) for path in paths if "runs" not in path.parts}


def test_the_wheel_carries_recipes_docs_screens_and_types(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = {f"xrm_control/{name}" for folder in ("recipes", "docs") for name in names_in(ROOT / folder)}
    wanted |= names_in(ROOT / "simulators") | names_in(ROOT / "xrm_control")
    assert not wanted - held
    assert not [name for name in held if name.startswith(("tests/", "benchmarks/", "recipes/", "docs/"))]


def test_recipes_come_with_it(installed: Path, tmp_path: Path) -> None:
    where = subprocess.run(
        [installed / "python", "-c", "import xrm_control; print(xrm_control.__file__, xrm_control.__version__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=environment(),
        check=True,
    )
    assert str(installed.parent) in where.stdout
    assert xrm(installed, tmp_path, "init").returncode == 0
    assert (tmp_path / "instruments" / "simulated_ioc.yaml").is_file()
    said = xrm(installed, tmp_path, "check", "nmc811_screening.yaml")
    assert (said.returncode, "in order" in said.stdout) == (0, True), said.stderr


@pytest.mark.soak
def test_a_recipe_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    assert xrm(installed, tmp_path, "init").returncode == 0
    said = xrm(installed, tmp_path, "run", "nmc811_screening.yaml")
    assert said.returncode == 0, said.stderr
    (run,) = (tmp_path / "runs").iterdir()
    assert (run / "report.html").stat().st_size > 0
